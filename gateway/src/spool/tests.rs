use super::*;

mod directory;
mod model;
mod sim;
