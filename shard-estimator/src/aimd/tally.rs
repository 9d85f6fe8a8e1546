use std::time::Duration;

use super::{DECREASE, Verdicts};
use crate::Factor;
use crate::limits::SHARD_RECORDS_PER_S;

/// Shortest time that is counted: a shard that counts strictly by the second refuses at the end of
/// each.
const PERIOD: Duration = Duration::from_secs(1);

/// Fewer records say little about a part.
const TRIED_MIN: u32 = 20;

/// What became of the records that were sent since `start`, at a pace of `factor`.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    factor: Factor,
    start: Duration,
    accepted: u32,
    throttled: u32,
}

impl Tally {
    pub(super) fn new(factor: Factor, start: Duration) -> Self {
        Self { factor, start, accepted: 0, throttled: 0 }
    }

    /// Counts `verdicts` on what was sent at `factor`. Begins anew when nothing was refused in all
    /// the period, or when the pace is another by now: that would say nothing about the next one.
    pub(super) fn count(&mut self, verdicts: Verdicts, factor: Factor, now: Duration) {
        let risen = self.factor < factor.scaled(DECREASE.0, DECREASE.1);
        if risen || (self.throttled == 0 && self.is_complete(now)) {
            *self = Self::new(factor, now);
        }
        if now >= self.start {
            self.accepted = self.accepted.saturating_add(verdicts.accepted);
            self.throttled = self.throttled.saturating_add(verdicts.throttled);
        }
    }

    /// Whether it says something.
    pub(super) fn is_complete(&self, now: Duration) -> bool {
        now.saturating_sub(self.start) >= PERIOD && self.tried() >= TRIED_MIN
    }

    /// What part of the limits was accepted.
    pub(super) fn share(&self) -> Factor {
        self.factor.scaled(self.accepted.max(1), self.tried().max(1))
    }

    /// How much was refused, in percent of the records tried.
    pub(super) fn throttled_percent(&self) -> u64 {
        u64::from(self.throttled) * 100 / u64::from(self.tried().max(1))
    }

    /// What part of the limit on records was tried.
    pub(super) fn used(&self, now: Duration) -> Factor {
        const _: () = assert!(SHARD_RECORDS_PER_S == 1_000, "one in a millisecond");
        let ms =
            u32::try_from(now.saturating_sub(self.start).as_millis()).unwrap_or(u32::MAX).max(1);
        Factor::WHOLE.scaled(self.tried().clamp(1, ms), ms)
    }

    fn tried(&self) -> u32 {
        self.accepted.saturating_add(self.throttled)
    }
}
