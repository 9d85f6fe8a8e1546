//! Devices, and those of them that are alike.

use std::collections::BTreeMap;
use std::f64::consts::SQRT_2;
use std::time::Duration;

use super::phase::Phase;
use super::sample::Sampled;
use crate::cli::words::time;
use crate::number::real;
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
    largest_bytes: u32,
}

impl Device {
    /// With its first reading.
    pub(super) fn new(number: u32, at_ms: i64, bytes: u32) -> Self {
        Self { number, readings: 1, first_ms: at_ms, last_ms: at_ms, largest_bytes: bytes }
    }

    /// Takes up another.
    pub(super) fn add(&mut self, at_ms: i64, bytes: u32) {
        self.readings += 1;
        self.first_ms = self.first_ms.min(at_ms);
        self.last_ms = self.last_ms.max(at_ms);
        self.largest_bytes = self.largest_bytes.max(bytes);
    }

    /// From its first to its last reading.
    pub(super) fn span_ms(&self) -> u64 {
        self.last_ms.abs_diff(self.first_ms)
    }

    /// The group of devices that send about equally often; `None` for one seen at one moment only.
    ///
    /// The nearest power of two of the period, in microseconds: none of those that people choose is
    /// half-way between two.
    pub(super) fn pace(&self) -> Option<u32> {
        /// A thousand centuries: its square can still be counted.
        const LONGEST_US: u128 = 1 << 62;
        let period_us = u128::from(self.span_ms()) * 1_000 / u128::from(self.readings - 1).max(1);
        let period_us = period_us.min(LONGEST_US);
        (2 * period_us.pow(2)).checked_ilog2().map(|twice| twice / 2)
    }
}

/// Devices that send about equally often.
#[derive(Default)]
pub(super) struct Group {
    keys: Vec<Box<str>>,
    readings: u64,
    /// Of each device from its first to its last reading, together.
    spans_ms: u64,
    largest_bytes: u32,
    sizes: BTreeMap<u32, u64>,
    phase: Option<Phase>,
}

impl Group {
    pub(super) fn add(&mut self, key: Box<str>, device: Device) {
        self.keys.push(key);
        self.readings += device.readings;
        self.spans_ms = self.spans_ms.saturating_add(device.span_ms());
        self.largest_bytes = self.largest_bytes.max(device.largest_bytes);
    }

    /// Looks at the clock that its devices may go by.
    pub(super) fn look_at_clock(&mut self, window_ms: u64) {
        self.phase = Phase::near(self.period(window_ms));
    }

    pub(super) fn sample(&mut self, Sampled { at_ms, bytes, .. }: Sampled) {
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

    pub(super) fn class(mut self, pace: Option<u32>, window_ms: u64) -> Option<Class> {
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
