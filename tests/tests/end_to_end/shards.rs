//! Streams whose shards are not known, or are not what they were.

use std::time::Duration;

use tests::fleet::Load;
use tests::mosquitto;
use tests::reading::Comparison;
use tidegate::rehearsal::stream::{Action, Link, Placement, Reshard, Settings, ShardId};
use tokio::time::{sleep, timeout};

use super::world::World;

const KNOWN: &str = "the shards of the stream are known";

#[tokio::test]
async fn shards_are_known_five_seconds_after_a_reshard_and_nothing_is_lost_or_reordered() {
    let world = World::new().await.with_unknown_shards();
    let run = world.gateway.start().await;
    let load = Load { devices: 400, ..Load::new(9_000, 500) };
    let reshard = async {
        world.stored(2_000).await;
        assert_eq!(run.field(KNOWN, "shards").await, 4);
        world.stream.reshard(Reshard::Count(8)).expect("any number");
        let known = timeout(Duration::from_secs(5), run.says("\"shards\":8")).await;
        known.expect("all eight known within five seconds");
    };
    let (published, ()) = tokio::join!(load.publish(world.broker.port), reshard);
    let comparison = world.all_arrive(&published).await;
    let ended = run.stop().await;

    assert_eq!(comparison, Comparison::default());
    assert_eq!(ended.books().delivered, load.readings);
    let last = ended.log.iter().rfind(|line| line.contains(KNOWN)).expect("said twice");
    assert!(last.contains("\"shards\":8"), "{last}");
}

/// More than the shard takes that the stream begins with: only whoever learns of the new ones sends
/// it all in time, and only whoever knows the limits of each sends it without refusals.
#[tokio::test]
async fn new_shards_are_used_and_not_overrun() {
    let stream = Settings { shards: 1, ..Settings::default() };
    let world = World::with(mosquitto::Settings::patient(), stream).await.with_unknown_shards();
    let run = world.gateway.start().await;
    let load = Load { devices: 100, ..Load::new(15_000, 1_500) };
    let reshard = async {
        world.stored(3_000).await;
        world.stream.reshard(Reshard::Count(4)).expect("any number");
    };
    let (published, ()) = tokio::join!(load.publish(world.broker.port), reshard);
    let stored = world.stream.reached(|counts| counts.records >= load.readings);
    let in_time = timeout(Duration::from_secs(4), stored).await;
    in_time.expect("new shards take what the old one could not");
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();

    assert_eq!((comparison.duplicated, books.delivered), (0, load.readings));
    assert_eq!(u64::try_from(comparison.overtook), Ok(books.reordered));
    let counts = world.stream.counts();
    assert!(counts.records_throttled * 300 <= counts.records, "{counts:?}");
}

/// What a device sent before lies on the disk, part of it to be read and part of it passed over,
/// while its shard becomes another.
#[tokio::test]
async fn reshard_while_the_spool_drains_keeps_the_order_of_each_device() {
    let world = World::new().await.with_unknown_shards().with_little_memory();
    let run = world.gateway.start().await;
    let load = Load { devices: 100, padding: 2_000, ..Load::new(6_000, 500) };
    let trouble = async {
        world.stored(1_000).await;
        world.stream.faults(|faults| faults.link = Link::Refusing);
        sleep(Duration::from_secs(5)).await;
        world.stream.faults(|faults| {
            faults.link = Link::Up;
            faults.throttled_shards = vec![ShardId(1)];
        });
        // The keys of one shard stay behind, those of the others come back from the disk.
        world.stored(1_500).await;
        world.stream.reshard(Reshard::Count(7)).expect("any number");
    };
    let (published, ()) = tokio::join!(load.publish(world.broker.port), trouble);
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();

    assert_eq!((books.received, books.delivered), (load.readings, load.readings));
    assert_eq!((comparison.lost.len(), comparison.unknown.len()), (0, 0));
    assert_eq!(u64::try_from(comparison.overtook), Ok(books.reordered));
    assert!(comparison.duplicated as u64 <= world.stream.counts().records_unanswered);
}

#[tokio::test]
async fn number_of_shards_that_is_wrong_is_told_once() {
    let world = World::new().await.set("stream.shards", "2");
    let run = world.gateway.start().await;
    let published = Load::new(2_000, 500).publish(world.broker.port).await;
    let comparison = world.all_arrive(&published).await;
    assert_eq!(comparison, Comparison::default());
    let ended = run.stop().await;
    let told = |line: &&String| line.contains("stream.shards is not");
    assert_eq!(ended.log.iter().filter(told).count(), 1);
}

/// More than its four shards take: whoever does not go by refusals has a fifth of it refused.
#[tokio::test]
async fn stream_that_begins_to_place_records_itself_is_paced_as_one_whole() {
    let world = World::with(mosquitto::Settings::patient(), Settings::default()).await;
    let world = world.with_unknown_shards();
    let run = world.gateway.start().await;
    let load = Load { devices: 500, ..Load::new(30_000, 5_000) };
    let change = async {
        world.stored(2_000).await;
        world.stream.place_by(Placement::Auto);
        run.says("places records itself").await;
    };
    let (published, ()) = tokio::join!(load.publish(world.broker.port), change);
    let comparison = world.all_arrive(&published).await;
    assert_eq!(run.times_said("places records itself"), 1);
    let books = run.stop().await.books();
    assert_eq!((books.delivered, comparison.duplicated), (load.readings, 0));
    assert_eq!(u64::try_from(comparison.overtook), Ok(books.reordered));
    let counts = world.stream.counts();
    assert!(counts.records_throttled * 20 <= counts.records, "{counts:?}");
}

#[tokio::test]
async fn key_that_may_list_knows_shards_that_no_record_went_to() {
    let world = World::new().await.with_unknown_shards();
    world.stream.faults(|faults| faults.permitted = Action::ALL.to_vec());
    let run = world.gateway.start().await;
    let load = Load { devices: 1, ..Load::new(300, 100) };
    let published = load.publish(world.broker.port).await;
    world.all_arrive(&published).await;
    assert_eq!(run.field(KNOWN, "shards").await, 4);
    run.stop().await.books();
}
