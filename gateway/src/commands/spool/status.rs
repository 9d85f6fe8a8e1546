//! `tidegate spool status`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

use crate::books::LedgerFile;
use crate::commands::{runtime, time};
use crate::config::{Config, Spool, WhenFull};
use crate::spool::{Directory, Disk, Survey, survey};

use super::records;

/// Between the two looks at a spool that is in use. Several groups are written meanwhile.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// What there is to say.
#[derive(Debug, Serialize, PartialEq)]
struct Status {
    records: u64,
    bytes: u64,
    bytes_max: u64,
    oldest: Option<String>,
    oldest_age_s: Option<i64>,
    quarantined_files: usize,
    quarantined_bytes: u64,
    foreign_files: Vec<String>,
    gateway_runs: bool,
    #[serde(flatten)]
    flow: Option<Flow>,
}

/// How fast records come and go, a second.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
struct Flow {
    in_per_s: u64,
    out_per_s: u64,
    /// Whether the oldest may have been dropped meanwhile: the files do not tell what was delivered
    /// from what was dropped.
    may_have_dropped: bool,
    /// When it will be empty; never, if as much comes in as goes out, and unknown if that may have
    /// been dropped.
    empty_in_s: Option<u64>,
}

/// A look at the spool: what waits, and how many were ever written.
#[derive(Debug, Clone, Copy)]
struct Look {
    records: u64,
    written: u64,
    may_drop: bool,
}

impl Look {
    fn at(survey: &Survey, spool: &Spool) -> Self {
        let files = || survey.segments.iter().map(|segment| segment.bytes);
        // One file goes at once, and the last one is not full yet.
        let room = 2 * files().max().unwrap_or(0);
        let is_full = files().sum::<u64>().saturating_add(room) > spool.bytes_max;
        Self {
            records: survey.unsettled(),
            written: survey.next.0,
            may_drop: is_full && spool.when_full == WhenFull::DropOldest,
        }
    }
}

impl Flow {
    /// Of two looks, the second `ms` milliseconds after the first. Rates are rounded down.
    fn between(first: Look, second: Look, ms: u64) -> Self {
        let came = second.written.saturating_sub(first.written);
        let went = (first.records + came).saturating_sub(second.records);
        let a_second = |records: u64| records * 1_000 / ms.max(1);
        let may_have_dropped = first.may_drop || second.may_drop;
        let empty_in_ms = match went.checked_sub(came) {
            _ if second.records == 0 => Some(0),
            _ if may_have_dropped => None,
            None | Some(0) => None,
            Some(less) => Some(second.records * ms / less),
        };
        Self {
            in_per_s: a_second(came),
            out_per_s: a_second(went),
            may_have_dropped,
            empty_in_s: empty_in_ms.map(|ms| ms.div_ceil(1_000)),
        }
    }
}

pub(super) fn run(config: &Config, spool: &Spool, json: bool, out: &mut impl Write) -> Result<()> {
    let disk = &Directory::new(&spool.dir);
    let gateway_runs = LedgerFile::new(&config.state_dir).is_held().unwrap_or(false);
    let mut seen = survey(disk)?;
    let mut flow = None;
    if gateway_runs {
        let (first, began) = (Look::at(&seen, spool), Timestamp::now());
        wait()?;
        seen = survey(disk)?;
        let elapsed_ms = began.duration_until(Timestamp::now()).as_millis();
        let ms = u64::try_from(elapsed_ms).unwrap_or(0);
        flow = Some(Flow::between(first, Look::at(&seen, spool), ms));
    }
    let oldest = oldest(&seen, disk)?;
    let (quarantined_files, quarantined_bytes) = quarantined(&disk.path("quarantine"))?;
    let status = Status {
        records: seen.unsettled(),
        bytes: seen.segments.iter().map(|segment| segment.bytes).sum(),
        bytes_max: spool.bytes_max,
        oldest: oldest.map(time),
        oldest_age_s: oldest.map(|at_ms| (Timestamp::now().as_millisecond() - at_ms) / 1_000),
        quarantined_files,
        quarantined_bytes,
        foreign_files: seen.foreign,
        gateway_runs,
        flow,
    };
    match json {
        true => writeln!(out, "{}", serde_json::to_string(&status)?)?,
        false => status.write(out)?,
    }
    Ok(())
}

fn wait() -> Result<()> {
    runtime()?.block_on(async { tokio::time::sleep(BETWEEN_LOOKS).await });
    Ok(())
}

/// When the oldest record arrived that must be delivered and can be read.
fn oldest(survey: &Survey, disk: &Directory) -> Result<Option<i64>> {
    let mut oldest = None;
    let seen = survey.visit(disk, |entry, is_settled| match is_settled {
        true => Ok(()),
        false => {
            oldest = Some(entry.rx_ts_ms);
            Err(io::ErrorKind::Interrupted.into())
        }
    });
    if oldest.is_none() {
        seen?;
    }
    Ok(oldest)
}

/// How many files there are in `dir`, and their bytes.
fn quarantined(dir: &Path) -> io::Result<(usize, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((files, bytes)),
        entries => entries?,
    };
    for entry in entries {
        bytes += entry?.metadata()?.len();
        files += 1;
    }
    Ok((files, bytes))
}

impl Status {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { bytes, bytes_max, quarantined_files, quarantined_bytes, .. } = self;
        let percent = bytes.saturating_mul(100) / bytes_max.max(&1);
        writeln!(out, "to be delivered: {}", records(self.records))?;
        writeln!(out, "{bytes} bytes on disk, {percent} % of spool.bytes_max ({bytes_max})")?;
        if let (Some(oldest), Some(age_s)) = (&self.oldest, self.oldest_age_s) {
            writeln!(out, "the oldest arrived at {oldest}, {age_s} s ago")?;
        }
        if *quarantined_files > 0 {
            writeln!(
                out,
                "files in quarantine, which could not be read: {quarantined_files} with \
                 {quarantined_bytes} bytes, beside spool.bytes_max; they are yours to delete"
            )?;
        }
        for file in &self.foreign_files {
            writeln!(out, "{file} is not of this spool and is left alone")?;
        }
        let Some(Flow { in_per_s, out_per_s, may_have_dropped, empty_in_s }) = self.flow else {
            return writeln!(out, "no gateway runs");
        };
        write!(out, "a gateway runs: {in_per_s} records/s in, {out_per_s} out; ")?;
        match empty_in_s {
            Some(0) => writeln!(out, "empty"),
            Some(seconds) => writeln!(out, "empty in about {seconds} s"),
            None if may_have_dropped => {
                writeln!(out, "full: what goes out may be the oldest, dropped to make room")
            }
            None => writeln!(out, "no end to be seen: as much comes in as goes out"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(first: (u64, u64), second: (u64, u64)) -> (u64, u64, Option<u64>) {
        let look = |(records, written)| Look { records, written, may_drop: false };
        let flow = Flow::between(look(first), look(second), 2_000);
        (flow.in_per_s, flow.out_per_s, flow.empty_in_s)
    }

    #[test]
    fn what_is_in_quarantine_is_told_in_files_and_bytes() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(quarantined(&dir.path().join("quarantine")).unwrap(), (0, 0));
        fs::write(dir.path().join("a"), [0; 700]).unwrap();
        fs::write(dir.path().join("b"), [0; 50]).unwrap();
        assert_eq!(quarantined(dir.path()).unwrap(), (2, 750));
    }

    #[test]
    fn what_comes_in_meanwhile_is_part_of_when_it_ends() {
        assert_eq!(between((1_000, 1_000), (800, 1_100)), (50, 150, Some(8)));
        assert_eq!(between((1_000, 1_000), (1_000, 1_500)), (250, 250, None));
        assert_eq!(between((1_000, 1_000), (1_500, 1_500)), (250, 0, None));
        assert_eq!(between((10, 1_000), (0, 1_000)), (0, 5, Some(0)));
    }

    #[test]
    fn what_may_have_been_dropped_is_no_sign_of_an_end() {
        let below = Look { records: 1_000, written: 1_000, may_drop: false };
        let full = Look { may_drop: true, ..below };
        let less = Look { records: 600, ..below };
        for (first, second) in [(full, less), (below, Look { may_drop: true, ..less })] {
            let flow = Flow::between(first, second, 2_000);
            assert_eq!((flow.out_per_s, flow.empty_in_s), (200, None));
            assert!(flow.may_have_dropped);
        }
        assert_eq!(Flow::between(below, less, 2_000).empty_in_s, Some(3));
        assert_eq!(Flow::between(full, Look { records: 0, ..less }, 2_000).empty_in_s, Some(0));
    }
}
