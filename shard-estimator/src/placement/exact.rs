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

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// The shards that own any keys, and how many, in the order of the shards. The work grows with
    /// the shards or with the keys, whichever are fewer.
    fn by_shard(&self, ranges: ShardRanges) -> impl Iterator<Item = (u32, f64)> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let shard = ranges.shard_of(*rest.first()?);
            let end = *ranges.range(shard)?.end();
            let (owned, beyond) = rest.split_at(rest.partition_point(|key| *key <= end));
            rest = beyond;
            Some((shard, real(owned.len() as u64)))
        })
    }
}

/// Devices of one class on one shard.
struct Count {
    shard: u32,
    class: usize,
    devices: f64,
}

impl Count {
    fn weight(&self, weights: &[f64]) -> f64 {
        weights.get(self.class).copied().unwrap_or(0.0) * self.devices
    }
}

/// The devices of all classes, in the order of the shards that own any.
fn counts(classes: &[SortedKeys], shards: NonZeroU32) -> Vec<Count> {
    let ranges = ShardRanges::equal(shards);
    let of_class = |(class, keys): (usize, &SortedKeys)| {
        let counts = keys.by_shard(ranges);
        counts.map(|(shard, devices)| Count { shard, class, devices }).collect::<Vec<_>>()
    };
    let mut counts: Vec<_> = classes.iter().enumerate().flat_map(of_class).collect();
    counts.sort_by_key(|count| count.shard);
    counts
}

/// The weight of each shard, for each way of weighing the devices of the classes.
pub(crate) fn each<'a>(
    classes: &[SortedKeys],
    shards: NonZeroU32,
    weighings: impl IntoIterator<Item = &'a [f64]>,
) -> impl Iterator<Item = Vec<f64>> {
    let counts = counts(classes, shards);
    weighings.into_iter().map(move |weights| {
        let mut each = vec![0.0; shards.get() as usize];
        for count in &counts {
            if let Some(on_shard) = each.get_mut(count.shard as usize) {
                *on_shard += count.weight(weights);
            }
        }
        each
    })
}

/// The weight of the heaviest shard, for each way of weighing the devices of the classes.
pub(crate) fn heaviest(
    classes: &[SortedKeys],
    shards: NonZeroU32,
    weighings: &[Vec<f64>],
) -> Vec<f64> {
    let mut heaviest = vec![0.0_f64; weighings.len()];
    for on_shard in counts(classes, shards).chunk_by(|one, other| one.shard == other.shard) {
        for (most, weights) in heaviest.iter_mut().zip(weighings) {
            *most = most.max(on_shard.iter().map(|count| count.weight(weights)).sum());
        }
    }
    heaviest
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
            let counts: Vec<_> = keys.by_shard(ranges).collect();
            let two_each: Vec<_> = (0..n).map(|shard| (shard, 2.0)).collect();
            assert_eq!(counts, two_each, "{n} shards");
        }
    }

    #[test]
    fn shards_without_keys_are_passed_over() {
        let ranges = ShardRanges::equal(NonZeroU32::new(4).expect("not zero"));
        let keys = [3 << 126, 1, 2].map(HashKey).to_vec();
        let counts: Vec<_> = SortedKeys::new(keys).by_shard(ranges).collect();
        assert_eq!(counts, [(0, 2.0), (3, 1.0)]);
    }
}
