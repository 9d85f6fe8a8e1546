//! A fixed part of the hash keys.

use std::num::NonZeroU32;

use shard_estimator::ShardRanges;

use crate::limits::STRIPES_MIN;
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
    /// Equal stripes, so many that a stream said to have few shards, or wrongly so, is not held up
    /// as one, and that each shard that it is said to have is a whole number of them.
    #[must_use]
    pub fn new(shards: Option<u32>) -> Self {
        let shards = shards.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let each = STRIPES_MIN.div_ceil(shards.get());
        let stripes = NonZeroU32::new(each).and_then(|each| shards.checked_mul(each));
        Self(ShardRanges::equal(stripes.unwrap_or(shards)))
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

#[cfg(test)]
mod tests {
    use shard_estimator::HashKey;

    use super::*;

    #[test]
    fn stripes_are_at_least_sixteen_and_a_whole_number_of_them_is_a_shard() {
        for (stated, count) in [
            (None, 16),
            (Some(1), 16),
            (Some(2), 16),
            (Some(3), 18),
            (Some(16), 16),
            (Some(29), 29),
        ] {
            let Striping(stripes) = Striping::new(stated);
            assert_eq!(stripes.shards().get(), count, "{stated:?}");
            let shards =
                ShardRanges::equal(stated.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN));
            for n in 0..10_000 {
                let key = HashKey::golden(n);
                let each = count / shards.shards();
                assert_eq!(stripes.shard_of(key) / each, shards.shard_of(key), "{stated:?}: {key}");
            }
        }
    }
}
