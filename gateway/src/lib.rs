//! x
pub mod ack;
pub mod config;
pub mod normalise;
pub mod record;
pub mod source;
pub mod topic;
