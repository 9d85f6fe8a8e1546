//! `tidegate spool`: what waits on local disk, looked at beside a running gateway or after, mended
//! and purged when none runs.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::config::Config;
use crate::spool::{Directory, Seq};

use super::age::Age;
use super::{configuration, read_to_the_end};

mod export;
mod status;
mod upkeep;
mod verify;

/// What is done with the spool.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// How much waits, since when, and how fast a running gateway drains it.
    Status {
        /// The gateway's configuration file: it says where the spool lies.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Read everything and check every checksum. Fails if anything cannot be read.
    Verify {
        /// The gateway's configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Write what is not delivered as one JSON object a line, oldest first. Fails, when all that can be
    /// read is written, if anything cannot be.
    Export {
        /// The gateway's configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Delivered records that are still there, too.
        #[arg(long)]
        all: bool,
    },
    /// Put aside what cannot be read, so that the rest is delivered. The gateway must not run.
    Repair {
        /// The gateway's configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Drop what arrived long ago, for good; the books count it. The gateway must not run.
    Purge {
        /// The gateway's configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// What arrived longer ago than this: 7d, 12h, 2w.
        #[arg(long, value_name = "AGE")]
        older_than: Age,
    },
}

/// Does what `command` says.
///
/// # Errors
/// When the directory is not there, is of a newer version or in use, or the disk refuses.
pub fn run(command: &Command) -> Result<ExitCode> {
    let (Command::Status { config: path, .. }
    | Command::Verify { config: path }
    | Command::Export { config: path, .. }
    | Command::Repair { config: path }
    | Command::Purge { config: path, .. }) = command;
    let config = match configuration(Config::load(path))? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    read_to_the_end(perform(command, &config))
}

fn perform(command: &Command, config: &Config) -> Result<ExitCode> {
    let dir = &config.spool.dir;
    if !dir.is_dir() {
        bail!(
            "spool.dir: there is no directory {}: is state_dir (or, for a service, \
             $STATE_DIRECTORY) the one that the gateway runs with?",
            dir.display()
        );
    }
    let disk = Directory::new(dir);
    let out = &mut io::stdout().lock();
    match command {
        Command::Status { json, .. } => status::run(config, &disk, *json, out)?,
        Command::Verify { .. } => return verify::run(&disk, out),
        Command::Export { all, .. } => return export::run(&disk, *all, out),
        Command::Repair { .. } => upkeep::repair(config, disk, out)?,
        Command::Purge { older_than, .. } => upkeep::purge(config, disk, *older_than, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// How many seqs there are from `from` up to `end`.
fn count(from: Seq, end: Seq) -> u64 {
    end.0.saturating_sub(from.0)
}

/// So many records, in words.
fn records(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} record{plural}")
}
