//! When it was that most came.

use crate::limits::SHARD_RECORDS_PER_S;
use crate::number::real;

/// Moments, of a sample.
#[derive(Debug, Default)]
pub(super) struct Course(Vec<i64>);

/// What came in the busiest minute, and in the busiest second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Busiest {
    minute: f64,
    second: f64,
    /// So many readings each moment of the sample stands for.
    each: f64,
}

impl Course {
    pub(super) fn add(&mut self, at_ms: i64) {
        self.0.push(at_ms);
    }

    /// Of so many readings, of which these moments are a sample.
    pub(super) fn busiest(&mut self, readings: u64) -> Busiest {
        self.0.sort_unstable();
        let each = real(readings) / real((self.0.len() as u64).max(1));
        let most = |within_ms| each * real(self.most(within_ms));
        Busiest { minute: most(60_000), second: most(1_000), each }
    }

    /// The most that came within so long.
    fn most(&self, within_ms: u64) -> u64 {
        let (mut most, mut begins) = (0, self.0.iter());
        let mut come = 0;
        for end in &self.0 {
            come += 1;
            while begins.as_slice().first().is_some_and(|begin| end.abs_diff(*begin) >= within_ms) {
                begins.next();
                come -= 1;
            }
            most = most.max(come);
        }
        most
    }
}

impl Busiest {
    /// How many times as much as at this rate came in the busiest minute, if that is no chance.
    pub(super) fn busier(&self, per_s: f64) -> Option<f64> {
        let expected = 60.0 * per_s;
        (self.minute > 1.25 * expected + self.chance(expected)).then(|| self.times(per_s))
    }

    /// How many times as much as at this rate came in the busiest minute, be it by chance.
    pub(super) fn times(&self, per_s: f64) -> f64 {
        self.minute / (60.0 * per_s)
    }

    /// What came in the busiest second, if a shard would feel that it is more than at this rate.
    pub(super) fn burst(&self, per_s: f64) -> Option<f64> {
        let felt = f64::from(SHARD_RECORDS_PER_S) / 10.0;
        (self.second > (2.0 * per_s + self.chance(per_s)).max(felt)).then_some(self.second)
    }

    /// Five standard deviations of what comes at random, since a recording has many minutes; and ten
    /// readings, since of few that come the deviation says little.
    fn chance(&self, expected: f64) -> f64 {
        5.0 * (expected * self.each).sqrt() + 10.0 * self.each
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busiest(moments: impl IntoIterator<Item = i64>) -> Busiest {
        let mut course = Course::default();
        moments.into_iter().for_each(|at_ms| course.add(at_ms));
        let moments = course.0.len() as u64;
        course.busiest(moments)
    }

    #[test]
    fn the_busiest_minute_and_second_are_found_wherever_they_lie_and_in_any_order() {
        let quiet = (0..100).map(|n| n * 60_000);
        let busy = (0..30).map(|n| 50 * 60_000 + 59_500 + n * 100);
        let found = busiest(busy.rev().chain(quiet));
        assert_eq!(found, Busiest { minute: 31.0, second: 11.0, each: 1.0 });
        assert_eq!(found.busier(1.0 / 60.0), Some(31.0));
        assert_eq!(busiest([]), Busiest { minute: 0.0, second: 0.0, each: 0.0 });
        assert!(busiest([i64::MIN, i64::MAX]).minute < 1.5);
    }

    #[test]
    fn what_comes_evenly_or_at_random_has_no_busy_minute() {
        for seed in 0..20 {
            let mut chance = fastrand::Rng::with_seed(seed);
            for per_hour in [1, 2, 6, 60, 600, 60_000] {
                let per_s = f64::from(per_hour) / 3_600.0;
                let in_a_day = 24 * i64::from(per_hour);
                let evenly = busiest((0..in_a_day).map(|n| n * 86_400_000 / in_a_day));
                assert_eq!((evenly.busier(per_s), evenly.burst(per_s)), (None, None));
                let random = busiest((0..in_a_day).map(|_| chance.i64(0..86_400_000)));
                assert_eq!((random.busier(per_s), random.burst(per_s)), (None, None));
            }
        }
    }
}
