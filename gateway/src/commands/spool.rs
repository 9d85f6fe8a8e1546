//! `tidegate spool`: what waits on local disk, looked at beside a running gateway or after, mended
//! and purged when none runs.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::config::{Config, Spool, Stream, label_of};
use crate::spool::{Directory, Seq};

use super::age::Age;
use super::{configuration, read_to_the_end};

mod export;
mod status;
mod upkeep;
mod verify;

/// Which spool.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// The gateway's configuration file: it says where the spool lies.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The label of the stream whose spool it is, where there are several; of one that is not
    /// configured any more, too.
    #[arg(long, value_name = "LABEL", value_parser = label_of)]
    stream: Option<String>,
}

/// What is done with the spool.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// How much waits, since when, and how fast a running gateway drains it.
    Status {
        /// Which spool.
        #[command(flatten)]
        which: Which,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Read everything and check every checksum. Fails if anything cannot be read.
    Verify {
        /// Which spool.
        #[command(flatten)]
        which: Which,
    },
    /// Write what is not delivered as one JSON object a line, oldest first. Fails, when all that can be
    /// read is written, if anything cannot be.
    Export {
        /// Which spool.
        #[command(flatten)]
        which: Which,
        /// Delivered records that are still there, too.
        #[arg(long)]
        all: bool,
    },
    /// Put aside what cannot be read, so that the rest is delivered. The gateway must not run.
    Repair {
        /// Which spool.
        #[command(flatten)]
        which: Which,
    },
    /// Drop what arrived long ago, for good; the books count it. The gateway must not run.
    Purge {
        /// Which spool.
        #[command(flatten)]
        which: Which,
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
    let (Command::Status { which, .. }
    | Command::Verify { which }
    | Command::Export { which, .. }
    | Command::Repair { which }
    | Command::Purge { which, .. }) = command;
    let config = match configuration(Config::load(&which.config))? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    read_to_the_end(which.spool(&config).and_then(|spool| perform(command, &config, &spool)))
}

impl Which {
    /// The spool that is meant.
    fn spool(&self, config: &Config) -> Result<Spool> {
        let Some(label) = &self.stream else {
            let labels: Vec<_> = config.streams.iter().map(|one| one.label.as_str()).collect();
            if labels.len() > 1 {
                bail!(
                    "each stream has its own spool: say --stream with one of {}",
                    labels.join(", ")
                );
            }
            return Ok(config.spool_of(config.streams.first()));
        };
        let stream = config.streams.labelled(label).cloned();
        // One that is not configured any more may have left something.
        let gone =
            || Stream { label: label.clone(), is_apart: true, ..config.streams.first().clone() };
        let stream = stream.unwrap_or_else(gone);
        Ok(config.spool_of(&stream))
    }
}

fn perform(command: &Command, config: &Config, spool: &Spool) -> Result<ExitCode> {
    let dir = &spool.dir;
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
        Command::Status { json, .. } => status::run(config, spool, *json, out)?,
        Command::Verify { .. } => return verify::run(&disk, out),
        Command::Export { all, .. } => return export::run(&disk, *all, out),
        Command::Repair { .. } => upkeep::repair(config, spool, out)?,
        Command::Purge { older_than, .. } => upkeep::purge(config, spool, *older_than, out)?,
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
