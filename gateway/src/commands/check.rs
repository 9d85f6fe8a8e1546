//! `tidegate check`: whether the gateway could do its work now.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::check::report::Report;
use crate::check::{self, Wishes};

use super::{load_whole, read_to_the_end, runtime};

/// What is asked.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Ends with 0 when the connection is available, and otherwise with whose \
                        matter the first failure is: 64 configuration, 10 broker, 11 credentials, \
                        12 stream, 13 disk.")]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Stores one marked record, {"tidegate_canary": …}, and reads it back where that is permitted.
    /// Without this nothing is stored.
    #[arg(long)]
    canary: bool,
    /// Asks for a dry run at a stream.endpoint whose name is none of AWS. An endpoint that does not
    /// know dry runs, as emulators do not, stores a marked record.
    #[arg(long)]
    trust_dry_run: bool,
    /// One JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// Writes the report on standard output.
///
/// # Errors
/// When it could not be written.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let report = match load_whole(&arguments.config) {
        Err(faults) => check::faulty(&faults),
        Ok(config) => {
            let Arguments { canary, trust_dry_run, .. } = *arguments;
            let runtime = runtime()?;
            let report = runtime.block_on(check::check(&config, Wishes { canary, trust_dry_run }));
            // A name server that hangs keeps a thread, which is not waited for.
            runtime.shutdown_background();
            report
        }
    };
    written(arguments, &report)
}

fn written(arguments: &Arguments, report: &Report) -> Result<ExitCode> {
    let text = if arguments.json { report.json() } else { report.text() };
    let written = std::io::stdout().write_all(text.as_bytes());
    read_to_the_end(written.map(|()| report.exit_code().into()).map_err(Into::into))
}
