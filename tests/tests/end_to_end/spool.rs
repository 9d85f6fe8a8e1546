//! The spool's ceiling, stops with records in it, and what it answers for when the broker does not.

use std::time::Duration;

use tests::fleet::Load;
use tests::installation::{Ended, Run};
use tests::mosquitto::Settings;
use tests::patience::until;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{self, Link};
use tokio::time::{sleep, timeout};

use super::world::World;

/// Far above what a stop takes that waits for nobody, and far below `drain_s_max`.
const PROMPT: Duration = Duration::from_secs(5);

/// A broker that says what is acknowledged, and a stream that is away.
async fn without_stream() -> World {
    let world = World::with(Settings::talkative(), stream::Settings::default())
        .await
        .set("stream.backoff_ms_max", "500")
        .set("drain_s_max", "60");
    world.link(Link::Refusing);
    world
}

async fn stopped_promptly(run: Run) -> Ended {
    timeout(PROMPT, run.stop()).await.expect("a stop that waits for nobody")
}

/// Of 25 MB, more than the least ceiling.
const LARGE: Load =
    Load { devices: 20, readings: 2_500, per_second: 500, first_seq: 0, padding: 10_000 };

/// The least ceiling, in bytes.
const CEILING: u64 = 16 << 20;

async fn with_the_least_ceiling(when_full: &str) -> World {
    let world = without_stream().await.set("spool.bytes_max", "\"16 MiB\"");
    world.set("spool.when_full", &format!("{when_full:?}"))
}

fn spool_bytes(world: &World) -> u64 {
    world.gateway.spool_files().values().map(|(bytes, _)| bytes).sum()
}

#[tokio::test]
async fn full_spool_makes_the_broker_wait_and_loses_nothing() {
    let world = with_the_least_ceiling("wait").await.set("mqtt.keep_alive_s", "5");
    let run = world.gateway.start().await;
    let published = LARGE.publish(world.broker.port).await;
    run.says("spool.bytes_max is reached").await;
    let acknowledged = world.broker.acknowledged_by("edge-1");
    // Longer than the broker keeps a client that does not ping.
    sleep(Duration::from_secs(9)).await;
    assert_eq!(world.broker.acknowledged_by("edge-1"), acknowledged);
    assert!((1_300..1_700).contains(&acknowledged), "{acknowledged}");
    assert!(spool_bytes(&world) <= CEILING, "{}", spool_bytes(&world));
    let told =
        ["broker connected", "spool.bytes_max is reached"].map(|words| run.times_said(words));
    assert_eq!(told, [1, 1]);

    world.link(Link::Up);
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();
    assert_eq!(comparison, Comparison::default());
    assert_eq!((books.received, books.delivered), (LARGE.readings, LARGE.readings));
}

#[tokio::test]
async fn full_spool_drops_the_oldest_and_counts_them_if_the_operator_says_so() {
    // What is in memory as well is not dropped.
    let world = with_the_least_ceiling("drop_oldest").await.with_little_memory();
    let run = world.gateway.start().await;
    let published = LARGE.publish(world.broker.port).await;
    until("all are acknowledged", || world.broker.acknowledged_by("edge-1") == published.len())
        .await;
    assert!(spool_bytes(&world) <= CEILING, "{}", spool_bytes(&world));

    world.link(Link::Up);
    run.says("the spool is empty").await;
    let books = run.stop().await.books();
    let Comparison { lost, duplicated, overtook, unknown } =
        Comparison::of(&published, &world.arrived());
    assert_eq!((duplicated, overtook, unknown), (0, 0, vec![]));
    assert_eq!((books.received, books.spooled), (LARGE.readings, 0));
    assert_eq!(u64::try_from(lost.len()), Ok(books.dropped));
    assert!((500..1_300).contains(&lost.len()), "{}", lost.len());
    assert!(lost.iter().all(|reading| published[..1_300].contains(reading)), "not the oldest");
}

#[tokio::test]
async fn spool_that_shrinks_because_the_oldest_are_dropped_is_not_said_to_drain() {
    let world = with_the_least_ceiling("drop_oldest").await.with_little_memory();
    let run = world.gateway.start().await;
    Load::new(4_000, 1_000).publish(world.broker.port).await;
    run.says("the spool does not drain").await;
    // Fewer than those for which they make the spool drop.
    LARGE.publish(world.broker.port).await;
    let status = world.gateway.ask(&["spool", "status", "--json"]).await.text;
    for words in ["\"may_have_dropped\":true", "\"empty_in_s\":null"] {
        assert!(status.contains(words), "{status}");
    }
    run.says_times("the spool does not drain", 2).await;
    assert_eq!(run.times_said("the spool drains"), 0);
    run.stop().await;
}

#[tokio::test]
async fn gateway_stopped_while_the_stream_is_away_leaves_promptly_and_delivers_once_next_time() {
    let world = without_stream().await;
    let run = world.gateway.start().await;
    let published = Load::new(500, 1_000).publish(world.broker.port).await;
    let books = stopped_promptly(run).await.books();
    assert_eq!((books.received, books.spooled, books.delivered), (500, 500, 0));
    until("all are acknowledged", || world.broker.acknowledged_by("edge-1") == 500).await;

    world.link(Link::Up);
    let run = world.gateway.start().await;
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();
    assert_eq!((books.recovered, books.received, books.delivered), (500, 0, 500));
    assert_eq!(comparison, Comparison::default());
}

#[tokio::test]
async fn gateway_stopped_in_mid_drain_leaves_promptly_and_repeats_nothing() {
    let world = without_stream().await.set("pace.mode", "\"shards\"");
    let mut books = Vec::new();
    let run = world.gateway.start().await;
    let mut published = Load::new(4_000, 1_000).publish(world.broker.port).await;
    books.push(stopped_promptly(run).await.books());
    world.link(Link::Up);
    for stop in 1..=3 {
        let run = world.gateway.start().await;
        // Of the 4,000 some 2,000 a second go.
        world.stored(stop * 600).await;
        books.push(stopped_promptly(run).await.books());
    }
    assert!(books.iter().all(|books| books.spooled > 0), "nothing was left to drain: {books:?}");
    let run = world.gateway.start().await;
    let more = Load { first_seq: 200, ..Load::new(500, 500) };
    published.extend(more.publish(world.broker.port).await);
    let comparison = world.all_arrive(&published).await;
    books.push(run.stop().await.books());

    assert_eq!(comparison, Comparison::default());
    for pair in books.windows(2) {
        assert_eq!(pair[0].spooled, pair[1].recovered);
    }
    let received: u64 = books.iter().map(|books| books.received).sum();
    let delivered: u64 = books.iter().map(|books| books.delivered).sum();
    assert_eq!((received, delivered), (4_500, 4_500));
}

/// The box goes dark while `load` is published: the broker remembers nothing, the gateway what is on
/// its disk. Gives what was acknowledged by then: for that the gateway alone answers.
async fn broker_and_gateway_die(world: &mut World, load: &Load) -> Vec<Reading> {
    let run = world.gateway.start().await;
    tokio::select! {
        _ = load.publish(world.broker.port) => {}
        () = until("some are acknowledged", || world.broker.acknowledged_by("edge-1") >= 700) => {}
    }
    world.broker.kill().await;
    run.kill().await;
    let acknowledged = world.broker.acknowledged_by("edge-1");
    world.broker.start_again().await;
    load.readings().into_iter().take(acknowledged).collect()
}

async fn broker_loses_everything_and_nothing_acknowledged_is_lost(mode: &str) {
    let mut world = without_stream().await.set("spool.mode", &format!("{mode:?}"));
    let load = Load::new(3_000, 1_000);
    let acknowledged = broker_and_gateway_die(&mut world, &load).await;
    assert!((700..3_000).contains(&acknowledged.len()), "{}", acknowledged.len());

    world.link(Link::Up);
    let run = world.gateway.start().await;
    world.all_arrive(&acknowledged).await;
    run.stop().await.books();
    // More may have arrived than was acknowledged.
    let Comparison { duplicated, overtook, unknown, .. } =
        Comparison::of(&load.readings(), &world.arrived());
    assert_eq!((duplicated, overtook, unknown), (0, 0, vec![]));
}

#[tokio::test]
async fn broker_that_loses_everything_costs_nothing_acknowledged_in_overflow() {
    broker_loses_everything_and_nothing_acknowledged_is_lost("overflow").await;
}

#[tokio::test]
async fn broker_that_loses_everything_costs_nothing_acknowledged_where_all_is_spooled() {
    broker_loses_everything_and_nothing_acknowledged_is_lost("always").await;
}
