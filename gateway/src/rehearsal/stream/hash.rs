//! Hash keys, and the ranges of them that shards own.

use md5::{Digest, Md5};

/// Where a record lies between 0 and 2^128 − 1, which decides its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HashKey(u128);

impl HashKey {
    /// Where a partition key puts its records: its MD5, read as a big-endian number.
    #[must_use]
    pub fn of(partition_key: &str) -> Self {
        Self(u128::from_be_bytes(Md5::digest(partition_key).into()))
    }

    /// Reads an explicit hash key: decimal, below 2^128.
    #[must_use]
    pub fn explicit(decimal: &str) -> Option<Self> {
        decimal.parse().ok().map(Self)
    }

    /// The number itself.
    #[must_use]
    pub const fn get(self) -> u128 {
        self.0
    }
}

/// The hash keys that one shard owns, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRange {
    /// The lowest.
    pub start: HashKey,
    /// The highest.
    pub end: HashKey,
}

impl HashRange {
    /// Cuts everything into `count` ranges as the service does: each ⌊2^128 ÷ count⌋ long, and what
    /// that division leaves over goes to the last. Zero counts as one.
    #[must_use]
    pub fn equal(count: u32) -> Vec<Self> {
        let count = u128::from(count.max(1));
        // ⌊2^128 ÷ count⌋, though 2^128 itself does not fit; a single range does without.
        let remainder = u128::from(u128::MAX % count == count - 1);
        let length = (u128::MAX / count).saturating_add(remainder);
        (0..count)
            .map(|n| {
                let start = n.saturating_mul(length);
                let end = if n + 1 == count { u128::MAX } else { start.saturating_add(length - 1) };
                Self { start: HashKey(start), end: HashKey(end) }
            })
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
    fn a_partition_key_lies_where_its_md5_says() {
        // RFC 1321, appendix A.5.
        for (key, md5) in [
            ("a", 0x0cc1_75b9_c0f1_b6a8_31c3_99e2_6977_2661),
            ("abc", 0x9001_5098_3cd2_4fb0_d696_3f7d_28e1_7f72),
            ("message digest", 0xf96b_697d_7cb7_938d_525a_2f31_aaf1_61d0),
        ] {
            assert_eq!(HashKey::of(key).get(), md5, "{key}");
        }
    }

    #[test]
    fn an_explicit_hash_key_is_a_decimal_below_2_to_the_128() {
        assert_eq!(HashKey::explicit("0"), Some(HashKey(0)));
        let highest = "340282366920938463463374607431768211455";
        assert_eq!(HashKey::explicit(highest), Some(HashKey(u128::MAX)));
        assert_eq!(HashKey::explicit("340282366920938463463374607431768211456"), None);
    }

    #[test]
    fn ranges_are_those_of_the_service() {
        // Three shards of a real stream, as the service's documentation shows them.
        let text: Vec<_> = HashRange::equal(3)
            .iter()
            .map(|range| (range.start.get().to_string(), range.end.get().to_string()))
            .collect();
        let expected = [
            ("0", "113427455640312821154458202477256070484"),
            ("113427455640312821154458202477256070485", "226854911280625642308916404954512140969"),
            ("226854911280625642308916404954512140970", "340282366920938463463374607431768211455"),
        ];
        for ((start, end), (start_expected, end_expected)) in text.iter().zip(expected) {
            assert_eq!((start.as_str(), end.as_str()), (start_expected, end_expected));
        }
    }

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
