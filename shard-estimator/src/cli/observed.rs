//! What was seen of a fleet, taken up reading by reading and in any order, from a trace or from a
//! broker; and the classes of devices that it shows.
//!
//! What is held does not grow with the readings: a count for each device, and of all readings a
//! sample. Up to as many readings as that has room for, everything below is exact; beyond, the sizes
//! and moments of a class are those of the sample, and counts are still exact.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use self::phase::Phase;
use self::sample::{Sample, Sampled};
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
    /// First and last, in milliseconds since 1970.
    moments_ms: Option<(i64, i64)>,
    sample: Sample,
    left_out: u64,
    first_left_out: Option<String>,
    are_payloads: bool,
}

#[derive(Debug, Clone, Copy)]
struct Device {
    /// In the order in which they were first seen, from 0.
    number: u32,
    readings: u64,
    largest_bytes: u32,
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
            moments_ms: None,
            sample: Sample::default(),
            left_out: 0,
            first_left_out: None,
            are_payloads: false,
        }
    }

    /// Takes up a record of `bytes` of data that the device with this partition key sent at `at_ms`,
    /// in milliseconds since 1970.
    pub fn add(&mut self, at_ms: i64, key: &str, bytes: u32) {
        let number = match self.devices.get_mut(key) {
            Some(device) => {
                device.readings += 1;
                device.largest_bytes = device.largest_bytes.max(bytes);
                device.number
            }
            None => match u32::try_from(self.devices.len()) {
                Ok(number) if self.devices.len() < DEVICES_MAX => {
                    let device = Device { number, readings: 1, largest_bytes: bytes };
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
        let (first, last) = self.moments_ms.unwrap_or((at_ms, at_ms));
        self.moments_ms = Some((first.min(at_ms), last.max(at_ms)));
        self.sample.take(Sampled { device: number, at_ms, bytes });
    }

    /// Notes that something was seen of which nothing can be taken up; `why`, with its place, is
    /// told of the first.
    pub fn leave_out(&mut self, why: impl FnOnce() -> String) {
        self.left_out += 1;
        self.first_left_out.get_or_insert_with(why);
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
        let window_s = self.window_s().ok_or_else(|| self.nothing_known())?;
        let doubts = self.doubts();
        let mut groups = BTreeMap::<u32, Group>::new();
        let mut group_of = vec![0; self.devices.len()];
        for (key, device) in self.devices {
            let pace = device.readings.ilog2();
            if let Some(group_of) = group_of.get_mut(device.number as usize) {
                *group_of = pace;
            }
            groups.entry(pace).or_default().add(key, device);
        }
        for group in groups.values_mut() {
            group.phase = Phase::near(group.period(window_s));
        }
        for sampled in self.sample.into_inner() {
            let group = group_of.get(sampled.device as usize).and_then(|pace| groups.get_mut(pace));
            if let Some(group) = group {
                group.sample(sampled);
            }
        }
        let fastest_first = groups.into_iter().rev();
        let classes = fastest_first.filter_map(|(pace, group)| group.class(1 << pace, window_s));
        Ok(Known { classes: classes.collect(), doubts })
    }

    /// How long was looked: from the first to the last moment, and, because a fence has one post
    /// more than gaps, one period of the fastest device.
    fn window_s(&self) -> Option<f64> {
        let (first_ms, last_ms) = self.moments_ms?;
        let span_ms = last_ms.checked_sub(first_ms).filter(|span_ms| *span_ms > 0)?;
        let readings = self.devices.values().map(|device| device.readings);
        let most = readings.max().filter(|most| *most > 1)?;
        let span_s = real(u64::try_from(span_ms).ok()?) / 1_000.0;
        Some(span_s * real(most) / real(most - 1))
    }

    fn nothing_known(&self) -> String {
        let (empty, unreadable) = match self.seen {
            Seen::InTrace => ("the trace is empty", "no line of the trace can be read"),
            Seen::AtBroker => (
                "nothing was published on the topics of the configuration",
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
            self.are_payloads.then_some(Doubt::Payloads),
            (once > 0).then_some(Doubt::Short { devices: once }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Devices that send about equally often: less than twice as often as any other of them.
#[derive(Default)]
struct Group {
    keys: Vec<Box<str>>,
    readings: u64,
    largest_bytes: u32,
    sizes: BTreeMap<u32, u64>,
    phase: Option<Phase>,
}

impl Group {
    fn add(&mut self, key: Box<str>, device: Device) {
        self.keys.push(key);
        self.readings += device.readings;
        self.largest_bytes = self.largest_bytes.max(device.largest_bytes);
    }

    fn sample(&mut self, Sampled { at_ms, bytes, .. }: Sampled) {
        *self.sizes.entry(bytes).or_default() += 1;
        if let Some(phase) = &mut self.phase {
            phase.add(at_ms);
        }
    }

    fn period(&self, window_s: f64) -> Duration {
        let devices = real(self.keys.len() as u64);
        Duration::try_from_secs_f64(window_s * devices / real(self.readings))
            .unwrap_or(Duration::MAX)
    }

    /// `least` is how many readings each device has at least, which no other group shares.
    fn class(mut self, least: u64, window_s: f64) -> Option<Class> {
        let period = self.period(window_s);
        // The largest record decides whether a stream takes it, and a sample may have missed it.
        self.sizes.entry(self.largest_bytes).or_insert(1);
        let mut keys: Vec<_> = self.keys.into_iter().map(String::from).collect();
        keys.sort_unstable();
        Some(Class {
            name: format!("devices of {least} readings or more"),
            reporting: self.phase.and_then(|phase| phase.reporting()).unwrap_or(Reporting::Spread),
            devices: Devices::Known(keys),
            period,
            sizes: Sizes::histogram(self.sizes)?,
            buffered: 0,
        })
    }
}
