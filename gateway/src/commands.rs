//! What each subcommand does.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::config::{Config, Faults};

mod age;
pub mod audit;
pub mod check;
pub mod dead_letters;
pub mod plan;
pub mod policy;
#[cfg(feature = "rehearsal")]
pub mod rehearse;
pub mod run;
mod signals;
pub mod spool;
mod streams;

/// The configuration is at fault: `EX_USAGE` of sysexits.h.
const EXIT_CONFIGURATION: u8 = 64;

/// The configuration, or else its faults written out and the exit code for them.
fn configuration(checked: Result<Config, Faults>) -> std::io::Result<Result<Config, ExitCode>> {
    match checked {
        Ok(config) => Ok(Ok(config)),
        Err(faults) => {
            // Faults are the answer to a question, not a log: they go out as they are.
            std::io::stderr().write_all(format!("{faults}\n").as_bytes())?;
            Ok(Err(EXIT_CONFIGURATION.into()))
        }
    }
}

/// The configuration at `path`, with the files that it names: for what connects.
fn load_whole(path: &Path) -> Result<Config, Faults> {
    let config = Config::load(path)?;
    config.check_files(&path.display().to_string())?;
    Ok(config)
}

/// A runtime on this thread.
fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().context("cannot start the runtime")
}

/// What was done, unless all that failed is that nobody reads our output any more: they have seen
/// enough.
fn read_to_the_end(done: anyhow::Result<ExitCode>) -> anyhow::Result<ExitCode> {
    let unread = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    match done {
        Err(error) if error.downcast_ref().is_some_and(unread) => Ok(ExitCode::SUCCESS),
        done => done,
    }
}

/// A time for people and machines.
fn time(unix_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(unix_ms)
        .map_or_else(|_| unix_ms.to_string(), |at| format!("{at:.3}"))
}
