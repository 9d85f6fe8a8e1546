//! What the flow tells: the log, the books, and whoever asks for metrics.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Flow;
use crate::deliver::Stream;
use crate::limits::WATCH_EVERY;
use crate::metrics::server::Asked;
use crate::metrics::{Conservation, MemoryShown, Shown, StreamCounts};
use crate::pipeline::bookkeeping::Moment;
use crate::pipeline::branch::Branch;
use crate::pipeline::clock;
use crate::pipeline::{FORECAST_EVERY, FORECASTS_PER_LEDGER};

/// When there is something to tell.
pub(in crate::pipeline) struct Occasions {
    report: Interval,
    look: Interval,
    asked: mpsc::Receiver<Asked>,
}

/// What there is to tell.
pub(super) enum Occasion {
    Report,
    Look,
    Show(Asked),
}

impl Occasions {
    /// `asked` are those who ask for metrics.
    pub(in crate::pipeline) fn new(asked: mpsc::Receiver<Asked>) -> Self {
        let [mut report, look] = [FORECAST_EVERY, WATCH_EVERY].map(every);
        report.reset();
        Self { report, look, asked }
    }

    /// Waits for the next. Dropped before, it loses none.
    pub(super) async fn next(&mut self) -> Occasion {
        tokio::select! {
            _ = self.report.tick() => Occasion::Report,
            _ = self.look.tick() => Occasion::Look,
            Some(asked) = self.asked.recv() => Occasion::Show(asked),
        }
    }
}

/// Ticks at once, and then so often. What could not be told in time is told once.
fn every(period: Duration) -> Interval {
    let mut every = interval(period);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    every
}

impl<S: Stream> Flow<'_, S> {
    /// Tells what there is to tell.
    pub(super) fn tell(&mut self, occasion: Occasion, now: Instant) {
        match occasion {
            Occasion::Report => self.report(now),
            Occasion::Look => self.branches.iter_mut().for_each(|branch| branch.look(now)),
            Occasion::Show(asked) => self.show(asked, now),
        }
    }

    /// Tells the log how the spools drain, which dead letters went, and now and then the books.
    fn report(&mut self, now: Instant) {
        self.ends.letters.report(now);
        self.branches.iter_mut().for_each(|branch| branch.report(now));
        self.reports += 1;
        if self.reports.is_multiple_of(FORECASTS_PER_LEDGER) {
            self.counters.log(&self.counts());
        }
    }

    /// What is counted of all streams together.
    pub(super) fn counts(&self) -> StreamCounts {
        self.branches.iter().map(Branch::counts).sum()
    }

    pub(super) fn conservation(&self) -> Conservation {
        self.counters.conservation(&self.counts())
    }

    pub(super) fn moment(&self) -> Moment {
        let streams = self.counts();
        let ledger = self.counters.conservation(&streams);
        Moment { unix_ms: clock::unix_ms(), ledger, beside: self.counters.beside(&streams) }
    }

    /// Writes a checkpoint of the books if one is due.
    pub(super) fn keep_books(&mut self, now: Instant) {
        let waiting = self.waiting.as_ref().map_or(0, |intake| intake.publishes.len());
        let expected = self.counters.received.get() + waiting as u64;
        if self.books.is_due(now, expected, &self.conservation()) {
            self.books.start(now, self.moment(), expected);
        }
    }

    pub(super) fn checkpointed(&mut self, written: io::Result<()>) {
        self.books.finish(written, clock::now());
        if let Some(intake) = self.waiting.take() {
            self.take_in(intake);
        }
    }

    /// Shows everything to who asks.
    fn show(&self, asked: Asked, now: Instant) {
        let Moment { ledger, beside, .. } = self.moment();
        let shown = Shown {
            uptime: now.saturating_duration_since(self.started),
            ledger,
            beside,
            adopted: self.counters.adopted.get(),
            memory: MemoryShown {
                exposed_bytes: self.exposed_bytes(),
                exposed_bytes_max: self.exposed_bytes_max,
            },
            streams: self.branches.iter().map(|branch| branch.shown(now)).collect(),
        };
        // Who asked may be gone.
        drop(asked.send(shown.page()));
    }
}
