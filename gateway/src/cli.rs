//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands;
use crate::hardening;
use crate::telemetry::{self, LogFormat};

/// The whole program: reads the arguments, does what they say, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::init(arguments.log_format);
    if let Err(error) = hardening::no_core_dumps() {
        tracing::warn!(%error, "a core dump of this process could hold secrets");
    }
    let done = match arguments.command {
        Command::Run { config } => commands::run::run(&config),
        Command::DeadLetters(command) => commands::dead_letters::run(&command),
        Command::Spool(command) => commands::spool::run(&command),
        Command::Audit(arguments) => commands::audit::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        Command::Plan(arguments) => commands::plan::run(&arguments),
        Command::Policy(arguments) => commands::policy::run(&arguments),
        #[cfg(feature = "rehearsal")]
        Command::Rehearse(arguments) => commands::rehearse::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}

/// Sensor readings from MQTT into a Kinesis data stream, with nothing lost.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    /// How log lines look, on standard error.
    #[arg(long, global = true, value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway until SIGTERM or SIGINT; a second signal ends it at once.
    Run {
        /// The configuration file. `configs/tidegate.toml` shows every key.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// What could not be sent, and why: list, show, send again, purge; beside a running gateway, too.
    #[command(subcommand)]
    DeadLetters(commands::dead_letters::Command),
    /// What waits on local disk: status, verify, export, and, while no gateway runs, repair and purge.
    #[command(subcommand)]
    Spool(commands::spool::Command),
    /// What became of every record since the books began. Fails if any is unaccounted for.
    Audit(commands::audit::Arguments),
    /// Whether the gateway could do its work now: broker, key, stream, disk; and if not, what to do.
    Check(commands::check::Arguments),
    /// How many shards the stream needs, why, and what it costs: from flags, a file, a trace, by
    /// watching a broker, or of a gateway that runs.
    Plan(Box<commands::plan::Arguments>),
    /// The least that the streams' owner must allow, to paste: for the gateway, or for who reads.
    Policy(commands::policy::Arguments),
    /// Rehearse: a synthetic fleet publishes to an embedded broker, and the gateway forwards to a
    /// local stream that enforces the limits of Kinesis. Fails when anything is lost.
    #[cfg(feature = "rehearsal")]
    Rehearse(commands::rehearse::Arguments),
}
