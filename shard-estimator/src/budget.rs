use std::num::NonZeroU32;

use crate::Factor;
use crate::limits::{SHARD_KIB_PER_S, SHARD_RECORDS_PER_S};

/// Records that may go to one shard at once.
///
/// With a rate of 0.9 × 1,000 records a second it keeps every window of a second within the shard's
/// limit: 100 + 900 = 1,000. Simulated against a strict window, a tank and 100 ms of network
/// jitter: nothing throttled at 0.9.
const BURST_RECORDS: NonZeroU32 = NonZeroU32::new(100).expect("not zero");

/// KiB that may go to one shard at once: the same share of a second as the records have, rounded up
/// to a power of two. A record of up to 1 MiB is drawn in pieces of this.
const BURST_KIB: NonZeroU32 = NonZeroU32::new(128).expect("not zero");

const _: () = assert!(BURST_RECORDS.get() * 10 == SHARD_RECORDS_PER_S);
const _: () = assert!(BURST_KIB.get() * 10 >= SHARD_KIB_PER_S);

/// What one gateway may send to one shard: a rate and a burst for each of the shard's two limits.
///
/// Both rates come of one factor, so that a shard throttled for bytes is relieved of records too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Records a second.
    pub records_per_s: NonZeroU32,
    /// Most records at once.
    pub records_burst: NonZeroU32,
    /// KiB a second, of data and partition keys.
    pub kib_per_s: NonZeroU32,
    /// Most KiB at once.
    pub kib_burst: NonZeroU32,
}

impl Budget {
    /// `factor` of what a shard takes. Rates are rounded down, but to no less than one a second:
    /// at any factor everything is sent some day.
    #[must_use]
    pub fn of_shard(factor: Factor) -> Self {
        let rate = |limit| NonZeroU32::new(factor.of(limit)).unwrap_or(NonZeroU32::MIN);
        Self {
            records_per_s: rate(SHARD_RECORDS_PER_S),
            records_burst: BURST_RECORDS,
            kib_per_s: rate(SHARD_KIB_PER_S),
            kib_burst: BURST_KIB,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_the_factor_of_both_limits_rounded_down() {
        for (part, records_per_s, kib_per_s) in
            [(1.0, 1000, 1024), (0.9, 900, 921), (0.125, 125, 128), (1e-9, 1, 1)]
        {
            let budget = Budget::of_shard(Factor::new(part).expect("a factor"));
            assert_eq!(budget.records_per_s.get(), records_per_s, "{part}");
            assert_eq!(budget.kib_per_s.get(), kib_per_s, "{part}");
            assert_eq!((budget.records_burst.get(), budget.kib_burst.get()), (100, 128));
        }
    }
}
