use super::*;

mod damage;
mod directory;
mod model;
mod sim;
