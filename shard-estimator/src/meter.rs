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

/// A [`Meter`] that knows the mean over a longer time too, in which devices that report together do
/// not show: averages over seconds follow each of their bursts, and what is above a target for ten of
/// sixty seconds is no more on the whole than what is always below.
///
/// The mean is a moving average of a moving average, so that neither the beginning of a burst nor its
/// end makes a step in it: of what comes all at once every `over` it is never more than 8 % off, and of
/// what comes twice as often 3 %.
#[derive(Debug, Clone, Copy)]
pub struct MeanMeter {
    meter: Meter,
    began: u64,
    over_s: f64,
    once: Flow,
    twice: Flow,
}

impl MeanMeter {
    /// Nothing was counted before `now`. What came within `over` before makes a quarter of the mean,
    /// what came within three times that four fifths.
    #[must_use]
    pub fn new(over: Duration, now: Duration) -> Self {
        let nothing = Flow::default();
        let over_s = over.as_secs_f64().max(1.0);
        Self { meter: Meter::new(now), began: now.as_secs(), over_s, once: nothing, twice: nothing }
    }

    /// Counts records and their bytes, data and keys.
    pub fn add(&mut self, records: u32, bytes: u64, now: Duration) {
        self.pass(now);
        self.meter.add(records, bytes, now);
    }

    /// The moving average over ten seconds.
    #[must_use]
    pub fn flow(&self, now: Duration) -> Flow {
        self.meter.flow(now)
    }

    /// The mean. Of what is counted for less than `over` it is too little, so that a burst at the
    /// beginning is not taken for more.
    #[must_use]
    pub fn mean(&self, now: Duration) -> Flow {
        let mut then = *self;
        then.pass(now);
        let age_s = real(now.as_secs().saturating_sub(self.began)).max(self.over_s);
        let seen = 1.0 - (-age_s / self.over_s).exp() * (1.0 + age_s * self.takes());
        let of_seen = |mean: f64| mean / seen;
        Flow {
            records_per_s: of_seen(then.twice.records_per_s),
            bytes_per_s: of_seen(then.twice.bytes_per_s),
        }
    }

    /// The part that a second makes of a moving average.
    fn takes(&self) -> f64 {
        1.0 - (-1.0 / self.over_s).exp()
    }

    fn pass(&mut self, now: Duration) {
        let Some((second, counted)) = self.meter.pass(now) else { return };
        let takes = self.takes();
        let silent_s = real(now.as_secs() - second - 1);
        let silence = (-silent_s / self.over_s).exp();
        let fold = |once: &mut f64, twice: &mut f64, counted: f64| {
            *once += (counted - *once) * takes;
            *twice += (*once - *twice) * takes;
            *twice = (*twice + *once * takes * silent_s) * silence;
            *once *= silence;
        };
        let Self { once, twice, .. } = self;
        fold(&mut once.records_per_s, &mut twice.records_per_s, counted.records_per_s);
        fold(&mut once.bytes_per_s, &mut twice.bytes_per_s, counted.bytes_per_s);
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
    fn the_mean_of_a_steady_load_is_the_load_soon_and_after_any_silence_less() {
        let minute = Duration::from_secs(60);
        let mut meter = MeanMeter::new(minute, at(7.0));
        for second in 7..1_000_u32 {
            meter.add(500, 50_000, at(f64::from(second)));
            let flow = meter.mean(at(f64::from(second) + 1.0));
            let (off, since) = ((flow.records_per_s / 500.0 - 1.0).abs(), second - 6);
            assert!(if since < 60 { flow.records_per_s < 500.0 } else { off < 1e-9 }, "{flow:?}");
            assert!((flow.bytes_per_s / flow.records_per_s - 100.0).abs() < 1e-9);
        }
        // A minute of silence, at once and second by second.
        let mut stepwise = meter;
        (1_000..1_060).for_each(|second| stepwise.add(0, 0, at(f64::from(second))));
        let [at_once, stepwise] = [meter, stepwise].map(|meter| meter.mean(at(1_060.0)));
        assert!((at_once.records_per_s - stepwise.records_per_s).abs() < 1e-9);
        // 2 ÷ e is left of a step that has passed the same average twice.
        assert!((at_once.records_per_s / 500.0 - 0.736).abs() < 0.005, "{at_once:?}");
    }

    #[test]
    fn devices_that_report_together_are_as_much_as_devices_that_do_not() {
        for (every_s, off_max) in [(60_u32, 0.08), (30, 0.03), (20, 0.01)] {
            let mut meter = MeanMeter::new(Duration::from_secs(60), at(0.0));
            for second in 0..3_000_u32 {
                let records = if second % every_s == 3 { 100 * every_s } else { 0 };
                meter.add(records, 0, at(f64::from(second)));
                let mean = meter.mean(at(f64::from(second) + 0.5)).records_per_s;
                let off = (mean / 100.0 - 1.0).abs();
                assert!(second < 600 || off < off_max, "{mean} records/s, every {every_s} s");
            }
        }
    }

    #[test]
    fn bytes_count_where_they_are_more_of_the_limit_than_records() {
        let mut meter = PeakMeter::new(at(0.0));
        meter.add(100, 1 << 20, at(0.5));
        assert!((meter.peak_used(at(1.0)) - 1.0).abs() < 1e-9);
    }
}
