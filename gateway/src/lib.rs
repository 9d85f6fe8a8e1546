//! x
pub mod ack;
pub mod config;
pub mod normalise;
pub mod record;
#[cfg(feature = "rehearsal")]
pub mod rehearsal;
pub mod source;
