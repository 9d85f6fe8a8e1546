//! The numbers that are compared.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use shard_estimator::cli::words;
use shard_estimator::number::within;
use shard_estimator::{Check, Goals, Outlook};

/// Refused records, as a part of all that were sent, that a plan is held by.
pub const THROTTLED_MAX: f64 = 0.005;

/// What is compared. All are of the shard that is worst in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    /// Records in a second, as a part of the shard's limit.
    Records,
    /// Bytes in a second, data and keys, as a part of the shard's limit.
    Bytes,
    /// Records refused for their rate, as a part of all attempts, all shards together.
    Throttled,
    /// What 99 of 100 records wait at most, from being published to being accepted, in seconds: of
    /// classes that report together, if there are any.
    P99,
    /// How long catching up after the outage takes, in seconds.
    Drain,
}

/// A number for each [`Figure`] that is asked for. What never ends is infinite.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures(BTreeMap<Figure, f64>);

impl Figures {
    /// What `goals` allow.
    #[must_use]
    pub fn allowed(goals: &Goals) -> Self {
        let target = goals.target.get();
        let drain = goals.outage.map(|outage| (Figure::Drain, outage.drained_within.as_secs_f64()));
        let all = [
            (Figure::Records, target),
            (Figure::Bytes, target),
            (Figure::Throttled, THROTTLED_MAX),
            (Figure::P99, goals.p99.as_secs_f64()),
        ];
        all.into_iter().chain(drain).collect()
    }

    /// What `outlook` means for goals like `goals`.
    #[must_use]
    pub fn predicted(outlook: &Outlook, goals: &Goals) -> Self {
        let hottest = &outlook.hottest;
        let used = hottest.records_used.max(hottest.bytes_used);
        // Records that do not come together wait for nothing but each other.
        let spread = if used < goals.fraction.get() { Some(goals.linger) } else { None };
        let mut all = Self::from_iter([
            (Figure::Records, hottest.records_used),
            (Figure::Bytes, hottest.bytes_used),
            (Figure::Throttled, 0.0),
            (Figure::P99, seconds(spread)),
        ]);
        for check in &outlook.checks {
            match check {
                Check::Delay(wait) => all.set(Figure::P99, seconds(wait.p99)),
                Check::Pieces(pieces) => {
                    all.set(Figure::P99, seconds(spread.map(|_| pieces.p99)));
                }
                Check::Drain { takes, .. } => all.set(Figure::Drain, seconds(*takes)),
                Check::Records { .. }
                | Check::Bytes { .. }
                | Check::Reads { .. }
                | Check::Restore(_)
                | Check::Growth { .. } => {}
            }
        }
        all
    }

    /// These, and as much more load and catching up as `played` has above `real`: what is added for
    /// the play alone breaks nothing that would hold without.
    #[must_use]
    pub(super) fn allowing(mut self, real: &Self, played: &Self) -> Self {
        for figure in [Figure::Records, Figure::Bytes, Figure::Drain] {
            let numbers = (self.get(figure), real.get(figure), played.get(figure));
            let (Some(allowed), Some(real), Some(played)) = numbers else { continue };
            let added = played - real;
            if added.is_finite() {
                self.set(figure, allowed + added.max(0.0));
            }
        }
        self
    }

    /// A number; `None` if it is not asked for.
    #[must_use]
    pub fn get(&self, figure: Figure) -> Option<f64> {
        self.0.get(&figure).copied()
    }

    /// Notes a number.
    pub fn set(&mut self, figure: Figure, value: f64) {
        self.0.insert(figure, value);
    }

    /// The figures that are above what `allowed` says.
    #[must_use]
    pub fn broken(&self, allowed: &Self) -> Vec<Figure> {
        let broken = |(figure, value): (&Figure, &f64)| {
            allowed.get(*figure).is_some_and(|allowed| !within(*value, allowed)).then_some(*figure)
        };
        self.0.iter().filter_map(broken).collect()
    }

    /// The largest part of what `allowed` says that any of them takes: above 1 something is broken.
    #[must_use]
    pub fn strain(&self, allowed: &Self) -> f64 {
        let parts = self.0.iter().filter_map(|(figure, value)| Some(value / allowed.get(*figure)?));
        parts.fold(0.0, f64::max)
    }
}

impl FromIterator<(Figure, f64)> for Figures {
    fn from_iter<T: IntoIterator<Item = (Figure, f64)>>(figures: T) -> Self {
        Self(figures.into_iter().collect())
    }
}

impl Figure {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::Records, Self::Bytes, Self::Throttled, Self::P99, Self::Drain];

    /// `value` for people.
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Records | Self::Bytes => words::per_cent(value),
            Self::Throttled => format!("{:.2} %", 100.0 * value),
            Self::P99 | Self::Drain => Duration::try_from_secs_f64(value)
                .map_or_else(|_endless| "never".to_owned(), words::time),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Records => "records, busiest shard",
            Self::Bytes => "bytes, busiest shard",
            Self::Throttled => "throttled",
            Self::P99 => "p99, publish to accepted",
            Self::Drain => "drain after the outage",
        })
    }
}

fn seconds(time: Option<Duration>) -> f64 {
    time.map_or(f64::INFINITY, |time| time.as_secs_f64())
}
