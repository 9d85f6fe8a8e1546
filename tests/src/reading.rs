//! Numbered readings, and what became of them.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde_json::Value;

/// One reading of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reading {
    /// The device.
    pub device: u64,
    /// Its place among the readings of the device.
    pub seq: u64,
}

impl Reading {
    /// Where it is published.
    #[must_use]
    pub fn topic(self) -> String {
        // Two sites, so that two connections can share the devices.
        format!("sites/{}/devices/{}/telemetry", 1 + self.device % 2, self.device)
    }

    /// What is published, made longer by a note of `padding` bytes.
    #[must_use]
    pub fn payload(self, padding: usize) -> Bytes {
        let Self { device, seq } = self;
        let (ts, tenths) = (1_720_000_000_000 + seq, (device + seq) % 10);
        let note = "x".repeat(padding);
        format!(r#"{{"seq":{seq},"ts":{ts},"temperature":21.{tenths},"note":"{note}"}}"#).into()
    }

    /// The reading in a canonical record whose device is its topic; `None` in any other.
    #[must_use]
    pub fn of_record(data: &[u8]) -> Option<Self> {
        let record: Value = serde_json::from_slice(data).ok()?;
        let device = record.get("dev")?.as_str()?.split('/').nth(3)?.parse().ok()?;
        Some(Self { device, seq: record.get("seq")?.as_u64()? })
    }
}

/// What arrived, compared with what was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Published and not arrived.
    pub lost: Vec<Reading>,
    /// Arrivals after the first of the same reading.
    pub duplicated: usize,
    /// Readings that arrived, for the first time, before an earlier one of their device.
    pub overtook: usize,
    /// Arrived and never published.
    pub unknown: Vec<Reading>,
}

impl Comparison {
    /// Compares, both in order of time.
    #[must_use]
    pub fn of(published: &[Reading], arrived: &[Reading]) -> Self {
        let arrivals: HashSet<_> = arrived.iter().copied().collect();
        let known: HashSet<_> = published.iter().copied().collect();
        let not_in = |set: &HashSet<Reading>, readings: &[Reading]| {
            readings.iter().copied().filter(|reading| !set.contains(reading)).collect()
        };
        Self {
            lost: not_in(&arrivals, published),
            duplicated: arrived.len() - arrivals.len(),
            overtook: overtook(arrived),
            unknown: not_in(&known, arrived),
        }
    }
}

fn overtook(arrived: &[Reading]) -> usize {
    let mut seen = HashSet::new();
    let first: Vec<_> = arrived.iter().filter(|reading| seen.insert(**reading)).collect();
    let mut least_after: HashMap<u64, u64> = HashMap::new();
    let mut count = 0;
    for reading in first.into_iter().rev() {
        let least = least_after.entry(reading.device).or_insert(reading.seq);
        count += usize::from(*least < reading.seq);
        *least = reading.seq.min(*least);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(pairs: &[(u64, u64)]) -> Vec<Reading> {
        pairs.iter().map(|&(device, seq)| Reading { device, seq }).collect()
    }

    #[test]
    fn comparison_sees_what_is_lost_twice_early_or_made_up() {
        let published = readings(&[(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)]);
        let arrived = readings(&[(1, 2), (1, 1), (2, 1), (1, 2), (1, 3), (3, 1)]);
        let expected = Comparison {
            lost: readings(&[(2, 2)]),
            duplicated: 1,
            overtook: 1,
            unknown: readings(&[(3, 1)]),
        };
        assert_eq!(Comparison::of(&published, &arrived), expected);
    }

    #[test]
    fn everything_that_passed_a_late_reading_overtook_it() {
        let published = readings(&[(1, 1), (1, 2), (1, 3), (1, 4)]);
        let arrived = readings(&[(1, 2), (1, 3), (1, 1), (1, 4)]);
        assert_eq!(Comparison::of(&published, &arrived).overtook, 2);
        assert_eq!(Comparison::of(&published, &published), Comparison::default());
    }

    #[test]
    fn reading_is_found_in_its_record() {
        let record = br#"{"v":1,"dev":"sites/1/devices/7/telemetry","seq":3,"m":[]}"#;
        assert_eq!(Reading::of_record(record), Some(Reading { device: 7, seq: 3 }));
        assert_eq!(Reading::of_record(b"{}"), None);
    }
}
