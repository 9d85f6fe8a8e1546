//! The limiter of a shard, as a gateway uses it.

use shard_estimator::{Budget, Factor};

/// A limiter is rebuilt for a new rate at most this often, and keeps what it earned.
const LIFE_MS_MIN: u64 = 1_000;

/// Tokens for records.
pub(crate) struct Bucket {
    applied: Factor,
    record_every_ms: f64,
    burst: f64,
    built_at_ms: u64,
    tokens: f64,
    counted_at_ms: u64,
}

impl Bucket {
    pub(crate) fn empty(factor: Factor, now_ms: u64) -> Self {
        let budget = Budget::of_shard(factor);
        Self {
            applied: factor,
            record_every_ms: budget.record_every.as_secs_f64() * 1_000.0,
            burst: f64::from(budget.records_burst.get()),
            built_at_ms: now_ms,
            tokens: 0.0,
            counted_at_ms: now_ms,
        }
    }

    /// Draws up to `records`, at the rate of `factor`.
    pub(crate) fn draw(&mut self, records: u32, factor: Factor, now_ms: u64) -> u32 {
        let passed_ms = u32::try_from(now_ms - self.counted_at_ms).expect("a short story");
        let refilled = self.tokens + f64::from(passed_ms) / self.record_every_ms;
        self.tokens = refilled.min(self.burst);
        self.counted_at_ms = now_ms;
        if factor != self.applied && now_ms - self.built_at_ms >= LIFE_MS_MIN {
            let fresh = Self::empty(factor, now_ms);
            *self = Self { tokens: self.tokens.min(fresh.burst), ..fresh };
        }
        let drawn = records.min(whole(self.tokens));
        self.tokens -= f64::from(drawn);
        drawn
    }

    /// When there is a token again.
    pub(crate) fn next_at_ms(&self) -> u64 {
        let wait_ms = (1.0 - self.tokens).max(0.0) * self.record_every_ms;
        self.counted_at_ms + u64::from(whole(wait_ms.ceil()))
    }
}

/// `number` rounded down.
pub(crate) fn whole(number: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what does not fit is cut to the nearest that does"
    )]
    let whole = number as u32;
    whole
}
