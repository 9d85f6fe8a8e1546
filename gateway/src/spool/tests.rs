use super::*;

mod damage;
mod directory;
mod memory;
mod model;
mod sim;
