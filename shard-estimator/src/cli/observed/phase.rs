//! Whether devices report together.

use std::f64::consts::PI;
use std::time::Duration;

use crate::Reporting;
use crate::number::real;

/// Clocks that devices go by, in seconds.
const CLOCKS_S: [u32; 8] = [1, 5, 10, 30, 60, 300, 900, 3_600];

/// A period is a clock's if it is this near.
const NEAR: f64 = 0.05;

/// The clock that a period goes by, in seconds, if it is one that people choose.
pub(super) fn clock_s(period: Duration) -> Option<u32> {
    let is_near = |clock_s: &u32| (period.as_secs_f64() / f64::from(*clock_s) - 1.0).abs() <= NEAR;
    CLOCKS_S.into_iter().find(is_near)
}

/// Moments on the dial of a clock: the mean of their directions is long when they come together and
/// short when they are spread.
#[derive(Debug)]
pub(super) struct Phase {
    clock_ms: u32,
    east: f64,
    north: f64,
    moments: u64,
}

impl Phase {
    /// Of devices of this period, if it is a clock's.
    pub(super) fn near(period: Duration) -> Option<Self> {
        let clock_s = clock_s(period)?;
        Some(Self { clock_ms: 1_000 * clock_s, east: 0.0, north: 0.0, moments: 0 })
    }

    pub(super) fn add(&mut self, at_ms: i64) {
        let into_ms = at_ms.rem_euclid(i64::from(self.clock_ms));
        let turn = f64::from(u32::try_from(into_ms).unwrap_or(0)) / f64::from(self.clock_ms);
        let (north, east) = (2.0 * PI * turn).sin_cos();
        self.east += east;
        self.north += north;
        self.moments += 1;
    }

    /// `None` for devices that are spread. Devices that report evenly within a part j of the clock
    /// have a mean of the length sin(πj) ÷ πj; at 0.5, j is 0.6 and no alignment to speak of.
    pub(super) fn reporting(&self) -> Option<Reporting> {
        const TOGETHER: f64 = 0.5;
        let length = self.east.hypot(self.north) / real(self.moments.max(1));
        if length < TOGETHER {
            return None;
        }
        let (mut less, mut more) = (0.0, 1.0);
        for _ in 0..30 {
            let part = f64::midpoint(less, more);
            let of_part = (PI * part).sin() / (PI * part);
            if of_part > length { less = part } else { more = part }
        }
        let jitter_s = less * f64::from(self.clock_ms) / 1_000.0;
        // Whole milliseconds, as the moments are.
        let jitter = Duration::from_secs_f64((1_000.0 * jitter_s).round() / 1_000.0);
        Some(Reporting::Aligned { jitter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(moments: impl Iterator<Item = i64>) -> Option<Reporting> {
        let mut phase = Phase::near(Duration::from_secs(61)).expect("near a minute");
        moments.for_each(|at_ms| phase.add(at_ms));
        phase.reporting()
    }

    #[test]
    fn the_jitter_of_devices_that_report_together_is_found() {
        for jitter_ms in [0_u32, 100, 2_000, 20_000] {
            let evenly = (0..1_000).map(|n| 1_700_000_040_000 + n * i64::from(jitter_ms) / 1_000);
            let Some(Reporting::Aligned { jitter }) = of(evenly) else { panic!("aligned") };
            let apart = jitter.as_secs_f64() - f64::from(jitter_ms) / 1_000.0;
            assert!(apart.abs() < 0.05 + f64::from(jitter_ms) * 1e-5, "{jitter_ms}: {jitter:?}");
        }
    }

    #[test]
    fn devices_that_are_spread_are_not_taken_to_report_together() {
        assert_eq!(of((0..1_000).map(|n| n * 60)), None);
        assert!(Phase::near(Duration::from_secs(47)).is_none());
    }
}
