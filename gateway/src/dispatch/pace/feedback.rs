//! The pace of a stream as one whole: refusals alone tell how fast is too fast. Pure.

use std::time::{Duration, Instant};

use shard_estimator::{Verdicts, limits::SHARD_RECORDS_PER_S};

use crate::queue::Admission;

/// Every stream has at least one shard, and others may use it too: half of one is tried always.
const RATE_MIN: f64 = SHARD_RECORDS_PER_S as f64 / 2.0;
/// Refusals of requests that were in flight together count once.
const DECREASE_PAUSE: Duration = Duration::from_millis(500);
const DECREASE: f64 = 0.8;
/// Growth a second while the limit holds something back.
const INCREASE_PER_S: f64 = 0.05;
/// What an unpaced stretch may save up.
const BURST: Duration = Duration::from_millis(100);
/// How long without refusals until the limit is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// No limit until the first refusal; then four fifths of what was accepted, growing while it binds.
#[derive(Debug)]
pub(super) struct Feedback {
    /// Records a second, once a refusal was seen.
    rate: Option<f64>,
    refused_at: Instant,
    grown_at: Instant,
    /// When the next record may go, had it to wait for the ones before it.
    next_at: Instant,
    /// Accepted in the second that began at `second`, and in the one before.
    second: Instant,
    accepted: u32,
    accepted_before: u32,
    bound: bool,
}

impl Feedback {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            rate: None,
            refused_at: now,
            grown_at: now,
            next_at: now,
            second: now,
            accepted: 0,
            accepted_before: 0,
            bound: false,
        }
    }

    pub(super) fn draw(&mut self, now: Instant) -> Admission {
        let Some(rate) = self.rate else { return Admission::Granted };
        if self.next_at > now {
            self.bound = true;
            return Admission::RetryAt(self.next_at);
        }
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        self.next_at = self.next_at.max(earliest) + Duration::from_secs_f64(1.0 / rate);
        Admission::Granted
    }

    pub(super) fn observe(&mut self, verdicts: Verdicts, now: Instant) {
        let elapsed = now.saturating_duration_since(self.second);
        if elapsed >= Duration::from_secs(1) {
            let stale = elapsed >= Duration::from_secs(2);
            self.accepted_before = if stale { 0 } else { self.accepted };
            (self.accepted, self.second) = (0, now);
        }
        self.accepted = self.accepted.saturating_add(verdicts.accepted);
        if verdicts.throttled > 0 {
            self.decrease(now);
        } else {
            self.increase(now);
        }
    }

    fn decrease(&mut self, now: Instant) {
        let heard_before =
            self.rate.is_some() && now.saturating_duration_since(self.refused_at) < DECREASE_PAUSE;
        if heard_before {
            return;
        }
        let goodput = f64::from(self.accepted.max(self.accepted_before));
        let rate = self.rate.unwrap_or(goodput).min(goodput.max(RATE_MIN));
        self.rate = Some((rate * DECREASE).max(RATE_MIN));
        (self.refused_at, self.grown_at) = (now, now);
    }

    fn increase(&mut self, now: Instant) {
        let Some(rate) = &mut self.rate else { return };
        if now.saturating_duration_since(self.refused_at) > FORGET_AFTER {
            self.rate = None;
            return;
        }
        let span = now.saturating_duration_since(self.grown_at).min(Duration::from_secs(1));
        if self.bound {
            *rate += *rate * INCREASE_PER_S * span.as_secs_f64();
        }
        (self.grown_at, self.bound) = (now, false);
    }
}
