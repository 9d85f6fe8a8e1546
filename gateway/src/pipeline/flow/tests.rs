use std::sync::Mutex;

use bytes::Bytes;
use futures_util::future::join;
use futures_util::{FutureExt, StreamExt, stream};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::{advance, sleep};

use crate::ack::Receipt;
use crate::dead_letter::Directory;
use crate::deliver::{Trouble, Verdict};
use crate::limits::SETTLED_BATCHES_MAX;
use crate::pipeline::FORECAST_EVERY;
use crate::pipeline::tests::{PATIENCE, config, lock, until};
use crate::queue::Taken;
use crate::telemetry::tests::Log;

use super::telling::Occasion;
use super::*;

mod several;

/// Can accept no record, ever.
#[derive(Default)]
struct Picky {
    refused: Mutex<usize>,
}

impl Stream for Picky {
    async fn put(&self, records: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        *self.refused.lock().unwrap() += records.len();
        Ok(records.iter().map(|_| Verdict::Refused("no".to_owned())).collect())
    }
}

/// A flow's surroundings.
struct Scene<S = Picky> {
    dir: TempDir,
    config: Config,
    streams: Vec<S>,
    counters: Arc<Counters>,
}

/// What the flow is told.
struct Doors {
    intake: mpsc::Sender<Intake>,
    settled: mpsc::Receiver<Vec<Receipt>>,
    stop: oneshot::Sender<()>,
    stopping: watch::Receiver<bool>,
}

impl Scene {
    fn new(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), settings);
        Self { dir, config, streams: vec![Picky::default()], counters: Arc::default() }
    }
}

impl<S: Stream> Scene<S> {
    /// A flow that settles receipts through `settled`.
    fn open(&self, settled: mpsc::Sender<Vec<Receipt>>) -> Flow<'_, S> {
        let opened = Opened::open(&self.config).unwrap();
        let settlement = Settlement::new(vec![settled]);
        let counters = Arc::clone(&self.counters);
        Flow::new(&self.config, &self.streams, opened, settlement, counters).unwrap()
    }

    /// Runs a flow, and beside it `story`.
    async fn run(&self, story: impl AsyncFnOnce(Doors)) -> Ended {
        let (settled_tx, settled) = mpsc::channel(SETTLED_BATCHES_MAX);
        let (intake, intake_rx) = mpsc::channel(8);
        let (stop, stopped) = oneshot::channel();
        let (stopping_tx, stopping) = watch::channel(false);
        // Nobody asks for metrics.
        let occasions = Occasions::new(mpsc::channel(1).1);
        let stopped = async { drop(stopped.await) };
        let flow = self.open(settled_tx).run(intake_rx, occasions, stopping_tx, stopped);
        let both = join(flow, story(Doors { intake, settled, stop, stopping }));
        timeout(PATIENCE, both).await.expect("in time").0
    }

    fn letters_on_disk(&self) -> u64 {
        Directory::new(&self.config.dead_letter.dir).count().unwrap()
    }
}

fn publish(number: u64, topic: Bytes, payload: Bytes) -> Intake {
    let receipt = Receipt { lane: 0, number };
    let publishes = vec![Publish { topic, payload, rx_ts_ms: 0, receipt }];
    Intake { publishes, window_exhausted: true, away: Duration::ZERO }
}

/// A publish of which a record is made.
fn reading(number: usize) -> Intake {
    publish(number as u64, format!("t/{number}").into(), r#"{"c":21}"#.into())
}

#[tokio::test]
async fn letter_that_waits_for_the_disk_keeps_no_buffer_of_its_connection() {
    let scene = Scene::new("");
    let buffer = Bytes::from(vec![b'{'; 64 << 10]);
    let letter = publish(1, buffer.slice(..3), buffer.slice(3..9));
    let story = async |doors: Doors| {
        let lock = lock(&scene.config);
        doors.intake.send(letter).await.unwrap();
        until(|| scene.counters.received.get() == 1 && buffer.is_unique()).await;
        assert_eq!(scene.counters.dead_lettered.get(), 0, "it waits");
        drop(lock);
    };
    let ended = scene.run(story).await;
    assert_eq!((ended.drained, ended.ledger.dead_lettered), (Drained::Clean, 1));
}

#[tokio::test]
async fn letters_of_records_that_are_safe_in_the_spool_are_counted_before_a_stop_is_over() {
    let scene = Scene::new("spool.mode = 'always'");
    let story = async |mut doors: Doors| {
        let lock = lock(&scene.config);
        for number in 1..=2 {
            doors.intake.send(reading(number)).await.unwrap();
            assert_eq!(doors.settled.recv().await.unwrap().len(), 1, "it is in the spool");
            until(|| *scene.streams[0].refused.lock().unwrap() == number).await;
        }
        // One commit waits for the lock, and behind it the next letter.
        drop((doors.stop, doors.intake));
        sleep(Duration::from_millis(100)).await;
        drop(lock);
    };
    let ended = scene.run(story).await;
    assert_eq!((ended.drained, ended.ledger.spooled), (Drained::Clean, 0));
    assert_eq!((ended.ledger.dead_lettered, scene.letters_on_disk()), (2, 2));
}

#[tokio::test]
async fn letter_in_the_midst_of_its_commit_at_the_deadline_is_counted() {
    let scene = Scene::new("drain_s_max = 1");
    let story = async |doors: Doors| {
        let lock = lock(&scene.config);
        doors.intake.send(publish(1, "t".into(), "{oops".into())).await.unwrap();
        until(|| scene.counters.received.get() == 1).await;
        drop((doors.stop, doors.intake));
        sleep(scene.config.drain_max + Duration::from_millis(500)).await;
        drop(lock);
    };
    let ended = scene.run(story).await;
    assert_eq!(ended.drained, Drained::TimedOut);
    assert_eq!((ended.ledger.dead_lettered, scene.letters_on_disk()), (1, 1));
}

#[tokio::test]
async fn stop_after_a_quiet_while_has_all_its_time() {
    let scene = Scene::new("drain_s_max = 1");
    let story = async |mut doors: Doors| {
        sleep(2 * scene.config.drain_max).await;
        drop(doors.stop);
        // As a connection does: it lets go once it hears.
        doors.stopping.wait_for(|stopping| *stopping).await.unwrap();
    };
    assert_eq!(scene.run(story).await.drained, Drained::Clean);
}

#[tokio::test(start_paused = true)]
async fn looks_that_were_missed_are_not_made_up_for() {
    let mut occasions = Occasions::new(mpsc::channel(1).1);
    assert!(matches!(occasions.next().await, Occasion::Look), "the first is at once");
    advance(10 * FORECAST_EVERY).await;
    let told = stream::unfold(occasions, async |mut occasions| {
        let occasion = occasions.next().now_or_never()?;
        Some((occasion, occasions))
    });
    assert_eq!(told.count().await, 2, "one report and one look");
}

#[tokio::test(start_paused = true)]
async fn disk_that_hangs_at_a_stop_is_told() {
    let scene = Scene::new("");
    let mut flow = scene.open(mpsc::channel(1).0);
    let (hangs, until) = std::sync::mpsc::channel();
    flow.branches[0].hang(until);
    let log = Log::begin();
    join(flow.end(Drained::TimedOut), advance(SPOOL_CLOSE_MAX)).await;
    drop(hangs);
    let log = log.text();
    assert_eq!(log.matches("some records may be sent twice").count(), 1, "{log}");
}
