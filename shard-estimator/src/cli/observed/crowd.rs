//! Whether devices report together.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::number::real;

/// Clocks that devices go by, in seconds.
const CLOCKS_S: [u32; 20] = [
    1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 28_800,
    43_200, 86_400,
];

/// A period is a clock's if it is so many times as long. Readings that were lost make it longer.
const NEAR: RangeInclusive<f64> = 0.95..=1.2;

/// The clock that a period goes by, in seconds, if it is one that people choose.
pub(super) fn clock_s(period: Duration) -> Option<u32> {
    let is_near = |clock_s: &u32| NEAR.contains(&(period.as_secs_f64() / f64::from(*clock_s)));
    CLOCKS_S.into_iter().find(is_near)
}

/// The part of a clock's dial where devices report together, among others that are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Crowd {
    clock_ms: u32,
    from_ms: u32,
    for_ms: u32,
}

impl Crowd {
    /// Of devices that go by a clock, with the first and the last moment of each, in milliseconds
    /// since 1970; `None` if they are spread.
    ///
    /// It is where more come than would if they were spread, by most: Kuiper's V, which does not
    /// mind where a dial begins (Kuiper, "Tests concerning random points on a circle", 1960). Where
    /// several such parts are, it is the fullest: what reports elsewhere does not wait behind it.
    /// Moments that are all in whole seconds are somewhere within those.
    pub(super) fn of(clock_s: u32, moments: &[[i64; 2]]) -> Option<Self> {
        /// What is less loads no shard at once.
        const EXCESS_MIN: f64 = 0.05;
        /// One of a hundred fleets that are spread is above (Stephens, "EDF statistics for goodness
        /// of fit", 1974).
        const BY_CHANCE: f64 = 2.0;
        let clock_ms = 1_000 * clock_s;
        let mut dial: Vec<_> = moments.iter().flatten().map(|at| on_dial(*at, clock_ms)).collect();
        dial.sort_unstable();
        let (from_ms, for_ms, excess) = fullest(&dial, clock_ms)?;
        let root = real(moments.len() as u64).sqrt();
        let is_chance = excess * (root + 0.155 + 0.24 / root) < BY_CHANCE;
        let is_wide = for_ms > clock_ms / 2;
        (excess >= EXCESS_MIN && !is_chance && !is_wide).then_some(Self {
            clock_ms,
            from_ms,
            for_ms,
        })
    }

    /// Whether a moment is in it.
    pub(super) fn has(&self, at_ms: i64) -> bool {
        after(self.from_ms, on_dial(at_ms, self.clock_ms), self.clock_ms) <= self.for_ms
    }

    /// How long it takes.
    pub(super) fn jitter(&self) -> Duration {
        Duration::from_millis(self.for_ms.into())
    }
}

/// Where the part begins that holds most beyond its even share, for how long it is, and how much of
/// all that is.
fn fullest(dial: &[u32], clock_ms: u32) -> Option<(u32, u32, f64)> {
    let all = real(dial.len() as u64);
    let even = |ms: u32| f64::from(ms) / f64::from(clock_ms);
    let before = |(place, ms): (usize, &u32)| real(place as u64) / all - even(*ms);
    let (start, from_ms) =
        dial.iter().enumerate().min_by(|one, other| before(*one).total_cmp(&before(*other)))?;
    let tick_ms = if dial.iter().all(|ms| ms % 1_000 == 0) { 1_000 } else { 1 };
    let from_there_on = dial.iter().cycle().skip(start).take(dial.len());
    let mut fullest = (*from_ms, 0, 0.0);
    for (place, ms) in from_there_on.enumerate() {
        let for_ms = after(*from_ms, *ms, clock_ms) + tick_ms - 1;
        let excess = real(place as u64 + 1) / all - even(for_ms + 1);
        if excess > fullest.2 {
            fullest = (*from_ms, for_ms, excess);
        }
    }
    Some(fullest)
}

/// How far into the clock's round a moment is.
fn on_dial(at_ms: i64, clock_ms: u32) -> u32 {
    u32::try_from(at_ms.rem_euclid(clock_ms.into())).unwrap_or(0)
}

/// How long after `from` on the dial `to` comes.
fn after(from_ms: u32, to_ms: u32, clock_ms: u32) -> u32 {
    if to_ms >= from_ms { to_ms - from_ms } else { clock_ms - from_ms + to_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    /// Devices of a minute, each always as far into it.
    fn of(phases_ms: impl Iterator<Item = i64>) -> Option<Crowd> {
        let began_ms = 1_700_000_040_000;
        let moments: Vec<_> =
            phases_ms.map(|ms| [began_ms + ms, began_ms + ms + 9 * MINUTE_MS]).collect();
        Crowd::of(60, &moments)
    }

    /// From `from_ms` on, evenly within `jitter_ms`.
    fn together(devices: i64, from_ms: i64, jitter_ms: i64) -> impl Iterator<Item = i64> {
        (0..devices).map(move |n| from_ms + n * jitter_ms / devices)
    }

    fn spread(devices: u32) -> impl Iterator<Item = i64> {
        let mut chance = fastrand::Rng::with_seed(1);
        (0..devices).map(move |_| chance.i64(0..MINUTE_MS))
    }

    #[test]
    fn the_jitter_of_devices_that_report_together_is_found_among_others_and_across_the_minute() {
        for others in [0, 10, 1_500, 9_000] {
            for jitter_ms in [0, 100, 2_000] {
                for from_ms in [1, 59_501] {
                    let devices = together(1_000, from_ms, jitter_ms).chain(spread(others));
                    let crowd = of(devices).expect("a crowd");
                    let far = crowd.jitter().as_millis().cast_signed() - i128::from(jitter_ms);
                    // By chance some of the others lie beside it.
                    assert!(
                        far.abs() < 60 + i128::from(others) / 2,
                        "{others}, {jitter_ms}, {from_ms}: {crowd:?}"
                    );
                    assert!(crowd.has(from_ms + 1) || jitter_ms == 0, "{crowd:?}");
                    assert!(!crowd.has(from_ms + 30_000), "{crowd:?}");
                }
            }
        }
    }

    #[test]
    fn a_period_may_be_longer_than_its_clock_by_what_was_lost_and_no_period_has_two_clocks() {
        assert_eq!(clock_s(Duration::from_secs(16 * 60 + 20)), Some(900));
        for pair in CLOCKS_S.windows(2) {
            let [less, more] = [pair[0], pair[1]].map(f64::from);
            assert!(less * NEAR.end() < more * NEAR.start(), "{less} and {more}");
        }
    }

    #[test]
    fn moments_in_whole_seconds_make_no_crowd_and_hide_none() {
        for clock_s in [1, 2, 5, 10, 15, 60] {
            let mut chance = fastrand::Rng::with_seed(u64::from(clock_s));
            let second = |_| [1_000 * chance.i64(0..3_600), 1_000 * chance.i64(0..3_600)];
            let moments: Vec<_> = (0..2_000).map(second).collect();
            assert_eq!(Crowd::of(clock_s, &moments), None, "a clock of {clock_s} s");
        }
        let crowd = of(together(1_000, 0, 0)).expect("a crowd");
        assert_eq!(crowd.jitter(), Duration::from_millis(999), "somewhere within the second");
    }

    #[test]
    fn of_two_crowds_the_larger_is_found() {
        let crowd = of(together(300, 0, 1_000).chain(together(500, 30_000, 2_000)));
        assert!(crowd.is_some_and(|crowd| crowd.has(31_000) && !crowd.has(500)), "{crowd:?}");
    }

    #[test]
    fn devices_that_are_spread_are_no_crowd() {
        assert_eq!(of((0..1_000).map(|n| n * 60)), None);
        assert_eq!(of(spread(1_000)), None);
        assert_eq!(of(spread(3)), None);
        assert_eq!(of(together(1, 0, 0)), None, "one alone has no company");
        assert_eq!(of(together(1_000, 0, 40_000)), None, "over most of the minute");
        assert_eq!(of([].into_iter()), None);
        assert_eq!(clock_s(Duration::from_secs(47)), None);
    }
}
