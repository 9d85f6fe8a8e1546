//! The ledger across runs: what became of every record since the books began. Pure but for
//! [`LedgerFile`], which keeps them on disk.
//!
//! A run's own ledger is exact at every moment, and a stop adds it to those before. A crash takes the
//! last moments of its run along. So while a gateway runs, its last *checkpoint* is on disk, and with
//! it a *headroom*: the gateway takes in no more records than that before the next checkpoint is
//! durable. After a crash the truth therefore lies in a [`Span`] from what the checkpoint counted to
//! what the headroom and the records then on their way allow.
//!
//! Headroom is kept in publishes: what one hands on at once may exceed it by the records beyond the
//! first of each payload, for the moment until the checkpoint that is due then is written. And what
//! a connection drops on arrival, QoS 0 beyond the memory and what is retained under
//! `retained = "skip"`, waits for no checkpoint. Of these a crash may hide more than the headroom, as
//! much of what came as of what was dropped: the balance holds.

use serde::{Deserialize, Serialize};

use crate::metrics::{Beside, Conservation};

mod file;
mod span;
#[cfg(test)]
mod tests;

pub use file::{Held, LedgerFile, Unread};
pub use span::Span;

/// What became of every record since the books began, in records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// When they began, in milliseconds since 1970-01-01 UTC.
    pub since_ms: i64,
    /// What the spool held then.
    pub opening: u64,
    /// How many dead letters lay on disk then.
    pub letters_before: u64,
    /// How runs ended.
    pub runs: Runs,
    /// What came and where it went in the runs that ended.
    pub terms: Terms,
    /// What lies beside the balance in the runs that ended. At least, when one crashed.
    pub beside: Beside,
    /// Taken out of the spool by the operator; part of what was dropped.
    pub purged: u64,
    /// What the last run left in the spool, beyond what a gateway that runs has taken over.
    pub spooled: Span,
    /// Found in the spool although it had left it: a crash forgot so, and it is delivered again.
    pub again: Span,
    /// Left in the spool and not found there: somebody took it away.
    pub missing: u64,
    /// The run that has not ended, or not in order.
    pub running: Option<Running>,
}

/// What a run finds in the spools, in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spooled {
    /// In those that it uses, and takes over.
    pub taken: u64,
    /// In those that it does not; `None` if that is not known.
    pub left: Option<u64>,
}

/// How the runs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Runs {
    /// Everything was settled.
    pub clean: u64,
    /// At the deadline: the rest stayed with the broker.
    pub timed_out: u64,
    /// Without a word.
    pub crashed: u64,
}

/// Where records went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Terms {
    /// From the broker.
    pub received: Span,
    /// Accepted by the stream.
    pub delivered: Span,
    /// Durably dead-lettered.
    pub dead_lettered: Span,
    /// Dropped by a rule of the operator.
    pub dropped: Span,
    /// Unreadable on disk.
    pub corrupted: Span,
    /// Neither at their end nor on disk when their run ended: the broker sends them again.
    pub left_with_broker: Span,
}

/// A run under way, as of its last checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub since_ms: i64,
    /// When this was written, likewise.
    pub at_ms: i64,
    /// Its ledger then.
    pub ledger: Conservation,
    /// What lay beside the balance.
    pub beside: Beside,
    /// At most so many records are received before the next checkpoint is durable.
    pub headroom: u64,
}

/// How a run ended that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Everything was settled.
    Clean,
    /// What was in flight stays with the broker.
    TimedOut,
}

/// Both sides of the balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// What came in: received, opening, again.
    pub came: Span,
    /// What became of it.
    pub went: Span,
}

impl Balance {
    /// Whether both sides can be the same number.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.came.meets(self.went)
    }
}

impl Books {
    /// New books, of a spool that holds `opening` records, beside `letters_before` dead letters.
    #[must_use]
    pub fn new(since_ms: i64, opening: u64, letters_before: u64) -> Self {
        Self {
            since_ms,
            opening,
            letters_before,
            runs: Runs::default(),
            terms: Terms::default(),
            beside: Beside::default(),
            purged: 0,
            spooled: Span::exact(opening),
            again: Span::default(),
            missing: 0,
            running: None,
        }
    }

    /// Begins a run that may receive `headroom` records before its first checkpoint.
    pub fn begin(&mut self, now_ms: i64, found: Spooled, headroom: u64) {
        self.end_crashed();
        let Spooled { taken, left } = found;
        if let Some(left) = left {
            self.find(taken.saturating_add(left));
        }
        self.spooled = self.spooled.without(taken);
        let ledger = Conservation { recovered: taken, spooled: taken, ..Conservation::default() };
        let beside = Beside::default();
        self.running = Some(Running { since_ms: now_ms, at_ms: now_ms, ledger, beside, headroom });
    }

    /// Notes how far the run is.
    pub fn checkpoint(&mut self, at_ms: i64, ledger: Conservation, beside: Beside, headroom: u64) {
        let since_ms = self.running.map_or(at_ms, |run| run.since_ms);
        self.running = Some(Running { since_ms, at_ms, ledger, beside, headroom });
    }

    /// Ends the run with its last ledger.
    pub fn end(&mut self, ledger: Conservation, beside: Beside, stop: Stop) {
        self.running = None;
        self.add(&ledger, &beside);
        self.terms.left_with_broker += Span::exact(ledger.in_flight);
        self.spooled += Span::exact(ledger.spooled);
        match stop {
            Stop::Clean => self.runs.clean += 1,
            Stop::TimedOut => self.runs.timed_out += 1,
        }
    }

    /// Ends a run that cannot end itself: it crashed. What was received after its checkpoint, and
    /// the end of what was on its way then, is known within bounds.
    pub fn end_crashed(&mut self) {
        let Some(Running { ledger, beside, headroom, .. }) = self.running.take() else { return };
        self.add(&ledger, &beside);
        let unsafe_then = ledger.in_flight.saturating_add(headroom);
        let open = Span::up_to(unsafe_then.saturating_add(ledger.spooled));
        self.terms.received += Span::up_to(headroom);
        self.terms.left_with_broker += Span::up_to(unsafe_then);
        let Terms { delivered, dead_lettered, dropped, corrupted, .. } = &mut self.terms;
        for term in [delivered, dead_lettered, dropped, corrupted, &mut self.spooled] {
            *term += open;
        }
        self.runs.crashed += 1;
    }

    /// Notes that the spool holds `found` records while no gateway runs.
    pub fn find(&mut self, found: u64) {
        let Span { least, most } = self.spooled;
        self.again += Span { least: found.saturating_sub(most), most: found.saturating_sub(least) };
        self.missing += least.saturating_sub(found);
        self.spooled = Span::exact(found);
    }

    /// Notes that the operator took `records` out of the spool while no gateway ran.
    pub fn purge(&mut self, records: u64) {
        self.purged += records;
        self.terms.dropped += Span::exact(records);
        self.spooled = self.spooled.without(records);
    }

    /// Notes that `records` in the spool turned out to be unreadable while no gateway ran.
    pub fn corrupt(&mut self, records: u64) {
        self.terms.corrupted += Span::exact(records);
        self.spooled = self.spooled.without(records);
    }

    /// What came and where it went: in the runs that ended, and in the one under way as of its
    /// checkpoint.
    #[must_use]
    pub fn so_far(&self) -> Self {
        let mut books = self.clone();
        if let Some(run) = self.running {
            books.add(&run.ledger, &run.beside);
            books.spooled += Span::exact(run.ledger.spooled);
        }
        books
    }

    /// How many records were neither safe nor at their end at the checkpoint.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.running.map_or(0, |run| run.ledger.in_flight)
    }

    /// Both sides of the balance.
    #[must_use]
    pub fn balance(&self) -> Balance {
        let Self { terms, spooled, .. } = self.so_far();
        let ended = terms.delivered + terms.dead_lettered + terms.dropped + terms.corrupted;
        let held = spooled + Span::exact(self.in_flight()) + terms.left_with_broker;
        Balance {
            came: terms.received + Span::exact(self.opening) + self.again,
            went: ended + held + Span::exact(self.missing),
        }
    }

    fn add(&mut self, ledger: &Conservation, beside: &Beside) {
        self.terms.received += Span::exact(ledger.received);
        self.terms.delivered += Span::exact(ledger.delivered);
        self.terms.dead_lettered += Span::exact(ledger.dead_lettered);
        self.terms.dropped += Span::exact(ledger.dropped);
        self.terms.corrupted += Span::exact(ledger.corrupted);
        self.beside = self.beside.plus(beside);
    }
}
