use std::borrow::Cow;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn start() -> Moment {
    #[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
    Moment { instant: Instant::now(), epoch_ms: 1_700_000_000_000 }
}

fn after(start: Moment, ms: u64) -> Moment {
    let epoch_ms = start.epoch_ms + i64::try_from(ms).expect("a test's duration");
    Moment { instant: start.instant + Duration::from_millis(ms), epoch_ms }
}

fn entry(key: &str, bytes: u32) -> Entry<'_> {
    let hash_key = HashKey::of(key);
    Entry { partition_key: Cow::Borrowed(key), hash_key, data: Bytes::new(), bytes }
}

/// Places and stores one record.
fn put(shards: &mut Shards, key: &str, bytes: u32, now: Moment) -> Option<SequenceNumber> {
    let entry = entry(key, bytes);
    let shard = shards.place(entry.hash_key);
    shards.store_in(shard, &entry, now)
}

fn ids(shards: &Shards) -> Vec<u32> {
    shards.open().map(|(id, _)| id.0).collect()
}

#[test]
fn keys_go_to_the_shard_that_owns_their_md5() {
    let mut shards = Shards::new(4, 0, start().instant);
    // The first hexadecimal digits of their MD5 are 0, 4, 8 and e.
    for (key, shard) in [("a", 0), ("c", 1), ("d", 2), ("e", 3)] {
        let first_digit = HashKey::of(key).0 >> 124;
        assert_eq!(shards.place(HashKey::of(key)), ShardId(shard), "{key}: {first_digit:x}");
        assert_eq!(u32::try_from(first_digit / 4), Ok(shard), "{key}");
    }
}

#[test]
fn explicit_hash_keys_at_the_edges_of_ranges_go_to_their_owners() {
    let mut shards = Shards::new(3, 0, start().instant);
    for (id, range) in shards.open().collect::<Vec<_>>() {
        assert_eq!(shards.place(range.start), id);
        assert_eq!(shards.place(range.end), id);
    }
}

#[test]
fn a_stream_that_places_records_itself_ignores_keys_and_takes_turns() {
    let mut shards = Shards::new(3, 0, start().instant);
    shards.place_by(Placement::Auto);
    let mut placed: Vec<u32> = (0..6).map(|_| shards.place(HashKey::of("same")).0).collect();
    placed.sort_unstable();
    assert_eq!(placed, [0, 0, 1, 1, 2, 2]);
}

#[test]
fn an_exhausted_shard_refuses_while_its_neighbour_accepts() {
    let now = start();
    let mut shards = Shards::new(4, 0, now.instant);
    for _ in 0..SHARD_RECORDS_PER_SECOND {
        assert!(put(&mut shards, "a", 1, now).is_some());
    }
    assert_eq!(put(&mut shards, "a", 1, now), None);
    assert!(put(&mut shards, "e", 1, now).is_some());
}

#[test]
fn bytes_exhaust_a_shard_as_records_do() {
    let now = start();
    let mut shards = Shards::new(1, 0, now.instant);
    assert!(put(&mut shards, "a", SHARD_BYTES_PER_SECOND, now).is_some());
    assert_eq!(put(&mut shards, "a", 1, now), None);
    assert!(put(&mut shards, "a", 1, after(now, 1)).is_some());
}

#[test]
fn a_record_refused_for_its_bytes_costs_no_record() {
    let now = start();
    let mut shards = Shards::new(1, 0, now.instant);
    assert!(put(&mut shards, "a", SHARD_BYTES_PER_SECOND - 999, now).is_some());
    for _ in 0..1000 {
        assert_eq!(put(&mut shards, "a", 1000, now), None);
    }
    for _ in 0..999 {
        assert!(put(&mut shards, "a", 1, now).is_some());
    }
}

#[test]
fn nothing_is_refused_with_limits_off() {
    let now = start();
    let mut shards = Shards::new(1, 0, now.instant).with_limits(Limits::Off);
    assert!((0..5000).all(|_| put(&mut shards, "a", 1 << 20, now).is_some()));
}

proptest! {
    /// Safety for both quotas, over every window, and liveness: what a shard that had a second's
    /// rest refuses does not exist.
    #[test]
    fn no_window_of_a_second_takes_more_than_two_seconds_worth(
        puts in prop::collection::vec((0_u64..150, 1_u32..8, 1_u32..5_000), 1..60),
    ) {
        let start = start();
        let mut shards = Shards::new(1, 0, start.instant);
        let (mut accepted, mut now_ms) = (Vec::new(), 0);
        for (pause_ms, hundreds, bytes) in puts {
            now_ms += pause_ms;
            let now = after(start, now_ms);
            let count = (0..hundreds * 100).filter(|_| put(&mut shards, "a", bytes, now).is_some());
            accepted.push((now_ms, count.count() as u64, u64::from(bytes)));
        }
        for (n, &(from_ms, ..)) in accepted.iter().enumerate() {
            let window = accepted[n..].iter().take_while(|(at_ms, ..)| *at_ms < from_ms + 1000);
            let (records, bytes) = window
                .fold((0, 0), |(n, sum), (_, count, bytes)| (n + count, sum + count * bytes));
            prop_assert!(records <= 2 * u64::from(SHARD_RECORDS_PER_SECOND));
            prop_assert!(bytes <= 2 * u64::from(SHARD_BYTES_PER_SECOND));
        }
        let rested = after(start, now_ms + 1000);
        prop_assert!(put(&mut shards, "a", SHARD_BYTES_PER_SECOND, rested).is_some());
    }

    #[test]
    fn sequence_numbers_of_a_shard_grow_in_the_order_of_storing(
        keys in prop::collection::vec("[a-z]{1,3}", 1..200),
    ) {
        let now = start();
        let mut shards = Shards::new(3, 1000, now.instant);
        for key in &keys {
            prop_assert!(put(&mut shards, key, 1, now).is_some());
        }
        let kept = shards.store().records();
        prop_assert!(kept.iter().map(|record| &*record.partition_key).eq(keys.iter().map(|k| &**k)));
        for (id, _) in shards.open() {
            let of_shard = kept.iter().filter(|record| record.sequence_number.shard == id);
            let positions = of_shard.map(|record| record.sequence_number.position);
            prop_assert!(positions.eq(0..shards.shard(id).expect("open").next_position));
        }
    }
}

#[test]
fn the_store_forgets_the_oldest_and_reads_on_from_what_is_left() {
    let now = start();
    let mut shards = Shards::new(2, 10, now.instant);
    for n in 0..25 {
        assert!(put(&mut shards, if n % 5 == 0 { "a" } else { "e" }, 1, now).is_some());
    }
    let kept = shards.store().records();
    assert_eq!(kept.len(), 10);
    let read = |shard, position| {
        let records = shards.store().read(ShardId(shard), position);
        records.map(|record| record.sequence_number.position).collect::<Vec<_>>()
    };
    assert_eq!(read(0, 0), [3, 4]);
    assert_eq!(read(1, 0), [12, 13, 14, 15, 16, 17, 18, 19]);
    assert_eq!(read(1, 17), [17, 18, 19]);
    assert_eq!(read(1, 20), [0_u64; 0]);
}

#[test]
fn a_store_for_nothing_keeps_nothing() {
    let now = start();
    let mut shards = Shards::new(1, 0, now.instant);
    assert!(put(&mut shards, "a", 1, now).is_some());
    assert!(shards.store().records().is_empty());
}

#[test]
fn a_split_closes_the_parent_and_its_children_share_the_range() {
    let now = start();
    let mut shards = Shards::new(2, 10, now.instant);
    let before = put(&mut shards, "a", 1, now).expect("room");
    shards.reshard(Reshard::Split(ShardId(0)), now.instant).expect("open");
    assert_eq!(ids(&shards), [2, 3, 1]);
    let parents = |id| shards.shard(ShardId(id)).expect("there").parents;
    assert_eq!((parents(2), parents(3)), ([Some(ShardId(0)), None], [Some(ShardId(0)), None]));
    let then = put(&mut shards, "a", 1, now).expect("room");
    assert_eq!((before.shard, then.shard), (ShardId(0), ShardId(2)));
    assert!(then > before);
    assert_eq!(shards.store().read(ShardId(0), 0).count(), 1, "stays in the parent");
}

#[test]
fn a_merge_needs_neighbours_in_either_order() {
    let now = start().instant;
    let mut shards = Shards::new(3, 0, now);
    let apart = Reshard::Merge(ShardId(0), ShardId(2));
    assert_eq!(shards.reshard(apart, now), Err(Impossible(apart)));
    shards.reshard(Reshard::Merge(ShardId(2), ShardId(1)), now).expect("neighbours");
    assert_eq!(ids(&shards), [0, 3]);
    let merged = shards.shard(ShardId(3)).expect("there");
    assert_eq!(merged.parents, [Some(ShardId(1)), Some(ShardId(2))]);
    let closed = Reshard::Split(ShardId(1));
    assert_eq!(shards.reshard(closed, now), Err(Impossible(closed)));
}

#[test]
fn a_new_count_gives_equal_ranges_and_every_child_its_parents() {
    let now = start().instant;
    let mut shards = Shards::new(4, 0, now);
    shards.reshard(Reshard::Count(2), now).expect("always possible");
    let open: Vec<_> = shards.open().collect();
    assert_eq!(open.iter().map(|(_, range)| *range).collect::<Vec<_>>(), HashRange::equal(2));
    let parents = |id| shards.shard(ShardId(id)).expect("there").parents;
    assert_eq!(parents(4), [Some(ShardId(0)), Some(ShardId(1))]);
    assert_eq!(parents(5), [Some(ShardId(2)), Some(ShardId(3))]);
    shards.reshard(Reshard::Count(4), now).expect("always possible");
    assert_eq!(ids(&shards), [6, 7, 8, 9]);
}
