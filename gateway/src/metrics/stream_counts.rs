//! What is counted of one stream.

use std::iter::Sum;

/// What is counted of one stream, or of several together, in records unless said otherwise. All but
/// what is held only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamCounts {
    /// Found in the spool at the start, or found missing there.
    pub recovered: u64,
    /// Accepted by the stream.
    pub delivered: u64,
    /// Neither at their end nor on the disk: the broker answers for them.
    pub in_flight: u64,
    /// Synced to the disk and not at their end.
    pub spooled: u64,
    /// Dropped because they grew older than the operator allows.
    pub dropped_age: u64,
    /// Dropped from the spool at its ceiling, because the operator said `drop_oldest`.
    pub dropped_spool: u64,
    /// On disk and unreadable: in the spool's quarantine.
    pub corrupted: u64,
    /// Read from the spool of an earlier run.
    pub replayed: u64,
    /// Attempts after the first.
    pub retried: u64,
    /// Accepted ahead of an earlier record of their key.
    pub reordered: u64,
    /// Sent and not heard of: each may be in the stream twice.
    pub unheard: u64,
    /// Accepted after an attempt that was not heard of: each may be in the stream twice.
    pub repeated: u64,
    /// Calls of `PutRecords`.
    pub calls: u64,
}

impl Sum for StreamCounts {
    fn sum<I: Iterator<Item = Self>>(streams: I) -> Self {
        streams.fold(Self::default(), |all, one| Self {
            recovered: all.recovered + one.recovered,
            delivered: all.delivered + one.delivered,
            in_flight: all.in_flight + one.in_flight,
            spooled: all.spooled + one.spooled,
            dropped_age: all.dropped_age + one.dropped_age,
            dropped_spool: all.dropped_spool + one.dropped_spool,
            corrupted: all.corrupted + one.corrupted,
            replayed: all.replayed + one.replayed,
            retried: all.retried + one.retried,
            reordered: all.reordered + one.reordered,
            unheard: all.unheard + one.unheard,
            repeated: all.repeated + one.repeated,
            calls: all.calls + one.calls,
        })
    }
}
