//! What is played when, in times from the start.

use std::num::NonZeroU32;
use std::ops::Range;
use std::time::Duration;

use shard_estimator::{Check, Class, Constraint, Estimator, Goals, Outage, Outlook, Reporting};

use super::{Figure, Figures};

/// Limiters begin empty, connections slowly, and books with little room: while the gateway does not
/// know its load yet, it waits for the disk now and then.
const WARM_UP: Duration = Duration::from_secs(4);
/// The shortest time between two waves of aligned reports: a wave should be over, and its end seen.
const CYCLE_MIN: Duration = Duration::from_secs(5);
/// A wave takes at most this part of a cycle: where it takes longer, catching up is not what the
/// average says, which knows no waves.
const CYCLE_WAVES: u32 = 5;
/// A wave that takes longer than this and than it may, or for ever, is seen to be too much long
/// before. And nobody waits longer for the end of one than it takes.
const WAVE_MAX: Duration = Duration::from_secs(60);
/// A cycle longer than this is not looked for, so that whole cycles are whole periods.
const COMMON_MAX: Duration = Duration::from_secs(60);
/// Half of what measured loads may differ by: the standard deviation of the reports of spread devices that
/// is left to chance.
const UNEVEN_MAX: f64 = 0.025;
/// Nobody waits for longer cycles: several are played.
pub(super) const CYCLE_MAX: Duration = Duration::from_secs(900);
/// Between the steady time and an outage: what was due until its end is on its way no longer.
const PAUSE: Duration = Duration::from_secs(1);
/// An outage is this part of the steady time.
const OUTAGE_PART: u32 = 3;
/// Catching up is watched for so much longer than it should take …
const WATCHED_TIMES: f64 = 1.3;
/// … and for this.
const WATCHED: Duration = Duration::from_secs(2);

/// The acts of a rehearsal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acts {
    /// The longest period of aligned classes, and where that is not too long a multiple of all that
    /// are shorter; `None` if there are no such classes.
    pub cycle: Option<Duration>,
    /// When load, waits and refusals are measured; whole cycles, and whole periods where few report.
    pub steady: Range<Duration>,
    /// When the stream is away, if the plan has an outage.
    pub outage: Option<Range<Duration>>,
}

impl Acts {
    /// For `all` of a fleet on a stream of `shards`: `seconds` long, or as long as whole cycles
    /// take, and whole periods of spread devices that are few, without the outage.
    #[must_use]
    pub fn new(all: &Estimator, shards: NonZeroU32, seconds: u32) -> Self {
        let goals = all.goals();
        let (jitters, periods): (Vec<_>, Vec<_>) =
            all.fleet().classes().iter().filter_map(aligned).unzip();
        let waves = CYCLE_WAVES * wave(&all.outlook(shards)).min(WAVE_MAX.max(goals.p99));
        let over = CYCLE_MIN.max((2 * goals.p99).min(WAVE_MAX)).max(waves);
        let cycle = jitters.into_iter().max().map(|jitter| whole_periods(jitter + over, periods));
        let steady = Duration::from_secs(seconds.into());
        let steady = whole(steady, evened(cycle, uneven(all, shards, steady)));
        let steady = WARM_UP..WARM_UP + steady;
        let outage = goals.outage.map(|outage| {
            // A wave in the middle: its backlog is that of the average, and it is over before.
            let begins = steady.end + PAUSE.max(cycle.unwrap_or_default() / 2);
            let lasts = whole(Duration::from_secs(seconds.into()) / OUTAGE_PART, cycle);
            begins..begins + lasts.min(outage.lasts)
        });
        Self { cycle, steady, outage }
    }

    /// `class` without what it is idle for longer than a cycle.
    #[must_use]
    pub fn hasten(&self, class: &Class) -> Class {
        let period = match (class.reporting, self.cycle) {
            (Reporting::Aligned { .. }, Some(cycle)) => class.period.min(cycle),
            (Reporting::Aligned { .. } | Reporting::Spread, _) => class.period,
        };
        Class { period, ..class.clone() }
    }

    /// `goals` for what is played: the outage as long as it is, nothing about months and readers.
    #[must_use]
    pub fn goals(&self, goals: &Goals) -> Goals {
        let mut played = Goals { growth: None, restore: None, ..goals.clone() };
        played.readers.sharing = 0;
        played.outage = goals.outage.zip(self.outage.as_ref()).map(|(outage, acts)| {
            let lasts = acts.end - acts.start;
            let part = lasts.as_secs_f64() / outage.lasts.as_secs_f64();
            Outage { lasts, drained_within: outage.drained_within.mul_f64(part) }
        });
        played
    }

    /// When all is over, if it comes as `predicted` where so much is `allowed`.
    #[must_use]
    pub fn end(&self, predicted: &Figures, allowed: &Figures) -> Duration {
        let Some(outage) = &self.outage else { return self.steady.end };
        let drain = |figures: &Figures| figures.get(Figure::Drain).unwrap_or(0.0);
        let watched_s = drain(predicted).min(drain(allowed)) * WATCHED_TIMES;
        let watched = Duration::try_from_secs_f64(watched_s).unwrap_or_default();
        outage.end + watched + WATCHED
    }
}

/// Jitter and period of a class that reports together.
fn aligned(class: &Class) -> Option<(Duration, Duration)> {
    match class.reporting {
        Reporting::Aligned { jitter } => Some((jitter, class.period)),
        Reporting::Spread => None,
    }
}

/// The periods in which so few spread devices of a shard report that in `steady` there can be noticeably
/// more of them, or fewer, than on average.
fn uneven(all: &Estimator, shards: NonZeroU32, steady: Duration) -> Vec<Duration> {
    let is_uneven = |class: &&Class| {
        // Each of them reports once more or not, whatever the others do.
        let devices_on_shard = class.count() / f64::from(shards.get());
        let periods = steady.as_secs_f64() / class.period.as_secs_f64();
        0.5 / (periods * devices_on_shard.sqrt()) > UNEVEN_MAX
    };
    let spread = all.fleet().classes().iter().filter(|class| aligned(class).is_none());
    spread.filter(is_uneven).map(|class| class.period).collect()
}

/// What is made of whole cycles and of whole `periods`, the longest first, as long as that is not too long.
fn evened(cycle: Option<Duration>, mut periods: Vec<Duration>) -> Option<Duration> {
    periods.sort_unstable();
    periods.into_iter().rev().fold(cycle, |common, period| {
        let multiple = common.map_or(period, |common| multiple(common, period));
        if multiple <= COMMON_MAX { Some(multiple) } else { common }
    })
}

/// `least`, rounded up to whole ones of all `periods` that are shorter.
fn whole_periods(least: Duration, mut periods: Vec<Duration>) -> Duration {
    periods.sort_unstable();
    let (mut cycle, mut common) = (least, Duration::from_nanos(1));
    for period in periods {
        let multiple = multiple(common, period);
        if period < cycle && multiple <= COMMON_MAX {
            common = multiple;
            cycle = whole(least, Some(common));
        }
    }
    cycle
}

/// The least common multiple; what has none is for ever.
fn multiple(one: Duration, other: Duration) -> Duration {
    let (mut divisor, mut rest) = (one.as_nanos(), other.as_nanos());
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let times = one.as_nanos().checked_div(divisor).and_then(|times| u32::try_from(times).ok());
    times.and_then(|times| other.checked_mul(times)).unwrap_or(Duration::MAX)
}

/// How long the busiest shard takes for a wave.
fn wave(outlook: &Outlook) -> Duration {
    match outlook.check(Constraint::Delay) {
        Some(Check::Delay(wait)) => {
            let seconds = wait.records / wait.records_per_s.max(0.0);
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        }
        Some(_) | None => Duration::ZERO,
    }
}

/// `time`, rounded up to whole cycles.
fn whole(time: Duration, cycle: Option<Duration>) -> Duration {
    let Some(cycle) = cycle else { return time };
    let cycles = time.as_nanos().div_ceil(cycle.as_nanos().max(1)).max(1);
    cycle.saturating_mul(u32::try_from(cycles).unwrap_or(u32::MAX))
}
