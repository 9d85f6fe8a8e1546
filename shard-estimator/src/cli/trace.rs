//! A recorded trace, read once, one line in memory at a time: a pipe will do.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use self::line::{Line, Lines};
use super::Faults;
use super::observed::{Observed, Seen};

mod line;

/// What the bytes of a trace are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum BytesAre {
    /// What devices published.
    Payload,
    /// Data of the records that the gateway makes of it.
    Record,
}

/// Reads `file`; `bytes_are` outweighs what it says itself.
pub(super) fn read(file: &Path, bytes_are: Option<BytesAre>) -> Result<Observed, Faults> {
    let fault = |what: &dyn fmt::Display| Faults::one(format_args!("{}: {what}", file.display()));
    let trace = File::open(file).map_err(|error| fault(&error))?;
    let mut lines = Lines::of(BufReader::new(trace));
    let mut observed = Observed::new(Seen::InTrace);
    let mut says = None;
    while let Some((number, line)) = lines.read().map_err(|error| fault(&error))? {
        match line {
            Ok(Line::Header(bytes_are)) => says = Some(bytes_are),
            Ok(Line::Reading(reading)) => {
                observed.add(reading.at_ms, &reading.device, reading.bytes);
            }
            Err(because) => observed.leave_out(|| format!("line {number}: {because}")),
        }
    }
    if bytes_are.or(says) != Some(BytesAre::Record) {
        observed.of_payloads();
    }
    Ok(observed)
}
