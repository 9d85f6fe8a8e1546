use std::collections::HashMap;

use crate::HashKey;
use crate::limits::{SHARD_BYTES_PER_S, SHARD_RECORDS_PER_S};

/// No key that makes up more than one part of so many is missed.
pub const HOT_KEYS: usize = 128;

/// Bytes that a record costs its shard at least: where records are small, their number is what
/// counts.
const RECORD_COST: u64 = (SHARD_BYTES_PER_S / SHARD_RECORDS_PER_S) as u64 + 1;

/// Which keys load their shards most, found in bounded memory: at most `2 ×` [`HOT_KEYS`] are held.
///
/// What a record costs is the larger of its bytes and a thousandth of a shard's second. A key whose
/// cost is more than 1 ÷ [`HOT_KEYS`] of all is always held, and what is known of a key is never too
/// much, and too little by at most that part: when the counters run out, the median of them is taken
/// off all, so that at least [`HOT_KEYS`] counters lose that much together with the total (Misra and
/// Gries 1982; with the median, so that it costs little for each record, Anderson et al. 2017).
#[derive(Debug, Clone)]
pub struct HotKeys<K> {
    counters: HashMap<HashKey, Counter<K>>,
}

#[derive(Debug, Clone)]
struct Counter<K> {
    /// From its second record on: to name each of many that come once would cost more than counting.
    key: Option<K>,
    /// What is left of its cost.
    cost: u64,
    records: u64,
    bytes: u64,
}

/// A key that loads its shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotKey<K> {
    /// Its name.
    pub key: K,
    /// Its records, at least.
    pub records: u64,
    /// Their bytes, data and keys, at least.
    pub bytes: u64,
}

impl<K: Clone> HotKeys<K> {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self { counters: HashMap::with_capacity(2 * HOT_KEYS + 1) }
    }

    /// Counts a record of `bytes`, data and key, of the key `key` that hashes to `place`.
    pub fn add(&mut self, place: HashKey, key: &K, bytes: u64) {
        let counter = self.counters.entry(place).or_insert(Counter {
            key: None,
            cost: 0,
            records: 0,
            bytes: 0,
        });
        if counter.records == 1 {
            counter.key = Some(key.clone());
        }
        counter.cost += cost(bytes);
        counter.records += 1;
        counter.bytes += bytes;
        if self.counters.len() > 2 * HOT_KEYS {
            self.make_room();
        }
    }

    /// The keys that cost most, the dearest first, at most `most`, and none that came only once.
    #[must_use]
    pub fn hottest(&self, most: usize) -> Vec<HotKey<K>> {
        let mut counters: Vec<_> = self.counters.iter().collect();
        counters.sort_unstable_by(|(a, one), (b, other)| (other.cost, b).cmp(&(one.cost, a)));
        let hot = |(_, counter): (_, &Counter<K>)| {
            let Counter { key, records, bytes, .. } = counter.clone();
            Some(HotKey { key: key?, records, bytes })
        };
        counters.into_iter().filter_map(hot).take(most).collect()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.counters.clear();
    }

    fn make_room(&mut self) {
        let mut costs: Vec<_> = self.counters.values().map(|counter| counter.cost).collect();
        let (_, median, _) = costs.select_nth_unstable(HOT_KEYS);
        let median = *median;
        self.counters.retain(|_, counter| {
            counter.cost = counter.cost.saturating_sub(median);
            counter.cost > 0
        });
    }
}

impl<K: Clone> Default for HotKeys<K> {
    fn default() -> Self {
        Self::new()
    }
}

fn cost(bytes: u64) -> u64 {
    bytes.max(RECORD_COST)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const PARTS: u64 = HOT_KEYS as u64;

    /// Holds what is known of `records`, keys and bytes, against the truth.
    fn check(records: &[(u32, u64)]) {
        let mut known = HotKeys::new();
        let mut truth: BTreeMap<u32, (u64, u64, u64)> = BTreeMap::new();
        for (key, bytes) in records {
            known.add(HashKey::of(&key.to_string()), key, *bytes);
            let counted = truth.entry(*key).or_default();
            *counted = (counted.0 + cost(*bytes), counted.1 + 1, counted.2 + bytes);
            assert!(known.counters.len() <= 2 * HOT_KEYS);
        }
        let total: u64 = truth.values().map(|(cost, ..)| cost).sum();
        let taken = total - known.counters.values().map(|counter| counter.cost).sum::<u64>();
        for (key, (cost, records, bytes)) in truth {
            let counter = known.counters.get(&HashKey::of(&key.to_string()));
            let left = counter.map_or(0, |counter| counter.cost);
            assert!(left <= cost && (cost - left) * PARTS <= taken, "{key}: {left} of {cost}");
            assert!(cost * PARTS <= total || counter.is_some(), "{key} is missed");
            if let Some(counter) = counter {
                assert!(counter.records <= records && counter.bytes <= bytes, "{counter:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn no_heavy_key_is_missed_and_none_is_charged_too_much(
            seed in any::<u64>(),
            keys in 1_u32..3_000,
            hot in 0_u32..20,
        ) {
            let mut dice = fastrand::Rng::with_seed(seed);
            let record = |_| {
                let of = if hot > 0 && dice.u8(..) < 40 { dice.u32(..hot) } else { dice.u32(..keys) };
                (of, dice.u64(1..20_000) / (1 + dice.u64(..40)))
            };
            check(&(0..8_000).map(record).collect::<Vec<_>>());
        }
    }

    #[test]
    fn few_keys_are_counted_exactly_and_the_dearest_comes_first() {
        let mut known = HotKeys::new();
        for (key, records, bytes) in [("many", 300, 100), ("large", 30, 20_000), ("idle", 1, 100)] {
            for _ in 0..records {
                known.add(HashKey::of(key), &key, bytes);
            }
        }
        let hot = |key, records, bytes| HotKey { key, records, bytes };
        let two = [hot("large", 30, 600_000), hot("many", 300, 30_000)];
        assert_eq!(known.hottest(1), two[..1]);
        assert_eq!(known.hottest(9), two, "what came once is no hot key");
        known.clear();
        assert_eq!(known.hottest(2), []);
    }
}
