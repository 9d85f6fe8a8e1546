//! Counts, and the conservation ledger made of them; what is shown of a running gateway
//! ([`Shown`]), as a page for Prometheus, and the [`server`] for it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

mod histogram;
mod page;
pub mod server;
mod shown;

pub use histogram::Delays;
pub use shown::{
    Attempts, Held, HotKeyShown, Known, PlanShown, ShardLoad, ShardsShown, Shown, StreamLoad,
};

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
    /// Found in the spool at the start, or found missing there.
    pub recovered: Count,
    /// Records beyond the first of their publish.
    pub fan_out: Count,
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
    /// Dropped from the spool at its ceiling, because the operator said `drop_oldest`.
    pub dropped_spool: Count,
    /// On disk and unreadable: in the spool's quarantine.
    pub corrupted: Count,
    /// Read from the spool of an earlier run.
    pub replayed: Count,
    /// Attempts after the first.
    pub retried: Count,
    /// Accepted ahead of an earlier record of their key.
    pub reordered: Count,
    /// Sent and not heard of: each may be in the stream twice.
    pub unheard: Count,
    /// Accepted after an attempt that was not heard of: each may be in the stream twice.
    pub repeated: Count,
    /// Calls of `PutRecords`.
    pub calls: Count,
    /// Redelivered publishes that were on their way already.
    pub adopted: Count,
    /// Dead letters that went to make room for newer ones.
    pub dead_letters_dropped: Count,
    /// Dead letters accepted by the stream of their own.
    pub dead_letters_forwarded: Count,
    /// Dead letters that their stream can never accept: they stay on the disk, and the next run tries
    /// them again.
    pub dead_letters_refused: Count,
}

impl Counters {
    /// The ledger, while `in_flight` records are neither safe nor at their end and `spooled` wait on
    /// the disk.
    #[must_use]
    pub fn conservation(&self, in_flight: usize, spooled: u64) -> Conservation {
        Conservation {
            received: self.received.get(),
            recovered: self.recovered.get(),
            delivered: self.delivered.get(),
            spooled,
            in_flight: in_flight as u64,
            dead_lettered: self.dead_lettered.get(),
            dropped: self.dropped_retained.get()
                + self.dropped_age.get()
                + self.dropped_qos_0.get()
                + self.dropped_spool.get(),
            corrupted: self.corrupted.get(),
        }
    }

    /// What lies beside the ledger.
    #[must_use]
    pub fn beside(&self) -> Beside {
        Beside {
            fan_out: self.fan_out.get(),
            replayed: self.replayed.get(),
            repeated: self.repeated.get(),
            unheard: self.unheard.get(),
            dropped_retained: self.dropped_retained.get(),
            dropped_age: self.dropped_age.get(),
            dropped_qos_0: self.dropped_qos_0.get(),
            dropped_spool: self.dropped_spool.get(),
            dead_letters_dropped: self.dead_letters_dropped.get(),
            dead_letters_forwarded: self.dead_letters_forwarded.get(),
            dead_letters_refused: self.dead_letters_refused.get(),
        }
    }

    /// How sending went.
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        Attempts {
            retried: self.retried.get(),
            reordered: self.reordered.get(),
            calls: self.calls.get(),
            adopted: self.adopted.get(),
        }
    }

    /// Writes the ledger as one log line, with what lies beside the balance; an imbalance is an
    /// error of ours and said so.
    pub fn log(&self, ledger: &Conservation) {
        let Conservation { received, recovered, delivered, spooled, in_flight, .. } = *ledger;
        let Conservation { dead_lettered, dropped, corrupted, .. } = *ledger;
        tracing::info!(
            received,
            recovered,
            delivered,
            spooled,
            in_flight,
            dead_lettered,
            dropped,
            corrupted,
            fan_out = self.fan_out.get(),
            replayed = self.replayed.get(),
            repeated = self.repeated.get(),
            retried = self.retried.get(),
            reordered = self.reordered.get(),
            unheard = self.unheard.get(),
            calls = self.calls.get(),
            adopted = self.adopted.get(),
            dead_letters_dropped = self.dead_letters_dropped.get(),
            dead_letters_forwarded = self.dead_letters_forwarded.get(),
            dead_letters_refused = self.dead_letters_refused.get(),
            "ledger"
        );
        if !ledger.balances() {
            tracing::error!(%ledger, "the ledger does not balance: please report this");
        }
    }
}

/// What lies beside the balance, in records. Books of a version that did not count something say
/// that there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Beside {
    /// See [`Counters::fan_out`].
    pub fan_out: u64,
    /// See [`Counters::replayed`].
    pub replayed: u64,
    /// See [`Counters::repeated`].
    pub repeated: u64,
    /// See [`Counters::unheard`].
    pub unheard: u64,
    /// See [`Counters::dropped_retained`].
    pub dropped_retained: u64,
    /// See [`Counters::dropped_age`].
    pub dropped_age: u64,
    /// See [`Counters::dropped_qos_0`].
    pub dropped_qos_0: u64,
    /// See [`Counters::dropped_spool`].
    pub dropped_spool: u64,
    /// See [`Counters::dead_letters_dropped`].
    pub dead_letters_dropped: u64,
    /// See [`Counters::dead_letters_forwarded`].
    pub dead_letters_forwarded: u64,
    /// See [`Counters::dead_letters_refused`].
    pub dead_letters_refused: u64,
}

impl Beside {
    /// Of two runs together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            fan_out: self.fan_out + other.fan_out,
            replayed: self.replayed + other.replayed,
            repeated: self.repeated + other.repeated,
            unheard: self.unheard + other.unheard,
            dropped_retained: self.dropped_retained + other.dropped_retained,
            dropped_age: self.dropped_age + other.dropped_age,
            dropped_qos_0: self.dropped_qos_0 + other.dropped_qos_0,
            dropped_spool: self.dropped_spool + other.dropped_spool,
            dead_letters_dropped: self.dead_letters_dropped + other.dead_letters_dropped,
            dead_letters_forwarded: self.dead_letters_forwarded + other.dead_letters_forwarded,
            dead_letters_refused: self.dead_letters_refused + other.dead_letters_refused,
        }
    }
}

/// received + recovered = delivered + spooled + in flight + dead-lettered + dropped + corrupted, in
/// records, at every moment of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Conservation {
    /// See [`Counters::received`].
    pub received: u64,
    /// See [`Counters::recovered`].
    pub recovered: u64,
    /// See [`Counters::delivered`].
    pub delivered: u64,
    /// Synced to the disk, and not at its end.
    pub spooled: u64,
    /// Neither at its end nor on the disk: the broker answers for it.
    pub in_flight: u64,
    /// See [`Counters::dead_lettered`].
    pub dead_lettered: u64,
    /// Dropped by a rule of the operator, all rules together.
    pub dropped: u64,
    /// See [`Counters::corrupted`].
    pub corrupted: u64,
}

impl Conservation {
    /// Whether every record is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        let ended = self.delivered + self.dead_lettered + self.dropped + self.corrupted;
        self.received + self.recovered == ended + self.spooled + self.in_flight
    }
}

impl fmt::Display for Conservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {} + recovered {} = delivered {} + spooled {} + in flight {} + dead-lettered \
             {} + dropped {} + corrupted {}",
            self.received,
            self.recovered,
            self.delivered,
            self.spooled,
            self.in_flight,
            self.dead_lettered,
            self.dropped,
            self.corrupted
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_a_record_is_on_the_other_side_of_the_balance() {
        let counters = Counters::default();
        counters.received.add(90);
        counters.recovered.add(10);
        counters.delivered.add(50);
        counters.dead_lettered.add(1);
        counters.corrupted.add(2);
        for (dropped, count) in [
            &counters.dropped_age,
            &counters.dropped_qos_0,
            &counters.dropped_retained,
            &counters.dropped_spool,
        ]
        .into_iter()
        .zip(1..)
        {
            dropped.add(count);
        }
        assert!(counters.conservation(7, 30).balances());
        assert!(!counters.conservation(7, 31).balances());
        assert!(!counters.conservation(6, 30).balances());
    }
}
