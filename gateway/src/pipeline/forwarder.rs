//! Dead letters from the disk to a stream of their own.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::config::{self, Config};
use crate::dead_letter::{Directory, Entry, Reading, Store};
use crate::deliver::Stream;
use crate::limits::SPOOL_CLOSE_MAX;
use crate::metrics::Counters;
use crate::record::PartitionKey;

use super::joined;
use super::sender::{Sender, Unsent};

#[cfg(test)]
mod tests;

/// Pauses while the disk fails grow from the first to the longest.
const DISK_PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Sends what is on the disk, oldest first, and takes it from there file by file: each letter
/// arrives at least once, and stays on the disk until it has. One group of about 1 MiB is in memory
/// at a time. What its stream refuses, and what is no letter, stays and is not tried again.
#[derive(Debug)]
pub(super) struct Forwarder<'a, S> {
    directory: Directory,
    appended: Arc<Notify>,
    sender: Sender<'a, S>,
    newline: bool,
    /// Here unless the disk is at work.
    reading: Reading,
    work: Option<JoinHandle<Worked>>,
    counters: Arc<Counters>,
}

/// What the disk did, and how far the files were read then.
type Worked = (Reading, io::Result<Vec<Entry>>);

/// Whether there may be more to do at once.
#[derive(Debug)]
enum Round {
    Sent,
    Idle,
}

impl<'a, S: Stream> Forwarder<'a, S> {
    /// Forwards what `store` keeps to `stream`.
    pub(super) fn new(
        config: &Config,
        store: &Store,
        stream: &'a S,
        counters: Arc<Counters>,
    ) -> Self {
        // That number is of the other stream; of this one it is learned.
        let letters = config.dead_letter.stream.as_ref();
        let with = letters.and_then(|letters| config.streams.labelled(&letters.with));
        let with = with.unwrap_or(config.streams.first()).clone();
        let settings = config::Stream { shards: None, ..with };
        Self {
            directory: Directory::new(&config.dead_letter.dir),
            appended: store.appended(),
            sender: Sender::new(config, settings, stream),
            newline: config.records.newline,
            reading: Reading::default(),
            work: None,
            counters,
        }
    }

    /// Forwards for ever. Dropped before, it leaves open what became of the group in flight: the next
    /// run sends that again.
    pub(super) async fn run(&mut self) -> Infallible {
        let backoff = Backoff::new(DISK_PAUSES);
        let mut failures = 0;
        loop {
            match self.round().await {
                Ok(round) => {
                    if failures > 0 {
                        info!("dead letters are forwarded again");
                    }
                    failures = 0;
                    if matches!(round, Round::Idle) {
                        self.appended.notified().await;
                    }
                }
                Err(failure) => {
                    if failures == 0 {
                        warn!(%failure, "dead letters cannot be forwarded: they stay on the disk");
                    }
                    failures += 1;
                    sleep(backoff.pause(failures, fastrand::f64())).await;
                }
            }
        }
    }

    async fn round(&mut self) -> io::Result<Round> {
        let entries = self.on_disk(Directory::read_on).await?;
        if entries.is_empty() {
            return Ok(Round::Idle);
        }
        self.send(entries).await;
        Ok(Round::Sent)
    }

    /// Takes what was accepted from the disk, in the midst of a file too: the next run would send it
    /// again. Gives up on a disk that does not answer.
    pub(super) async fn close(mut self) {
        let closing = async {
            // What was being read when the run was dropped is not sent, and stays.
            drop(self.worked().await);
            self.on_disk(|directory, reading| directory.take(reading).map(|()| Vec::new())).await
        };
        let failure = match timeout(SPOOL_CLOSE_MAX, closing).await {
            Ok(Ok(_)) => return,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "the disk does not answer, or somebody holds its lock".to_owned(),
        };
        warn!(failure, "what was forwarded stays on the disk: the next run sends it again");
    }

    /// Works where it may block.
    async fn on_disk(
        &mut self,
        work: fn(&Directory, &mut Reading) -> io::Result<Vec<Entry>>,
    ) -> io::Result<Vec<Entry>> {
        let (directory, mut reading) = (self.directory.clone(), std::mem::take(&mut self.reading));
        self.work = Some(spawn_blocking(move || {
            let done = work(&directory, &mut reading);
            (reading, done)
        }));
        self.worked().await
    }

    /// Waits for the disk if it is at work, and takes what it did. Dropped before, it leaves that to
    /// the next call.
    async fn worked(&mut self) -> io::Result<Vec<Entry>> {
        let Some(work) = &mut self.work else { return Ok(Vec::new()) };
        let (reading, done) = joined(work).await;
        (self.reading, self.work) = (reading, None);
        done
    }

    async fn send(&mut self, entries: Vec<Entry>) {
        let (mut records, mut lines) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.letter() {
                Ok(letter) => {
                    lines.push((entry.id, entry.fingerprint()));
                    records.push(Unsent {
                        key: PartitionKey::new(&letter.origin.text()),
                        data: self.record(entry.line),
                    });
                }
                Err(reason) => {
                    warn!(id = %entry.id, %reason, "a line is no dead letter: it stays on the disk");
                }
            }
        }
        let sent = self.sender.send(records).await;
        self.counters.dead_letters_forwarded.add(sent.accepted.len());
        self.counters.dead_letters_refused.add(sent.refused.len());
        for (_, line) in sent.accepted.iter().filter_map(|place| lines.get(*place)) {
            self.reading.done(*line);
        }
        for (place, _, reason) in sent.refused {
            let id = lines.get(place).map(|(id, _)| id.to_string());
            warn!(id, reason, "a dead letter cannot be forwarded: it stays on the disk");
        }
    }

    fn record(&self, mut line: Vec<u8>) -> bytes::Bytes {
        if !self.newline && line.ends_with(b"\n") {
            line.pop();
        }
        line.into()
    }
}
