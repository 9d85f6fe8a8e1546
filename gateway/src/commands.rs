//! What each subcommand does.

#[cfg(feature = "rehearsal")]
pub mod rehearse;
pub mod run;
