use std::num::NonZeroU32;
use std::time::Duration;

use crate::Factor;
use crate::limits::{SHARD_KIB_PER_S, SHARD_RECORDS_PER_S};

/// Most records that may go to one shard at once.
///
/// With a rate of 0.9 × 1,000 records a second it keeps every window of a second within the shard's
/// limit: 100 + 900 = 1,000. Simulated against a strict window, a tank and 100 ms of network
/// jitter: nothing throttled at 0.9.
const BURST_RECORDS: u32 = 100;

/// Most KiB that may go to one shard at once: the same share of a second as the records have,
/// rounded up to a power of two. A record of up to 1 MiB is drawn in pieces of this.
const BURST_KIB: u32 = 128;

/// From four fifths of the limits down a burst becomes smaller with the factor, for the sake of
/// neighbours: a thousand gateways that come back at once with a hundred records each have most of
/// them refused. But some records of different devices may go together whatever the rate.
const BURST_MIN: u32 = 8;

const _: () = assert!(BURST_RECORDS * 10 == SHARD_RECORDS_PER_S);
const _: () = assert!(BURST_KIB * 10 >= SHARD_KIB_PER_S);

/// What one gateway may send to one shard: a rate and a burst for each of the shard's two limits.
///
/// Both rates come of one factor, so that a shard throttled for bytes is relieved of records too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Records a second, in whole numbers, for people.
    pub records_per_s: NonZeroU32,
    /// The time that each record takes of that: for a limiter, which must be right below one a
    /// second too.
    pub record_every: Duration,
    /// Most records at once.
    pub records_burst: NonZeroU32,
    /// KiB a second, of data and partition keys, in whole numbers.
    pub kib_per_s: NonZeroU32,
    /// The time that each KiB takes of that.
    pub kib_every: Duration,
    /// Most KiB at once.
    pub kib_burst: NonZeroU32,
}

impl Budget {
    /// `factor` of what a shard takes. Rates are rounded down, but those in whole numbers to no less
    /// than one a second.
    #[must_use]
    pub fn of_shard(factor: Factor) -> Self {
        let rate = |limit| NonZeroU32::new(factor.of(limit)).unwrap_or(NonZeroU32::MIN);
        let burst = |most: u32| {
            let burst = factor.of(most * 5 / 4).clamp(BURST_MIN, most);
            NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)
        };
        let every = |limit| {
            (factor.stretched(Duration::from_secs(1)) + Duration::from_nanos(1)) / limit
                + Duration::from_nanos(1)
        };
        Self {
            records_per_s: rate(SHARD_RECORDS_PER_S),
            record_every: every(SHARD_RECORDS_PER_S),
            records_burst: burst(BURST_RECORDS),
            kib_per_s: rate(SHARD_KIB_PER_S),
            kib_every: every(SHARD_KIB_PER_S),
            kib_burst: burst(BURST_KIB),
        }
    }

    /// The longest that a sender may pause between two looks at limiters of this budget, for the sake of
    /// larger requests: after half of the time in which the sooner of them is full. What is earned
    /// beyond that is lost, and nobody looks on time.
    #[must_use]
    pub fn pause_max(&self) -> Duration {
        let records_full = self.record_every * self.records_burst.get();
        let kib_full = self.kib_every * self.kib_burst.get();
        records_full.min(kib_full) / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(part: f64) -> Budget {
        Budget::of_shard(Factor::new(part).expect("a factor"))
    }

    #[test]
    fn a_budget_is_the_factor_of_both_limits_rounded_down() {
        for (part, records_per_s, kib_per_s) in
            [(1.0, 1000, 1024), (0.9, 900, 921), (0.125, 125, 128), (1e-9, 1, 1)]
        {
            let budget = budget(part);
            assert_eq!(budget.records_per_s.get(), records_per_s, "{part}");
            assert_eq!(budget.kib_per_s.get(), kib_per_s, "{part}");
        }
    }

    #[test]
    fn a_limiter_is_never_faster_than_the_factor_and_slower_by_a_millionth_at_most() {
        for part in [1.0, 0.9, 0.3, 0.001, 1e-6, 1e-9] {
            let budget = budget(part);
            for (every, limit) in [(budget.record_every, 1000.0), (budget.kib_every, 1024.0)] {
                let exact = 1.0 / (part * limit);
                let slower = every.as_secs_f64() / exact - 1.0;
                assert!((0.0..3e-6).contains(&slower), "{part} of {limit}: {every:?}");
            }
        }
    }

    #[test]
    fn a_sender_that_pauses_for_as_long_as_it_may_finds_no_limiter_full() {
        for part in [1.0, 0.9, 0.3, 0.001, 1e-9] {
            let budget = budget(part);
            let records = budget.pause_max().as_secs_f64() / budget.record_every.as_secs_f64();
            let kib = budget.pause_max().as_secs_f64() / budget.kib_every.as_secs_f64();
            let (records_half, kib_half) = (
                f64::from(budget.records_burst.get()) / 2.0,
                f64::from(budget.kib_burst.get()) / 2.0,
            );
            assert!(records <= records_half && kib <= kib_half, "{part}: {records} and {kib}");
            assert!(records > 0.9 * records_half || kib > 0.9 * kib_half, "{part}");
        }
    }

    #[test]
    fn a_burst_is_a_tenth_of_a_second_when_alone_and_small_among_many() {
        for (part, records, kib) in
            [(1.0, 100, 128), (0.9, 100, 128), (0.8, 100, 128), (0.25, 31, 40), (0.001, 8, 8)]
        {
            let budget = budget(part);
            assert_eq!((budget.records_burst.get(), budget.kib_burst.get()), (records, kib));
        }
    }
}
