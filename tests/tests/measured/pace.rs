//! The pace against a shard that enforces its limits: more than it takes, from one gateway, and from
//! four that know nothing of each other.

use std::time::Duration;

use futures_util::future::join_all;
use tests::effort::ordinary_or_long;
use tests::fleet::Load;
use tests::installation::Installation;
use tests::mosquitto::{self, Mosquitto};
use tests::reading::Reading;
use tidegate::rehearsal::stream::{
    Counts, Link, LocalStream, Reshard, SHARD_BYTES_PER_SECOND, SHARD_RECORDS_PER_SECOND, Settings,
    StoredRecord,
};
use tokio::time::{interval, sleep};

use super::STAGE;
use super::world::{PROGRAM, World};

fn one_shard() -> Settings {
    Settings { shards: 1, ..Settings::default() }
}

/// What became of the stream's one shard in a while, as parts of one.
#[derive(Debug)]
pub(super) struct Use {
    /// Of the records that it takes.
    records: f64,
    /// Of the bytes that it takes.
    bytes: f64,
    /// Of the attempts, those refused.
    refused: f64,
}

impl Use {
    /// Measures for `span`.
    async fn over(span: Duration, stream: &LocalStream) -> Self {
        let before = stream.counts();
        sleep(span).await;
        Self::between(before, stream.counts(), span)
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn between(before: Counts, after: Counts, span: Duration) -> Self {
        let records = (after.records - before.records) as f64;
        let refused = (after.records_throttled - before.records_throttled) as f64;
        let bytes = (after.bytes - before.bytes) as f64;
        let seconds = span.as_secs_f64();
        Self {
            records: records / seconds / f64::from(SHARD_RECORDS_PER_SECOND),
            bytes: bytes / seconds / f64::from(SHARD_BYTES_PER_SECOND),
            refused: refused / (records + refused).max(1.0),
        }
    }
}

/// What became of the shard under a load.
#[derive(Debug)]
pub(super) struct Overload {
    /// Of the attempts, those refused, from the first on.
    refused: f64,
    /// All that came after the first seconds.
    settled: Use,
    /// The same second by second.
    seconds: Vec<Use>,
}

/// A limiter begins empty, and its pace may rise.
const SETTLE: Duration = Duration::from_secs(3);

impl Overload {
    /// Measures for `span` after the load has settled.
    async fn measured(span: Duration, stream: &LocalStream) -> Self {
        const SECOND: Duration = Duration::from_secs(1);
        let began = stream.counts();
        sleep(SETTLE).await;
        let settled = stream.counts();
        let (mut before, mut seconds) = (settled, Vec::new());
        // Whoever stands still for a moment is back in time for the next second.
        let mut second = interval(SECOND);
        second.tick().await;
        for _ in 0..span.as_secs() {
            second.tick().await;
            let after = stream.counts();
            seconds.push(Use::between(before, after, SECOND));
            before = after;
        }
        let refused = Use::between(began, before, SETTLE + span).refused;
        Self { refused, settled: Use::between(settled, before, span), seconds }
    }

    #[track_caller]
    fn fills_the_shard(&self, of: impl Fn(&Use) -> f64) {
        let seconds: Vec<_> = self.seconds.iter().map(&of).collect();
        assert!(of(&self.settled) >= 0.88, "{} of it: {seconds:?}", of(&self.settled));
    }
}

/// One gateway is offered three times what the shard takes, in readings with so much `padding`; and
/// all of it arrives in the end.
pub(super) async fn overload(
    per_second: u64,
    padding: usize,
    configure: impl Fn(World) -> World,
) -> Overload {
    let _alone = STAGE.lock().await;
    let world = World::with(mosquitto::Settings::patient(), one_shard()).await;
    let world = configure(world.with_unknown_shards());
    let run = world.gateway.start().await;
    let span = ordinary_or_long(Duration::from_secs(15), Duration::from_secs(60));
    let readings = per_second * (SETTLE + span).as_secs();
    let load = Load { devices: 100, padding, ..Load::new(readings, per_second) };
    let measured = async {
        world.stored(1).await;
        Overload::measured(span, &world.stream).await
    };
    let (published, measured) = tokio::join!(load.publish(world.broker.port), measured);
    // The rest need not be waited for at the pace of one shard.
    world.stream.reshard(Reshard::Count(16)).expect("any number");
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();
    assert_eq!((comparison.duplicated, books.delivered), (0, readings));
    measured
}

pub(super) fn alone(world: World) -> World {
    world.set("pace.instances", "1")
}

#[tokio::test]
async fn three_times_the_records_of_a_shard_fill_it_and_are_hardly_refused() {
    let measured = overload(3_000, 0, alone).await;
    assert!(measured.refused <= 0.005 && measured.settled.records <= 0.92, "{measured:?}");
    measured.fills_the_shard(|used| used.records);
}

#[tokio::test]
async fn three_times_the_bytes_of_a_shard_fill_it_and_are_hardly_refused() {
    let measured = overload(700, 4_500, alone).await;
    assert!(measured.refused <= 0.005 && measured.settled.bytes <= 0.92, "{measured:?}");
    measured.fills_the_shard(|used| used.bytes);
}

#[tokio::test]
async fn backlog_for_unknown_shards_begins_at_the_pace_of_one() {
    let _alone = STAGE.lock().await;
    let world = World::with(mosquitto::Settings::patient(), one_shard()).await;
    let world = world.with_unknown_shards();
    world.link(Link::Refusing);
    let run = world.gateway.start().await;
    let load = Load { devices: 100, ..Load::new(4_000, 2_000) };
    let published = load.publish(world.broker.port).await;
    let books = run.stop().await.books();
    // The broker may keep the last of them, and send them again.
    assert!(books.spooled >= 3_000 && books.delivered == 0, "{books:?}");

    world.link(Link::Up);
    let run = world.gateway.start().await;
    world.all_arrive(&published).await;
    let books = run.stop().await.books();
    assert_eq!((books.delivered, books.reordered), (4_000, 0));
    let counts = world.stream.counts();
    assert!(counts.records_throttled * 200 <= counts.records, "{counts:?}");
}

/// Readings a second of four gateways: together what the shard takes.
const UNEQUAL: [u64; 4] = [700, 100, 100, 100];

/// Numbers of the readings of one gateway: from so many times its place on.
const NUMBERS: u64 = 1_000_000;

/// What four gateways did.
#[derive(Debug)]
pub(super) struct Shared {
    /// After they had found their shares.
    together: Use,
    /// Refused before that.
    refused_first: f64,
    /// Of what each was offered after it, the part that arrived.
    each: Vec<f64>,
}

/// Four gateways, each with a broker of its own, share one shard: for `settle`, and then while it is
/// measured.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) async fn share(
    settle: Duration,
    configure: impl Fn(Installation) -> Installation,
) -> Shared {
    let _alone = STAGE.lock().await;
    let span = ordinary_or_long(Duration::from_secs(20), Duration::from_secs(60));
    let stream = LocalStream::start(one_shard()).await.expect("a free port");
    let member = async |(place, per_second): (u64, u64)| {
        let broker = Mosquitto::start(mosquitto::Settings::patient()).await;
        let gateway = Installation::new(PROGRAM, &broker.url(), &stream.endpoint());
        let gateway = configure(gateway.unset("stream.shards"));
        let run = gateway.start().await;
        let readings = per_second * (settle + span).as_secs();
        let load = Load { first_seq: place * NUMBERS, ..Load::new(readings, per_second) };
        load.publish(broker.port).await;
        run.stop().await.books();
    };
    let members = join_all((0..).zip(UNEQUAL).map(member));
    let measured = async {
        stream.reached(|counts| counts.records > 0).await;
        let refused_first = Use::over(settle, &stream).await.refused;
        let before = stream.records().len();
        let together = Use::over(span, &stream).await;
        let arrived = stream.records().split_off(before);
        let part = |(place, per_second): (u64, u64)| {
            let own = |record: &&StoredRecord| {
                let reading = Reading::of_record(&record.data).expect("a record of a reading");
                reading.seq / NUMBERS == place
            };
            let count = arrived.iter().filter(own).count() as f64;
            count / (per_second * span.as_secs()) as f64
        };
        let each = (0..).zip(UNEQUAL).map(part).collect();
        Shared { together, refused_first, each }
    };
    tokio::join!(members, measured).1
}

#[tokio::test]
async fn four_gateways_that_know_their_number_fill_a_shard_and_none_starves() {
    let shared = share(Duration::from_secs(30), |gateway| gateway.set("pace.instances", "4")).await;
    let Shared { together, refused_first, each } = &shared;
    assert!(together.records >= 0.9, "{shared:?}");
    assert!(together.refused <= 0.01 && *refused_first <= 0.01, "{shared:?}");
    assert!(each.iter().all(|part| *part >= 0.8), "{shared:?}");
}
