//! The spool on its way to and from the disk: one job at a time, away from the flow's thread.

use anyhow::{Context, Result};
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{Span, error, info, warn};

use crate::config::{Config, SpoolMode, Stream};
use crate::custody::{Found, Job, Outcome};
use crate::metrics::StreamCounts;
use crate::spool::{Appended, Bounds, Directory, Recovery, Seq, Spool, awaited};

use super::joined;
use said::{Met, Said, Trouble};

mod addressee;
mod said;

/// The spool, and what it is doing.
#[derive(Debug)]
pub(super) struct Spooling {
    /// Here unless a job is running, or there is none.
    spool: Option<Spool<Directory>>,
    job: Option<JoinHandle<Done>>,
    said: Said,
    bytes: u64,
}

/// A job that ended.
#[derive(Debug)]
pub(super) struct Done {
    spool: Spool<Directory>,
    outcome: Outcome,
    met: Met,
}

impl Spooling {
    /// Looks whether [`Self::open`] could go on with what lies there, and writes nothing.
    ///
    /// # Errors
    /// When it cannot be gone on with, or what waits there is for another stream.
    pub(super) fn look(config: &Config, stream: &Stream) -> Result<()> {
        let settings = config.spool_of(stream);
        if settings.mode == SpoolMode::Off || !settings.dir.is_dir() {
            return Ok(());
        }
        let look = || {
            let waiting = awaited(&Directory::new(&settings.dir))?;
            addressee::look(&settings.dir, stream, waiting).map(drop)
        };
        look().context("spool.dir")
    }

    /// Opens the spool of `stream`, if there is to be one, and says what was found in it. That is
    /// counted, and what turned out to be unreadable.
    ///
    /// # Errors
    /// When it cannot be used, or what waits there is for another stream.
    pub(super) fn open(config: &Config, stream: &Stream) -> Result<(Self, Found, StreamCounts)> {
        let settings = &config.spool_of(stream);
        let nothing = Found { next: Seq(1), oldest: Seq(1), unsettled: 0 };
        if settings.mode == SpoolMode::Off {
            let said = Said::nothing(settings, config.streams.count());
            let none = Self { spool: None, job: None, said, bytes: 0 };
            return Ok((none, nothing, StreamCounts::default()));
        }
        let bounds = Bounds { bytes_max: settings.bytes_max, when_full: settings.when_full };
        let (spool, Recovery { corrupted, .. }) =
            Spool::open(Directory::new(&settings.dir), bounds).context("spool.dir")?;
        let found = Found {
            next: spool.next_seq(),
            oldest: spool.oldest_unsettled(),
            unsettled: spool.unsettled(),
        };
        addressee::address(&settings.dir, stream, found.unsettled).context("spool.dir")?;
        say_corrupted(corrupted);
        // The earlier run left those that are unreadable as well.
        let recovered = found.unsettled + corrupted;
        let counts = StreamCounts { recovered, corrupted, ..StreamCounts::default() };
        let bytes = spool.bytes();
        if found.unsettled > 0 {
            info!(records = found.unsettled, bytes, "the spool holds records of an earlier run");
        }
        let said = Said::nothing(settings, config.streams.count());
        Ok((Self { spool: Some(spool), job: None, said, bytes }, found, counts))
    }

    /// Whether nothing more is kept: there is no spool, or it is full, or its disk refuses.
    pub(super) fn is_refusing(&self) -> bool {
        let is_off = self.spool.is_none() && self.job.is_none();
        is_off || self.said.is_refusing()
    }

    /// Whether a job may be started.
    pub(super) fn is_free(&self) -> bool {
        self.spool.is_some()
    }

    /// Whether a job is running.
    pub(super) fn is_busy(&self) -> bool {
        self.job.is_some()
    }

    /// How many bytes its files have.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Starts a job. Ignored unless the spool [is free](Self::is_free).
    pub(super) fn start(&mut self, job: Job) {
        let Some(mut spool) = self.spool.take() else { return };
        let span = Span::current();
        self.job = Some(spawn_blocking(move || {
            let (outcome, met) = span.in_scope(|| carry_out(&mut spool, &job));
            Done { spool, outcome, met }
        }));
    }

    /// Waits for the job that is running; for ever if none is.
    pub(super) async fn done(&mut self) -> Done {
        match &mut self.job {
            Some(job) => joined(job).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for the job that is running, if one is.
    pub(super) async fn last(&mut self) -> Option<Done> {
        if self.is_busy() { Some(self.done().await) } else { None }
    }

    /// Takes a job that ended, and gives its outcome.
    pub(super) fn finish(&mut self, done: Done) -> Outcome {
        let Done { spool, outcome, met } = done;
        self.bytes = spool.bytes();
        (self.spool, self.job) = (Some(spool), None);
        self.said.tell(met, self.bytes);
        outcome
    }

    /// Tells the spool of the last entries that ended, and closes it.
    pub(super) async fn close(self, ended: Vec<Seq>) {
        let Some(mut spool) = self.spool else { return };
        let closing = spawn_blocking(move || {
            spool.settle(&ended);
            spool.close()
        });
        if let Err(error) = joined(closing).await {
            warn!(%error, "the spool was not closed well: some records may be sent twice");
        }
    }
}

#[cfg(test)]
impl Spooling {
    /// Keeps the disk busy until the other end of `until` is gone.
    pub(super) fn hang(&mut self, until: std::sync::mpsc::Receiver<()>) {
        let spool = self.spool.take().expect("it is free");
        self.job = Some(spawn_blocking(move || {
            until.recv().expect_err("nothing is sent");
            Done { spool, outcome: Outcome::default(), met: Met::default() }
        }));
    }
}

/// Says that `records` were on the disk alone and cannot be read.
pub(super) fn say_corrupted(records: u64) {
    if records > 0 {
        error!(records, "records in the spool were unreadable: see its quarantine");
    }
}

fn carry_out(spool: &mut Spool<Directory>, job: &Job) -> (Outcome, Met) {
    let (mut outcome, mut met) = (Outcome::default(), Met::default());
    if !job.settled.is_empty() {
        spool.settle(&job.settled);
    }
    if !job.group.is_empty() {
        let written = match spool.append(&job.group) {
            Ok(Appended::Kept) => Ok(()),
            Ok(Appended::Full) => Err(Trouble::Full),
            Err(error) => Err(error.into()),
        };
        outcome.kept = written.is_ok();
        met.writing = Some(written);
    }
    if !job.fetch.is_empty() {
        let fetched = spool.fetch(&job.fetch).map(|entries| outcome.fetched = Some(entries));
        met.reading = Some(fetched.map_err(Trouble::from));
    }
    if let Some((from, bytes_max)) = job.read {
        let read = spool.read(from, bytes_max).map(|read| outcome.read = Some(read));
        met.reading = Some(met.reading.unwrap_or(Ok(())).and(read.map_err(Trouble::from)));
    }
    (outcome.dropped, outcome.lost) = (spool.take_dropped(), spool.take_lost());
    outcome.unsettled = spool.unsettled();
    (outcome, met)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::tests::config;

    #[test]
    fn without_a_spool_nothing_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        for (mode, refuses) in [("off", true), ("overflow", false)] {
            let config = config(dir.path(), &format!("spool.mode = '{mode}'"));
            let (spooling, ..) = Spooling::open(&config, config.streams.first()).unwrap();
            assert_eq!(spooling.is_refusing(), refuses, "{mode}");
        }
    }

    #[cfg(debug_assertions)]
    #[tokio::test]
    #[should_panic(expected = "overflow")]
    async fn panic_of_the_spool_at_its_end_is_not_kept_quiet() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), "");
        let (spooling, ..) = Spooling::open(&config, config.streams.first()).unwrap();
        // No spool gets as far.
        spooling.close(vec![Seq(u64::MAX)]).await;
    }
}
