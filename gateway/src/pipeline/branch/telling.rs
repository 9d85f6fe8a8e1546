//! What a branch tells: the log, and whoever asks for metrics.

use std::time::{Duration, Instant};

use super::Branch;
use crate::deliver::Stream;
use crate::limits::SHARDS_SHOWN_MAX;
use crate::metrics::{StreamCounts, StreamShown};
use crate::pipeline::clock;
use crate::pipeline::watching::Backlog;

impl<S: Stream> Branch<'_, S> {
    /// Bytes of what is not safe, as far as it takes room.
    pub(in crate::pipeline) fn exposed_bytes(&self) -> usize {
        self.custody.exposed_bytes()
    }

    /// What is counted, and what is held now.
    pub(in crate::pipeline) fn counts(&self) -> StreamCounts {
        let in_flight = self.custody.exposed() as u64;
        StreamCounts { in_flight, spooled: self.custody.spooled(), ..self.counts }
    }

    /// Tells the log how the spool drains.
    pub(in crate::pipeline) fn report(&mut self, now: Instant) {
        let _within = self.span.clone().entered();
        self.observer.say(now, self.custody.spooled(), self.spooling.bytes());
    }

    /// Looks whether the plan holds.
    pub(in crate::pipeline) fn look(&mut self, now: Instant) {
        let _within = self.span.clone().entered();
        let load = self.dispatcher.load(0, now);
        let backlog = Backlog {
            spooled: self.custody.spooled(),
            open: self.dispatcher.is_open(),
            stays: self.spooling.is_refusing(),
        };
        self.watching.look(&load, backlog, now);
    }

    /// What is shown of it to who asks.
    pub(in crate::pipeline) fn shown(&self, now: Instant) -> StreamShown {
        let traffic = self.watching.traffic();
        StreamShown {
            label: self.label.clone(),
            counts: self.counts(),
            spool_bytes: self.spooling.bytes(),
            spool_bytes_max: self.spool_bytes_max,
            delays: self.delays,
            sizes: traffic.sizes(),
            key_bytes: traffic.key_bytes(),
            plan: self.watching.plan(),
            load: self.dispatcher.load(SHARDS_SHOWN_MAX, now),
            hottest_keys: self.watching.hottest_keys(),
        }
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
