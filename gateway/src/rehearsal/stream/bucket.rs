//! A token bucket: what a shard grants a second.

use std::time::Instant;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Holds at most one second's worth of tokens and refills evenly.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_second: u32,
    /// In tokens × nanoseconds, so that refilling never rounds. Below zero after a draw larger than
    /// the bucket.
    level: i128,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub(super) fn full(per_second: u32, now: Instant) -> Self {
        Self { per_second, level: i128::from(per_second) * NANOS_PER_SECOND, filled_at: now }
    }

    /// Whether [`take`](Self::take) may take `tokens` now. More than the bucket can hold are granted
    /// when it is full, and paid back afterwards: no size waits for ever.
    pub(super) fn grants(&mut self, tokens: u32, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled_at).as_nanos();
        let refill = i128::from(self.per_second)
            .saturating_mul(i128::try_from(elapsed).unwrap_or(i128::MAX));
        let capacity = i128::from(self.per_second) * NANOS_PER_SECOND;
        self.level = self.level.saturating_add(refill).min(capacity);
        self.filled_at = self.filled_at.max(now);
        self.level >= i128::from(tokens.min(self.per_second)) * NANOS_PER_SECOND
    }

    /// Takes `tokens`.
    pub(super) fn take(&mut self, tokens: u32) {
        self.level -= i128::from(tokens) * NANOS_PER_SECOND;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn draw(bucket: &mut Bucket, tokens: u32, now: Instant) -> bool {
        let granted = bucket.grants(tokens, now);
        if granted {
            bucket.take(tokens);
        }
        granted
    }

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
        Instant::now()
    }

    proptest! {
        /// Safety.
        #[test]
        fn no_window_of_a_second_exceeds_capacity_plus_refill(
            draws in prop::collection::vec((0_u64..400, 1_u32..200), 1..400),
        ) {
            let (start, per_second) = (start(), 1000);
            let mut bucket = Bucket::full(per_second, start);
            let mut granted = Vec::new();
            let mut at_ms = 0;
            for (pause_ms, tokens) in draws {
                at_ms += pause_ms;
                if draw(&mut bucket, tokens, start + Duration::from_millis(at_ms)) {
                    granted.push((at_ms, tokens));
                }
            }
            for (n, &(from_ms, _)) in granted.iter().enumerate() {
                let window = granted[n..].iter().take_while(|(at_ms, _)| *at_ms < from_ms + 1000);
                prop_assert!(window.map(|(_, tokens)| tokens).sum::<u32>() <= 2 * per_second);
            }
        }

        /// Liveness.
        #[test]
        fn what_was_refused_is_granted_once_refilled(tokens in 1_u32..1000, taken in 0_u32..=1000) {
            let start = start();
            let mut bucket = Bucket::full(1000, start);
            bucket.take(taken);
            let missing = tokens.saturating_sub(1000 - taken);
            let due = start + Duration::from_millis(missing.into());
            if missing > 0 {
                prop_assert!(!bucket.grants(tokens, due - Duration::from_nanos(1)));
            }
            prop_assert!(bucket.grants(tokens, due));
        }
    }

    #[test]
    fn a_draw_larger_than_the_bucket_waits_for_a_full_one_and_is_paid_back() {
        let start = start();
        let mut bucket = Bucket::full(1000, start);
        assert!(draw(&mut bucket, 5000, start));
        assert!(!draw(&mut bucket, 1, start + Duration::from_secs(4)));
        assert!(!draw(&mut bucket, 5000, start + Duration::from_millis(4999)));
        assert!(draw(&mut bucket, 5000, start + Duration::from_millis(5000)));
    }

    #[test]
    fn an_idle_bucket_hoards_no_more_than_a_second() {
        let start = start();
        let mut bucket = Bucket::full(1000, start);
        let later = start + Duration::from_secs(3600);
        assert!(draw(&mut bucket, 1000, later));
        assert!(!draw(&mut bucket, 1, later));
    }
}
