//! What the flow tells of its records: the log now and then, the books before more is taken in.

use std::io;
use std::time::Instant;

use crate::deliver::Stream;
use crate::metrics::Conservation;
use crate::pipeline::bookkeeping::Moment;
use crate::pipeline::{FORECASTS_PER_LEDGER, clock};

use super::Flow;

impl<S: Stream> Flow<'_, S> {
    /// Tells the log how the spool drains, which dead letters went, and now and then the books.
    pub(super) fn report(&mut self, now: Instant) {
        self.letters.report(now);
        self.observer.say(now, self.custody.spooled(), self.spooling.bytes());
        self.reports += 1;
        if self.reports.is_multiple_of(FORECASTS_PER_LEDGER) {
            self.counters.log(&self.conservation());
        }
    }

    pub(super) fn conservation(&self) -> Conservation {
        self.counters.conservation(self.custody.exposed(), self.custody.spooled())
    }

    pub(super) fn moment(&self) -> Moment {
        let (ledger, beside) = (self.conservation(), self.counters.beside());
        Moment { unix_ms: clock::unix_ms(), ledger, beside }
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
}
