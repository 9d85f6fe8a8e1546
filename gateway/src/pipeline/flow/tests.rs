use std::fs::File;
use std::sync::Mutex;

use bytes::Bytes;
use futures_util::future::join;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::ack::Receipt;
use crate::deliver::{Trouble, Verdict};
use crate::limits::SETTLED_BATCHES_MAX;
use crate::queue::Taken;

use super::*;

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

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
struct Scene {
    /// Goes with the scene.
    _dir: TempDir,
    config: Config,
    stream: Picky,
    counters: Arc<Counters>,
}

/// What the flow is told.
struct Doors {
    intake: mpsc::Sender<Intake>,
    settled: mpsc::Receiver<Vec<Receipt>>,
    stop: oneshot::Sender<()>,
}

impl Scene {
    fn new(settings: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "state_dir = {:?}\n{settings}\n\
             mqtt = {{ url = 'mqtt://b', client_id = 'c', topics = ['t'] }}\n\
             stream = {{ name = 's', region = 'eu-central-1' }}",
            dir.path()
        );
        let config = Config::parse(&text).unwrap();
        Self { _dir: dir, config, stream: Picky::default(), counters: Arc::default() }
    }

    /// Runs a flow, and beside it `story`.
    async fn run(&self, story: impl AsyncFnOnce(Doors)) -> Ended {
        let (settled_tx, settled) = mpsc::channel(SETTLED_BATCHES_MAX);
        let (intake, intake_rx) = mpsc::channel(8);
        let (stop, stopped) = oneshot::channel();
        let flow = Flow::open(
            &self.config,
            &self.stream,
            Store::open(&self.config.dead_letter).unwrap(),
            Settlement::new(vec![settled_tx]),
            Arc::clone(&self.counters),
        );
        let stopping = watch::channel(false).0;
        // Nobody asks for metrics.
        let occasions = Occasions::new(mpsc::channel(1).1);
        let flow = flow.unwrap().run(intake_rx, occasions, stopping, async { drop(stopped.await) });
        let both = join(flow, story(Doors { intake, settled, stop }));
        timeout(PATIENCE, both).await.expect("in time").0
    }

    /// Somebody else changes the dead letters, until this is dropped.
    fn lock(&self) -> File {
        let path = self.config.dead_letter.dir.join("lock");
        let lock = File::options().create(true).append(true).open(path).unwrap();
        lock.lock().unwrap();
        lock
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

/// Looks until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn letter_that_waits_for_the_disk_keeps_no_buffer_of_its_connection() {
    let scene = Scene::new("");
    let buffer = Bytes::from(vec![b'{'; 64 << 10]);
    let letter = publish(1, buffer.slice(..3), buffer.slice(3..9));
    let story = async |doors: Doors| {
        let lock = scene.lock();
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
        let lock = scene.lock();
        for number in 1..=2 {
            doors.intake.send(reading(number)).await.unwrap();
            assert_eq!(doors.settled.recv().await.unwrap().len(), 1, "it is in the spool");
            until(|| *scene.stream.refused.lock().unwrap() == number).await;
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
        let lock = scene.lock();
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
