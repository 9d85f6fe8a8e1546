use std::time::Duration;

use crate::number::{count_up, real};
use crate::{Class, Devices, Fleet, Flow, HotKey, Reporting, SizeCounts, Sizes};

/// Keys that take a smaller part of a shard are among many.
const HOT_USED_MIN: f64 = 0.02;
/// Those that take more are by themselves, whatever the others do: little has room beside them.
const HOT_USED: f64 = 0.5;
/// In between are those by themselves that take so many times what the rest take on average: devices that
/// are alike are one class, however heavy they are, and only of one class it is known what golden places
/// save.
const HOT_TIMES: f64 = 2.0;
/// So many of all keys are needed for an average: how many there are is known to about 2 %.
const REST_PART_MIN: f64 = 0.05;

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

    /// What came as a fleet to plan for: the keys that load a shard noticeably, and much more than the
    /// others do, each by itself, and all others as devices that are alike and do not report together, for nothing here tells when they
    /// report. `None` if there is nothing to plan for.
    #[must_use]
    pub fn fleet(&self) -> Option<Fleet> {
        self.fleet_named(|place, _| format!("hot key {place}"))
    }

    /// The same; `name` is asked with the place of a hot key, from 1 on, and the key.
    pub(crate) fn fleet_named(&self, name: impl Fn(usize, &K) -> String) -> Option<Fleet> {
        let hot = self.hot();
        let records = self.sizes.records();
        let key_bytes = count_up(real(self.key_bytes) / real(records.max(1))).max(1);
        let data_bytes =
            |key: &HotKey<K>| key.bytes.saturating_sub(key.records * u64::from(key_bytes));
        let rest =
            hot.iter().fold(self.sizes, |sizes, key| sizes.without(key.records, data_bytes(key)));
        let mut classes = Vec::new();
        if rest.records() > 0 {
            let devices = count_up((self.keys - real(hot.len() as u64)).max(1.0));
            classes.push(Class {
                name: "devices".to_owned(),
                devices: Devices::Counted { devices, key_bytes },
                period: self.period(f64::from(devices), rest.records())?,
                sizes: rest.sizes()?,
                reporting: Reporting::Spread,
                buffered: 0,
            });
        }
        for (place, key) in (1..).zip(hot) {
            let mean_bytes = real(data_bytes(key)) / real(key.records);
            classes.push(Class {
                name: name(place, &key.key),
                devices: Devices::Counted { devices: 1, key_bytes },
                period: self.period(1.0, key.records)?,
                sizes: Sizes::histogram([(count_up(mean_bytes).max(1), 1)])?,
                reporting: Reporting::Spread,
                buffered: 0,
            });
        }
        Fleet::new(classes).ok()
    }

    /// The keys that are planned for by themselves, the hottest first.
    fn hot(&self) -> Vec<&HotKey<K>> {
        let used = |key: &&HotKey<K>| self.flow_of(key).used();
        let mut hot: Vec<_> = self.hottest.iter().filter(|key| used(key) >= HOT_USED_MIN).collect();
        hot.sort_by(|one, other| used(other).total_cmp(&used(one)));
        let (mut records, mut bytes) = hot
            .iter()
            .fold((self.sizes.records(), self.sizes.bytes + self.key_bytes), |rest, key| {
                (rest.0.saturating_sub(key.records), rest.1.saturating_sub(key.bytes))
            });
        // The coolest of them join the rest, until one stands out.
        while let Some(coolest) = hot.last() {
            let keys = self.keys - real(hot.len() as u64);
            let average = self.in_a_second(records, bytes).used() / keys;
            let is_average_known = keys >= REST_PART_MIN * self.keys && records > 0;
            let stands_out = is_average_known && used(coolest) > HOT_TIMES * average;
            if stands_out || used(coolest) >= HOT_USED {
                break;
            }
            (records, bytes) = (records + coolest.records, bytes + coolest.bytes);
            hot.pop();
        }
        hot
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_BYTES: u64 = 20;

    /// A minute in which many keys sent records of `rest_bytes` of data together, and a hot one records
    /// of these sizes, one after the other.
    fn minute(rest_bytes: usize, hot_bytes: &[usize]) -> Arrivals<&'static str> {
        let (mut sizes, mut bytes) = (SizeCounts::default(), 0);
        (0..30_000).for_each(|_| sizes.add(rest_bytes));
        for data in hot_bytes.iter().cycle().take(3_000) {
            sizes.add(*data);
            bytes += *data as u64 + KEY_BYTES;
        }
        let hottest = vec![HotKey { key: "pump", records: 3_000, bytes }];
        let key_bytes = sizes.records() * KEY_BYTES;
        Arrivals { lasted: Duration::from_secs(60), sizes, key_bytes, hottest, keys: 1_001.0 }
    }

    #[test]
    fn the_bytes_of_a_hot_key_are_planned_for_once() {
        for (rest, hot) in
            [(300, &[5_000][..]), (5_000, &[300]), (300, &[100, 9_000]), (1, &[9_000])]
        {
            let seen = minute(rest, hot);
            let fleet = seen.fleet().expect("records");
            let [devices, pump] = fleet.classes() else { panic!("{:?}", fleet.classes()) };
            let (planned, came) = (fleet.bytes_per_s(), seen.flow().bytes_per_s);
            assert!((planned / came - 1.0).abs() < 0.01, "{planned} of {came}");
            let mean = devices.sizes.mean_bytes();
            assert!((mean - real(rest as u64)).abs() <= 1.0, "{mean} of {rest}");
            assert_eq!((devices.count(), pump.count()), (1_000.0, 1.0));
        }
    }

    /// A minute of so many devices for each of these rates, of which the ten hottest are told.
    fn devices(rates: &[(u64, u64)]) -> Arrivals<u64> {
        let (mut sizes, mut hottest) = (SizeCounts::default(), Vec::new());
        for (devices, per_s) in rates {
            let records = 60 * per_s;
            (0..devices * records).for_each(|_| sizes.add(100));
            let key = |key| HotKey { key, records, bytes: records * (100 + KEY_BYTES) };
            hottest.extend((0..*devices).map(key));
        }
        hottest.sort_by_key(|key| std::cmp::Reverse(key.bytes));
        hottest.truncate(10);
        let keys = real(rates.iter().map(|(devices, _)| devices).sum());
        let key_bytes = sizes.records() * KEY_BYTES;
        Arrivals { lasted: Duration::from_secs(60), sizes, key_bytes, hottest, keys }
    }

    #[test]
    fn devices_that_are_alike_are_one_class_however_heavy_they_are() {
        let classes = |seen: &Arrivals<u64>| {
            let fleet = seen.fleet().expect("records");
            fleet.classes().iter().map(Class::count).collect::<Vec<_>>()
        };
        for alike in [&[(200, 25)][..], &[(8, 300)], &[(60, 30), (40, 50)]] {
            let seen = devices(alike);
            assert_eq!(classes(&seen), [seen.keys], "{alike:?}");
        }
        // How many there are is an estimate.
        let seen = Arrivals { keys: 8.1, ..devices(&[(8, 300)]) };
        assert_eq!(classes(&seen), [9.0]);
        let hot = |n: usize, rest: f64| [vec![rest], vec![1.0; n]].concat();
        assert_eq!(classes(&devices(&[(3, 200), (100, 25)])), hot(3, 100.0));
        assert_eq!(classes(&devices(&[(9, 50), (100, 1)])), hot(9, 100.0));
        // A class of more than half a shard each would be told without a name.
        assert_eq!(classes(&devices(&[(2, 600)])), hot(1, 1.0));
    }
}
