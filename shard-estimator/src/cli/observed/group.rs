//! Devices, and those of them that are alike.

use std::collections::BTreeMap;
use std::f64::consts::SQRT_2;
use std::fmt;
use std::time::Duration;

use super::course::Course;
use super::crowd::{Crowd, clock_s};
use super::doubt::Doubt;
use super::presence::Presence;
use super::sample::Sampled;
use crate::cli::words::{bytes, time};
use crate::number::{count_up, real};
use crate::{Class, Devices, Reporting, Sizes};

/// What is held of a device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Device {
    /// In the order in which they were first seen, from 0.
    pub(super) number: u32,
    pub(super) readings: u64,
    /// In milliseconds since 1970.
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// Of all its readings.
    bytes: u64,
    largest_bytes: u32,
}

/// What devices of one group have in common: they send about equally often, about as much, and
/// together or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pace: Pace,
    /// The nearest power of two of the mean size: what one device loads its shard with is not lost
    /// among many.
    bytes: u32,
    crowd: Option<Crowd>,
}

impl Kind {
    /// The clock that its devices go by, if they do.
    pub(super) fn clock_s(&self) -> Option<u32> {
        match self.pace {
            Pace::Each { clock_s, .. } => clock_s,
            Pace::Once => None,
        }
    }

    /// Those of it that are in the crowd, if any.
    pub(super) fn within(self, crowd: Option<&Crowd>) -> Self {
        Self { crowd: crowd.copied(), ..self }
    }
}

/// How often a device sends. The slowest come last, and those that nothing is known of behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    /// With a period.
    Each {
        /// Its nearest power of two in microseconds: none of those that people choose is half-way
        /// between two.
        us: u32,
        /// The clock that it goes by. Those that report together are not lost among others that
        /// report about as often.
        clock_s: Option<u32>,
    },
    /// Seen at one moment only.
    Once,
}

impl Device {
    /// With its first reading.
    pub(super) fn new(number: u32, at_ms: i64, bytes: u32) -> Self {
        Self {
            number,
            readings: 1,
            first_ms: at_ms,
            last_ms: at_ms,
            bytes: bytes.into(),
            largest_bytes: bytes,
        }
    }

    /// Takes up another.
    pub(super) fn add(&mut self, at_ms: i64, bytes: u32) {
        self.readings += 1;
        self.first_ms = self.first_ms.min(at_ms);
        self.last_ms = self.last_ms.max(at_ms);
        self.bytes += u64::from(bytes);
        self.largest_bytes = self.largest_bytes.max(bytes);
    }

    /// From its first to its last reading.
    pub(super) fn span_ms(&self) -> u64 {
        self.last_ms.abs_diff(self.first_ms)
    }

    /// The group that it belongs to.
    pub(super) fn kind(&self) -> Kind {
        let mean_bytes = self.bytes / self.readings;
        Kind { pace: self.pace(), bytes: nearest_power(mean_bytes).unwrap_or(0), crowd: None }
    }

    /// Whether it reports in the crowd.
    pub(super) fn is_in(&self, crowd: &Crowd) -> bool {
        crowd.has(self.first_ms) && crowd.has(self.last_ms)
    }

    /// When it came, and when it was gone: one that is still there would have sent again. One that was
    /// seen at one moment may have been there at all times.
    fn stay(&self) -> [i64; 2] {
        match self.span_ms() {
            0 => [i64::MIN, i64::MAX],
            span_ms => {
                let period_ms = (span_ms / (self.readings - 1)).max(1);
                [self.first_ms, self.last_ms.saturating_add_unsigned(period_ms)]
            }
        }
    }

    fn pace(&self) -> Pace {
        /// A thousand centuries: its square can still be counted.
        const LONGEST_US: u64 = 1 << 62;
        let periods = (self.readings - 1).max(1);
        let period_us = (self.span_ms().saturating_mul(1_000) / periods).min(LONGEST_US);
        let clock_s = clock_s(Duration::from_micros(period_us));
        let about_us = clock_s.map_or(period_us, |clock_s| 1_000_000 * u64::from(clock_s));
        nearest_power(about_us).map_or(Pace::Once, |us| Pace::Each { us, clock_s })
    }
}

/// The exponent of the power of two that is nearest in proportion; `None` for 0.
fn nearest_power(number: u64) -> Option<u32> {
    (2 * u128::from(number).pow(2)).checked_ilog2().map(|twice| twice / 2)
}

/// Devices of one kind.
#[derive(Default)]
pub(super) struct Group {
    keys: Vec<Box<str>>,
    readings: u64,
    /// Of each device from its first to its last reading, together.
    spans_ms: u64,
    largest_bytes: u32,
    sizes: BTreeMap<u32, u64>,
    course: Course,
    presence: Presence,
}

impl Group {
    pub(super) fn add(&mut self, key: Box<str>, device: Device) {
        self.presence.add(device.stay());
        self.keys.push(key);
        self.readings += device.readings;
        self.spans_ms = self.spans_ms.saturating_add(device.span_ms());
        self.largest_bytes = self.largest_bytes.max(device.largest_bytes);
    }

    pub(super) fn sample(&mut self, sampled: Sampled) {
        *self.sizes.entry(sampled.bytes).or_default() += 1;
        self.course.add(sampled.at_ms);
    }

    /// A device with n readings shows n - 1 periods; one that was seen at one moment may have a
    /// period as long as all was looked at, which is `window_ms`.
    fn period(&self, window_ms: u64) -> Duration {
        let devices = self.keys.len() as u64;
        let (ms, periods) = match self.spans_ms {
            0 => (real(window_ms) * real(devices), self.readings),
            spans_ms => (real(spans_ms), self.readings - devices),
        };
        Duration::try_from_secs_f64(ms / real(periods) / 1_000.0).unwrap_or(Duration::MAX)
    }

    /// The class, and what speaks against relying on it. What is spread has the period that it has in
    /// its busiest minute; what reports together does so at all times.
    pub(super) fn class(mut self, kind: Kind, window_ms: u64) -> (Option<Class>, Vec<Doubt>) {
        let mut doubts = Vec::new();
        let name = kind.to_string();
        let there = self.there();
        let mut period = self.period(window_ms);
        if let Some(at_a_time) = there {
            let devices = self.keys.len() as u64;
            let present_s = real(self.readings) * period.as_secs_f64();
            let mean = (present_s / (real(window_ms) / 1_000.0)).min(real(at_a_time));
            doubts.push(Doubt::ComeAndGo { class: name.clone(), devices, at_a_time, mean });
        }
        if kind.crowd.is_none() {
            let devices = real(there.unwrap_or(self.keys.len() as u64));
            let course = self.course.busiest(self.readings);
            let per_s = devices / period.as_secs_f64();
            if let Some(times) = course.busier(per_s) {
                period = period.div_f64(times);
                doubts.push(Doubt::Busy { class: name.clone(), times });
            } else if there.is_some() {
                // With those that are away nothing is left that could bear a minute above the mean.
                period = period.div_f64(course.times(per_s).max(1.0));
            }
            let per_s = devices / period.as_secs_f64();
            if let Some(records) = course.burst(per_s) {
                doubts.push(Doubt::Burst { class: name.clone(), records, per_s });
            }
        }
        // The largest record decides whether a stream takes it, and a sample may have missed it.
        self.sizes.entry(self.largest_bytes).or_insert(1);
        let class = Sizes::histogram(self.sizes).map(|sizes| Class {
            name,
            reporting: kind
                .crowd
                .map_or(Reporting::Spread, |crowd| Reporting::Aligned { jitter: crowd.jitter() }),
            devices: devices(self.keys, there),
            period,
            sizes,
            buffered: 0,
        });
        (class, doubts)
    }

    /// The most devices that were there at a time, if that is clearly less than all: readings that are
    /// lost first or last make a device seem to come late or go early.
    fn there(&mut self) -> Option<u64> {
        let most = self.presence.most();
        (1.25 * real(most) < real(self.keys.len() as u64)).then_some(most)
    }
}

/// All with these keys; or so many of them at a time, whose successors have other keys.
fn devices(keys: Vec<Box<str>>, at_a_time: Option<u64>) -> Devices {
    let Some(at_a_time) = at_a_time else {
        let mut keys: Vec<_> = keys.into_iter().map(String::from).collect();
        keys.sort_unstable();
        return Devices::Known(keys);
    };
    let bytes: usize = keys.iter().map(|key| key.len()).sum();
    Devices::Counted {
        devices: count_up(real(at_a_time)),
        key_bytes: count_up(real(bytes as u64) / real(keys.len() as u64)),
    }
}

/// A name that no other group has.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pace {
            Pace::Each { clock_s: Some(clock_s), .. } => {
                write!(f, "devices of {}", time(Duration::from_secs(clock_s.into())))?;
            }
            Pace::Each { us, clock_s: None } => {
                let from = Duration::from_secs_f64(f64::from(us).exp2() / 1e6 / SQRT_2);
                write!(f, "devices of {} to {}", time(from), time(2 * from))?;
            }
            Pace::Once => f.write_str("devices seen once")?,
        }
        let from = f64::from(self.bytes).exp2() / SQRT_2;
        write!(f, " with {} to {}", bytes(from), bytes(2.0 * from))?;
        f.write_str(if self.crowd.is_some() { ", together" } else { "" })
    }
}
