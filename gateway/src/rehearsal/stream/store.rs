//! What the stream retains: the records of all shards, in the order of storing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::names::{SequenceNumber, ShardId};

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// For intervals.
    pub instant: Instant,
    /// For people: milliseconds since 1970-01-01 UTC.
    pub epoch_ms: i64,
}

/// One record as it was stored.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// Its name: the shard and the place in it.
    pub sequence_number: SequenceNumber,
    /// The key that came with it.
    pub partition_key: Arc<str>,
    /// The bytes, decoded.
    pub data: Bytes,
    /// When it was stored.
    pub arrival: Moment,
}

/// The newest `keep` records; older ones make room.
#[derive(Debug)]
pub(super) struct Store {
    keep: usize,
    records: VecDeque<StoredRecord>,
    /// How many records were forgotten: the number of `records[0]` in the order of storing.
    forgotten: u64,
    /// For each shard the numbers of its records.
    of_shard: Vec<VecDeque<u64>>,
}

impl Store {
    /// An empty store for `keep` records.
    #[must_use]
    pub(super) fn new(keep: usize) -> Self {
        Self { keep, records: VecDeque::new(), forgotten: 0, of_shard: Vec::new() }
    }

    /// Whether anything is kept at all.
    #[must_use]
    pub(super) fn keeps(&self) -> bool {
        self.keep > 0
    }

    /// Stores `record`. The positions of a shard must come in order, without gaps.
    pub(super) fn push(&mut self, record: StoredRecord) {
        if !self.keeps() {
            return;
        }
        if self.records.len() == self.keep {
            self.forget_oldest();
        }
        let shard = index(record.sequence_number.shard);
        if self.of_shard.len() <= shard {
            self.of_shard.resize_with(shard + 1, VecDeque::new);
        }
        let number = self.forgotten + self.records.len() as u64;
        if let Some(numbers) = self.of_shard.get_mut(shard) {
            numbers.push_back(number);
        }
        self.records.push_back(record);
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.records.pop_front() else { return };
        self.forgotten += 1;
        if let Some(numbers) = self.of_shard.get_mut(index(oldest.sequence_number.shard)) {
            numbers.pop_front();
        }
    }

    /// All records kept, in the order of storing.
    #[must_use]
    pub(super) fn records(&self) -> Vec<StoredRecord> {
        self.records.iter().cloned().collect()
    }

    /// The records of `shard` from `position` on, or from the oldest that is kept.
    pub(super) fn read(
        &self,
        shard: ShardId,
        position: u64,
    ) -> impl Iterator<Item = &StoredRecord> {
        let record =
            |number: &u64| self.records.get(usize::try_from(number - self.forgotten).ok()?);
        self.of_shard.get(index(shard)).into_iter().flat_map(move |numbers| {
            let earlier = |number: &u64| {
                record(number).is_some_and(|record| record.sequence_number.position < position)
            };
            numbers.range(numbers.partition_point(earlier)..).filter_map(record)
        })
    }
}

fn index(shard: ShardId) -> usize {
    usize::try_from(shard.0).unwrap_or(usize::MAX)
}
