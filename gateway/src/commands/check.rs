//! `tidegate check`: whether the gateway could do its work now.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::builder::NonEmptyStringValueParser;

use crate::check::apart::{FILES_MAX, apart};
use crate::check::report::Report;
use crate::check::{self, Wishes};
use crate::clock::now;

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
    /// The client id for the visit to the broker, instead of mqtt.client_id with -check- and a number
    /// behind it. For a broker that admits clients by their client id. Nobody else may use it.
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    client_id: Option<String>,
    /// Stores one marked record, {"tidegate_canary": …}, and reads it back where that is permitted.
    /// Without this nothing is stored.
    #[arg(long)]
    canary: bool,
    /// Asks for a dry run at a stream.endpoint whose name is none of Kinesis. An endpoint that does not
    /// know dry runs, as emulators do not, stores a marked record.
    #[arg(long)]
    trust_dry_run: bool,
    /// One JSON document instead of lines.
    #[arg(long)]
    json: bool,
}

/// Longest check, with time left to write the report.
const WHOLE_MAX: Duration = Duration::from_secs(27);

/// Writes the report on standard output.
///
/// # Errors
/// When it could not be written.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = runtime()?;
    let report = runtime.block_on(report(arguments));
    // A disk or a name server that hangs keeps a thread, which is not waited for.
    runtime.shutdown_background();
    written(arguments, &report?)
}

/// Reads the configuration and checks, each beside this thread: files may hang.
async fn report(arguments: &Arguments) -> Result<Report> {
    let begun = now();
    let Arguments { config: path, client_id, canary, trust_dry_run, .. } = arguments.clone();
    let name = path.clone();
    let config = match apart(FILES_MAX, move || load_whole(&path)).await {
        None => return Ok(check::unread(&name, FILES_MAX)),
        Some(Err(faults)) => return Ok(check::faulty(&faults)),
        Some(Ok(config)) => config,
    };
    let checked = apart((begun + WHOLE_MAX).saturating_duration_since(now()), move || {
        let runtime = runtime()?;
        let wishes = Wishes { canary, trust_dry_run };
        let check = check::check(&config, client_id.as_deref(), wishes, begun);
        let report = runtime.block_on(check);
        runtime.shutdown_background();
        Ok(report)
    });
    checked.await.unwrap_or_else(|| Ok(check::unread(&name, WHOLE_MAX)))
}

fn written(arguments: &Arguments, report: &Report) -> Result<ExitCode> {
    let text = if arguments.json { report.json() } else { report.text() };
    let written = std::io::stdout().write_all(text.as_bytes());
    // Whoever has read enough is told all the same.
    read_to_the_end(written.map(|()| ExitCode::SUCCESS).map_err(Into::into))?;
    Ok(report.exit_code().into())
}
