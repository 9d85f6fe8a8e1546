use std::time::Duration;

use crate::Flow;
use crate::number::real;

/// Seconds after which a step in the load shows to 63 %.
const AVERAGE_OVER_S: f64 = 10.0;
/// Seconds of which only the busiest is kept.
const STRETCH_S: u64 = 10;
/// As many make a minute, with the one that is not over.
const STRETCHES: usize = 7;

/// How much flows: a moving average over ten seconds.
///
/// Time is the time since any moment, the same for all calls. What is counted shows when its second
/// is over.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    /// Which is being counted.
    second: u64,
    /// So far in it.
    counted: Flow,
    average: Flow,
}

impl Meter {
    /// Nothing was counted before `now`.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        let nothing = Flow::default();
        Self { second: now.as_secs(), counted: nothing, average: nothing }
    }

    /// Counts records and their bytes, data and keys.
    pub fn add(&mut self, records: u32, bytes: u64, now: Duration) {
        self.pass(now);
        self.counted.records_per_s += f64::from(records);
        self.counted.bytes_per_s += real(bytes);
    }

    /// The moving average.
    #[must_use]
    pub fn flow(&self, now: Duration) -> Flow {
        let mut then = *self;
        then.pass(now);
        then.average
    }

    /// Takes in the seconds that are over by `now`; gives the first of them, and what was counted in
    /// it. The others were silent.
    fn pass(&mut self, now: Duration) -> Option<(u64, Flow)> {
        let over = now.as_secs().checked_sub(self.second).filter(|over| *over > 0)?;
        let keeps = (-1.0 / AVERAGE_OVER_S).exp();
        let silence = (-real(over - 1) / AVERAGE_OVER_S).exp();
        let fold = |average: f64, counted: f64| (counted + (average - counted) * keeps) * silence;
        self.average = Flow {
            records_per_s: fold(self.average.records_per_s, self.counted.records_per_s),
            bytes_per_s: fold(self.average.bytes_per_s, self.counted.bytes_per_s),
        };
        let counted = std::mem::take(&mut self.counted);
        Some((std::mem::replace(&mut self.second, now.as_secs()), counted))
    }
}

/// A [`Meter`] that knows the busiest second of the last minute too: averages hide what throttles a
/// shard, which counts by the second.
#[derive(Debug, Clone, Copy)]
pub struct PeakMeter {
    meter: Meter,
    busiest: [Stretch; STRETCHES],
}

/// Some seconds, and how much of a shard's limits the busiest took.
#[derive(Debug, Clone, Copy, Default)]
struct Stretch {
    number: u64,
    used: f64,
}

impl PeakMeter {
    /// Nothing was counted before `now`.
    #[must_use]
    pub fn new(now: Duration) -> Self {
        Self { meter: Meter::new(now), busiest: [Stretch::default(); STRETCHES] }
    }

    /// Counts records and their bytes, data and keys.
    pub fn add(&mut self, records: u32, bytes: u64, now: Duration) {
        self.pass(now);
        self.meter.add(records, bytes, now);
    }

    /// The moving average.
    #[must_use]
    pub fn flow(&self, now: Duration) -> Flow {
        self.meter.flow(now)
    }

    /// The part of one shard's limits that the busiest second of the last minute took.
    #[must_use]
    pub fn peak_used(&self, now: Duration) -> f64 {
        let mut then = *self;
        then.pass(now);
        let oldest = (now.as_secs() / STRETCH_S + 1).saturating_sub(STRETCHES as u64);
        let recent = then.busiest.iter().filter(|stretch| stretch.number >= oldest);
        recent.map(|stretch| stretch.used).fold(0.0, f64::max)
    }

    fn pass(&mut self, now: Duration) {
        let Some((second, counted)) = self.meter.pass(now) else { return };
        let number = second / STRETCH_S;
        if let Some(stretch) = self.busiest.get_mut(place(number)) {
            if stretch.number != number {
                *stretch = Stretch { number, used: 0.0 };
            }
            stretch.used = stretch.used.max(counted.used());
        }
    }
}

fn place(stretch: u64) -> usize {
    usize::try_from(stretch % STRETCHES as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: f64) -> Duration {
        Duration::from_secs_f64(s)
    }

    /// `per_s` records of 100 bytes from `from` to `to`, in tenths of a second.
    fn load(meter: &mut Meter, per_s: u32, from: u32, to: u32) {
        for tenth in from * 10..to * 10 {
            let records = per_s / 10;
            meter.add(records, u64::from(records) * 100, at(f64::from(tenth) / 10.0));
        }
    }

    #[test]
    fn a_steady_load_is_met_and_forgotten_within_a_minute() {
        let mut meter = Meter::new(at(0.0));
        load(&mut meter, 500, 0, 60);
        let flow = meter.flow(at(60.0));
        assert!((flow.records_per_s - 500.0).abs() < 2.0, "{flow:?}");
        assert!((flow.bytes_per_s - 50_000.0).abs() < 200.0, "{flow:?}");
        assert!((meter.flow(at(70.0)).records_per_s - 500.0 * (-1.0_f64).exp()).abs() < 2.0);
        assert!(meter.flow(at(120.0)).records_per_s < 2.0);
        assert!(meter.flow(at(1e6)).records_per_s < 1e-9);
    }

    #[test]
    fn a_step_shows_to_two_thirds_after_ten_seconds() {
        let mut meter = Meter::new(at(7.0));
        load(&mut meter, 1_000, 7, 17);
        let part = meter.flow(at(17.0)).records_per_s / 1_000.0;
        assert!((part - 0.632).abs() < 0.001, "{part}");
    }

    #[test]
    fn the_busiest_second_is_remembered_for_a_minute_and_no_longer() {
        let mut meter = PeakMeter::new(at(0.0));
        for second in 0..200_u32 {
            let records = if second == 5 { 900 } else { 100 };
            meter.add(records, 0, at(f64::from(second)));
            let now = at(f64::from(second) + 0.5);
            match second {
                0 => assert!(meter.peak_used(now) < 1e-9, "not over yet"),
                1..=5 => assert!((meter.peak_used(now) - 0.1).abs() < 1e-9),
                6..=59 => assert!((meter.peak_used(now) - 0.9).abs() < 1e-9, "{second}"),
                70.. => assert!((meter.peak_used(now) - 0.1).abs() < 1e-9, "{second}"),
                60..70 => {}
            }
        }
        assert!(meter.peak_used(at(400.0)) < 1e-9, "nothing since");
    }

    #[test]
    fn bytes_count_where_they_are_more_of_the_limit_than_records() {
        let mut meter = PeakMeter::new(at(0.0));
        meter.add(100, 1 << 20, at(0.5));
        assert!((meter.peak_used(at(1.0)) - 1.0).abs() < 1e-9);
    }
}
