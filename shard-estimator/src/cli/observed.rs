//! What was seen of a fleet, taken up reading by reading and in any order, from a trace or from a
//! broker; and the classes of devices that it shows.
//!
//! What is held does not grow with the readings: a count for each device, and of all readings a
//! sample. Up to as many readings as that has room for, everything below is exact; beyond, the sizes
//! and the busiest times of a class are those of the sample, and counts are still exact.

use std::collections::{BTreeMap, HashMap};

use self::crowd::Crowd;
pub(super) use self::doubt::Doubt;
use self::group::{Device, Group, Kind};
use self::sample::{Sample, Sampled};
use crate::Class;

mod course;
mod crowd;
mod doubt;
mod group;
mod presence;
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

/// The classes of an observed fleet, and what speaks against relying on them.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) classes: Vec<Class>,
    pub(super) doubts: Vec<Doubt>,
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
        let known = self.devices.len();
        let number = match self.devices.get_mut(key) {
            Some(device) => {
                device.add(at_ms, bytes);
                device.number
            }
            None if known < DEVICES_MAX => {
                let number = u32::try_from(known).unwrap_or(u32::MAX);
                self.devices.insert(key.into(), Device::new(number, at_ms, bytes));
                number
            }
            None => {
                return self.leave_out(|| {
                    format!("{key:?} is one device too many: {DEVICES_MAX} can be told apart")
                });
            }
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

    /// The classes of devices: those of one class send about equally often and about as much, and
    /// together or not.
    ///
    /// # Errors
    /// When nothing can be known from what was seen, and why.
    pub(super) fn known(self) -> Result<Known, String> {
        if self.devices.values().all(|device| device.span_ms() == 0) {
            return Err(self.nothing_known());
        }
        let window_ms = self.window_ms();
        let doubts = self.doubts();
        let crowds = self.crowds();
        let mut groups = BTreeMap::<Kind, Group>::new();
        let mut kind_of = vec![None; self.devices.len()];
        for (key, device) in self.devices {
            let kind = device.kind();
            let kind = kind.within(crowds.get(&kind).filter(|crowd| device.is_in(crowd)));
            if let Some(kind_of) = kind_of.get_mut(device.number as usize) {
                *kind_of = Some(kind);
            }
            groups.entry(kind).or_default().add(key, device);
        }
        for sampled in self.sample.into_inner() {
            let kind = kind_of.get(sampled.device as usize).copied().flatten();
            if let Some(group) = kind.and_then(|kind| groups.get_mut(&kind)) {
                group.sample(sampled);
            }
        }
        let mut known = Known { classes: Vec::new(), doubts };
        for (kind, group) in groups {
            let (class, doubts) = group.class(kind, window_ms);
            known.classes.extend(class);
            known.doubts.extend(doubts);
        }
        Ok(known)
    }

    /// Where devices of a kind report together.
    fn crowds(&self) -> BTreeMap<Kind, Crowd> {
        let mut moments = BTreeMap::<_, Vec<_>>::new();
        for device in self.devices.values() {
            moments.entry(device.kind()).or_default().push([device.first_ms, device.last_ms]);
        }
        let crowd =
            |(kind, moments): (Kind, Vec<_>)| Some((kind, Crowd::of(kind.clock_s()?, &moments)?));
        moments.into_iter().filter_map(crowd).collect()
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
