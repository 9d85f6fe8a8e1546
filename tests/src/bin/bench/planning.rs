//! What `tidegate plan` costs of a fleet whose devices are all known, by their names and by a trace.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use shard_estimator::cli::{self, Arguments};
use tempfile::TempDir;

use crate::load::now;
use crate::subject::own_rss_peak_mib;
use crate::table::Table;

/// The column of the table.
pub(crate) const COLUMN: &str = "plan";

const DEVICES: u64 = 100_000;
const TRACE_LINES: u64 = 1_000_000;
/// What the process that is measured says before its peak.
const PEAK: &str = "peak RSS, MiB: ";

/// Plans for 100,000 devices.
pub(crate) fn plans(table: &mut Table) -> Result<()> {
    let directory = TempDir::new()?;
    let [names, trace] =
        ["names", "trace"].map(|name| directory.path().join(name).display().to_string());
    write_lines(&names, DEVICES, |n| format!("VIN{n:014}"))?;
    // Ten readings of each, a second apart.
    write_lines(&trace, TRACE_LINES, |n| {
        let (device, ts) = (n % DEVICES, 1_780_000_000_000 + n * 1_000 / DEVICES);
        format!(r#"{{"ts":{ts},"device":"VIN{device:014}","bytes":700}}"#)
    })?;
    // So many need about 512 shards.
    let by_names = ["--ids", &names, "--period", "300ms", "--sizes", "700:1"];
    let on_a_page = [&by_names[..], &["--format", "html"]].concat();
    let by_trace = ["--trace", &trace];
    for (question, seconds, peak) in [
        (&by_names[..], "100,000 names: s", "100,000 names: peak RSS, MiB"),
        (&on_a_page, "the same with charts: s", "the same with charts: peak RSS, MiB"),
        (&by_trace, "trace of 1 million lines: s", "trace of 1 million lines: peak RSS, MiB"),
    ] {
        let began = now();
        let output = Command::new(std::env::current_exe()?).arg("plan").args(question).output()?;
        table.note(seconds, COLUMN, began.elapsed().as_secs_f64());
        let said = String::from_utf8(output.stderr)?;
        anyhow::ensure!(output.status.success() && !output.stdout.is_empty(), "no plan: {said}");
        let figure = said.lines().find_map(|line| line.strip_prefix(PEAK)).context("no peak")?;
        table.note(peak, COLUMN, figure.parse()?);
    }
    Ok(())
}

fn write_lines(path: &str, count: u64, line: impl Fn(u64) -> String) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    (0..count).try_for_each(|n| writeln!(file, "{}", line(n)))?;
    Ok(file.flush()?)
}

/// Answers the question, as what is measured, and says how much memory that took.
pub(crate) fn answer(question: &Arguments) -> Result<ExitCode> {
    let code = cli::run(question);
    writeln!(std::io::stderr(), "{PEAK}{}", own_rss_peak_mib()?)?;
    Ok(code)
}
