//! What a branch tells: the log, and whoever asks for metrics.

use std::time::{Duration, Instant};

use super::Branch;
use crate::deliver::Stream;
use crate::metrics::{Delays, StreamLoad};
use crate::pipeline::clock;
use crate::pipeline::watching::{Backlog, Watching};

impl<S: Stream> Branch<'_, S> {
    /// How many records are neither on the disk nor at their end.
    pub(in crate::pipeline) fn exposed(&self) -> usize {
        self.custody.exposed()
    }

    /// The same in bytes, as far as they take room.
    pub(in crate::pipeline) fn exposed_bytes(&self) -> usize {
        self.custody.exposed_bytes()
    }

    /// How many records are on the disk and not at their end.
    pub(in crate::pipeline) fn spooled(&self) -> u64 {
        self.custody.spooled()
    }

    /// How many bytes the files of the spool have, and how many they may have.
    pub(in crate::pipeline) fn spool_bytes(&self) -> (u64, u64) {
        (self.spooling.bytes(), self.spool_bytes_max)
    }

    /// Tells the log how the spool drains.
    pub(in crate::pipeline) fn report(&mut self, now: Instant) {
        self.observer.say(now, self.custody.spooled(), self.spooling.bytes());
    }

    /// Looks whether the plan holds.
    pub(in crate::pipeline) fn look(&mut self, now: Instant) {
        let load = self.dispatcher.load(0, now);
        let backlog = Backlog {
            spooled: self.custody.spooled(),
            open: self.dispatcher.is_open(),
            stays: self.spooling.is_refusing(),
        };
        self.watching.look(&load, backlog, now);
    }

    /// What the stream is used for, with its hottest shards, at most `most`.
    pub(in crate::pipeline) fn load(&self, most: usize, now: Instant) -> StreamLoad {
        self.dispatcher.load(most, now)
    }

    /// What there is to send, and what that is held against.
    pub(in crate::pipeline) fn watching(&self) -> &Watching {
        &self.watching
    }

    /// From publishes to the acceptance of their records.
    pub(in crate::pipeline) fn delays(&self) -> Delays {
        self.delays
    }

    /// Counts how long ago the publishes of accepted records arrived. A clock that was set back
    /// makes it nothing.
    pub(super) fn count_delays(&mut self, rx_ts_ms: &[i64]) {
        let now_ms = clock::unix_ms();
        for arrived_ms in rx_ts_ms {
            let delay_ms = u64::try_from(now_ms.saturating_sub(*arrived_ms)).unwrap_or(0);
            self.delays.add(Duration::from_millis(delay_ms));
        }
    }

    /// Keeps the disk busy until the other end of `until` is gone.
    #[cfg(test)]
    pub(in crate::pipeline) fn hang(&mut self, until: std::sync::mpsc::Receiver<()>) {
        self.spooling.hang(until);
    }
}
