use std::time::Duration;

use super::Verdicts;
use crate::Factor;

/// How long refusals are counted before the floor moves.
const PERIOD: Duration = Duration::from_secs(30);

/// Refusals that mean that the floor itself is too much, in percent of the records tried.
const THROTTLED_PERCENT_MAX: u64 = 5;

/// A shard shared by so many gateways that a thousandth of it is too much for one is beyond help.
const LEAST: u32 = 1_000;

/// The least that the factor may fall to.
#[derive(Debug, Clone)]
pub(super) struct Floor {
    now: Factor,
    learning: Option<Period>,
}

/// What was counted since `start`.
#[derive(Debug, Clone)]
struct Period {
    start: Duration,
    tried: u64,
    throttled: u64,
}

impl Floor {
    /// A floor that stays where it is.
    pub(super) fn stated(floor: Factor) -> Self {
        Self { now: floor, learning: None }
    }

    /// Half the limit, or `factor` if that is less, until refusals say otherwise.
    pub(super) fn learned(factor: Factor, now: Duration) -> Self {
        Self { now: Factor::WHOLE.scaled(1, 2).min(factor), learning: Some(Period::from(now)) }
    }

    pub(super) fn get(&self) -> Factor {
        self.now
    }

    /// Counts `verdicts`, and moves the floor at the end of a period. It comes back to half of what
    /// `factor` has found to be ours and no further: as it is with a number of gateways stated, and
    /// so that gateways that found their shares are not all held up by their floors.
    pub(super) fn observe(&mut self, verdicts: Verdicts, factor: Factor, now: Duration) {
        let Some(period) = &mut self.learning else { return };
        period.tried += u64::from(verdicts.accepted) + u64::from(verdicts.throttled);
        period.throttled += u64::from(verdicts.throttled);
        if now.saturating_sub(period.start) < PERIOD {
            return;
        }
        let least = Factor::WHOLE.scaled(1, LEAST);
        if period.throttled * 100 > period.tried * THROTTLED_PERCENT_MAX {
            self.now = self.now.scaled(1, 2).max(least.min(self.now));
        } else if period.tried > 0 {
            self.now = self.now.doubled().min(factor.scaled(1, 2)).max(self.now);
        }
        *period = Period::from(now);
    }
}

impl Period {
    fn from(start: Duration) -> Self {
        Self { start, tried: 0, throttled: 0 }
    }
}
