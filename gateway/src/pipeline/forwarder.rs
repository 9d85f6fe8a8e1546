//! Dead letters from the disk to a stream of their own.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::config::Config;
use crate::dead_letter::{Directory, Entry, Reading, Store};
use crate::deliver::Stream;
use crate::metrics::Counters;
use crate::record::PartitionKey;

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
    reading: Reading,
    counters: Arc<Counters>,
}

/// Whether there may be more to do at once.
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
        let mut of_letters = config.clone();
        // That number is of the other stream; of this one it is learned.
        of_letters.stream.shards = None;
        Self {
            directory: Directory::new(&config.dead_letter.dir),
            appended: store.appended(),
            sender: Sender::new(of_letters, stream),
            newline: config.records.newline,
            reading: Reading::default(),
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
    /// again.
    pub(super) async fn close(mut self) {
        if let Err(failure) = self.on_disk(Directory::take).await {
            warn!(%failure, "what was forwarded stays on the disk: the next run sends it again");
        }
    }

    /// Works where it may block.
    async fn on_disk<T: Send + 'static>(
        &mut self,
        work: fn(&Directory, &mut Reading) -> io::Result<T>,
    ) -> io::Result<T> {
        let (directory, mut reading) = (self.directory.clone(), std::mem::take(&mut self.reading));
        let working = spawn_blocking(move || {
            let done = work(&directory, &mut reading);
            (reading, done)
        });
        let (reading, done) = match working.await {
            Ok(worked) => worked,
            Err(failure) => std::panic::resume_unwind(failure.into_panic()),
        };
        self.reading = reading;
        done
    }

    async fn send(&mut self, entries: Vec<Entry>) {
        let (mut records, mut lines) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.letter() {
                Ok(letter) => {
                    lines.push(entry.fingerprint());
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
        for line in sent.accepted.iter().filter_map(|place| lines.get(*place)) {
            self.reading.done(*line);
        }
        for (_, _, reason) in sent.refused {
            warn!(reason, "a dead letter is refused by its stream: it stays on the disk");
        }
    }

    fn record(&self, mut line: Vec<u8>) -> bytes::Bytes {
        if !self.newline && line.ends_with(b"\n") {
            line.pop();
        }
        line.into()
    }
}
