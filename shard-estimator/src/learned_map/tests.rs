//! A map learned from a stream that is split, merged, counted anew, created anew, or that places
//! records itself.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

impl LearnedMap {
    /// The shard that `key` is thought to belong to.
    fn shard_of(&self, key: HashKey) -> Option<ShardId> {
        self.stretches.get(self.place_of(key)?).map(|stretch| stretch.shard)
    }
}

/// The truth: who owns which keys.
#[derive(Debug, Clone)]
struct Stream {
    /// The open shards by range, each with its first key.
    open: Vec<(HashKey, ShardId)>,
    next: u64,
}

impl Stream {
    /// Shards from 0 on whose ranges begin at these keys, and at the first of all.
    fn cut_at(borders: impl IntoIterator<Item = u128>) -> Self {
        let mut starts: Vec<_> = borders.into_iter().chain([0]).collect();
        starts.sort_unstable();
        starts.dedup();
        let open: Vec<_> = starts.into_iter().map(HashKey).zip((0..).map(ShardId)).collect();
        let next = open.len() as u64;
        Self { open, next }
    }

    fn equal(shards: u32) -> Self {
        let ranges = ShardRanges::equal(NonZeroU32::new(shards).expect("not zero"));
        Self::cut_at((0..shards).filter_map(|shard| ranges.range(shard)).map(|r| r.start().0))
    }

    fn number(&mut self) -> ShardId {
        self.next += 1;
        ShardId(self.next - 1)
    }

    /// Cuts the `nth` shard at `part` of 256 of its range.
    fn split(&mut self, nth: usize, part: u8) {
        let nth = nth % self.open.len();
        let start = self.open[nth].0.0;
        let end = self.open.get(nth + 1).map_or(u128::MAX, |next| next.0.0);
        let middle = start + (end - start) / 256 * u128::from(part.max(1));
        let children = [HashKey(start), HashKey(middle)].map(|key| (key, self.number()));
        self.open.splice(nth..=nth, children);
    }

    /// Joins the `nth` shard and the one behind it.
    fn merge(&mut self, nth: usize) {
        if self.open.len() > 1 {
            let nth = nth % (self.open.len() - 1);
            let child = (self.open[nth].0, self.number());
            self.open.splice(nth..nth + 2, [child]);
        }
    }

    /// Replaces all by so many with equal ranges.
    fn count(&mut self, shards: u32) {
        self.open = Self::equal(shards).open;
        for nth in 0..self.open.len() {
            self.open[nth].1 = self.number();
        }
    }

    fn shard_of(&self, key: HashKey) -> ShardId {
        self.open[self.open.partition_point(|(start, _)| *start <= key) - 1].1
    }
}

fn keys(seed: u64, count: usize) -> impl Iterator<Item = HashKey> {
    (0..count).map(move |n| HashKey::of(&format!("{seed}/devices/{n}")))
}

fn sighting(key: HashKey, shard: ShardId, now: Duration) -> Sighting {
    Sighting { key, shard, asked: now, heard: now }
}

fn show(map: &mut LearnedMap, stream: &Stream, key: HashKey, now: Duration) -> Lesson {
    map.note(sighting(key, stream.shard_of(key), now))
}

/// What part of all hash keys, which hardly any device has, the map places wrongly.
fn misplaced(map: &LearnedMap, stream: &Stream) -> f64 {
    const PROBES: u32 = 10_000;
    // Multiples of the golden ratio lie evenly, whatever the ranges.
    let probes = (0..PROBES).scan(0_u128, |key, _| {
        *key = key.wrapping_add(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        Some(HashKey(*key))
    });
    let wrong = probes.filter(|key| map.shard_of(*key) != Some(stream.shard_of(*key))).count();
    f64::from(u32::try_from(wrong).expect("few")) / f64::from(PROBES)
}

#[test]
fn nothing_is_known_at_first_and_one_record_is_a_guess_for_all() {
    let mut map = LearnedMap::new();
    assert_eq!(map.shard_of(HashKey(7)), None);
    assert_eq!(map.note(sighting(HashKey(7), ShardId(3), SECOND)), Lesson::Moved);
    assert_eq!(map.note(sighting(HashKey(7), ShardId(3), SECOND)), Lesson::Nothing);
    assert_eq!(map.shard_of(HashKey(u128::MAX)), Some(ShardId(3)));
}

#[test]
fn keys_between_two_of_a_shard_are_known_and_borders_are_round() {
    let mut map = LearnedMap::new();
    let quarter = 1 << 126;
    for (key, shard) in [(10, 0), (quarter - 1_000, 0), (quarter + 7, 1), (2 * quarter + 9, 2)] {
        map.note(sighting(HashKey(key), ShardId(shard), SECOND));
    }
    for (key, shard) in [(0, 0), (quarter - 1, 0), (quarter, 1), (2 * quarter - 1, 1)] {
        assert_eq!(map.shard_of(HashKey(key)), Some(ShardId(shard)), "{key}");
    }
    assert_eq!(map.shard_of(HashKey(2 * quarter)), Some(ShardId(2)));
    assert_eq!(map.shard_of(HashKey(u128::MAX)), Some(ShardId(2)));
}

#[test]
fn new_shard_replaces_only_the_one_in_whose_range_it_appears() {
    let mut stream = Stream::equal(4);
    let mut map = LearnedMap::new();
    for key in keys(1, 100) {
        show(&mut map, &stream, key, SECOND);
    }
    stream.split(1, 128);
    let moved = |key: &HashKey| stream.shard_of(*key) >= ShardId(4);
    let key = keys(1, 100).find(moved).expect("a quarter of them");
    assert_eq!(show(&mut map, &stream, key, 2 * SECOND), Lesson::Moved);
    let known: Vec<_> = map.shards().map(|(shard, _)| shard).collect();
    assert_eq!(known, [ShardId(0), stream.shard_of(key), ShardId(2), ShardId(3)]);
    for key in keys(1, 100).filter(|key| !moved(key)) {
        assert_eq!(map.shard_of(key), Some(stream.shard_of(key)), "of another shard");
    }
}

#[test]
fn late_answer_of_a_closed_shard_teaches_nothing() {
    let mut map = LearnedMap::new();
    let key = HashKey(1 << 100);
    map.note(sighting(key, ShardId(1), SECOND));
    map.note(sighting(key, ShardId(5), 3 * SECOND));
    let late = Sighting { asked: 2 * SECOND, ..sighting(key, ShardId(1), 4 * SECOND) };
    for _ in 0..3 {
        assert_eq!(map.note(late), Lesson::Nothing);
        assert_eq!(map.shard_of(key), Some(ShardId(5)));
    }
}

#[test]
fn stream_created_again_is_learned_again() {
    let before = {
        let mut stream = Stream::equal(4);
        stream.count(8);
        stream
    };
    let after = Stream::equal(5);
    let mut map = LearnedMap::new();
    for key in keys(1, 400) {
        show(&mut map, &before, key, SECOND);
    }
    let lessons: Vec<_> = keys(1, 400).map(|key| show(&mut map, &after, key, 9 * SECOND)).collect();
    assert_eq!(lessons.iter().filter(|lesson| **lesson == Lesson::StartedOver).count(), 1);
    assert!(!map.is_whole());
    for key in keys(1, 400) {
        assert_eq!(map.shard_of(key), Some(after.shard_of(key)));
    }
}

#[test]
fn key_that_returns_to_an_earlier_shard_twice_means_that_the_stream_places_records() {
    let (a, b) = (ShardId(0), ShardId(1));
    let key = HashKey(1 << 127);
    let mut map = LearnedMap::new();
    let lessons = [a, b, a, b, a].map(|shard| map.note(sighting(key, shard, SECOND)));
    let (moved, over) = (Lesson::Moved, Lesson::StartedOver);
    assert_eq!(lessons, [moved, moved, over, moved, Lesson::PlacesItself]);
    assert!(map.is_whole());
    assert_eq!(map.shard_of(key), None);
    assert_eq!(map.note(sighting(key, b, 2 * SECOND)), Lesson::Nothing, "it stays whole");
    assert_eq!(map.list([(b, HashKey(0)..=HashKey(u128::MAX))], 3 * SECOND), Lesson::Nothing);
}

#[test]
fn two_contradictions_far_apart_are_two_new_streams() {
    let key = HashKey(1 << 127);
    let mut map = LearnedMap::new();
    for (seconds, shard, lesson) in
        [(0, 9, Lesson::Moved), (1, 3, Lesson::StartedOver), (62, 1, Lesson::StartedOver)]
    {
        let now = Duration::from_secs(seconds);
        assert_eq!(map.note(sighting(key, ShardId(shard), now)), lesson, "{seconds}");
        assert_eq!(map.shard_of(key), Some(ShardId(shard)));
    }
}

#[test]
fn list_is_taken_over_and_learned_on() {
    let mut stream = Stream::equal(4);
    let mut map = LearnedMap::new();
    let ranges = ShardRanges::equal(NonZeroU32::new(4).expect("not zero"));
    let list = || (0..4).filter_map(|n| Some((ShardId(n.into()), ranges.range(n)?))).rev();
    assert_eq!(map.list(list(), SECOND), Lesson::Moved);
    assert!(misplaced(&map, &stream) == 0.0);
    stream.split(2, 128);
    for key in keys(1, 50) {
        show(&mut map, &stream, key, 2 * SECOND);
    }
    assert!(misplaced(&map, &stream) == 0.0, "halves are round");
    assert_eq!(map.list(list(), 3 * SECOND), Lesson::Nothing, "it lacks shards that are known");
    assert!(misplaced(&map, &stream) == 0.0);
    let overlapping = vec![(ShardId(8), 0, 5), (ShardId(9), 5, 9)];
    for none in [vec![], vec![(ShardId(9), 5, 2)], overlapping] {
        let none = none.into_iter().map(|(id, first, last)| (id, HashKey(first)..=HashKey(last)));
        assert_eq!(map.list(none, SECOND), Lesson::Nothing);
    }
}

#[test]
fn stated_ranges_are_contradicted_by_another_number_of_shards_only() {
    let stated = ShardRanges::equal(NonZeroU32::new(4).expect("not zero"));
    for (shards, contradicted) in [(4, false), (1, true), (2, true), (3, true), (8, true)] {
        let mut stream = Stream::equal(1);
        stream.count(shards);
        let mut map = LearnedMap::new();
        let found = keys(1, 100).any(|key| {
            show(&mut map, &stream, key, SECOND);
            map.contradicts(&stated, key)
        });
        assert_eq!(found, contradicted, "{shards}");
    }
}

#[test]
fn more_shards_than_a_stream_can_have_are_not_told_apart() {
    let mut map = LearnedMap::new();
    for n in 0..u64::from(SHARDS_MAX) + 100 {
        map.note(sighting(HashKey(u128::from(n) * 1_000), ShardId(n), SECOND));
    }
    assert_eq!(map.shards().len(), SHARDS);
}

/// Chance that is the same each time (SplitMix64).
fn chance(n: u64, seed: u64) -> u64 {
    let mut z = n.wrapping_mul(seed * 2 + 1).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Steady traffic whose answers overtake each other.
#[test]
fn five_seconds_after_a_reshard_the_map_is_right() {
    for seed in 0..32 {
        let mut stream = Stream::equal(4);
        let mut map = LearnedMap::new();
        let devices: Vec<_> = keys(seed, 400).collect();
        let ms = Duration::from_millis;
        // Each device speaks every 4 s; its answer is heard after 20 to 900 ms.
        let mut answers: Vec<_> = (0..15_000)
            .step_by(10)
            .map(|at| {
                if at == 10_000 {
                    stream.count(8);
                }
                let key = devices[(at / 10) % 400];
                let heard = at as u64 + 20 + chance(at as u64, seed) % 880;
                let shard = stream.shard_of(key);
                Sighting { key, shard, asked: ms(at as u64), heard: ms(heard) }
            })
            .filter(|answer| answer.heard < ms(15_000))
            .collect();
        answers.sort_by_key(|answer| answer.heard);
        for answer in &answers {
            assert!(
                !matches!(map.note(*answer), Lesson::StartedOver | Lesson::PlacesItself),
                "{answer:?}"
            );
        }
        for key in &devices {
            assert_eq!(map.shard_of(*key), Some(stream.shard_of(*key)));
        }
        assert!(misplaced(&map, &stream) < 0.01, "{}", misplaced(&map, &stream));
        assert_eq!(map.shards().len(), 8);
    }
}

#[test]
fn seen_keys_are_right_and_unseen_ones_nearly_after_a_split_and_a_merge() {
    const STREAMS: u32 = 256;
    let mut sum = 0.0;
    for seed in 0..STREAMS.into() {
        let any = |n| chance(n, seed);
        let border = |n| u128::from(any(n)) << 64 | u128::from(any(n + 10));
        let mut stream = Stream::cut_at((0..1 + any(20) % 4).map(border));
        let chosen = |n| usize::try_from(any(n) % 8).expect("few");
        let part = u8::try_from(any(22) % 256).expect("below 256");
        let mut map = LearnedMap::new();
        let devices: Vec<_> = keys(seed, 400).collect();
        for round in 0..3_u32 {
            match round {
                1 => stream.split(chosen(21), part),
                2 => stream.merge(chosen(23)),
                _ => {}
            }
            for (n, key) in devices.iter().enumerate() {
                let lesson = show(&mut map, &stream, *key, (round + 1) * SECOND);
                assert!(!matches!(lesson, Lesson::StartedOver | Lesson::PlacesItself));
                let right = |key: &HashKey| map.shard_of(*key) == Some(stream.shard_of(*key));
                assert!(n % 50 > 0 || devices[..=n].iter().all(right));
            }
        }
        let misplaced = misplaced(&map, &stream);
        assert!(misplaced <= 0.03, "{misplaced} of stream {seed}");
        sum += misplaced;
    }
    assert!(sum / f64::from(STREAMS) <= 0.01, "{sum}");
}

#[test]
fn shards_are_others_only_when_one_is_heard_of_first() {
    let stream = Stream::equal(64);
    let mut map = LearnedMap::new();
    let lessons: Vec<_> = keys(1, 4_000).map(|key| show(&mut map, &stream, key, SECOND)).collect();
    let count = |lesson| lessons.iter().filter(|other| **other == lesson).count();
    assert_eq!(count(Lesson::Moved), 64);
    assert!(count(Lesson::Grew) > 64 && count(Lesson::Nothing) > 3_000, "{}", count(Lesson::Grew));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Round streams, as they are in practice, have round borders: those are found at once.
    #[test]
    fn halves_of_halves_are_known_exactly(
        seed: u64,
        changes in prop::collection::vec((0_usize..8, any::<bool>()), 0..6),
    ) {
        let mut stream = Stream::equal(4);
        for (nth, split) in changes {
            if split { stream.split(nth, 128) } else { stream.merge(nth) }
        }
        let mut map = LearnedMap::new();
        for key in keys(seed, 2_000) {
            show(&mut map, &stream, key, SECOND);
        }
        let open = stream.open.len();
        // Of so many keys none may lie in a shard that was split seven times over.
        prop_assume!(map.shards().len() == open);
        prop_assert!(misplaced(&map, &stream) <= 0.002, "{}", misplaced(&map, &stream));
    }

    /// Whatever is heard, whenever: no panic, no more shards than were heard of, none twice, and
    /// the shard just heard of is the shard of its key, unless that was too late.
    #[test]
    fn any_sequence_leaves_a_map_in_order(
        heard in prop::collection::vec((0..40_u128, 0..12_u64, 0..9_u64, 0..9_u64), 0..300),
        spread in prop_oneof![Just(1), Just(u128::MAX / 40), Just(u128::MAX / 3)],
    ) {
        let mut map = LearnedMap::new();
        for (key, shard, asked, at) in heard {
            let key = HashKey(key.wrapping_mul(spread));
            let (asked, heard) = (Duration::from_secs(asked), Duration::from_secs(at));
            let before: Vec<_> = map.shards().map(|(shard, _)| shard).collect();
            let lesson = map.note(Sighting { key, shard: ShardId(shard), asked, heard });
            let same = before.into_iter().eq(map.shards().map(|(shard, _)| shard));
            prop_assert!(same || !matches!(lesson, Lesson::Nothing | Lesson::Grew), "{lesson:?}");
            prop_assert!(!same || lesson != Lesson::Moved, "{lesson:?}");
            if matches!(lesson, Lesson::Grew | Lesson::Moved | Lesson::StartedOver) {
                prop_assert_eq!(map.shard_of(key), Some(ShardId(shard)));
            }
            prop_assert_eq!(map.is_whole(), map.shards().next().is_none());
            for (shard, first) in map.shards() {
                prop_assert_eq!(map.shard_of(first), Some(shard));
                let before = first.0.checked_sub(1).map(HashKey);
                prop_assert!(before.is_none_or(|key| map.shard_of(key) != Some(shard)));
            }
            let mut shards: Vec<_> = map.shards().map(|(shard, _)| shard).collect();
            shards.sort_unstable();
            prop_assert!(shards.windows(2).all(|two| two[0] < two[1]), "{:?}", shards);
            let ordered = map.stretches.iter().all(|stretch| stretch.first <= stretch.last)
                && map.stretches.windows(2).all(|two| two[0].last < two[1].first);
            prop_assert!(ordered, "{:?}", map);
            for Stretch { first, last, shard, .. } in &map.stretches {
                let edges = [first, last].map(|key| map.shard_of(*key));
                prop_assert_eq!(edges, [Some(*shard); 2]);
            }
        }
    }
}
