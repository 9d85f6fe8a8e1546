//! The stream without its network: which shard a record belongs to, whether that shard still
//! grants it, what is stored, and how the shards change. Pure: time and chance are arguments.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::bucket::Bucket;
use super::hash::{HashKey, HashRange};
use super::names::{SequenceNumber, ShardId};
use super::store::{Moment, Store, StoredRecord};

/// Records that a shard grants a second.
pub const SHARD_RECORDS_PER_SECOND: u32 = 1_000;
/// Bytes, partition keys included, that a shard grants a second: 1 MiB.
pub const SHARD_BYTES_PER_SECOND: u32 = 1 << 20;

/// Whether shards refuse what exceeds their quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limits {
    /// As the service does, with buckets of one second's worth.
    Enforced,
    /// Everything is granted: for measuring clients.
    Off,
}

/// Who chooses the shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// The partition key or the explicit hash key.
    ByKey,
    /// The stream: open shards in turn, keys ignored (`RecordDistributionStrategy` `AUTO`).
    Auto,
}

/// One record of a request, ready to be stored.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    /// Its partition key.
    pub partition_key: Cow<'a, str>,
    /// Where the partition key or the explicit hash key puts it.
    pub hash_key: HashKey,
    /// The bytes; empty where nothing is kept.
    pub data: Bytes,
    /// Data and partition key, in bytes.
    pub bytes: u32,
}

/// One shard, open or closed.
#[derive(Debug, Clone)]
pub(super) struct Shard {
    /// Its name.
    pub id: ShardId,
    /// What it owns, or owned.
    pub range: HashRange,
    /// The shards it came from: one after a split, two after a merge.
    pub parents: [Option<ShardId>; 2],
    /// Whether it still takes records.
    pub open: bool,
    /// The position of its next record.
    pub next_position: u64,
    records: Bucket,
    bytes: Bucket,
}

impl Shard {
    fn new(id: ShardId, range: HashRange, parents: [Option<ShardId>; 2], now: Instant) -> Self {
        Self {
            id,
            range,
            parents,
            open: true,
            next_position: 0,
            records: Bucket::full(SHARD_RECORDS_PER_SECOND, now),
            bytes: Bucket::full(SHARD_BYTES_PER_SECOND, now),
        }
    }

    /// Whether it came from `shard`.
    #[must_use]
    pub(super) fn is_child_of(&self, shard: ShardId) -> bool {
        self.parents.contains(&Some(shard))
    }

    /// Draws one record of `bytes` from both buckets, or from neither.
    fn draw(&mut self, bytes: u32, now: Instant) -> bool {
        let granted = self.records.grants(1, now) && self.bytes.grants(bytes, now);
        if granted {
            self.records.take(1);
            self.bytes.take(bytes);
        }
        granted
    }
}

/// A change of the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reshard {
    /// Cuts an open shard at the middle of its range.
    Split(ShardId),
    /// Joins two open shards with adjacent ranges.
    Merge(ShardId, ShardId),
    /// Replaces all open shards by this many with equal ranges.
    Count(u32),
}

/// Why the shards stayed as they were: a shard that is not open, ranges that do not touch, or a
/// range too narrow to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not possible with the shards as they are")]
pub struct Impossible(pub Reshard);

/// The shards of one stream and the records in them.
#[derive(Debug)]
pub(super) struct Shards {
    limits: Limits,
    placement: Placement,
    /// By number, closed ones included.
    shards: Vec<Shard>,
    /// The open ones, by range.
    open: Vec<ShardId>,
    /// Whose turn it is under [`Placement::Auto`].
    turn: usize,
    store: Store,
}

impl Shards {
    /// `count` open shards with equal ranges (zero counts as one) that retain the newest `keep`
    /// records.
    #[must_use]
    pub(super) fn new(count: u32, keep: usize, now: Instant) -> Self {
        let mut shards = Self {
            limits: Limits::Enforced,
            placement: Placement::ByKey,
            shards: Vec::new(),
            open: Vec::new(),
            turn: 0,
            store: Store::new(keep),
        };
        shards.replace(&[], &HashRange::equal(count), now);
        shards
    }

    /// Sets whether quotas are enforced from now on.
    #[must_use]
    pub(super) fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Sets who places records from now on.
    pub(super) fn place_by(&mut self, placement: Placement) {
        self.placement = placement;
    }

    /// Who places records.
    #[must_use]
    pub(super) fn placement(&self) -> Placement {
        self.placement
    }

    /// What is retained.
    #[must_use]
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// All shards by number, closed ones included.
    #[must_use]
    pub(super) fn all(&self) -> &[Shard] {
        &self.shards
    }

    /// The shards that take records and what they own, by range.
    pub(super) fn open(&self) -> impl Iterator<Item = (ShardId, HashRange)> {
        self.open.iter().filter_map(|id| self.shard(*id)).map(|shard| (shard.id, shard.range))
    }

    /// One shard.
    #[must_use]
    pub(super) fn shard(&self, id: ShardId) -> Option<&Shard> {
        self.shards.get(usize::try_from(id.0).ok()?)
    }

    /// The open shard that a record with `hash_key` goes to.
    pub(super) fn place(&mut self, hash_key: HashKey) -> ShardId {
        let place = match self.placement {
            // The open ranges cover everything, so the last that begins at or below owns the key.
            Placement::ByKey => self
                .open
                .partition_point(|id| self.shard(*id).is_some_and(|s| s.range.start <= hash_key))
                .saturating_sub(1),
            Placement::Auto => {
                self.turn = (self.turn + 1) % self.open.len().max(1);
                self.turn
            }
        };
        self.open.get(place).copied().unwrap_or(ShardId(0))
    }

    /// Stores `entry` in `shard`, unless the shard's quota is exhausted.
    pub(super) fn store_in(
        &mut self,
        shard: ShardId,
        entry: &Entry<'_>,
        now: Moment,
    ) -> Option<SequenceNumber> {
        let limits = self.limits;
        let shard = self.shards.get_mut(usize::try_from(shard.0).ok()?)?;
        if limits == Limits::Enforced && !shard.draw(entry.bytes, now.instant) {
            return None;
        }
        let sequence_number = SequenceNumber { shard: shard.id, position: shard.next_position };
        shard.next_position += 1;
        if self.store.keeps() {
            self.store.push(StoredRecord {
                sequence_number,
                partition_key: Arc::from(&*entry.partition_key),
                data: entry.data.clone(),
                arrival: now,
            });
        }
        Some(sequence_number)
    }

    /// Changes the shards. Children begin with full buckets; what their parents hold stays there.
    ///
    /// # Errors
    ///
    /// [`Impossible`] when the change does not fit the open shards; then nothing is changed.
    pub(super) fn reshard(&mut self, change: Reshard, now: Instant) -> Result<(), Impossible> {
        let open = |id| self.shard(id).filter(|shard| shard.open).map(|shard| shard.range);
        let plan = match change {
            Reshard::Split(id) => {
                open(id).and_then(HashRange::halves).map(|(low, high)| (vec![id], vec![low, high]))
            }
            Reshard::Merge(a, b) => open(a)
                .zip(open(b))
                .and_then(|(a, b)| a.joined(b).or_else(|| b.joined(a)))
                .map(|whole| (vec![a, b], vec![whole])),
            Reshard::Count(count) => Some((self.open.clone(), HashRange::equal(count))),
        };
        let (parents, children) = plan.ok_or(Impossible(change))?;
        self.replace(&parents, &children, now);
        Ok(())
    }

    /// Closes `parents` and opens `children`, which cover the same hash keys.
    fn replace(&mut self, parents: &[ShardId], children: &[HashRange], now: Instant) {
        for (range, number) in children.iter().zip(self.shards.len()..) {
            let owner = |key| {
                let owns = |id: &&ShardId| self.shard(**id).is_some_and(|s| s.range.contains(key));
                parents.iter().find(owns).copied()
            };
            let (first, last) = (owner(range.start), owner(range.end));
            let id = ShardId(u32::try_from(number).unwrap_or(u32::MAX));
            let second = last.filter(|_| last != first);
            self.shards.push(Shard::new(id, *range, [first, second], now));
        }
        for id in parents {
            if let Some(shard) = self.shards.iter_mut().find(|shard| shard.id == *id) {
                shard.open = false;
            }
        }
        let mut open: Vec<&Shard> = self.shards.iter().filter(|shard| shard.open).collect();
        open.sort_by_key(|shard| shard.range.start);
        self.open = open.iter().map(|shard| shard.id).collect();
    }
}

#[cfg(test)]
mod tests;
