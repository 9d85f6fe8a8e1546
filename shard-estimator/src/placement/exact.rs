use std::num::NonZeroU32;

use crate::number::real;
use crate::{HashKey, ShardRanges};

/// Hash keys of a class, in order: sorted once, they are counted by the borders of the shards,
/// whatever the number of shards.
#[derive(Debug, Clone)]
pub(crate) struct SortedKeys(Vec<HashKey>);

impl SortedKeys {
    pub(crate) fn new(mut keys: Vec<HashKey>) -> Self {
        keys.sort_unstable();
        Self(keys)
    }

    /// How many keys each shard owns.
    pub(crate) fn by_shard(&self, ranges: ShardRanges) -> impl Iterator<Item = f64> {
        let mut rest = self.0.as_slice();
        (0..ranges.shards().get()).map(move |shard| {
            let end = ranges.range(shard).map_or(HashKey(u128::MAX), |range| *range.end());
            let (owned, beyond) = rest.split_at(rest.partition_point(|key| *key <= end));
            rest = beyond;
            real(owned.len() as u64)
        })
    }
}

/// The weight of the heaviest shard, for each way of weighing the devices of the classes.
pub(crate) fn heaviest(
    classes: &[SortedKeys],
    shards: NonZeroU32,
    weighings: &[Vec<f64>],
) -> Vec<f64> {
    let ranges = ShardRanges::equal(shards);
    let counts: Vec<Vec<f64>> =
        classes.iter().map(|keys| keys.by_shard(ranges).collect()).collect();
    let mut heaviest = vec![0.0_f64; weighings.len()];
    for shard in 0..shards.get() as usize {
        let on_shard = || counts.iter().map(|of_class| of_class.get(shard).copied().unwrap_or(0.0));
        for (most, weights) in heaviest.iter_mut().zip(weighings) {
            *most = most.max(weights.iter().zip(on_shard()).map(|(weight, n)| weight * n).sum());
        }
    }
    heaviest
}
