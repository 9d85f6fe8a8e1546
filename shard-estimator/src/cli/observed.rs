//! What was seen of a fleet, taken up reading by reading and in any order, from a trace or from a
//! broker; and the classes of devices that it shows.
//!
//! What is held does not grow with the readings: a count for each device, and of all readings a
//! sample. Up to as many readings as that has room for, everything below is exact; beyond, the sizes
//! and moments of a class are those of the sample, and counts are still exact.

use std::collections::{BTreeMap, HashMap};
use std::f64::consts::SQRT_2;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use self::phase::Phase;
use self::sample::{Sample, Sampled};
use super::words::time;
use crate::number::real;
use crate::{Class, Devices, Reporting, Sizes};

mod phase;
mod sample;

/// Devices that can be told apart: their names then hold some 500 MiB. Whoever has more has a key
/// with a number in it that every reading changes.
const DEVICES_MAX: usize = 4_000_000;

/// Where it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// In a recorded trace.
    InTrace,
    /// By watching a broker.
    AtBroker,
}

/// What was seen.
#[derive(Debug)]
pub struct Observed {
    seen: Seen,
    devices: HashMap<Box<str>, Device>,
    readings: u64,
    sample: Sample,
    left_out: u64,
    first_left_out: Option<String>,
    missed: u64,
    are_payloads: bool,
}

#[derive(Debug, Clone, Copy)]
struct Device {
    /// In the order in which they were first seen, from 0.
    number: u32,
    readings: u64,
    /// In milliseconds since 1970.
    first_ms: i64,
    last_ms: i64,
    largest_bytes: u32,
}

impl Device {
    fn span_ms(&self) -> u64 {
        self.last_ms.abs_diff(self.first_ms)
    }

    /// The group of devices that send about equally often; `None` for one seen at one moment only.
    ///
    /// The nearest power of two of the period, in microseconds: none of those that people choose is
    /// half-way between two.
    fn pace(&self) -> Option<u32> {
        /// A thousand centuries: its square can still be counted.
        const LONGEST_US: u128 = 1 << 62;
        let period_us = u128::from(self.span_ms()) * 1_000 / u128::from(self.readings - 1).max(1);
        let period_us = period_us.min(LONGEST_US);
        (2 * period_us.pow(2)).checked_ilog2().map(|twice| twice / 2)
    }
}

/// The classes of an observed fleet, and what speaks against relying on them.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) classes: Vec<Class>,
    pub(super) doubts: Vec<Doubt>,
}

/// What speaks against relying on what was seen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "warning")]
pub(super) enum Doubt {
    /// Something says nothing that counts.
    LeftOut {
        /// How many.
        count: u64,
        /// Of what.
        of: &'static str,
        /// Which was the first, and what is wrong with it.
        first: String,
    },
    /// More came than could be taken up.
    Missed {
        /// How many.
        publishes: u64,
    },
    /// Sizes of something else.
    Payloads,
    /// Too short for the slowest devices.
    Short {
        /// Devices that were seen once.
        devices: u64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut { count, of, first } => {
                write!(f, "{count} {of} are left out; the first: {first}")
            }
            Self::Missed { publishes } => write!(
                f,
                "{publishes} publishes came faster than they could be counted: the fleet sends more \
                 than is planned for here: watch from a faster machine, or less of the topics"
            ),
            Self::Payloads => f.write_str(
                "the trace has sizes of payloads, and records have an id and times besides: record \
                 those, and say bytes_are record",
            ),
            Self::Short { devices } => write!(
                f,
                "what was seen is shorter than two periods of the slowest devices, {devices} of \
                 which were seen once: look for longer"
            ),
        }
    }
}

impl Observed {
    /// Nothing yet.
    #[must_use]
    pub fn new(seen: Seen) -> Self {
        Self {
            seen,
            devices: HashMap::new(),
            readings: 0,
            sample: Sample::default(),
            left_out: 0,
            first_left_out: None,
            missed: 0,
            are_payloads: false,
        }
    }

    /// Takes up a record of `bytes` of data that the device with this partition key sent at `at_ms`,
    /// in milliseconds since 1970.
    pub fn add(&mut self, at_ms: i64, key: &str, bytes: u32) {
        let number = match self.devices.get_mut(key) {
            Some(device) => {
                device.readings += 1;
                device.first_ms = device.first_ms.min(at_ms);
                device.last_ms = device.last_ms.max(at_ms);
                device.largest_bytes = device.largest_bytes.max(bytes);
                device.number
            }
            None => match u32::try_from(self.devices.len()) {
                Ok(number) if self.devices.len() < DEVICES_MAX => {
                    let device = Device {
                        number,
                        readings: 1,
                        first_ms: at_ms,
                        last_ms: at_ms,
                        largest_bytes: bytes,
                    };
                    self.devices.insert(key.into(), device);
                    number
                }
                Ok(_) | Err(_) => {
                    let why = || {
                        format!("{key:?} is one device too many: {DEVICES_MAX} can be told apart")
                    };
                    return self.leave_out(why);
                }
            },
        };
        self.readings += 1;
        self.sample.take(Sampled { device: number, at_ms, bytes });
    }

    /// Notes that something was seen of which nothing can be taken up; `why`, with its place, is
    /// told of the first.
    pub fn leave_out(&mut self, why: impl FnOnce() -> String) {
        self.left_out += 1;
        self.first_left_out.get_or_insert_with(why);
    }

    /// Notes that so many publishes came and were not even looked at.
    pub fn miss(&mut self, publishes: u64) {
        self.missed += publishes;
    }

    /// Notes that the sizes are those of payloads, not of records.
    pub(super) fn of_payloads(&mut self) {
        self.are_payloads = true;
    }

    /// The classes of devices: those of one class send about equally often.
    ///
    /// # Errors
    /// When nothing can be known from what was seen, and why.
    pub(super) fn known(self) -> Result<Known, String> {
        if self.devices.values().all(|device| device.span_ms() == 0) {
            return Err(self.nothing_known());
        }
        let window_ms = self.window_ms();
        let doubts = self.doubts();
        let mut groups = BTreeMap::<Option<u32>, Group>::new();
        let mut pace_of = vec![None; self.devices.len()];
        for (key, device) in self.devices {
            let pace = device.pace();
            if let Some(pace_of) = pace_of.get_mut(device.number as usize) {
                *pace_of = pace;
            }
            groups.entry(pace).or_default().add(key, device);
        }
        for group in groups.values_mut() {
            group.phase = Phase::near(group.period(window_ms));
        }
        for sampled in self.sample.into_inner() {
            let pace = pace_of.get(sampled.device as usize);
            if let Some(group) = pace.and_then(|pace| groups.get_mut(pace)) {
                group.sample(sampled);
            }
        }
        // The slowest last, and those without a pace behind them.
        let unpaced = groups.remove_entry(&None);
        let groups = groups.into_iter().chain(unpaced);
        let classes = groups.filter_map(|(pace, group)| group.class(pace, window_ms));
        Ok(Known { classes: classes.collect(), doubts })
    }

    /// From the first to the last moment.
    fn window_ms(&self) -> u64 {
        let firsts = self.devices.values().map(|device| device.first_ms).min();
        let lasts = self.devices.values().map(|device| device.last_ms).max();
        firsts.zip(lasts).map_or(0, |(first, last)| last.abs_diff(first))
    }

    fn nothing_known(&self) -> String {
        let (empty, unreadable) = match self.seen {
            Seen::InTrace => ("the trace is empty", "no line of the trace can be read"),
            Seen::AtBroker => (
                "nothing was seen on the topics of the configuration: the log says whether the broker \
                 was reached",
                "no record can be made of what was published",
            ),
        };
        match (&self.first_left_out, self.readings) {
            (None, 0) => empty.to_owned(),
            (Some(first), 0) => format!("{unreadable}; the first: {first}"),
            _ => "too short: no device is seen at two different times".to_owned(),
        }
    }

    fn doubts(&self) -> Vec<Doubt> {
        let of = match self.seen {
            Seen::InTrace => "lines of the trace",
            Seen::AtBroker => "publishes",
        };
        let left_out =
            |first: &String| Doubt::LeftOut { count: self.left_out, of, first: first.clone() };
        let once = self.devices.values().filter(|device| device.readings == 1).count() as u64;
        [
            self.first_left_out.as_ref().map(left_out),
            (self.missed > 0).then_some(Doubt::Missed { publishes: self.missed }),
            self.are_payloads.then_some(Doubt::Payloads),
            (once > 0).then_some(Doubt::Short { devices: once }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Devices that send about equally often.
#[derive(Default)]
struct Group {
    keys: Vec<Box<str>>,
    readings: u64,
    /// Of each device from its first to its last reading, together.
    spans_ms: u64,
    largest_bytes: u32,
    sizes: BTreeMap<u32, u64>,
    phase: Option<Phase>,
}

impl Group {
    fn add(&mut self, key: Box<str>, device: Device) {
        self.keys.push(key);
        self.readings += device.readings;
        self.spans_ms = self.spans_ms.saturating_add(device.span_ms());
        self.largest_bytes = self.largest_bytes.max(device.largest_bytes);
    }

    fn sample(&mut self, Sampled { at_ms, bytes, .. }: Sampled) {
        *self.sizes.entry(bytes).or_default() += 1;
        if let Some(phase) = &mut self.phase {
            phase.add(at_ms);
        }
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

    fn class(mut self, pace: Option<u32>, window_ms: u64) -> Option<Class> {
        let period = self.period(window_ms);
        // The largest record decides whether a stream takes it, and a sample may have missed it.
        self.sizes.entry(self.largest_bytes).or_insert(1);
        let mut keys: Vec<_> = self.keys.into_iter().map(String::from).collect();
        keys.sort_unstable();
        Some(Class {
            name: pace.map_or_else(|| "devices seen once".to_owned(), name),
            reporting: self.phase.and_then(|phase| phase.reporting()).unwrap_or(Reporting::Spread),
            devices: Devices::Known(keys),
            period,
            sizes: Sizes::histogram(self.sizes)?,
            buffered: 0,
        })
    }
}

/// A name that no other group has.
fn name(pace: u32) -> String {
    let us = f64::from(pace).exp2();
    let from = Duration::from_secs_f64(us / 1e6 / SQRT_2);
    format!("devices of {} to {}", time(from), time(2 * from))
}
