//! x
pub mod ack;
pub mod config;
pub mod filter;
pub mod limits;
pub mod normalise;
pub mod record;
pub mod source;
