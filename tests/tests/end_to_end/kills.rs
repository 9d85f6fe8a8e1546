//! SIGKILL at moments drawn by chance, with a spool: while records flow, while the stream is away,
//! right after a start with a full spool, and while the spool drains.

use std::time::Duration;

use tests::effort::{dice, ordinary_or_long};
use tests::fleet::Load;
use tests::installation::Run;
use tests::mosquitto::Settings;
use tidegate::rehearsal::stream::{self, Limits, Link};
use tokio::time::sleep;

use super::world::World;

/// Kills of one test: two or more of every kind.
const KILLS: u32 = 10;
const KILLS_LONG: u32 = 25;

const PER_SECOND: u64 = 400;

/// What a request carries, and how many are under way at once.
const BATCH_RECORDS: usize = 20;
const REQUESTS: usize = 2;

/// What is sent from the spool and not noted there when the kill comes: the requests under way, and
/// as many that were answered while the disk was busy.
const UNNOTED_MAX: usize = 2 * REQUESTS * BATCH_RECORDS;

/// Pads a reading so that little memory does not hold what an outage leaves in the spool.
const LARGE: usize = 3_000;

/// When the gateway is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Flow,
    Outage,
    /// Right after the start, with a full spool, while the stream is still away.
    RecoveryAway,
    /// Right after the start, with a full spool, when the stream is back.
    RecoveryBack,
    Drain,
}

/// In this order each leaves behind what the next needs.
const MOMENTS: [Moment; 5] =
    [Moment::Flow, Moment::Outage, Moment::RecoveryAway, Moment::RecoveryBack, Moment::Drain];

/// Runs the gateway until such a moment.
async fn run_until(moment: Moment, world: &World, dice: &mut fastrand::Rng) -> Run {
    let (link, lifetime_ms) = match moment {
        Moment::Flow => (Link::Up, 100..800),
        // A group waits up to a second for more.
        Moment::Outage => (Link::Refusing, 1_300..2_200),
        Moment::RecoveryAway => (Link::Refusing, 0..200),
        Moment::RecoveryBack => (Link::Up, 0..200),
        Moment::Drain => (Link::Up, 50..600),
    };
    world.link(link);
    let run = match moment {
        Moment::Flow | Moment::Outage | Moment::Drain => world.gateway.start().await,
        Moment::RecoveryAway | Moment::RecoveryBack => world.gateway.launch(),
    };
    sleep(Duration::from_millis(dice.u64(lifetime_ms))).await;
    run
}

/// A gateway whose broker may have so many publishes unacknowledged.
async fn with_window(mode: &str, receive_maximum: u16) -> World {
    let stream = stream::Settings { limits: Limits::Off, ..stream::Settings::default() };
    World::with(Settings::talkative(), stream)
        .await
        .set("spool.mode", &format!("{mode:?}"))
        .set("mqtt.receive_maximum", &receive_maximum.to_string())
        .set("batch.records_max", &BATCH_RECORDS.to_string())
        .set("stream.requests_in_flight", &REQUESTS.to_string())
        .set("stream.backoff_ms_max", "500")
}

async fn killed_again_and_again_loses_nothing(world: World, padding: usize) {
    world.begin_session().await;
    let kills = ordinary_or_long(KILLS, KILLS_LONG);
    let load = Load { padding, ..Load::new(u64::from(kills) * PER_SECOND, PER_SECOND) };
    let killing = async {
        let mut dice = dice();
        let mut recoveries = 0;
        for moment in MOMENTS.into_iter().cycle().zip(0..kills).map(|(moment, _)| moment) {
            let run = run_until(moment, &world, &mut dice).await;
            recoveries += run.times_said("the spool holds records of an earlier run");
            run.kill().await;
        }
        world.link(Link::Up);
        (recoveries, world.gateway.start().await)
    };
    let (published, (recoveries, run)) = tokio::join!(load.publish(world.broker.port), killing);
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();

    assert_eq!((comparison.lost, comparison.unknown), (vec![], vec![]));
    assert_eq!(comparison.overtook, 0, "readings that overtook an earlier one of their device");
    let unanswered = world.stream.counts().records_unanswered;
    let twice_max = world.broker.repeated_to("edge-1")
        + usize::try_from(unanswered).expect("few")
        + usize::try_from(kills).expect("few") * UNNOTED_MAX;
    let twice = comparison.duplicated;
    assert!(twice <= twice_max, "{twice} twice, and {twice_max} were in flight");
    assert!(recoveries >= 3, "{recoveries} starts with a full spool");
    assert_eq!(books.spooled, 0);
}

#[tokio::test]
async fn gateway_that_overflows_to_its_spool_survives_kills_with_a_small_window() {
    killed_again_and_again_loses_nothing(with_window("overflow", 20).await, 0).await;
}

#[tokio::test]
async fn gateway_that_overflows_to_its_spool_survives_kills_with_a_large_window() {
    let world = with_window("overflow", 1_000).await.with_little_memory();
    killed_again_and_again_loses_nothing(world, LARGE).await;
}

#[tokio::test]
async fn gateway_that_always_spools_survives_kills_with_a_small_window() {
    let world = with_window("always", 20).await.with_little_memory();
    killed_again_and_again_loses_nothing(world, LARGE).await;
}

#[tokio::test]
async fn gateway_that_always_spools_survives_kills_with_a_large_window() {
    killed_again_and_again_loses_nothing(with_window("always", 1_000).await, 0).await;
}
