use std::num::NonZeroU32;

use crate::limits::SHARDS_MAX;

/// The fewest shards that suffice, when all above do too: twice as many steps until they do, and
/// then halves. `from` or more.
pub(super) fn fewest_of_falling(
    from: NonZeroU32,
    suffices: impl Fn(NonZeroU32) -> bool,
) -> Option<NonZeroU32> {
    let at = |shards: u32| NonZeroU32::new(shards).is_some_and(&suffices);
    let (mut low, mut high, mut step) = (from.get(), from.get(), 1);
    while !at(high) {
        if high >= SHARDS_MAX {
            return None;
        }
        low = high + 1;
        high = (high + step).min(SHARDS_MAX);
        step *= 2;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if at(middle) { high = middle } else { low = middle + 1 }
    }
    NonZeroU32::new(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_shards_are_found_wherever_they_are() {
        let limits = [1, 2, 3, 4, 5, 6, 7, 8, 9, 30, 100, 12_345, 19_999, 20_000];
        for from in [1, 2, 5] {
            for limit in limits {
                let found = fewest_of_falling(
                    NonZeroU32::new(from).expect("tests count from one"),
                    |shards| shards.get() >= limit,
                );
                assert_eq!(found.map(NonZeroU32::get), Some(limit.max(from)), "from {from}");
            }
        }
        assert_eq!(fewest_of_falling(NonZeroU32::MIN, |shards| shards.get() > 20_000), None);
    }
}
