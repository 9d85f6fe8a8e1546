use std::time::Duration;

use crate::number::{count_up, real};
use crate::{Class, Devices, Fleet, Flow, HotKey, Reporting, SizeCounts, Sizes};

/// Keys that take a smaller part of a shard are among many.
const HOT_USED_MIN: f64 = 0.02;

/// What came in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrivals<K> {
    /// How long it was.
    pub lasted: Duration,
    /// The data of its records.
    pub sizes: SizeCounts,
    /// Bytes of their keys.
    pub key_bytes: u64,
    /// The keys that load their shards most, the hottest first.
    pub hottest: Vec<HotKey<K>>,
    /// How many keys are in use, about: of this window or an hour or two before.
    pub keys: f64,
}

impl<K> Arrivals<K> {
    /// What came, all keys together.
    #[must_use]
    pub fn flow(&self) -> Flow {
        self.in_a_second(self.sizes.records(), self.sizes.bytes + self.key_bytes)
    }

    /// What came of one of its hottest keys, at least.
    #[must_use]
    pub fn flow_of(&self, key: &HotKey<K>) -> Flow {
        self.in_a_second(key.records, key.bytes)
    }

    /// The part of one shard's limits that the hottest key takes by itself, at least. Above 1 no
    /// number of shards can take it.
    #[must_use]
    pub fn hottest_key_used(&self) -> f64 {
        self.hottest.iter().map(|key| self.flow_of(key).used()).fold(0.0, f64::max)
    }

    /// What came as a fleet to plan for: the keys that load a shard noticeably each by itself, and
    /// all others as devices that are alike and do not report together, for nothing here tells when they
    /// report. `None` if there is nothing to plan for.
    #[must_use]
    pub fn fleet(&self) -> Option<Fleet> {
        self.fleet_named(|place, _| format!("hot key {place}"))
    }

    /// The same; `name` is asked with the place of a hot key, from 1 on, and the key.
    pub(crate) fn fleet_named(&self, name: impl Fn(usize, &K) -> String) -> Option<Fleet> {
        let hot: Vec<_> =
            self.hottest.iter().filter(|key| self.flow_of(key).used() >= HOT_USED_MIN).collect();
        let records = self.sizes.records();
        let key_bytes = count_up(real(self.key_bytes) / real(records.max(1))).max(1);
        let rest = records.saturating_sub(hot.iter().map(|key| key.records).sum());
        let mut classes = Vec::new();
        if rest > 0 {
            let devices = count_up((self.keys - real(hot.len() as u64)).max(1.0));
            classes.push(Class {
                name: "devices".to_owned(),
                devices: Devices::Counted { devices, key_bytes },
                period: self.period(f64::from(devices), rest)?,
                sizes: self.sizes.sizes()?,
                reporting: Reporting::Spread,
                buffered: 0,
            });
        }
        for (place, key) in (1..).zip(hot) {
            let data_bytes = real(key.bytes) / real(key.records) - f64::from(key_bytes);
            classes.push(Class {
                name: name(place, &key.key),
                devices: Devices::Counted { devices: 1, key_bytes },
                period: self.period(1.0, key.records)?,
                sizes: Sizes::histogram([(count_up(data_bytes).max(1), 1)])?,
                reporting: Reporting::Spread,
                buffered: 0,
            });
        }
        Fleet::new(classes).ok()
    }

    /// How long a device waits between two records, if so many sent so many.
    fn period(&self, devices: f64, records: u64) -> Option<Duration> {
        let period_s = self.lasted.as_secs_f64() * devices / real(records);
        Duration::try_from_secs_f64(period_s).ok()
    }

    fn in_a_second(&self, records: u64, bytes: u64) -> Flow {
        let lasted_s = self.lasted.as_secs_f64();
        if lasted_s > 0.0 {
            Flow { records_per_s: real(records) / lasted_s, bytes_per_s: real(bytes) / lasted_s }
        } else {
            Flow::default()
        }
    }
}
