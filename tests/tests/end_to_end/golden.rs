//! Devices that are placed by their numbers: evenly, and each on one shard for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use tests::fleet::Load;
use tests::installation::Installation;
use tests::mosquitto::{self, Mosquitto};
use tests::moto::Moto;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{HashKey, HashRange, Link, Reshard, Settings, ShardId};
use tokio::time::sleep;

use super::world::{PROGRAM, World};

const SHARDS: u32 = 7;

/// Far from a multiple of the shards. Hashed, the fullest of them has about 25 devices too many.
const DEVICES: u64 = 2_000;

/// What a shard may have beyond its share.
const EXCESS_MAX: u64 = 3;

const NUMBERED: &str = "devices are placed by their numbers";

async fn world(shards: u32) -> World {
    let stream = Settings { shards, ..Settings::default() };
    World::with(mosquitto::Settings::patient(), stream)
        .await
        .set("stream.partitioning", "\"golden\"")
        .set("stream.shards", &shards.to_string())
}

/// The shards on which the stream has each device.
fn places(world: &World) -> BTreeMap<u64, BTreeSet<ShardId>> {
    let mut places: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for record in world.stream.records() {
        let Reading { device, .. } = Reading::of_record(&record.data).expect("of a reading");
        places.entry(device).or_default().insert(record.sequence_number.shard);
    }
    places
}

/// How many devices the fullest shard has. Each must be on one.
fn fullest(world: &World) -> u64 {
    let mut devices: BTreeMap<ShardId, u64> = BTreeMap::new();
    for (device, shards) in places(world) {
        assert_eq!(shards.len(), 1, "device {device} is on {shards:?}");
        shards.into_iter().for_each(|shard| *devices.entry(shard).or_default() += 1);
    }
    devices.into_values().max().unwrap_or_default()
}

#[tokio::test]
async fn device_stays_on_its_shard_through_kills_and_no_shard_has_many_more_than_others() {
    let world = world(SHARDS).await;
    world.begin_session().await;
    let load = Load { devices: DEVICES, ..Load::new(3 * DEVICES, 1_000) };
    let kills = async {
        // New devices come for two seconds: some are numbered when they are sent, some when they go
        // to the spool, and some by the next run.
        for round in 1..=6 {
            world.link(if round % 3 == 0 { Link::Refusing } else { Link::Up });
            let run = world.gateway.start().await;
            if round % 3 == 0 {
                // A group waits up to a second for more.
                sleep(Duration::from_millis(1_300)).await;
            } else {
                world.stored(world.stream.counts().records + 150).await;
            }
            run.kill().await;
        }
        world.link(Link::Up);
        world.gateway.start().await
    };
    let (published, run) = tokio::join!(load.publish(world.broker.port), kills);
    let comparison = world.all_arrive(&published).await;
    run.stop().await.books();

    assert_eq!((comparison.lost, comparison.unknown), (vec![], vec![]));
    assert_eq!(comparison.overtook, 0, "readings that overtook an earlier one of their device");
    let fullest = fullest(&world);
    assert!(fullest <= DEVICES / u64::from(SHARDS) + EXCESS_MAX, "{fullest}");
    let next = world.gateway.start().await;
    assert_eq!(next.field(NUMBERED, "numbered").await, DEVICES);
    next.stop().await.books();
}

#[tokio::test]
async fn shards_that_are_not_as_stated_are_told_once_and_move_no_device() {
    let world = world(4).await.set("stream.shards", "2");
    let run = world.gateway.start().await;
    let load = Load { devices: 100, ..Load::new(3_000, 1_000) };
    let published = load.publish(world.broker.port).await;
    assert_eq!(world.all_arrive(&published).await, Comparison::default());
    let fullest = fullest(&world);
    assert!(fullest <= 100 / 4 + EXCESS_MAX, "{fullest}");

    world.stream.reshard(Reshard::Split(ShardId(0))).expect("open");
    let more = Load { first_seq: 30, ..load }.publish(world.broker.port).await;
    let all: Vec<_> = published.into_iter().chain(more).collect();
    assert_eq!(world.all_arrive(&all).await, Comparison::default());
    let ended = run.stop().await;
    let told = ended.log.iter().filter(|line| line.contains("even on shards of equal ranges only"));
    assert_eq!(told.count(), 1);
    // The halves of the shard that was split have its devices between them, and nobody else moved.
    let mut halves = BTreeSet::new();
    for (device, shards) in places(&world) {
        match shards.into_iter().map(|ShardId(id)| id).collect::<Vec<_>>()[..] {
            [1..=3] => {}
            [0, half @ 4..=5] => _ = halves.insert(half),
            ref shards => panic!("device {device} is on {shards:?}"),
        }
    }
    assert_eq!(halves.len(), 2, "{halves:?}");
}

#[tokio::test]
async fn what_was_spooled_before_devices_had_numbers_is_delivered_in_order_with_what_follows() {
    let world = world(4).await.set("stream.partitioning", "\"md5\"");
    world.link(Link::Refusing);
    let run = world.gateway.start().await;
    let load = Load { devices: 200, ..Load::new(2_000, 1_000) };
    let published = load.publish(world.broker.port).await;
    assert!(run.stop().await.books().spooled > 0);

    let world = world.set("stream.partitioning", "\"golden\"");
    world.link(Link::Up);
    let run = world.gateway.start().await;
    let more = Load { first_seq: 10, ..load }.publish(world.broker.port).await;
    let all: Vec<_> = published.into_iter().chain(more).collect();
    assert_eq!(world.all_arrive(&all).await, Comparison::default());
    run.stop().await.books();
    let fullest = fullest(&world);
    assert!(fullest <= 200 / 4 + EXCESS_MAX, "{fullest}");
}

#[tokio::test]
async fn gateway_with_a_damaged_register_does_not_start_and_says_what_to_do() {
    let world = world(4).await;
    let run = world.gateway.start().await;
    let published = Load::new(100, 500).publish(world.broker.port).await;
    world.all_arrive(&published).await;
    run.stop().await.books();
    let path = world.gateway.dir().join("tidegate-state/golden.register");
    let intact = fs::read(&path).expect("made at the first start");
    let mut damaged = intact.clone();
    damaged[60] ^= 1;
    fs::write(&path, &damaged).expect("writable");

    let ended = world.gateway.launch().end().await;
    let log = ended.log.join("\n");
    assert_eq!(ended.code, Some(1), "{log}");
    assert!(log.contains("golden.register: damaged from byte"), "{log}");
    assert!(log.contains("or move it away"), "{log}");
    assert_eq!(fs::read(&path).expect("still there"), damaged, "nothing is changed");

    fs::write(&path, intact).expect("writable");
    let run = world.gateway.start().await;
    assert_eq!(run.field(NUMBERED, "numbered").await, 20);
    run.stop().await.books();
}

/// A stream that is not ours: it places devices where the arithmetic says, in the order of their
/// first readings.
#[tokio::test]
async fn moto_places_devices_by_their_numbers() {
    let broker = Mosquitto::start(mosquitto::Settings::default()).await;
    let moto = Moto::start(7).await;
    let gateway = Installation::new(PROGRAM, &broker.url(), &moto.endpoint())
        .set("stream.partitioning", "\"golden\"")
        .set("stream.shards", "7");
    let run = gateway.start().await;
    Load { devices: 200, ..Load::new(400, 400) }.publish(broker.port).await;
    let before = run.field(NUMBERED, "before").await.as_u64().expect("a number");
    let books = run.stop().await.books();
    let rest = gateway.start().await.stop().await.books();
    assert_eq!(books.delivered + rest.delivered, 400);

    let ranges = HashRange::equal(7);
    for (shard, records) in moto.shards().await.iter().enumerate() {
        assert!((2 * 28..=2 * 31).contains(&records.len()), "{} on {shard}", records.len());
        for record in records {
            let Reading { device, .. } = Reading::of_record(record).expect("of a reading");
            let number = u32::try_from(before + device + 1).expect("in range");
            assert!(ranges[shard].contains(HashKey::golden(number)), "device {device} on {shard}");
        }
    }
}
