//! Compares what a fleet published with what the stream holds. Pure.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Deserialize;

use super::stream::StoredRecord;

/// What a rehearsal found out.
#[derive(Debug, Clone)]
pub struct Report {
    /// Readings that the broker acknowledged to the fleet.
    pub sent: u64,
    /// Of those, how many are in the stream.
    pub delivered: u64,
    /// Further copies of them.
    pub duplicated: u64,
    /// Readings stored after a later one of their device, duplicates aside.
    pub out_of_order: u64,
    /// Refusals for rate by the stream.
    pub throttled: u64,
    /// From the reading's own time, set when it was published, to its storing, in milliseconds.
    pub latency_ms: Histogram<u64>,
    /// From the first reading stored to the last.
    pub span: Duration,
}

/// The parts of a canonical record that tell whose it is.
#[derive(Deserialize)]
struct Canonical<'a> {
    #[serde(borrow)]
    dev: std::borrow::Cow<'a, str>,
    seq: u64,
    ts: i64,
}

/// What is known of one device.
#[derive(Default)]
struct Device {
    seen: Vec<bool>,
    next: u64,
}

impl Report {
    /// Counts `records`, in the order of storing, against `sent` readings that each device numbered
    /// from 0. Records that are not canonical are none of the fleet's and not counted.
    #[must_use]
    pub fn new<'a>(
        sent: u64,
        throttled: u64,
        records: impl IntoIterator<Item = &'a StoredRecord>,
    ) -> Self {
        let mut report = Self {
            sent,
            delivered: 0,
            duplicated: 0,
            out_of_order: 0,
            throttled,
            latency_ms: Histogram::new_with_bounds(1, 3_600_000, 3)
                .unwrap_or_else(|_| unreachable!("constant bounds are in range")),
            span: Duration::ZERO,
        };
        let mut devices: HashMap<String, Device> = HashMap::new();
        let mut first_ms = None;
        for stored in records {
            let Ok(record) = serde_json::from_slice::<Canonical<'_>>(&stored.data) else {
                continue;
            };
            let stored_ms = stored.arrival.epoch_ms;
            let since_first = stored_ms - *first_ms.get_or_insert(stored_ms);
            report.span = Duration::from_millis(u64::try_from(since_first).unwrap_or(0));
            if !devices.contains_key(record.dev.as_ref()) {
                devices.insert(record.dev.clone().into_owned(), Device::default());
            }
            let Some(device) = devices.get_mut(record.dev.as_ref()) else { continue };
            report.count(device, record.seq, stored_ms - record.ts);
        }
        report
    }

    fn count(&mut self, device: &mut Device, sequence: u64, latency_ms: i64) {
        let place = usize::try_from(sequence).unwrap_or(usize::MAX);
        if place >= device.seen.len() {
            device.seen.resize(place.saturating_add(1), false);
        }
        match device.seen.get_mut(place) {
            Some(seen) if !*seen => *seen = true,
            _ => {
                self.duplicated += 1;
                return;
            }
        }
        self.delivered += 1;
        self.out_of_order += u64::from(sequence < device.next);
        device.next = device.next.max(sequence + 1);
        self.latency_ms.saturating_record(u64::try_from(latency_ms).unwrap_or(0).max(1));
    }

    /// Readings that the broker took and the stream does not hold.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.delivered)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quantile = |q| self.latency_ms.value_at_quantile(q);
        let per_s = match self.span.as_millis() {
            0 => 0,
            span_ms => u128::from(self.delivered) * 1000 / span_ms,
        };
        writeln!(f, "sent          {:>9}", self.sent)?;
        writeln!(f, "delivered     {:>9}   {per_s} records/s", self.delivered)?;
        writeln!(f, "lost          {:>9}", self.lost())?;
        writeln!(f, "duplicated    {:>9}", self.duplicated)?;
        writeln!(f, "out of order  {:>9}", self.out_of_order)?;
        writeln!(f, "throttled     {:>9}", self.throttled)?;
        write!(
            f,
            "latency       p50 {} ms, p99 {} ms, max {} ms",
            quantile(0.5),
            quantile(0.99),
            self.latency_ms.max()
        )
    }
}
