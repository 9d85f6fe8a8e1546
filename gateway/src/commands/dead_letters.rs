//! `tidegate dead-letters`: what could not be sent, listed, shown, sent again, purged; on a stopped
//! gateway's directory or beside a running one.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::config::Config;
use crate::dead_letter::{Directory, Entry, Id, Letter};

use super::{configuration, read_to_the_end, time};

mod list;
mod purge;
mod replay;
mod show;

/// What is done with the dead letters.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// List them, oldest first, one line each, and count them by reason.
    List {
        /// The gateway's configuration file: it says where they lie.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Which ones, and how.
        #[command(flatten)]
        arguments: list::Arguments,
    },
    /// Show one in full.
    Show {
        /// The gateway's configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Its place, file:line, as `list` shows it. It changes when letters before it go.
        id: Id,
        /// Only its original bytes, as they came.
        #[arg(long)]
        payload: bool,
    },
    /// Send them again, oldest first.
    ///
    /// Payloads go through the mapping of the configuration, records are sent as they are. What is
    /// delivered goes from the disk, what is still bad stays with the reason of today. Waits for the
    /// stream while that is away. May be interrupted at any time; the next replay may then send the
    /// last letters again.
    Replay {
        /// The gateway's configuration file: it says the mapping, the stream and the pace, too.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Which ones.
        #[command(flatten)]
        arguments: replay::Arguments,
    },
    /// Remove them for good.
    Purge {
        /// The gateway's configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Which ones.
        #[command(flatten)]
        arguments: purge::Arguments,
    },
}

/// Does what `command` says.
///
/// # Errors
/// When the files or the stream cannot be used, or there is no such letter.
pub fn run(command: &Command) -> Result<ExitCode> {
    let (Command::List { config: path, .. }
    | Command::Show { config: path, .. }
    | Command::Replay { config: path, .. }
    | Command::Purge { config: path, .. }) = command;
    let config = match configuration(Config::load(path))? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    read_to_the_end(perform(command, &config).map(|()| ExitCode::SUCCESS))
}

fn perform(command: &Command, config: &Config) -> Result<()> {
    let dir = &config.dead_letter.dir;
    if !dir.is_dir() {
        bail!(
            "there is no directory {}: is state_dir (or, for a service, $STATE_DIRECTORY) the one \
             that the gateway runs with?",
            dir.display()
        );
    }
    let directory = Directory::new(dir);
    let out = &mut io::stdout().lock();
    match command {
        Command::List { arguments, .. } => list::run(&directory, arguments, out),
        Command::Show { id, payload: false, .. } => show::whole(&directory, *id, out),
        Command::Show { id, payload: true, .. } => show::payload(&directory, *id, out),
        Command::Replay { arguments, .. } => replay::run(&directory, config, arguments, out),
        Command::Purge { arguments, .. } => purge::run(&directory, arguments, out),
    }
}

/// The letter of `entry`; nothing, and a warning, when it is none: torn by a crash, or damaged.
fn readable(entry: &Entry) -> Option<Letter> {
    let letter = entry.letter();
    if let Err(reason) = &letter {
        tracing::warn!(id = %entry.id, %reason, "passed over: this line cannot be read");
    }
    letter.ok()
}

/// A text that cannot command a terminal.
fn printable(text: &str) -> String {
    let mut printable = String::new();
    for letter in text.chars() {
        match letter.is_control() {
            true => printable.extend(letter.escape_default()),
            false => printable.push(letter),
        }
    }
    printable
}
