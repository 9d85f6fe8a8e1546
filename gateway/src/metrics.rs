//! Counts, and the conservation ledger made of them.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    /// What was counted so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the gateway counts, in records unless said otherwise.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records made of publishes, and publishes of which none could be made.
    pub received: Count,
    /// Accepted by the stream.
    pub delivered: Count,
    /// Durably dead-lettered.
    pub dead_lettered: Count,
    /// Dropped because the broker had retained them and the operator said `skip`.
    pub dropped_retained: Count,
    /// Dropped because they grew older than the operator allows.
    pub dropped_age: Count,
    /// QoS 0, dropped because the memory budget was used up or the gateway was stopping.
    pub dropped_qos_0: Count,
    /// Attempts after the first.
    pub retried: Count,
    /// Accepted ahead of an earlier record of their key.
    pub reordered: Count,
    /// Sent and not heard of: each may be in the stream twice.
    pub unheard: Count,
    /// Calls of `PutRecords`.
    pub calls: Count,
    /// Redelivered publishes that were on their way already.
    pub adopted: Count,
    /// Dead letters that went to make room for newer ones.
    pub dead_letters_dropped: Count,
}

impl Counters {
    /// The ledger, while `in_flight` records are neither delivered nor dead-lettered nor dropped.
    #[must_use]
    pub fn conservation(&self, in_flight: usize) -> Conservation {
        Conservation {
            received: self.received.get(),
            delivered: self.delivered.get(),
            in_flight: in_flight as u64,
            dead_lettered: self.dead_lettered.get(),
            dropped: self.dropped_retained.get()
                + self.dropped_age.get()
                + self.dropped_qos_0.get(),
            retried: self.retried.get(),
            reordered: self.reordered.get(),
            unheard: self.unheard.get(),
            calls: self.calls.get(),
            adopted: self.adopted.get(),
            dead_letters_dropped: self.dead_letters_dropped.get(),
        }
    }
}

/// received = delivered + in flight + dead-lettered + dropped, in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conservation {
    /// See [`Counters::received`].
    pub received: u64,
    /// See [`Counters::delivered`].
    pub delivered: u64,
    /// Queued, sent and not answered, or waiting to be dead-lettered.
    pub in_flight: u64,
    /// See [`Counters::dead_lettered`].
    pub dead_lettered: u64,
    /// Dropped by a rule of the operator, all rules together.
    pub dropped: u64,
    /// See [`Counters::retried`].
    pub retried: u64,
    /// See [`Counters::reordered`].
    pub reordered: u64,
    /// See [`Counters::unheard`].
    pub unheard: u64,
    /// See [`Counters::calls`].
    pub calls: u64,
    /// See [`Counters::adopted`].
    pub adopted: u64,
    /// See [`Counters::dead_letters_dropped`].
    pub dead_letters_dropped: u64,
}

impl Conservation {
    /// Whether every record is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.received == self.delivered + self.in_flight + self.dead_lettered + self.dropped
    }

    /// Writes the ledger as one log line; an imbalance is an error of ours and said so.
    pub fn log(&self) {
        let Self { received, delivered, in_flight, dead_lettered, dropped, .. } = *self;
        let Self { retried, reordered, unheard, calls, .. } = *self;
        let Self { adopted, dead_letters_dropped, .. } = *self;
        tracing::info!(
            received,
            delivered,
            in_flight,
            dead_lettered,
            dropped,
            retried,
            reordered,
            unheard,
            calls,
            adopted,
            dead_letters_dropped,
            "ledger"
        );
        if !self.balances() {
            tracing::error!(ledger = %self, "the ledger does not balance: please report this");
        }
    }
}

impl fmt::Display for Conservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {} = delivered {} + in flight {} + dead-lettered {} + dropped {}",
            self.received, self.delivered, self.in_flight, self.dead_lettered, self.dropped
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledger_shows_what_lies_beside_the_balance() {
        let counters = Counters::default();
        counters.calls.add(1);
        counters.adopted.add(2);
        counters.dead_letters_dropped.add(3);
        let ledger = counters.conservation(0);
        assert!(ledger.balances());
        let Conservation { calls, adopted, dead_letters_dropped, .. } = ledger;
        assert_eq!((calls, adopted, dead_letters_dropped), (1, 2, 3));
    }
}
