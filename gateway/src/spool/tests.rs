use super::*;

mod directory;
