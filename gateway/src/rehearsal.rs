//! What a rehearsal needs around the gateway: all on loopback, all in this process.

pub mod broker;
pub mod fleet;
