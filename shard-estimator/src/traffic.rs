use std::mem;
use std::time::Duration;

use crate::{Arrivals, HashKey, HotKeys, KeyCount, SizeCounts};

/// Keys that are seen again within this are counted as devices, and those of the stretch before.
const KEYS_SEEN_WITHIN: Duration = Duration::from_secs(3_600);
/// Most keys that a fleet is told of one by one.
const HOT_IN_FLEET: usize = 10;

/// What there is to send, in bounded memory (about 40 KiB): how much, how large, of how many keys
/// and of which most.
///
/// Counted as it comes, before anything holds it back: what a stream is planned for is what there is
/// to send, not what it took. Time is the time since any moment, the same for all calls.
#[derive(Debug, Clone)]
pub struct Traffic<K> {
    /// Before the present window, like the bytes of keys.
    sizes: SizeCounts,
    key_bytes: u64,
    keys: KeyCount,
    keys_before: KeyCount,
    keys_since: Duration,
    window: Window<K>,
    /// How long a window is, and since when the present one lasts.
    window_lasts: Duration,
    window_since: Duration,
    /// Of the last window that was full.
    arrivals: Option<Arrivals<K>>,
}

/// What is counted at present.
#[derive(Debug, Clone)]
struct Window<K> {
    sizes: SizeCounts,
    key_bytes: u64,
    hot: HotKeys<K>,
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
            arrivals: None,
        }
    }

    /// Counts a record: its key, where that hashes to, and the bytes of both parts.
    pub fn add(&mut self, place: HashKey, key: &K, key_bytes: usize, data_bytes: usize) {
        let bytes = (key_bytes + data_bytes) as u64;
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
            self.sizes = self.sizes.plus(&sizes);
            self.key_bytes += key_bytes;
            let hottest = hot.hottest(HOT_IN_FLEET);
            hot.clear();
            self.arrivals = Some(Arrivals { lasted, sizes, key_bytes, hottest, keys });
            self.window_since = now;
        }
        if now.saturating_sub(self.keys_since) >= KEYS_SEEN_WITHIN {
            self.keys_before = mem::take(&mut self.keys);
            self.keys_since = now;
        }
    }

    /// The data of all records since the beginning.
    #[must_use]
    pub fn sizes(&self) -> SizeCounts {
        self.sizes.plus(&self.window.sizes)
    }

    /// Bytes of all their keys.
    #[must_use]
    pub fn key_bytes(&self) -> u64 {
        self.key_bytes + self.window.key_bytes
    }

    /// What came in the last window that was full.
    #[must_use]
    pub fn arrivals(&self) -> Option<&Arrivals<K>> {
        self.arrivals.as_ref()
    }

    /// About how many keys were seen in the last one to two hours.
    #[must_use]
    pub fn keys(&self) -> f64 {
        let mut keys = self.keys.clone();
        keys.merge(&self.keys_before);
        keys.estimate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Flow;

    const MINUTE: Duration = Duration::from_secs(60);

    /// What is seen of a minute in which devices sent records of 300 bytes, key and data.
    fn seen(devices: u32, records_each: u32, hot: &[(&'static str, u32)]) -> Arrivals<String> {
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
        assert_eq!(traffic.arrivals(), None, "the window is not full");
        traffic.pass(MINUTE);
        assert_eq!(traffic.sizes().records(), traffic.arrivals().unwrap().sizes.records());
        traffic.arrivals().cloned().unwrap()
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
