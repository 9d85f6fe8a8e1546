use std::mem;
use std::time::Duration;

use crate::number::{count_up, real};
use crate::{
    Class, Devices, Fleet, Flow, HashKey, HotKey, HotKeys, KeyCount, Reporting, SizeCounts, Sizes,
};

/// Keys that are seen again within this are counted as devices, and those of the stretch before.
const KEYS_SEEN_WITHIN: Duration = Duration::from_secs(3_600);
/// Most keys that a fleet is told of one by one.
const HOT_IN_FLEET: usize = 10;
/// Keys that take a smaller part of a shard are one of many.
const HOT_USED_MIN: f64 = 0.02;

/// What there is to send, in bounded memory (about 40 KiB): how much, how large, of how many keys
/// and of which most.
///
/// Counted as it comes, before anything holds it back: what a stream is planned for is what there is
/// to send, not what it took. Time is the time since any moment, the same for all calls.
#[derive(Debug, Clone)]
pub struct Traffic<K> {
    /// Since the beginning, like the bytes of keys.
    sizes: SizeCounts,
    key_bytes: u64,
    keys: KeyCount,
    keys_before: KeyCount,
    keys_since: Duration,
    window: Window<K>,
    /// How long a window is, and since when the present one lasts.
    window_lasts: Duration,
    window_since: Duration,
    /// The last that was full.
    seen: Option<Seen<K>>,
}

/// What is counted at present.
#[derive(Debug, Clone)]
struct Window<K> {
    sizes: SizeCounts,
    key_bytes: u64,
    hot: HotKeys<K>,
}

/// What came in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<K> {
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

impl<K: Clone> Traffic<K> {
    /// Nothing came before `now`. Windows last `window`, and are seen when they are full.
    #[must_use]
    pub fn new(window: Duration, now: Duration) -> Self {
        let nothing = Window { sizes: SizeCounts::default(), key_bytes: 0, hot: HotKeys::new() };
        Self {
            sizes: SizeCounts::default(),
            key_bytes: 0,
            keys: KeyCount::new(),
            keys_before: KeyCount::new(),
            keys_since: now,
            window: nothing,
            window_lasts: window,
            window_since: now,
            seen: None,
        }
    }

    /// Counts a record: its key, where that hashes to, and the bytes of both parts.
    pub fn add(&mut self, place: HashKey, key: &K, key_bytes: usize, data_bytes: usize) {
        let bytes = (key_bytes + data_bytes) as u64;
        self.sizes.add(data_bytes);
        self.key_bytes += key_bytes as u64;
        self.keys.add(place);
        self.window.sizes.add(data_bytes);
        self.window.key_bytes += key_bytes as u64;
        self.window.hot.add(place, key, bytes);
    }

    /// Notes that time passes: call it about once a second, and before anything is asked.
    pub fn pass(&mut self, now: Duration) {
        let lasted = now.saturating_sub(self.window_since);
        if lasted >= self.window_lasts {
            let keys = self.keys();
            let Window { sizes, key_bytes, hot } = &mut self.window;
            let (sizes, key_bytes) = (mem::take(sizes), mem::take(key_bytes));
            let hottest = hot.hottest(HOT_IN_FLEET);
            hot.clear();
            self.seen = Some(Seen { lasted, sizes, key_bytes, hottest, keys });
            self.window_since = now;
        }
        if now.saturating_sub(self.keys_since) >= KEYS_SEEN_WITHIN {
            self.keys_before = mem::take(&mut self.keys);
            self.keys_since = now;
        }
    }

    /// The data of all records since the beginning.
    #[must_use]
    pub fn sizes(&self) -> &SizeCounts {
        &self.sizes
    }

    /// Bytes of all their keys.
    #[must_use]
    pub fn key_bytes(&self) -> u64 {
        self.key_bytes
    }

    /// The last window that was full.
    #[must_use]
    pub fn seen(&self) -> Option<&Seen<K>> {
        self.seen.as_ref()
    }

    /// About how many keys were seen in the last one to two hours.
    #[must_use]
    pub fn keys(&self) -> f64 {
        let mut keys = self.keys.clone();
        keys.merge(&self.keys_before);
        keys.estimate()
    }
}

impl<K> Seen<K> {
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
    /// all others as devices that are alike. `None` if there is nothing to plan for.
    #[must_use]
    pub fn fleet(&self) -> Option<Fleet> {
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
        for (place, key) in hot.into_iter().enumerate() {
            let data_bytes = real(key.bytes) / real(key.records) - f64::from(key_bytes);
            classes.push(Class {
                name: format!("hot key {}", place + 1),
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

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// What is seen of a minute in which devices sent records of 300 bytes, key and data.
    fn seen(devices: u32, records_each: u32, hot: &[(&'static str, u32)]) -> Seen<String> {
        let mut traffic = Traffic::new(MINUTE, Duration::ZERO);
        let mut add = |name: &str, records| {
            for _ in 0..records {
                traffic.add(HashKey::of(name), &name.to_owned(), name.len(), 300 - name.len());
            }
        };
        hot.iter().for_each(|(name, records)| add(name, *records));
        for _ in 0..records_each {
            (0..devices).for_each(|device| add(&format!("device/{device:07}"), 1));
        }
        traffic.pass(MINUTE - Duration::from_millis(1));
        assert_eq!(traffic.seen(), None, "the window is not full");
        traffic.pass(MINUTE);
        assert_eq!(traffic.sizes().records(), traffic.seen().unwrap().sizes.records());
        traffic.seen().cloned().unwrap()
    }

    #[test]
    fn alike_devices_are_one_class_of_about_as_many() {
        let seen = seen(3_000, 6, &[]);
        let fleet = seen.fleet().unwrap();
        let [class] = fleet.classes() else { panic!("{:?}", fleet.classes()) };
        assert!((class.count() / 3_000.0 - 1.0).abs() < 0.05, "{class:?}");
        assert!((fleet.records_per_s() - 300.0).abs() < 0.01, "{}", fleet.records_per_s());
        assert!((fleet.bytes_per_s() / 90_000.0 - 1.0).abs() < 0.01, "{}", fleet.bytes_per_s());
        assert!((seen.flow().used() - 0.3).abs() < 1e-9);
    }

    #[test]
    fn a_key_that_loads_a_shard_noticeably_is_a_class_by_itself() {
        let seen = seen(1_000, 3, &[("pump", 30_000), ("quiet", 60)]);
        let fleet = seen.fleet().unwrap();
        let names: Vec<_> = fleet.classes().iter().map(|class| class.name.as_str()).collect();
        assert_eq!(names, ["devices", "hot key 1"]);
        assert!((seen.hottest_key_used() - 0.5).abs() < 1e-9);
        assert_eq!(seen.hottest[0].key, "pump");
        assert!((fleet.records_per_s() - 551.0).abs() < 0.1, "{}", fleet.records_per_s());
    }

    #[test]
    fn of_nothing_there_is_no_fleet() {
        assert!(seen(0, 0, &[]).fleet().is_none());
        assert_eq!(seen(0, 0, &[]).flow(), Flow::default());
    }

    #[test]
    fn keys_that_were_not_seen_for_two_hours_are_forgotten() {
        let mut traffic = Traffic::new(MINUTE, Duration::ZERO);
        traffic.add(HashKey::of("gone"), &"gone", 4, 1);
        for (hours, keys) in [(1, 1.0), (2, 0.0)] {
            traffic.pass(Duration::from_secs(hours * 3_600));
            assert!((traffic.keys() - keys).abs() < 0.01, "after {hours} h");
        }
    }
}
