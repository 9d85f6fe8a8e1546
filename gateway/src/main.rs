//! The `tidegate` program.

use std::process::ExitCode;

use clap::Parser;
use tidegate::cli::{Arguments, Command};
use tidegate::{commands, telemetry};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    telemetry::init(arguments.log_format);
    let done = match arguments.command {
        Command::Run { config } => commands::run::run(&config),
    };
    done.unwrap_or_else(|error| {
        tracing::error!("{error:#}");
        ExitCode::FAILURE
    })
}
