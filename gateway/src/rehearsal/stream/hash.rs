//! The ranges of hash keys that shards own.

use std::num::NonZeroU32;

pub use shard_estimator::HashKey;
use shard_estimator::ShardRanges;

/// The hash keys that one shard owns, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRange {
    /// The lowest.
    pub start: HashKey,
    /// The highest.
    pub end: HashKey,
}

impl HashRange {
    /// Cuts everything into `count` ranges as the service does. Zero counts as one.
    #[must_use]
    pub fn equal(count: u32) -> Vec<Self> {
        let ranges = ShardRanges::equal(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        (0..count.max(1))
            .filter_map(|shard| ranges.range(shard))
            .map(|range| Self { start: *range.start(), end: *range.end() })
            .collect()
    }

    /// Cuts this range in two at its middle, unless it is a single key.
    #[must_use]
    pub fn halves(self) -> Option<(Self, Self)> {
        let middle = self.start.0 + (self.end.0 - self.start.0) / 2;
        (self.start < self.end).then_some((
            Self { start: self.start, end: HashKey(middle) },
            Self { start: HashKey(middle.saturating_add(1)), end: self.end },
        ))
    }

    /// This range and the one that begins where it ends, as one; `None` when they do not touch.
    #[must_use]
    pub fn joined(self, next: Self) -> Option<Self> {
        (self.end.0.checked_add(1) == Some(next.start.0))
            .then_some(Self { start: self.start, end: next.end })
    }

    /// Whether `key` lies in it.
    #[must_use]
    pub fn contains(self, key: HashKey) -> bool {
        (self.start..=self.end).contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_leave_no_gap_and_no_overlap() {
        for count in [1, 2, 3, 4, 5, 7, 64, 1000] {
            let ranges = HashRange::equal(count);
            let whole = ranges.iter().copied().reduce(|a, b| a.joined(b).expect("they touch"));
            assert_eq!(whole, Some(HashRange { start: HashKey(0), end: HashKey(u128::MAX) }));
        }
    }

    #[test]
    fn halves_join_to_the_whole() {
        for range in HashRange::equal(3) {
            let (low, high) = range.halves().expect("wide enough");
            assert_eq!(low.joined(high), Some(range));
        }
        let single = HashRange { start: HashKey(7), end: HashKey(7) };
        assert_eq!(single.halves(), None);
    }
}
