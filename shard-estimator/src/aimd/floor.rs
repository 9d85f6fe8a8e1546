use std::time::Duration;

use crate::Factor;

/// How long a floor that moved stays before it is doubled.
const RISE_PERIOD: Duration = Duration::from_secs(30);

/// How long it stays before it is halved.
const SINK_PERIOD: Duration = Duration::from_secs(10);

/// A learned floor is no less than this part of the limits, one record in two seconds: half of what
/// is fair among a thousand. From less it takes minutes to come back.
const LEAST: u32 = 2_000;

/// The least that the factor may fall to.
#[derive(Debug, Clone)]
pub(super) struct Floor {
    now: Factor,
    /// When it moved, if it may.
    moved_at: Option<Duration>,
}

impl Floor {
    /// A floor that stays where it is.
    pub(super) fn stated(floor: Factor) -> Self {
        Self { now: floor, moved_at: None }
    }

    /// Half the limit, or `factor` if that is less, until refusals say otherwise.
    pub(super) fn learned(factor: Factor, now: Duration) -> Self {
        Self { now: Factor::WHOLE.scaled(1, 2).min(factor), moved_at: Some(now) }
    }

    pub(super) fn get(&self) -> Factor {
        self.now
    }

    /// Falls to `floor`, if it may.
    pub(super) fn give_way(&mut self, floor: Factor, now: Duration) {
        if let Some(moved_at) = &mut self.moved_at {
            let least = Factor::WHOLE.scaled(1, LEAST);
            self.now = self.now.min(floor.max(least));
            *moved_at = now;
        }
    }

    /// Falls to half, but not below `least`, if it may and did not move for long.
    pub(super) fn sink(&mut self, least: Factor, now: Duration) {
        if self.moved_at.is_some_and(|moved_at| now.saturating_sub(moved_at) >= SINK_PERIOD) {
            self.give_way(self.now.scaled(1, 2).max(least), now);
        }
    }

    /// Comes back to half of what `factor` has found to be ours and no further: as it is with a
    /// number of gateways stated, and so that gateways that found their shares are not all held up
    /// by their floors.
    pub(super) fn come_back(&mut self, factor: Factor, now: Duration) {
        if let Some(moved_at) = &mut self.moved_at
            && now.saturating_sub(*moved_at) >= RISE_PERIOD
        {
            self.now = self.now.doubled().min(factor.scaled(1, 2)).max(self.now);
            *moved_at = now;
        }
    }
}
