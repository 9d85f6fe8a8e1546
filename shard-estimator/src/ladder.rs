use std::num::NonZeroU32;

use crate::limits::RESHARD_FACTOR;

/// The shard counts to go through from `from` to `to`, the first left out: `UpdateShardCount` at
/// most doubles the shards, or halves them. A day allows
/// [`RESHARDS_PER_DAY`](crate::limits::RESHARDS_PER_DAY) steps.
///
/// The steps are as large as they may be, so there are as few as can be.
#[must_use]
pub fn ladder(from: NonZeroU32, to: NonZeroU32) -> Vec<NonZeroU32> {
    let mut steps = Vec::new();
    let mut at = from;
    while at != to {
        at = to.clamp(at.div_ceil(RESHARD_FACTOR), at.saturating_mul(RESHARD_FACTOR));
        steps.push(at);
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(from: u32, to: u32) -> Vec<u32> {
        let shards = |n| NonZeroU32::new(n).expect("tests count from one");
        ladder(shards(from), shards(to)).into_iter().map(NonZeroU32::get).collect()
    }

    #[test]
    fn a_ladder_doubles_or_halves_and_ends_where_it_should() {
        assert_eq!(steps(4, 29), [8, 16, 29]);
        assert_eq!(steps(29, 4), [15, 8, 4]);
        assert_eq!(steps(1, 1_000).len(), 10);
        assert_eq!(steps(7, 7), [0; 0]);
    }
}
