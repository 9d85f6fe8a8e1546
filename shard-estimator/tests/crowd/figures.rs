//! What a scene came to.

use shard_estimator::Verdicts;

/// Sums over shards.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) whole: Attempts,
    /// But for the minute after a change.
    pub(crate) settled: Attempts,
    /// Records that one sender who always knows what there is room for would have brought in.
    pub(crate) possible: f64,
    pub(crate) gateways: Vec<Served>,
    /// When more was waiting than comes in two seconds, for the last time and at the slowest shard.
    pub(crate) recovered_s: u32,
}

/// Records that were sent, and those of them that were refused.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempts {
    sent: f64,
    throttled: f64,
}

/// What one gateway brought in, and what was its fair part: nobody gets more than it asks for, and
/// what is left is dealt out in equal parts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served {
    pub(crate) accepted: f64,
    pub(crate) fair: f64,
}

impl Attempts {
    pub(crate) fn add(&mut self, verdicts: Verdicts) {
        self.sent += f64::from(verdicts.accepted) + f64::from(verdicts.throttled);
        self.throttled += f64::from(verdicts.throttled);
    }

    /// The part that was refused.
    pub(crate) fn refused(self) -> f64 {
        if self.sent > 0.0 { self.throttled / self.sent } else { 0.0 }
    }

    fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.throttled += other.throttled;
    }
}

impl Figures {
    /// The same of several shards together.
    pub(crate) fn sum(shards: impl IntoIterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        for shard in shards {
            sum.whole.merge(shard.whole);
            sum.settled.merge(shard.settled);
            sum.possible += shard.possible;
            sum.recovered_s = sum.recovered_s.max(shard.recovered_s);
            sum.gateways.resize(shard.gateways.len(), Served::default());
            for (sum, served) in sum.gateways.iter_mut().zip(shard.gateways) {
                sum.accepted += served.accepted;
                sum.fair += served.fair;
            }
        }
        sum
    }

    /// What was accepted, as a part of what was possible.
    pub(crate) fn goodput(&self) -> f64 {
        self.gateways.iter().map(|gateway| gateway.accepted).sum::<f64>() / self.possible
    }

    /// Jain's index of the parts: 1 when all have the same part of what is fair, 1 ÷ n when one has
    /// all.
    pub(crate) fn fairness(&self) -> f64 {
        let (sum, squares) = self
            .parts()
            .fold((0.0, 0.0), |(sum, squares), part| (sum + part, part.mul_add(part, squares)));
        sum * sum / squares / self.parts().map(|_| 1.0).sum::<f64>()
    }

    /// What the worst served gateway has of its fair part.
    pub(crate) fn least(&self) -> f64 {
        self.parts().fold(f64::INFINITY, f64::min)
    }

    fn parts(&self) -> impl Iterator<Item = f64> {
        self.gateways.iter().map(|gateway| gateway.accepted / gateway.fair)
    }
}

/// Deals out `room`: each wanted amount in full where that is possible, and otherwise equal parts.
/// Gives the most that anybody gets.
pub(crate) fn fair_level(room: f64, wanted: &[f64]) -> f64 {
    let mut rising = wanted.to_vec();
    rising.sort_by(f64::total_cmp);
    let mut left = room;
    let mut sharers = f64::from(u32::try_from(wanted.len()).expect("few"));
    for wanted in rising {
        if wanted * sharers > left {
            return left / sharers;
        }
        left -= wanted;
        sharers -= 1.0;
    }
    f64::INFINITY
}
