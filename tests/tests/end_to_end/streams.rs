//! Into streams that misbehave, and into somebody else's.

use std::time::Duration;

use tests::fleet::Load;
use tests::installation::{Installation, Ledger};
use tests::mosquitto::{Mosquitto, Settings};
use tests::moto::Moto;
use tests::patience::in_time;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{
    Action, Counts, Faults, Link, RecordError, RecordFault, Refusal, RequestFault, ShardId,
};
use tokio::time::sleep;

use super::world::{PROGRAM, World};

/// What passed a stream that misbehaved. Nothing was lost, whatever it did.
struct Passed {
    comparison: Comparison,
    books: Ledger,
    counts: Counts,
    log: Vec<String>,
}

/// Publishes `load` while `trouble` goes on, and waits until everything has arrived.
async fn pass(world: &World, load: Load, trouble: impl Future<Output = ()>) -> Passed {
    let run = world.gateway.start().await;
    let (published, ()) = tokio::join!(load.publish(world.broker.port), trouble);
    let comparison = world.all_arrive(&published).await;
    let ended = run.stop().await;
    let books = ended.books();
    assert_eq!((comparison.lost.len(), comparison.unknown.len()), (0, 0));
    assert_eq!((books.received, books.delivered), (load.readings, load.readings));
    Passed { comparison, books, counts: world.stream.counts(), log: ended.log }
}

/// Every hundred records the next requests meet `faults`, eight times.
async fn now_and_then(world: &World, faults: &[RequestFault]) {
    for round in 1..=8 {
        world.stored(round * 100).await;
        world.stream.faults(|all| all.next.extend(faults.iter().cloned()));
    }
}

/// One in five records is refused at random, as long as the load lasts.
async fn one_in_five_refused(error: RecordError) {
    let world = World::new().await;
    world.stream.faults(|faults| faults.records = Some(RecordFault { share: 0.2, error }));
    let Passed { comparison, books, counts, .. } =
        pass(&world, Load::new(4_000, 500), async {}).await;
    assert!(counts.records_refused() >= 400, "{counts:?}");
    assert_eq!(comparison.duplicated, 0);
    assert_eq!(books.retried, counts.records_refused());
    // Only the first refusals may swap, and each swap is counted.
    assert_eq!(u64::try_from(comparison.overtook), Ok(books.reordered));
    assert!(books.reordered <= 100, "{} were swapped", books.reordered);
}

#[tokio::test]
async fn records_throttled_at_random_are_neither_lost_nor_repeated() {
    one_in_five_refused(RecordError::Throttled).await;
}

#[tokio::test]
async fn records_failing_at_random_are_neither_lost_nor_repeated() {
    one_in_five_refused(RecordError::InternalFailure).await;
}

#[tokio::test]
async fn throttled_shard_holds_back_only_its_own_records() {
    let world = World::new().await;
    world.stream.faults(|faults| faults.throttled_shards = vec![ShardId(0)]);
    let trouble = async {
        // The window of 1,000 holds the readings behind those that are throttled, too.
        let others = |counts: &Counts| counts.records >= 300 && counts.records_throttled >= 20;
        in_time("the other shards' records", world.stream.reached(others)).await;
        world.stream.faults(|faults| faults.throttled_shards.clear());
    };
    let passed = pass(&world, Load::new(3_000, 500), trouble).await;
    assert_eq!(passed.comparison.duplicated, 0);
    assert_eq!(u64::try_from(passed.comparison.overtook), Ok(passed.books.reordered));
}

#[tokio::test]
async fn requests_that_fail_are_repeated_in_order_and_nothing_arrives_twice() {
    let world = World::new().await;
    let failures = [Refusal::internal_failure(), Refusal::service_unavailable()];
    let faults = failures.map(RequestFault::Refuse);
    let passed = pass(&world, Load::new(2_000, 500), now_and_then(&world, &faults)).await;
    assert_eq!(passed.counts.requests_refused, 16);
    assert_eq!(passed.comparison, Comparison::default());
}

#[tokio::test]
async fn pages_of_something_on_the_way_are_no_answers_that_went_unheard() {
    let world = World::new().await;
    world.stream.faults(|faults| faults.body_bytes_max = 20 << 10);
    let page = [RequestFault::Refuse(Refusal::page(403))];
    let load = Load { padding: 1_000, ..Load::new(2_000, 500) };
    let passed = pass(&world, load, now_and_then(&world, &page)).await;
    // Beside those 8, calls that are too large are made again as smaller ones.
    assert!(passed.counts.requests_refused > 8, "{:?}", passed.counts);
    assert_eq!((passed.books.unheard, passed.books.dead_lettered), (0, 0));
    assert_eq!(passed.comparison, Comparison::default());
}

#[tokio::test]
async fn connections_reset_after_storing_repeat_only_what_was_never_answered() {
    let world = World::new().await;
    let faults = [RequestFault::StoreThenReset];
    let passed = pass(&world, Load::new(2_000, 500), now_and_then(&world, &faults)).await;
    repeated_only_what_was_unanswered(&passed);
}

#[tokio::test]
async fn requests_that_hang_after_storing_repeat_only_what_was_never_answered() {
    let world = World::new().await.set("stream.request_timeout_s", "1");
    let faults = [RequestFault::StoreThenHang];
    let passed = pass(&world, Load::new(2_000, 500), now_and_then(&world, &faults)).await;
    repeated_only_what_was_unanswered(&passed);
}

fn repeated_only_what_was_unanswered(passed: &Passed) {
    let Passed { comparison, books, counts, .. } = passed;
    assert!(counts.records_unanswered >= 8, "{counts:?}");
    assert_eq!(u64::try_from(comparison.duplicated), Ok(counts.records_unanswered));
    assert_eq!(books.unheard, counts.records_unanswered);
    assert_eq!(comparison.overtook, 0);
}

#[tokio::test]
async fn requests_that_hang_time_out_and_nothing_arrives_twice() {
    let world = World::new().await.set("stream.request_timeout_s", "1");
    let passed =
        pass(&world, Load::new(2_000, 500), now_and_then(&world, &[RequestFault::Hang])).await;
    assert!(passed.books.unheard >= 8, "{:?}", passed.books);
    assert_eq!(passed.comparison, Comparison::default());
}

/// The link is down, then a middlebox closes every connection, then it is up.
async fn outage(world: &World, length: Duration) {
    world.stored(500).await;
    for link in [Link::Refusing, Link::Closing] {
        world.stream.faults(|faults| faults.link = link);
        sleep(length / 2).await;
    }
    world.stream.faults(|faults| faults.link = Link::Up);
}

#[tokio::test]
async fn outage_of_twenty_seconds_loses_nothing() {
    let world = World::new().await;
    let load = Load::new(5_000, 500);
    let passed = pass(&world, load, outage(&world, Duration::from_secs(20))).await;
    assert!(passed.log.iter().any(|line| line.contains("stream is back")));
    assert!(passed.comparison.duplicated as u64 <= passed.counts.records_unanswered);
    assert_eq!(passed.comparison.overtook, 0);
}

/// A world whose connection may hold about 90 readings of 10 KB, and a load of 2,000 of them.
async fn with_little_memory() -> (World, Load) {
    let world = World::new()
        .await
        .set("memory_bytes_max", "\"6 MiB\"")
        .set("mqtt.packet_bytes_max", "\"64 KiB\"")
        .set("mqtt.receive_maximum", "10000")
        .set("mqtt.keep_alive_s", "5")
        .set("stream.backoff_ms_max", "500");
    (world, Load { padding: 10_000, ..Load::new(2_000, 500) })
}

#[tokio::test]
async fn outage_with_little_memory_loses_nothing_and_keeps_the_connection() {
    let (world, load) = with_little_memory().await;
    let run = world.gateway.start().await;
    let trouble = async {
        world.stored(500).await;
        let before = run.rss_peak_bytes();
        world.stream.faults(|faults| faults.link = Link::Refusing);
        // Longer than the broker keeps a client that does not ping; 15 MB come meanwhile.
        sleep(Duration::from_secs(9)).await;
        let grown = run.rss_peak_bytes() - before;
        world.stream.faults(|faults| faults.link = Link::Up);
        grown
    };
    let (published, grown) = tokio::join!(load.publish(world.broker.port), trouble);
    let comparison = world.all_arrive(&published).await;
    assert_eq!(run.times_said("broker connected"), 1);
    let books = run.stop().await.books();

    assert_eq!((books.received, books.delivered), (load.readings, load.readings));
    assert_eq!((comparison.lost.len(), comparison.unknown.len(), comparison.overtook), (0, 0, 0));
    assert!(comparison.duplicated as u64 <= world.stream.counts().records_unanswered);
    assert!(grown < 6 << 20, "{grown} bytes");
}

#[tokio::test]
async fn at_qos_0_an_outage_with_little_memory_sheds_and_counts() {
    let (world, load) = with_little_memory().await;
    let world = world.set("mqtt.topics", "[{ filter = \"#\", qos = 0 }]");
    let run = world.gateway.start().await;
    let outage = outage(&world, Duration::from_secs(4));
    let (published, ()) = tokio::join!(load.publish(world.broker.port), outage);
    let connects = run.times_said("broker connected");
    let books = run.stop().await.books();

    assert_eq!((connects, books.received), (1, load.readings));
    assert!(books.dropped > 0 && books.delivered >= 500, "{books:?}");
    let arrived = world.arrived();
    assert!(arrived.iter().all(|reading| published.contains(reading)));
    let twice = arrived.len() as u64 - books.delivered;
    assert!(twice <= world.stream.counts().records_unanswered);
}

/// A refusal that only the operator can mend: everything is kept, and the log says what to do.
async fn refused_until_mended(forbid: fn(&mut Faults), advice: &str) {
    let world = World::new().await;
    world.stream.faults(forbid);
    let run = world.gateway.start().await;
    let published = Load::new(500, 500).publish(world.broker.port).await;
    run.says("stream refuses us").await;
    run.says(advice).await;
    assert_eq!(world.stream.counts().records, 0);

    world.stream.faults(|faults| *faults = Faults::default());
    let comparison = world.all_arrive(&published).await;
    run.says("stream is back").await;
    assert_eq!(run.stop().await.books().delivered, 500);
    assert_eq!(comparison, Comparison::default());
}

#[tokio::test]
async fn records_are_kept_while_the_key_lacks_the_permission() {
    refused_until_mended(|faults| faults.permitted = vec![], "allow the key kinesis:PutRecords")
        .await;
}

#[tokio::test]
async fn records_are_kept_while_the_stream_does_not_exist() {
    let missing = |faults: &mut Faults| {
        let refusal = Refusal::new("ResourceNotFoundException", "Stream telemetry not found.");
        faults.all = Some(RequestFault::Refuse(refusal));
    };
    refused_until_mended(missing, "check stream.name").await;
}

#[tokio::test]
async fn key_that_may_only_put_is_enough() {
    let world = World::new().await;
    world.stream.faults(|faults| faults.permitted = Action::PUTS.to_vec());
    let passed = pass(&world, Load::new(500, 500), async {}).await;
    assert_eq!(passed.comparison, Comparison::default());
    assert_eq!(passed.counts.requests_refused, 0);
}

#[tokio::test]
async fn record_too_large_for_the_stream_costs_only_itself() {
    let world = World::new().await.set("batch.linger_ms", "500");
    world.stream.faults(|faults| faults.record_bytes_max = 8 << 10);
    let run = world.gateway.start().await;
    let mut published = Load::new(400, 4_000).readings();
    let large = Reading { device: 7, seq: 1_000 };
    let small = published.iter().map(|reading| (*reading, 0));
    let mut all: Vec<_> = small.collect();
    all.insert(200, (large, 10_000));
    let message = |(reading, padding): (Reading, usize)| {
        tests::fleet::Message::new(reading.topic(), reading.payload(padding))
    };
    tests::fleet::publish(world.broker.port, all.into_iter().map(message)).await;
    published.retain(|reading| *reading != large);
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();

    assert_eq!(comparison, Comparison::default());
    assert_eq!((books.delivered, books.dead_lettered), (400, 1));
    let letters = world.gateway.dead_letters();
    assert_eq!(letters[0]["reason"], "refused_by_stream");
    let kept = letters[0]["payload"].as_str().expect("the record");
    assert_eq!(Reading::of_record(kept.as_bytes()), Some(large));
}

#[tokio::test]
async fn moto_receives_everything_in_order_and_once() {
    let broker = Mosquitto::start(Settings::default()).await;
    let moto = Moto::start(4).await;
    let gateway = Installation::new(PROGRAM, &broker.url(), &moto.endpoint());
    let run = gateway.start().await;
    let published = Load::new(800, 400).publish(broker.port).await;
    // Nothing may be left when a stop ends well.
    let books = run.stop().await.books();
    let rest = gateway.start().await.stop().await.books();
    assert_eq!(books.delivered + rest.delivered, 800);

    let records = moto.records().await;
    let arrived: Vec<_> =
        records.iter().map(|data| Reading::of_record(data).expect("a reading")).collect();
    assert_eq!(Comparison::of(&published, &arrived), Comparison::default());
}
