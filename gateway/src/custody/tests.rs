use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::config::{SpoolSync, Streams};

mod models;
mod world;

use world::World;

const MINIMAL: &str = r#"
[mqtt]
url = "mqtt://localhost"
client_id = "edge-1"
topics = ["t"]
[stream]
name = "telemetry"
region = "us-east-1"
"#;

const MS: Duration = Duration::from_millis(1);
const SHARDS: usize = 3;
/// What a gateway of so little memory would leave to what is not safe.
const ROOM_BYTES: usize = 128 << 10;
const NOTHING: Found = Found { next: Seq(1), oldest: Seq(1), unsettled: 0 };

fn config(mode: SpoolMode) -> Config {
    let mut config = Config::parse(MINIMAL).unwrap();
    config.spool.mode = mode;
    config
}

#[expect(clippy::disallowed_methods, reason = "where the made-up time begins")]
fn start() -> Instant {
    Instant::now()
}

/// Six keys in turn.
fn key(n: usize) -> u8 {
    u8::try_from(n % 6).unwrap()
}

fn shard_of(key: &PartitionKey) -> Stripe {
    Stripe(key.as_str().parse::<usize>().unwrap() % SHARDS)
}

#[test]
fn in_the_healthy_state_the_disk_is_asked_nothing() {
    let mut world = World::new(SpoolMode::Overflow);
    for n in 0..5_000_usize {
        world.receive(key(n));
        world.now += 5 * MS;
        world.turn();
        assert!(world.job.is_none());
        world.accept();
    }
    assert_eq!((world.delivered.len(), world.custody.exposed()), (5_000, 0));
}

#[test]
fn blocked_shard_goes_to_the_disk_and_the_others_do_not() {
    let mut world = World::new(SpoolMode::Overflow);
    world.blocked[1] = true;
    world.live(6_000);
    assert_eq!(world.delivered.len(), 4_000, "two shards of three go on");
    let shards: BTreeSet<_> =
        world.disk.entries.values().map(|entry| shard_of(&entry.key).0).collect();
    assert_eq!(shards, [1].into());
    assert!(world.custody.spooled() > 1_900, "the blocked shard's records are safe");
    let in_memory = world.custody.held.len();
    assert!(in_memory < 100, "{in_memory} records are in memory");
    world.recover();
    assert_eq!(world.delivered.len(), 6_000);
}

#[test]
fn direct_delivery_resumes_under_steady_traffic() {
    let mut world = World::new(SpoolMode::Overflow);
    world.open = false;
    world.live(3_000);
    assert!(world.custody.spooled() > 2_000);
    world.open = true;
    world.live(6_000);
    let written = world.disk.entries.len();
    world.live(6_000);
    assert_eq!(world.disk.entries.len(), written, "nothing more goes to the disk");
    assert_eq!(world.custody.spooled(), 0);
    for (key, numbers) in world.by_key() {
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
}

#[test]
fn low_rate_is_synced_once_a_second_and_an_exhausted_window_at_once() {
    let mut world = World::new(SpoolMode::Overflow);
    world.open = false;
    let mut groups = 0;
    for n in 0..1_000_usize {
        world.receive(key(n));
        world.now += 50 * MS;
        world.turn();
        groups += usize::from(world.job.as_ref().is_some_and(|job| !job.group.is_empty()));
        world.disk_answers();
    }
    assert!((45..=52).contains(&groups), "{groups} groups in 50 s");
    world.receive(1);
    world.custody.window_exhausted();
    world.turn();
    assert!(world.job.is_some_and(|job| !job.group.is_empty()));
}

#[test]
fn window_that_another_stream_exhausts_makes_nothing_late_that_comes_after() {
    let mut world = World::new(SpoolMode::Overflow);
    world.custody.window_exhausted();
    world.receive(1);
    world.now += 200 * MS;
    world.turn();
    assert!(world.job.is_none());
}

#[test]
fn each_group_is_synced_at_once_if_the_operator_says_so() {
    let mut config = config(SpoolMode::Always);
    config.spool.sync = SpoolSync::Immediate;
    let mut world = World::of(config);
    world.open = false;
    for n in 0..100 {
        world.receive(key(n));
        world.turn();
        assert!(world.job.as_ref().is_some_and(|job| job.group.len() == 1));
        world.disk_answers();
    }
}

#[test]
fn where_live_records_go_first_they_do_not_wait_for_the_backlog() {
    let mut config = config(SpoolMode::Overflow);
    config.spool.catch_up = CatchUp::LiveFirst;
    let mut world = World::of(config);
    world.open = false;
    world.live(3_000);
    world.open = true;
    let backlog = world.received;
    world.live(600);
    let live = world.delivered.iter().filter(|(_, number)| *number >= backlog).count();
    assert!(live > 500, "{live} of 600 live records were delivered at once");
    world.recover();
    assert_eq!(world.delivered.len(), 3_600, "and the backlog after all");
}

#[test]
fn what_a_full_spool_drops_again_and_again_does_not_fill_the_memory() {
    let mut world = World::new(SpoolMode::Overflow);
    world.blocked = [true; SHARDS];
    for n in 0..3_000 {
        world.receive(key(n));
        world.disk.full = n % 50 == 49;
        world.pass();
    }
    assert!(world.gone > 2_000);
    (0..200).for_each(|_| world.pass());
    assert!(world.custody.exposed_bytes() < ROOM_BYTES, "what went from the disk takes no room");
    let in_memory = world.custody.held.len();
    assert!(in_memory < 130, "{in_memory} records are in memory");
    let at_risk = world.custody.at_risk();
    let adrift = world.custody.take_adrift();
    assert!(adrift > 0, "some were in memory when they were dropped");
    assert_eq!(world.custody.exposed(), at_risk, "nobody waits for those");
}

#[test]
fn stream_that_says_nothing_overflows_as_a_whole_and_a_slow_shard_alone() {
    for silent in [true, false] {
        let mut world = World::new(SpoolMode::Overflow);
        world.blocked = [true, silent, silent];
        world.pass();
        world.receive(key(0));
        // Of the others something is answered, or there is nothing that could be late.
        (1..SHARDS).filter(|_| !silent).for_each(|n| world.receive(key(n)));
        (0..100).for_each(|_| world.pass());
        let overflowing = world.custody.stripes.overflowing();
        assert_eq!(overflowing, if silent { SHARDS } else { 1 });
    }
}

#[test]
fn group_is_written_before_it_holds_up_half_the_window() {
    let mut world = World::new(SpoolMode::Always);
    world.blocked = [true; SHARDS];
    world.receive(0);
    world.pass();
    assert_eq!(world.safe.len(), 0, "it waits for others");
    // They came for another stream.
    let half = config(SpoolMode::Always).mqtt.receive_maximum / 2;
    world.custody.received_up_to(Receipt { lane: 0, number: u64::from(half) - 1 });
    world.pass();
    assert_eq!(world.safe.len(), 0, "not yet");
    world.custody.received_up_to(Receipt { lane: 0, number: u64::from(half) });
    world.pass();
    assert_eq!(world.safe.len(), 1);
}

#[test]
fn group_of_one_of_several_streams_holds_up_the_others_for_a_moment_only() {
    let group_after = |mut config: Config| {
        config.spool.mode = SpoolMode::Overflow;
        let mut world = World::of(config);
        world.open = false;
        world.receive(0);
        while !world.custody.stripes.is_any_late() {
            world.pass();
        }
        (0..100).for_each(|_| world.pass());
        world.receive(0);
        let received_at = world.now;
        // Nobody says that the broker waits.
        while world.safe.len() < 2 {
            world.pass();
        }
        world.now - received_at
    };
    let alone = config(SpoolMode::Overflow);
    let mut several = alone.clone();
    several.streams =
        Streams::new(alone.streams.first().clone(), vec![alone.streams.first().clone()]);
    let (alone, several) = (group_after(alone), group_after(several));
    assert!(alone >= 900 * MS, "{alone:?}: flash memory wears");
    assert!(several <= 50 * MS, "{several:?}");
}

#[test]
fn blocked_shard_that_opens_brings_no_more_into_memory_than_its_part() {
    let mut world = World::new(SpoolMode::Overflow);
    world.blocked[1] = true;
    for _ in 0..600 {
        world.receive(1);
        world.receive(0);
        world.pass();
    }
    world.blocked[1] = false;
    for _ in 0..4_000 {
        world.now += 10 * MS;
        world.turn();
        let read = world.job.as_ref().map_or(0, |job| job.fetch.len());
        assert!(read <= 9, "{read} entries of 8 KB at once");
        world.disk_answers();
        world.accept();
    }
    assert_eq!(world.delivered.len(), 1_200);
}

#[test]
fn what_the_disk_lost_of_what_is_in_memory_is_written_again() {
    let mut world = World::new(SpoolMode::Always);
    world.blocked[1] = true;
    world.live(600);
    world.disk.bad = true;
    while world.disk.gone.is_empty() {
        world.live(600);
    }
    let at_risk = world.custody.at_risk();
    assert!(!world.disk.gone.is_empty() && at_risk > 0, "{at_risk}");
    world.stop();
    assert!(world.custody.spooled() >= at_risk as u64);
    assert_eq!(world.custody.take_adrift(), 0, "no rule dropped anything");
}

#[test]
fn what_the_disk_lost_of_what_is_in_memory_is_delivered_and_not_counted() {
    let mut world = World::new(SpoolMode::Always);
    world.blocked[1] = true;
    world.live(600);
    let on_disk = world.disk.unsettled().count();
    world.blocked[1] = false;
    world.disk.bad = true;
    world.recover();
    let (lost, delivered) = (world.disk.gone.len(), world.delivered.len());
    assert!(lost >= on_disk / 3 && world.gone < lost, "{} of {lost} of {on_disk}", world.gone);
    assert_eq!(delivered + world.gone, 600);
    assert_eq!((world.custody.exposed(), world.custody.spooled()), (0, 0));
}

#[test]
fn blocked_shard_that_opens_does_not_hold_the_reader_until_all_of_it_has_gone() {
    let mut world = World::new(SpoolMode::Overflow);
    world.custody.stripes.passed_max = 80;
    world.open = false;
    world.live(1_200);
    (world.open, world.blocked[1]) = (true, true);
    (0..1_000).for_each(|_| world.pass());
    let others = world.delivered.len();
    assert!(others < 400, "{others}: the list was never full");
    world.blocked[1] = false;
    let of_others = |world: &World| {
        world.delivered.iter().filter(|(key, _)| shard_of(&PartitionKey::new(key)).0 != 1).count()
    };
    while of_others(&world) == others {
        world.pass();
    }
    let first = world.delivered.len() - others;
    assert!(first < 40, "{first} records of the blocked shard went before any other");
}

#[test]
fn closed_stream_is_probed_with_something_from_the_disk_and_no_more_is_read() {
    let mut world = World::new(SpoolMode::Overflow);
    world.open = false;
    world.live(600);
    world.stop();
    let mut next = World::after(world.disk, world.received);
    next.open = false;
    (0..100).for_each(|_| next.pass());
    let in_memory = next.custody.held.len();
    assert!((1..10).contains(&in_memory), "{in_memory} records are in memory");
    next.recover();
    assert_eq!(next.delivered.len(), 600);
}
