//! The stream, or one shard of it, is away for a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tests::effort::ordinary_or_long;
use tests::fleet::Load;
use tests::mosquitto::Settings;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{self, Link, ShardId};
use tokio::time::sleep;

use super::world::World;

/// What a process needs beside what it holds: buffers of the connections, what is settled, pages of
/// the program that are touched in an outage only, what the allocator cannot give back.
const RSS_BESIDE_MAX: u64 = 16 << 20;

/// The default of `memory_bytes_max`.
const MEMORY_BYTES_MAX: u64 = 48 << 20;

/// Pads a reading to about a kilobyte.
const KILOBYTE: usize = 950;

#[tokio::test]
async fn outage_fills_the_spool_and_not_the_memory_and_ends_with_direct_delivery() {
    let (away_s, per_second) = ordinary_or_long((15, 1_000), (60, 2_000));
    // With room to catch up.
    let stream = stream::Settings { shards: 8, ..stream::Settings::default() };
    let world = World::with(Settings::patient(), stream).await;
    let world = world.set("stream.shards", "8").set("pace.instances", "1");
    let run = world.gateway.start().await;
    // The unoptimised program itself.
    let rss_at_start = run.rss_peak_bytes();
    // So many that every shard has its part.
    let load = Load {
        devices: 400,
        padding: KILOBYTE,
        ..Load::new((away_s + 3) * per_second, per_second)
    };
    let outage = async {
        world.stored(per_second).await;
        world.link(Link::Refusing);
        sleep(Duration::from_secs(away_s)).await;
        world.link(Link::Up);
    };
    let (published, ()) = tokio::join!(load.publish(world.broker.port), outage);
    let comparison = world.all_arrive(&published).await;
    let grown = run.rss_peak_bytes() - rss_at_start;
    assert_eq!((comparison.lost, comparison.unknown, comparison.overtook), (vec![], vec![], 0));
    let counts = world.stream.counts();
    assert!(comparison.duplicated as u64 <= counts.records_unanswered);
    let throttled = counts.records_throttled;
    assert!(throttled * 200 <= load.readings, "{throttled} throttled: it drained above the pace");
    assert!(grown <= MEMORY_BYTES_MAX + RSS_BESIDE_MAX, "{} KiB more", grown >> 10);

    // A shard is trusted again when it was in time for a while, so something must flow to each.
    let flow = Load { first_seq: load.readings, readings: 1_000, per_second: 100, ..load };
    let (_, ()) =
        tokio::join!(flow.publish(world.broker.port), run.says("nothing goes to the spool"));
    let before = world.gateway.spool_files();
    let flow = Load { first_seq: 2 * load.readings, per_second: 500, ..flow };
    flow.publish(world.broker.port).await;
    world.stored(load.readings + 2_000).await;
    assert_eq!(world.gateway.spool_files(), before, "written to under steady traffic");
    let books = run.stop().await.books();
    assert_eq!((books.received, books.delivered), (load.readings + 2_000, load.readings + 2_000));
}

#[tokio::test]
async fn healthy_stream_leaves_the_spool_untouched() {
    let world = World::new().await;
    let run = world.gateway.start().await;
    let before = world.gateway.spool_files();
    let published = Load::new(3_000, 500).publish(world.broker.port).await;
    world.all_arrive(&published).await;
    let after = world.gateway.spool_files();
    let late = run.times_said("records go to the spool");
    run.stop().await.books();
    assert_eq!((late, after), (0, before));
}

/// How long after it was due each reading was stored, over the best of all. `due` says when.
fn delays(world: &World, due: impl Fn(Reading) -> Duration) -> HashMap<ShardId, Vec<Duration>> {
    let stored: Vec<_> = world
        .stream
        .records()
        .into_iter()
        .map(|record| {
            let reading = Reading::of_record(&record.data).expect("a record of a reading");
            (record.sequence_number.shard, record.arrival.instant, due(reading))
        })
        .collect();
    let start = stored.iter().filter_map(|(_, at, due)| at.checked_sub(*due)).min();
    let start: Instant = start.expect("something was stored");
    let mut delays: HashMap<_, Vec<_>> = HashMap::new();
    for (shard, at, due) in stored {
        delays.entry(shard).or_default().push(at - (start + due));
    }
    delays
}

fn p99(mut delays: Vec<Duration>) -> Duration {
    delays.sort_unstable();
    *delays.get(delays.len() * 99 / 100).expect("there are some")
}

/// What the best reading waits for, too, is not seen; what a refused neighbour costs would be: the
/// throttled shard waits for ten times as long.
const OTHERS_P99_MAX: Duration = Duration::from_millis(500);

#[tokio::test]
async fn throttled_shard_delays_no_other_and_catches_up_in_order() {
    let throttled_s = ordinary_or_long(8, 60);
    // More is held back than goes into the memory: the spool is read past what must wait.
    let world = World::new().await.with_little_memory().set("pace.instances", "1");
    let run = world.gateway.start().await;
    let load = Load { devices: 400, padding: 3_000, ..Load::new((throttled_s + 4) * 500, 500) };
    let trouble = async {
        world.stored(1_000).await;
        world.stream.faults(|faults| faults.throttled_shards = vec![ShardId(0)]);
        sleep(Duration::from_secs(throttled_s)).await;
        world.stream.faults(|faults| faults.throttled_shards.clear());
    };
    let (published, ()) = tokio::join!(load.publish(world.broker.port), trouble);
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();
    let Comparison { lost, duplicated, overtook, unknown } = comparison;
    assert_eq!((lost, duplicated, unknown), (vec![], 0, vec![]));
    assert_eq!(u64::try_from(overtook), Ok(books.reordered));

    let every = Duration::from_secs(1) / 500;
    let due = |Reading { device, seq }: Reading| {
        every * u32::try_from(seq * load.devices + device).expect("few")
    };
    let mut delays = delays(&world, due);
    let blocked = p99(delays.remove(&ShardId(0)).expect("some devices are there"));
    let others = p99(delays.into_values().flatten().collect());
    assert!(blocked > Duration::from_secs(throttled_s / 2), "the fault did not work: {blocked:?}");
    assert!(others <= OTHERS_P99_MAX, "p99 {others:?}");
}

#[tokio::test]
async fn shard_throttled_after_an_outage_holds_back_only_its_own_part_of_the_spool() {
    let world = World::new().await.with_little_memory().set("pace.instances", "1");
    let run = world.gateway.start().await;
    world.link(Link::Refusing);
    let load = Load { devices: 400, padding: 3_000, ..Load::new(1_600, 500) };
    let published = load.publish(world.broker.port).await;
    world.stream.faults(|faults| faults.throttled_shards = vec![ShardId(0)]);
    world.link(Link::Up);
    // The three others have some 1,200.
    world.stored(1_000).await;
    world.stream.faults(|faults| faults.throttled_shards.clear());
    let Comparison { lost, overtook, unknown, .. } = world.all_arrive(&published).await;
    let books = run.stop().await.books();
    assert_eq!((lost, unknown, books.delivered), (vec![], vec![], load.readings));
    assert_eq!(u64::try_from(overtook), Ok(books.reordered));
}
