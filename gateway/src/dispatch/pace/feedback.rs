//! The pace of a stream as one whole: refusals alone tell how fast is too fast. Pure.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use shard_estimator::{Verdicts, limits::SHARD_RECORDS_PER_S};

use crate::queue::Admission;

/// Every stream has at least one shard: half of one is tried, by all gateways together, until it
/// is found to be too much.
const RATE_MIN: f64 = SHARD_RECORDS_PER_S as f64 / 2.0;
/// How long refusals are counted before less is tried, and how many are too many, in percent.
const PERIOD: Duration = Duration::from_secs(30);
const THROTTLED_PERCENT_MAX: u64 = 5;
/// Bytes of a record beyond which a shard takes fewer a second than it takes small ones: 1 MiB ÷ 1,000.
const FULL_RECORD_BYTES: f64 = 1_049.0;
/// Refusals of requests that were in flight together count once.
const DECREASE_PAUSE: Duration = Duration::from_millis(500);
const DECREASE: f64 = 0.8;
/// Growth a second while the limit holds something back.
const INCREASE_PER_S: f64 = 0.05;
/// What an unpaced stretch may save up.
const BURST: Duration = Duration::from_millis(100);
/// Whoever is held back asks again after no longer, and loses nothing of that.
pub(super) const PAUSE_MAX: Duration = Duration::from_millis(50);
const _: () = assert!(PAUSE_MAX.as_millis() * 2 == BURST.as_millis());
/// How long accepted without refusals until the limit is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// What a record takes of a stream, in records of up to a KiB: a stream counts bytes as well.
pub(super) fn worth(bytes: usize) -> f64 {
    (f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / FULL_RECORD_BYTES).max(1.0)
}

/// No limit until the first refusal; then four fifths of what was accepted, growing while it binds.
///
/// Rates are in records of up to a KiB a second; a larger one counts as several.
#[derive(Debug)]
pub(super) struct Feedback {
    /// Once a refusal was seen.
    rate: Option<f64>,
    /// The least that is tried: at first, and now.
    floor: (f64, f64),
    /// Records tried, and those of them that were throttled, since `counted_from`.
    tried: u64,
    throttled: u64,
    counted_from: Instant,
    refused_at: Instant,
    /// Since when the stream answers and refuses nothing.
    calm_since: Instant,
    grown_at: Instant,
    /// When the next record may go, had it to wait for the ones before it.
    next_at: Instant,
    /// Accepted in the second that began at `second`, and in the one before.
    second: Instant,
    accepted: f64,
    accepted_before: f64,
    bound: bool,
}

impl Feedback {
    /// For one of so many gateways, if that is known.
    pub(super) fn new(instances: Option<NonZeroU32>, now: Instant) -> Self {
        let floor = RATE_MIN / f64::from(instances.map_or(1, NonZeroU32::get));
        Self {
            rate: None,
            floor: (floor, floor),
            tried: 0,
            throttled: 0,
            counted_from: now,
            refused_at: now,
            calm_since: now,
            grown_at: now,
            next_at: now,
            second: now,
            accepted: 0.0,
            accepted_before: 0.0,
            bound: false,
        }
    }

    pub(super) fn draw(&mut self, bytes: usize, now: Instant) -> Admission {
        let Some(rate) = self.rate else { return Admission::Granted };
        if self.next_at > now {
            self.bound = true;
            return Admission::RetryAt(self.next_at);
        }
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        self.next_at = self.next_at.max(earliest) + Duration::from_secs_f64(worth(bytes) / rate);
        Admission::Granted
    }

    /// Learns from what was heard; the records accepted were [`worth`] so much together.
    pub(super) fn observe(&mut self, verdicts: Verdicts, accepted: f64, now: Instant) {
        let elapsed = now.saturating_duration_since(self.second);
        if elapsed >= Duration::from_secs(1) {
            let stale = elapsed >= Duration::from_secs(2);
            self.accepted_before = if stale { 0.0 } else { self.accepted };
            (self.accepted, self.second) = (0.0, now);
        }
        self.accepted += accepted;
        self.sink(verdicts, now);
        if verdicts.throttled > 0 {
            self.decrease(now);
        } else {
            self.increase(now);
        }
    }

    /// Notes an answer that says nothing of the pace: the limit neither grows nor comes nearer to being
    /// forgotten.
    pub(super) fn told_nothing(&mut self, now: Instant) {
        (self.calm_since, self.grown_at, self.bound) = (now, now, false);
    }

    /// Lets the floor sink while it is too much.
    fn sink(&mut self, verdicts: Verdicts, now: Instant) {
        self.tried += u64::from(verdicts.accepted) + u64::from(verdicts.throttled);
        self.throttled += u64::from(verdicts.throttled);
        if now.saturating_duration_since(self.counted_from) < PERIOD {
            return;
        }
        if self.throttled * 100 > self.tried * THROTTLED_PERCENT_MAX {
            // No further than to a record a second; what begins below that stays.
            self.floor.1 = (self.floor.1 / 2.0).max(self.floor.1.min(1.0));
        }
        (self.tried, self.throttled, self.counted_from) = (0, 0, now);
    }

    fn decrease(&mut self, now: Instant) {
        let heard_before =
            self.rate.is_some() && now.saturating_duration_since(self.refused_at) < DECREASE_PAUSE;
        if heard_before {
            return;
        }
        let (goodput, floor) = (self.accepted.max(self.accepted_before), self.floor.1);
        let rate = self.rate.unwrap_or(goodput).min(goodput.max(floor));
        self.rate = Some((rate * DECREASE).max(floor));
        (self.refused_at, self.calm_since, self.grown_at) = (now, now, now);
    }

    fn increase(&mut self, now: Instant) {
        let Some(rate) = &mut self.rate else { return };
        if now.saturating_duration_since(self.calm_since) > FORGET_AFTER {
            (self.rate, self.floor.1) = (None, self.floor.0);
            return;
        }
        let span = now.saturating_duration_since(self.grown_at).min(Duration::from_secs(1));
        if self.bound {
            *rate += *rate * INCREASE_PER_S * span.as_secs_f64();
        }
        (self.grown_at, self.bound) = (now, false);
    }
}
