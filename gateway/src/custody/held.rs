//! One record in memory.

use std::time::Instant;

use bytes::Bytes;
use slab::Slab;

use crate::ack::Receipt;
use crate::limits::PUBLISH_OVERHEAD_BYTES;
use crate::queue::Incoming;
use crate::record::{PartitionKey, RecordSlot};
use crate::spool::{Entry, Seq};

use super::Stripe;
use super::line::Spot;

/// A record in memory.
#[derive(Debug)]
pub(super) struct Held {
    /// Its place in the order of arrival.
    pub(super) order: u64,
    /// Since when it is in memory.
    pub(super) since: Instant,
    pub(super) stripe: Stripe,
    pub(super) key: PartitionKey,
    pub(super) data: Bytes,
    pub(super) rx_ts_ms: i64,
    /// What to settle when it is safe, if that was not done yet.
    pub(super) receipt: Option<Receipt>,
    pub(super) log: Log,
    pub(super) part: Part,
}

/// Whether a record is in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    No,
    /// Waits for the next group.
    Waiting,
    /// In the group that is being written.
    Writing(Seq),
    /// Synced.
    Written(Seq),
    /// Was, until the operator's rule took it off the disk: nobody answers for it but memory.
    Dropped,
}

/// What a record is in memory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// To be sent.
    Queued,
    /// To be written, and sent when it is read again.
    ToDisk,
    /// To be dead-lettered.
    Letter,
    /// Nothing: it ended while it was being written.
    Ended,
}

impl Held {
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.key.as_str().len() + PUBLISH_OVERHEAD_BYTES
    }

    pub(super) fn incoming(&self, slot: RecordSlot) -> Incoming {
        Incoming {
            slot,
            key: self.key.clone(),
            data: self.data.clone(),
            rx_ts_ms: self.rx_ts_ms,
            since: self.since,
        }
    }

    pub(super) fn entry(&self, seq: Seq) -> Entry {
        let (key, data) = (self.key.clone(), self.data.clone());
        Entry { seq, key, rx_ts_ms: self.rx_ts_ms, data }
    }

    /// Whether it is on the disk.
    pub(super) fn is_written(&self) -> bool {
        matches!(self.log, Log::Written(_))
    }

    /// Whether it counts against what may be taken in. What is, or was, on the disk does not: that
    /// a stream is away must not keep new records from the disk.
    pub(super) fn takes_room(&self) -> bool {
        !matches!(self.log, Log::Written(_) | Log::Dropped)
    }
}

/// Whether the broker alone answers for the record at `spot`.
pub(super) fn is_unlogged(held: &Slab<Held>, (order, slot): &Spot) -> bool {
    held.get(slot.0).is_some_and(|held| {
        held.order == *order && held.log == Log::No && held.part == Part::Queued
    })
}
