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
    /// Where the floor was at first, and may come back to.
    highest: Factor,
}

impl Floor {
    /// A floor that stays where it is.
    pub(super) fn stated(floor: Factor) -> Self {
        Self { now: floor, learning: None }
    }

    /// Half the limit, or `factor` if that is less, until refusals say otherwise.
    pub(super) fn learned(factor: Factor, now: Duration) -> Self {
        let highest = Factor::WHOLE.scaled(1, 2).min(factor);
        let learning = Period { start: now, tried: 0, throttled: 0, highest };
        Self { now: highest, learning: Some(learning) }
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
            let back = self.now.doubled().min(period.highest).min(factor.scaled(1, 2));
            self.now = self.now.max(back);
        }
        *period = Period { start: now, tried: 0, throttled: 0, highest: period.highest };
    }
}
