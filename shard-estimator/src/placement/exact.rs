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

/// The weight of each shard.
pub(crate) fn each(classes: &[SortedKeys], shards: NonZeroU32, weights: &[f64]) -> Vec<f64> {
    let ranges = ShardRanges::equal(shards);
    let mut each = vec![0.0; shards.get() as usize];
    for (keys, weight) in classes.iter().zip(weights) {
        for (on_shard, count) in each.iter_mut().zip(keys.by_shard(ranges)) {
            *on_shard += weight * count;
        }
    }
    each
}

/// The weight of the heaviest shard, for each way of weighing the devices of the classes.
pub(crate) fn heaviest(
    classes: &[SortedKeys],
    shards: NonZeroU32,
    weighings: &[Vec<f64>],
) -> Vec<f64> {
    let heaviest = |weights: &Vec<f64>| {
        // What weighs nothing needs no counting.
        if weights.iter().any(|weight| *weight > 0.0) {
            each(classes, shards, weights).into_iter().fold(0.0, f64::max)
        } else {
            0.0
        }
    };
    weighings.iter().map(heaviest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_on_a_border_are_counted_where_they_belong() {
        for n in [1, 2, 3, 7, 29] {
            let ranges = ShardRanges::equal(NonZeroU32::new(n).expect("tests count from one"));
            let borders = (0..n).filter_map(|shard| ranges.range(shard));
            let keys =
                SortedKeys::new(borders.flat_map(|range| [*range.start(), *range.end()]).collect());
            assert!(keys.by_shard(ranges).all(|count| (count - 2.0).abs() < 1e-9), "{n} shards");
        }
    }
}
