use std::time::Duration;

/// What was kept for us while nothing could come. It comes later, faster than it was sent, and does
/// not speak against a plan: the mean since before is what the plan was made for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrears {
    /// How long what the plan allows may have been kept, less what came of it, in seconds.
    left_s: f64,
    /// For how long no more came than the plan allows.
    calm: Duration,
}

impl Arrears {
    /// Nothing came for so long.
    pub(super) fn add(&mut self, away: Duration) {
        self.left_s += away.as_secs_f64();
        self.calm = Duration::ZERO;
    }

    /// Whether what came in the time that `passed` is no more than the plan allows and what was kept.
    /// `used` is in parts of what it allows. Once it allows all for `patience`, nothing is kept any
    /// more.
    pub(super) fn explain(&mut self, used: f64, passed: Duration, patience: Duration) -> bool {
        let excess = used - 1.0;
        if excess <= 0.0 {
            self.calm += passed;
            if self.calm >= patience {
                *self = Self::default();
            }
            return true;
        }
        self.calm = Duration::ZERO;
        self.left_s = (self.left_s - excess * passed.as_secs_f64()).max(0.0);
        self.left_s > 0.0
    }
}
