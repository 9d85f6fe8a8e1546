//! Counts, and the conservation ledger made of them; what is shown of a running gateway
//! ([`Shown`]), as a page for Prometheus, and the [`server`] for it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

mod histogram;
mod page;
pub mod server;
mod shown;
mod stream_counts;

pub use histogram::Delays;
pub use shown::{
    HotKeyShown, Known, MemoryShown, PlanShown, ShardLoad, ShardsShown, Shown, StreamLoad,
    StreamShown,
};
pub use stream_counts::StreamCounts;

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

/// What the gateway counts beside what it counts of each stream ([`StreamCounts`]), in records unless
/// said otherwise.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records made of publishes, and publishes of which none could be made.
    pub received: Count,
    /// Records beyond the first of their publish.
    pub fan_out: Count,
    /// Durably dead-lettered.
    pub dead_lettered: Count,
    /// Dropped because the broker had retained them and the operator said `skip`.
    pub dropped_retained: Count,
    /// QoS 0, dropped because the memory budget was used up or the gateway was stopping.
    pub dropped_qos_0: Count,
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
    /// The ledger, with what was counted of all `streams` together.
    #[must_use]
    pub fn conservation(&self, streams: &StreamCounts) -> Conservation {
        Conservation {
            received: self.received.get(),
            recovered: streams.recovered,
            delivered: streams.delivered,
            spooled: streams.spooled,
            in_flight: streams.in_flight,
            dead_lettered: self.dead_lettered.get(),
            dropped: self.dropped_retained.get()
                + self.dropped_qos_0.get()
                + streams.dropped_age
                + streams.dropped_spool,
            corrupted: streams.corrupted,
        }
    }

    /// What lies beside the ledger, with what was counted of all `streams` together.
    #[must_use]
    pub fn beside(&self, streams: &StreamCounts) -> Beside {
        Beside {
            fan_out: self.fan_out.get(),
            replayed: streams.replayed,
            repeated: streams.repeated,
            unheard: streams.unheard,
            dropped_retained: self.dropped_retained.get(),
            dropped_age: streams.dropped_age,
            dropped_qos_0: self.dropped_qos_0.get(),
            dropped_spool: streams.dropped_spool,
            dead_letters_dropped: self.dead_letters_dropped.get(),
            dead_letters_forwarded: self.dead_letters_forwarded.get(),
            dead_letters_refused: self.dead_letters_refused.get(),
        }
    }

    /// Writes the ledger as one log line, with what lies beside the balance; an imbalance is an
    /// error of ours and said so.
    pub fn log(&self, streams: &StreamCounts) {
        let ledger = self.conservation(streams);
        let Conservation { received, recovered, delivered, spooled, in_flight, .. } = ledger;
        let Conservation { dead_lettered, dropped, corrupted, .. } = ledger;
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
            replayed = streams.replayed,
            repeated = streams.repeated,
            retried = streams.retried,
            reordered = streams.reordered,
            unheard = streams.unheard,
            calls = streams.calls,
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
    /// See [`StreamCounts::replayed`].
    pub replayed: u64,
    /// See [`StreamCounts::repeated`].
    pub repeated: u64,
    /// See [`StreamCounts::unheard`].
    pub unheard: u64,
    /// See [`Counters::dropped_retained`].
    pub dropped_retained: u64,
    /// See [`StreamCounts::dropped_age`].
    pub dropped_age: u64,
    /// See [`Counters::dropped_qos_0`].
    pub dropped_qos_0: u64,
    /// See [`StreamCounts::dropped_spool`].
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
    /// See [`StreamCounts::recovered`].
    pub recovered: u64,
    /// See [`StreamCounts::delivered`].
    pub delivered: u64,
    /// Synced to the disk, and not at its end.
    pub spooled: u64,
    /// Neither at its end nor on the disk: the broker answers for it.
    pub in_flight: u64,
    /// See [`Counters::dead_lettered`].
    pub dead_lettered: u64,
    /// Dropped by a rule of the operator, all rules together.
    pub dropped: u64,
    /// See [`StreamCounts::corrupted`].
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
        counters.dead_lettered.add(1);
        counters.dropped_qos_0.add(2);
        counters.dropped_retained.add(3);
        let streams = StreamCounts {
            recovered: 10,
            delivered: 50,
            corrupted: 2,
            dropped_age: 1,
            dropped_spool: 4,
            in_flight: 7,
            spooled: 30,
            ..StreamCounts::default()
        };
        let balances = |streams| counters.conservation(&streams).balances();
        assert!(balances(streams));
        assert!(!balances(StreamCounts { spooled: 31, ..streams }));
        assert!(!balances(StreamCounts { in_flight: 6, ..streams }));
    }
}
