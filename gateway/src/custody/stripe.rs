//! A fixed part of the hash keys.

use std::num::NonZeroU32;

use shard_estimator::ShardRanges;

use crate::limits::STRIPES;
use crate::record::PartitionKey;

/// One stripe of the hash keys: what is thought of when a shard is late.
///
/// Unlike shards, stripes are never split, merged or mistaken: what of a key is on the disk, and
/// what comes after it, are of one stripe whatever becomes of the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stripe(pub usize);

/// Divides the hash keys into stripes.
#[derive(Debug, Clone, Copy)]
pub struct Striping(ShardRanges);

impl Striping {
    /// As many equal stripes as the stream is said to have shards; a usual number if nothing is
    /// said.
    #[must_use]
    pub fn new(shards: Option<u32>) -> Self {
        Self(ShardRanges::equal(shards.and_then(NonZeroU32::new).unwrap_or(STRIPES)))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::try_from(self.0.shards().get()).unwrap_or(usize::MAX)
    }

    /// The stripe of `key`.
    #[must_use]
    pub fn of(&self, key: &PartitionKey) -> Stripe {
        Stripe(usize::try_from(self.0.shard_of(key.hash_key())).unwrap_or(usize::MAX))
    }
}
