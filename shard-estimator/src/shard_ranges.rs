use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use crate::HashKey;

/// The hash ranges of the open shards of a stream, when they are all equally wide: as
/// `CreateStream` makes them, and `UpdateShardCount` with `UNIFORM_SCALING`.
///
/// Shards are counted from 0 in the order of their ranges, which after a reshard is not the order
/// of their ids.
///
/// The borders are the multiples of 2^128 ÷ n rounded down, and the last shard takes what is left.
/// The three shards of `samplestream` in the AWS CLI reference lie like this; it leaves open
/// whether the service rounds the width or each border, which differ by less than n positions of
/// 2^128 a border: no key will ever fall between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardRanges {
    shards: NonZeroU32,
    /// Positions of every shard but the last.
    width: u128,
}

impl ShardRanges {
    /// The ranges of a stream of `shards` equal shards.
    #[must_use]
    pub fn equal(shards: NonZeroU32) -> Self {
        let n = u128::from(shards.get());
        // 2^128 itself does not fit: (2^128 - 1) ÷ n is the same but for powers of two, where it
        // is one less. One shard alone would be 2^128 wide; a position less does no harm to the
        // last shard.
        let width = (u128::MAX / n).saturating_add(u128::from(n.is_power_of_two()));
        Self { shards, width }
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> NonZeroU32 {
        self.shards
    }

    /// The shard that owns `key`, below [`shards`](Self::shards). One division, whatever the number
    /// of shards.
    #[must_use]
    pub fn shard_of(&self, key: HashKey) -> u32 {
        let last = self.shards.get() - 1;
        // What is left over by rounding lies beyond the last border and belongs to the last shard.
        u32::try_from(key.0 / self.width).map_or(last, |shard| shard.min(last))
    }

    /// The first and the last position of a shard; `None` when there is no such shard.
    #[must_use]
    pub fn range(&self, shard: u32) -> Option<RangeInclusive<HashKey>> {
        let last = self.shards.get() - 1;
        if shard > last {
            return None;
        }
        let start = u128::from(shard) * self.width;
        let end = if shard == last { u128::MAX } else { start + (self.width - 1) };
        Some(HashKey(start)..=HashKey(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(shards: u32) -> ShardRanges {
        ShardRanges::equal(NonZeroU32::new(shards).expect("tests count from one"))
    }

    /// From the AWS CLI reference, `describe-stream`.
    #[test]
    fn three_shards_lie_as_in_the_service_s_own_example() {
        let borders: Vec<_> = (0..3).filter_map(|shard| equal(3).range(shard)).collect();
        assert_eq!(
            borders,
            [
                HashKey(0)..=HashKey(113_427_455_640_312_821_154_458_202_477_256_070_484),
                HashKey(113_427_455_640_312_821_154_458_202_477_256_070_485)
                    ..=HashKey(226_854_911_280_625_642_308_916_404_954_512_140_969),
                HashKey(226_854_911_280_625_642_308_916_404_954_512_140_970)..=HashKey(u128::MAX),
            ]
        );
    }

    #[test]
    fn borders_of_a_power_of_two_are_round() {
        assert_eq!(equal(2).range(1), Some(HashKey(1 << 127)..=HashKey(u128::MAX)));
        assert_eq!(equal(16).range(1), Some(HashKey(1 << 124)..=HashKey((1 << 125) - 1)));
        assert_eq!(equal(1).range(0), Some(HashKey(0)..=HashKey(u128::MAX)));
    }

    #[test]
    fn ranges_join_without_gap_and_a_key_belongs_to_the_range_that_holds_it() {
        for shards in [1, 2, 3, 4, 5, 6, 7, 8, 29, 64, 1_000, 19_999, 20_000] {
            let ranges = equal(shards);
            let mut next = Some(HashKey(0));
            for shard in 0..shards {
                let range = ranges.range(shard).expect("below the count");
                assert_eq!(Some(*range.start()), next, "shard {shard} of {shards}");
                assert_eq!(ranges.shard_of(*range.start()), shard, "first of {shard} of {shards}");
                assert_eq!(ranges.shard_of(*range.end()), shard, "last of {shard} of {shards}");
                next = range.end().0.checked_add(1).map(HashKey);
            }
            assert_eq!(next, None, "the last of {shards} ends the space");
            assert_eq!(ranges.range(shards), None);
        }
    }

    /// Quarters by the first hexadecimal digit of the MD5 (`md5sum`): 0 to 3, 4 to 7, 8 to b, c to
    /// f.
    #[test]
    fn known_keys_fall_into_known_quarters() {
        for (partition_key, first_digit, shard) in
            [("a", 0x0, 0), ("dev-1", 0x1, 0), ("dev-7", 0x6, 1), ("abc", 0x9, 2), ("", 0xd, 3)]
        {
            let key = HashKey::of(partition_key);
            assert_eq!(key.0 >> 124, first_digit, "{partition_key:?}");
            assert_eq!(equal(4).shard_of(key), shard, "{partition_key:?}");
        }
    }
}
