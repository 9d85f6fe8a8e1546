//! What the log says of the spool: each state once.

use std::io;
use std::mem::discriminant;

use tracing::{info, warn};

use crate::config;
use crate::spool::advice;

/// After it was said that the ceiling is reached, the spool is full until it holds this part of it:
/// while it drains, there is room for a little now and then.
const DRAINED_PERCENT: u64 = 90;

/// What a job met where it wrote and where it read; nothing where it did neither.
#[derive(Debug, Default)]
pub(super) struct Met {
    pub(super) writing: Option<Result<(), Trouble>>,
    pub(super) reading: Option<Result<(), Trouble>>,
}

/// Why the spool does not take or give everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The ceiling is reached and the operator said `wait`.
    Full,
    /// The disk refuses: why, and what to do.
    Refused(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Refused(format!("{error}; {}", advice(&error)))
    }
}

/// What the log speaks of. Writing and reading are told apart: a disk that is full can be read.
#[derive(Debug)]
pub(super) struct Said {
    dir: String,
    drained_bytes: u64,
    /// Whether the broker waits for others, too, when it waits for this one.
    is_shared: bool,
    writing: Option<Trouble>,
    reading: Option<Trouble>,
}

impl Said {
    /// Nothing yet, of the spool of one of so many streams.
    pub(super) fn nothing(settings: &config::Spool, streams: usize) -> Self {
        Self {
            is_shared: streams > 1,
            dir: settings.dir.display().to_string(),
            drained_bytes: settings.bytes_max / 100 * DRAINED_PERCENT,
            writing: None,
            reading: None,
        }
    }

    /// Whether nothing could be written, when last something was to be.
    pub(super) fn is_refusing(&self) -> bool {
        self.writing.is_some()
    }

    /// Tells what is news in what a job met. `bytes` are in the spool.
    pub(super) fn tell(&mut self, met: Met, bytes: u64) {
        let drains = self.writing == Some(Trouble::Full) && bytes > self.drained_bytes;
        let dir = &self.dir;
        match news(&mut self.writing, met.writing.filter(|met| met.is_err() || !drains)) {
            None => {}
            Some(None) => info!(dir, "the spool is available again"),
            Some(Some(Trouble::Full)) if self.is_shared => warn!(
                bytes,
                dir,
                "this stream's part of spool.bytes_max is full: the broker waits until there is room, \
                 and with it all other streams"
            ),
            Some(Some(Trouble::Full)) => {
                warn!(bytes, "spool.bytes_max is reached: the broker waits until there is room");
            }
            Some(Some(Trouble::Refused(failure))) => {
                warn!(dir, failure, "spool unavailable: records are held, the broker waits");
            }
        }
        match news(&mut self.reading, met.reading) {
            Some(None) => info!(dir, "the spool can be read again"),
            Some(Some(Trouble::Refused(failure))) => {
                warn!(dir, failure, "the spool cannot be read: what it holds waits");
            }
            None | Some(Some(Trouble::Full)) => {}
        }
    }
}

/// What there is to say if `met` is another trouble than `before`, or none any more.
fn news(
    before: &mut Option<Trouble>,
    met: Option<Result<(), Trouble>>,
) -> Option<Option<&Trouble>> {
    let now = met?.err();
    let is_news = now.as_ref().map(discriminant) != before.as_ref().map(discriminant);
    *before = now;
    is_news.then_some(before.as_ref())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pipeline::tests::config;
    use crate::telemetry::tests::log_of;

    const OK: Option<Result<(), Trouble>> = Some(Ok(()));
    const FULL: Option<Result<(), Trouble>> = Some(Err(Trouble::Full));

    fn refused(text: &str) -> Option<Result<(), Trouble>> {
        Some(Err(io::Error::other(text).into()))
    }

    /// What is said while jobs meet this, with so many bytes in a spool of 1,000.
    fn told(jobs: impl IntoIterator<Item = (Met, u64)>) -> Vec<String> {
        told_by(nothing(), jobs)
    }

    fn told_by(mut said: Said, jobs: impl IntoIterator<Item = (Met, u64)>) -> Vec<String> {
        let log = log_of(|| jobs.into_iter().for_each(|(met, bytes)| said.tell(met, bytes)));
        log.lines().map(str::to_owned).collect()
    }

    fn nothing() -> Said {
        let mut settings = config(Path::new("tidegate-state"), "").spool;
        settings.bytes_max = 1_000;
        Said::nothing(&settings, 1)
    }

    #[test]
    fn a_spool_refuses_from_when_it_takes_no_more_until_it_does() {
        let mut said = nothing();
        for ((met, bytes), refuses) in [
            (wrote(OK, 900), false),
            (wrote(FULL, 1_000), true),
            (read(OK), true),
            (wrote(OK, 800), false),
            (wrote(refused("no space"), 800), true),
        ] {
            said.tell(met, bytes);
            assert_eq!(said.is_refusing(), refuses);
        }
    }

    fn wrote(writing: Option<Result<(), Trouble>>, bytes: u64) -> (Met, u64) {
        (Met { writing, reading: None }, bytes)
    }

    fn read(reading: Option<Result<(), Trouble>>) -> (Met, u64) {
        (Met { writing: None, reading }, 950)
    }

    #[test]
    fn a_full_spool_is_said_once_until_it_has_drained() {
        let mut jobs = vec![wrote(OK, 900), wrote(FULL, 1_000)];
        for bytes in [950, 1_000, 901] {
            jobs.extend([wrote(OK, bytes), read(OK), wrote(FULL, 1_000)]);
        }
        jobs.extend([wrote(OK, 900), wrote(FULL, 1_000)]);
        let told = told(jobs);
        let expected = ["bytes_max is reached", "is available again", "bytes_max is reached"];
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told.iter().zip(expected).all(|(line, words)| line.contains(words)), "{told:#?}");
    }

    #[test]
    fn a_full_part_of_one_of_several_streams_is_said_to_hold_up_all() {
        let told = told_by(Said { is_shared: true, ..nothing() }, [wrote(FULL, 1_000)]);
        assert!(told.len() == 1 && told[0].contains("with it all other streams"), "{told:#?}");
    }

    #[test]
    fn a_disk_that_takes_nothing_and_gives_everything_is_said_once() {
        let mut jobs = vec![wrote(FULL, 1_000)];
        for _ in 0..3 {
            jobs.extend([wrote(refused("no space"), 950), read(OK), (Met::default(), 940)]);
        }
        jobs.push(wrote(OK, 950));
        let told = told(jobs);
        let expected = ["bytes_max is reached", "spool unavailable", "is available again"];
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told.iter().zip(expected).all(|(line, words)| line.contains(words)), "{told:#?}");
        assert!(told[1].contains("tidegate-state/spool"), "{told:#?}");
        assert!(told[1].contains("no space; check the disk"), "{told:#?}");
    }

    #[test]
    fn a_disk_that_gives_nothing_and_takes_everything_is_said_once() {
        let jobs = (0..3).flat_map(|_| [read(refused("bad sector")), wrote(OK, 950)]);
        let told = told(jobs.chain([read(OK)]));
        let expected = ["cannot be read: what it holds waits", "can be read again"];
        assert_eq!(told.len(), 2, "{told:#?}");
        assert!(told.iter().zip(expected).all(|(line, words)| line.contains(words)), "{told:#?}");
    }
}
