//! x
pub mod ack;
pub mod normalise;
pub mod record;
pub mod source;
