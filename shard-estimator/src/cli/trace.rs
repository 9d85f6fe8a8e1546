//! A recorded trace, read twice and never held: once for how often each device sends, and, with
//! devices of one pace put into one class, once more for sizes and moments.
//!
//! What is held is a count for each device, and for each class its sizes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use self::line::{Line, Lines, Reading};
use self::phase::Phase;
use super::Faults;
use crate::number::real;
use crate::{Class, Devices, Reporting, Sizes};

mod line;
mod phase;

/// What the bytes of a trace are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum BytesAre {
    /// What devices published.
    Payload,
    /// Data of the records that the gateway makes of it.
    Record,
}

/// What a trace shows.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) classes: Vec<Class>,
    pub(super) warnings: Vec<Doubt>,
}

/// What speaks against relying on a trace.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "warning")]
pub(super) enum Doubt {
    /// Lines that say nothing.
    Malformed {
        /// How many.
        lines: u64,
        /// The number of the first.
        first: u64,
        /// What is wrong with it.
        because: String,
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
            Self::Malformed { lines, first, because } => write!(
                f,
                "{lines} lines of the trace are left out; the first is line {first}: {because}"
            ),
            Self::Payloads => f.write_str(
                "the trace has sizes of payloads, and records have an id and times besides: record \
                 those, and say bytes_are record",
            ),
            Self::Short { devices } => write!(
                f,
                "the trace is shorter than two periods of its slowest devices, {devices} of which \
                 were seen once: record for longer"
            ),
        }
    }
}

/// What the first reading finds.
#[derive(Default)]
struct Paces {
    readings_of: HashMap<String, u64>,
    readings: u64,
    malformed: u64,
    first_malformed: Option<(u64, String)>,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    bytes_are: Option<BytesAre>,
}

impl Paces {
    fn add(&mut self, number: u64, line: Result<Line, String>) {
        match line {
            Ok(Line::Header(bytes_are)) => self.bytes_are = Some(bytes_are),
            Ok(Line::Reading(reading)) => {
                self.readings += 1;
                let at_ms = reading.at_ms;
                self.first_ms = Some(self.first_ms.map_or(at_ms, |first| first.min(at_ms)));
                self.last_ms = Some(self.last_ms.map_or(at_ms, |last| last.max(at_ms)));
                match self.readings_of.get_mut(&reading.device) {
                    Some(readings) => *readings += 1,
                    None => {
                        self.readings_of.insert(reading.device, 1);
                    }
                }
            }
            Err(because) => {
                self.malformed += 1;
                self.first_malformed.get_or_insert((number, because));
            }
        }
    }

    /// How long the trace is: from the first to the last moment, and, because the fence has one
    /// post more than gaps, one period of the fastest device.
    fn window_s(&self) -> Option<f64> {
        let span_ms = self.last_ms?.checked_sub(self.first_ms?)?;
        let most = self.readings_of.values().max().filter(|most| **most > 1)?;
        let span_s = real(u64::try_from(span_ms).ok().filter(|span_ms| *span_ms > 0)?) / 1_000.0;
        Some(span_s * real(*most) / real(most - 1))
    }

    fn doubts(&self, bytes_are: Option<BytesAre>) -> Vec<Doubt> {
        let malformed = self.first_malformed.clone().map(|(first, because)| Doubt::Malformed {
            lines: self.malformed,
            first,
            because,
        });
        let are_records = bytes_are.or(self.bytes_are) == Some(BytesAre::Record);
        let once = self.readings_of.values().filter(|readings| **readings == 1).count() as u64;
        let short = (once > 0).then_some(Doubt::Short { devices: once });
        malformed
            .into_iter()
            .chain((!are_records).then_some(Doubt::Payloads))
            .chain(short)
            .collect()
    }
}

/// Devices that send about equally often: less than twice as often as any other of them.
#[derive(Default)]
struct Group {
    keys: Vec<String>,
    readings: u64,
    sizes: BTreeMap<u32, u64>,
    phase: Option<Phase>,
}

impl Group {
    fn period(&self, window_s: f64) -> Duration {
        let devices = real(self.keys.len() as u64);
        Duration::try_from_secs_f64(window_s * devices / real(self.readings))
            .unwrap_or(Duration::MAX)
    }

    /// `least` is how many readings each device has at least, which no other group shares.
    fn class(mut self, least: u64, window_s: f64) -> Option<Class> {
        let period = self.period(window_s);
        self.keys.sort_unstable();
        Some(Class {
            name: format!("devices of {least} readings or more"),
            reporting: self.phase.and_then(|phase| phase.reporting()).unwrap_or(Reporting::Spread),
            devices: Devices::Known(self.keys),
            period,
            sizes: Sizes::histogram(self.sizes)?,
            buffered: 0,
        })
    }
}

/// Reads `file`; `bytes_are` outweighs what it says itself.
pub(super) fn read(file: &Path, bytes_are: Option<BytesAre>) -> Result<Trace, Faults> {
    let fault = |what: &dyn fmt::Display| Faults::one(format_args!("{}: {what}", file.display()));
    let unreadable = |error: std::io::Error| fault(&error);
    let mut trace = BufReader::new(File::open(file).map_err(unreadable)?);
    let mut paces = Paces::default();
    for_each(&mut trace, |number, line| paces.add(number, line)).map_err(unreadable)?;
    let Some(window_s) = paces.window_s() else {
        return Err(fault(&match (&paces.first_malformed, paces.readings) {
            (None, 0) => "the trace is empty".to_owned(),
            (Some((first, because)), 0) => {
                format!("no line of the trace can be read; line {first}: {because}")
            }
            _ => "the trace is too short: no device is seen at two different times".to_owned(),
        }));
    };
    let warnings = paces.doubts(bytes_are);
    let readings_of = paces.readings_of;
    let mut groups = BTreeMap::<u32, Group>::new();
    for (device, readings) in &readings_of {
        let group = groups.entry(readings.ilog2()).or_default();
        group.keys.push(device.clone());
        group.readings += readings;
    }
    for group in groups.values_mut() {
        group.phase = Phase::near(group.period(window_s));
    }
    trace.rewind().map_err(unreadable)?;
    for_each(&mut trace, |_, line| {
        let Ok(Line::Reading(Reading { at_ms, device, bytes })) = line else { return };
        let readings = readings_of.get(&device).copied().unwrap_or(1);
        if let Some(group) = groups.get_mut(&readings.ilog2()) {
            *group.sizes.entry(bytes).or_default() += 1;
            if let Some(phase) = &mut group.phase {
                phase.add(at_ms);
            }
        }
    })
    .map_err(unreadable)?;
    let fastest_first = groups.into_iter().rev();
    let classes = fastest_first.filter_map(|(log, group)| group.class(1 << log, window_s));
    Ok(Trace { classes: classes.collect(), warnings })
}

fn for_each(
    trace: &mut BufReader<File>,
    mut seen: impl FnMut(u64, Result<Line, String>),
) -> std::io::Result<()> {
    let mut lines = Lines::of(trace);
    while let Some((number, line)) = lines.read()? {
        seen(number, line);
    }
    Ok(())
}
