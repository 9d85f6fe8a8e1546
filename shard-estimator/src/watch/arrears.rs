use std::time::Duration;

/// What was kept for us while nothing could come. It comes later, faster than it was sent, and does
/// not speak against a plan: the mean since before is what the plan was made for.
///
/// An account of that mean. A short absence hardly shows in it, and is worth no more than it shows; and
/// what lacks is made up for by what was kept, so that absences however many explain nothing that is
/// more than planned on the whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Arrears {
    /// By how much less came than the plan allows, in seconds of what it allows: since more came, or
    /// while an absence counts since that began. Less than nothing if more came.
    short_s: f64,
    /// Whether there was an absence of which something may be to come.
    counts: bool,
    /// For how long it is known what came.
    watched: Duration,
    /// For how long no more came than the plan allows, without the absences.
    calm: Duration,
    /// Since the end of the last absence.
    back_for: Duration,
}

impl Arrears {
    /// Nothing came for so long.
    pub(super) fn add(&mut self, away: Duration) {
        let seen = away.min(self.watched);
        if !self.counts {
            self.short_s = self.short_s.min(seen.as_secs_f64());
        }
        // Before that nothing is known to have come.
        self.short_s += (away - seen).as_secs_f64();
        self.counts = true;
        self.calm = self.calm.saturating_sub(away);
        self.back_for = Duration::ZERO;
    }

    /// Whether what came in the time that `passed` is no more than the plan allows and what was kept.
    /// `used` is in parts of what it allows. Once it allows all for `patience`, nothing is kept any
    /// more.
    pub(super) fn explain(&mut self, used: f64, passed: Duration, patience: Duration) -> bool {
        let excess = used - 1.0;
        let is_calm = excess <= 0.0;
        self.watched += passed;
        self.back_for += passed;
        self.calm = if is_calm { self.calm + passed } else { Duration::ZERO };
        // The first means are of little, and no ground for a debt.
        let debt_max = self.watched.saturating_sub(2 * patience).min(patience);
        self.short_s = (self.short_s - excess * passed.as_secs_f64()).max(-debt_max.as_secs_f64());
        let is_over = self.back_for >= 2 * patience && self.short_s <= 0.0;
        self.counts &= self.calm < patience && !is_over;
        if self.counts {
            return if is_calm { self.short_s >= 0.0 } else { self.short_s > 0.0 };
        }
        self.short_s = if is_calm { self.short_s.max(0.0) } else { 0.0 };
        is_calm
    }

    /// Whether something that was kept is still to come, as far as is known.
    pub(super) fn are_left(&self) -> bool {
        self.counts && self.short_s > 0.0
    }
}
