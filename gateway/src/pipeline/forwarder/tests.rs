use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use tempfile::TempDir;
use tokio::time::timeout;

use crate::dead_letter::{Letter, Origin, Payload};
use crate::deliver::{Trouble, TroubleKind, Verdict};
use crate::metrics::StreamCounts;
use crate::pipeline::tests::{PATIENCE, config, lock, until};
use crate::queue::Taken;

use super::*;

/// Keeps what it accepts, refuses what holds "poison" for good, and can be away.
#[derive(Default)]
struct Shelf {
    accepted: Mutex<Vec<String>>,
    away: Mutex<bool>,
}

impl Stream for Shelf {
    async fn put(&self, records: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        let trouble = |kind| Err(Trouble { kind, detail: "no".to_owned() });
        if *self.away.lock().unwrap() {
            return trouble(TroubleKind::Unavailable);
        }
        let texts = records.iter().map(|taken| String::from_utf8(taken.record.data.to_vec()));
        let texts: Vec<_> = texts.map(Result::unwrap).collect();
        if texts.iter().any(|text| text.contains("poison")) {
            return trouble(TroubleKind::Invalid);
        }
        self.accepted.lock().unwrap().extend(texts);
        Ok(vec![Verdict::Accepted(None); records.len()])
    }
}

struct Scene {
    /// Goes with the scene.
    _dir: TempDir,
    config: Config,
    store: Store,
    shelf: Shelf,
    counters: Arc<Counters>,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), "records.newline = false\nstream.backoff_ms_max = 10");
        let store = Store::open(&config.dead_letter).unwrap();
        Self { _dir: dir, config, store, shelf: Shelf::default(), counters: Arc::default() }
    }

    fn keep(&mut self, payloads: &[impl AsRef<str>]) {
        let letters: Vec<_> = payloads.iter().map(|payload| letter(payload.as_ref())).collect();
        self.store.append(&letters).unwrap();
    }

    fn forwarder(&self) -> Forwarder<'_, Shelf> {
        Forwarder::new(&self.config, &self.store, &self.shelf, Arc::clone(&self.counters))
    }

    /// Forwards until nothing is left to do.
    async fn forward(&self) {
        let mut forwarder = self.forwarder();
        let idle = async { while matches!(forwarder.round().await.unwrap(), Round::Sent) {} };
        timeout(PATIENCE, idle).await.expect("it comes to an end");
    }

    fn accepted(&self) -> Vec<String> {
        self.shelf.accepted.lock().unwrap().clone()
    }

    fn file(&self) -> PathBuf {
        self.config.dead_letter.dir.join("dead-letters-000001.ndjson")
    }
}

fn letter(payload: &str) -> Letter {
    Letter {
        at_ms: 0,
        reason: "not_json".into(),
        detail: String::new(),
        origin: Origin::Topic("t".into()),
        payload: Payload::Whole(payload.to_owned().into()),
    }
}

fn line(payload: &str) -> String {
    String::from_utf8(letter(payload).line().unwrap()).unwrap()
}

/// What becomes of the letters of these payloads.
fn records(payloads: &[impl AsRef<str>]) -> Vec<String> {
    let record = |payload: &str| line(payload).trim_end().to_owned();
    payloads.iter().map(|payload| record(payload.as_ref())).collect()
}

#[tokio::test]
async fn letters_arrive_in_order_equal_ones_each_and_leave_the_disk() {
    let mut scene = Scene::new();
    let payloads: Vec<_> = (0..1_200).map(|n| (n / 2).to_string()).collect();
    scene.keep(&payloads);
    scene.forward().await;
    assert_eq!(scene.accepted(), records(&payloads));
    assert!(!scene.file().exists());
}

#[tokio::test]
async fn letter_that_the_stream_refuses_stays_and_holds_up_no_other() {
    let mut scene = Scene::new();
    scene.keep(&["a", "poison", "b"]);
    scene.forward().await;
    scene.keep(&["c"]);
    scene.forward().await;
    assert_eq!(scene.accepted(), records(&["a", "b", "c"]));
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), line("poison"));
    let counts = scene.counters.beside(&StreamCounts::default());
    // Each of the two forwarders, as each run, tries the refused one.
    assert_eq!((counts.dead_letters_forwarded, counts.dead_letters_refused), (3, 2));
}

#[tokio::test]
async fn line_that_is_no_letter_stays_as_it_is() {
    let mut scene = Scene::new();
    scene.keep(&["a"]);
    let torn = line("a") + "{\"at\":17";
    fs::write(scene.file(), torn).unwrap();
    scene.forward().await;
    assert_eq!(scene.accepted(), records(&["a"]));
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), "{\"at\":17");
}

#[tokio::test]
async fn what_cannot_be_taken_from_the_disk_is_not_sent_again() {
    let mut scene = Scene::new();
    scene.keep(&["a", "poison"]);
    // A folder in the place of the new file.
    let in_the_way = scene.config.dead_letter.dir.join("rewriting");
    fs::create_dir(&in_the_way).unwrap();
    let mut forwarder = scene.forwarder();
    assert!(matches!(forwarder.round().await.unwrap(), Round::Sent));
    for _ in 0..3 {
        let failure = forwarder.round().await.err().unwrap().to_string();
        assert!(failure.contains("rewriting"), "{failure}");
    }
    fs::remove_dir(&in_the_way).unwrap();
    while matches!(forwarder.round().await.unwrap(), Round::Sent) {}
    assert_eq!(scene.accepted(), records(&["a"]));
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), line("poison"));
}

#[tokio::test]
async fn what_was_accepted_in_the_midst_of_a_file_is_not_sent_again_by_the_next_run() {
    let mut scene = Scene::new();
    let payloads = more_than_a_group();
    scene.keep(&payloads);
    let mut forwarder = scene.forwarder();
    assert!(matches!(forwarder.round().await.unwrap(), Round::Sent));
    assert!((1..700).contains(&scene.accepted().len()));
    forwarder.close().await;
    scene.forward().await;
    assert_eq!(scene.accepted(), records(&payloads));
}

/// Payloads of more letters than are sent at once.
fn more_than_a_group() -> Vec<String> {
    (0..700).map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn what_was_accepted_is_not_sent_again_though_the_stop_finds_the_disk_at_work() {
    let mut scene = Scene::new();
    let payloads = more_than_a_group();
    scene.keep(&payloads);
    let mut forwarder = scene.forwarder();
    assert!(matches!(forwarder.round().await.unwrap(), Round::Sent));
    let lock = lock(&scene.config);
    let moment = Duration::from_millis(50);
    timeout(moment, forwarder.round()).await.expect_err("it waits for the lock");
    drop(lock);
    forwarder.close().await;
    scene.forward().await;
    assert_eq!(scene.accepted(), records(&payloads));
}

#[tokio::test]
async fn stop_does_not_wait_for_ever_for_a_disk_that_hangs() {
    let mut scene = Scene::new();
    scene.keep(&["a"]);
    let lock = lock(&scene.config);
    timeout(PATIENCE, scene.forwarder().close()).await.expect("it gives up");
    drop(lock);
}

#[tokio::test]
async fn letter_that_no_call_can_carry_is_refused_and_holds_up_no_other() {
    let mut scene = Scene::new();
    let too_long = "x".repeat(scene.config.batch.bytes_max);
    for payload in ["a", &too_long, "b"] {
        scene.keep(&[payload]);
    }
    scene.forward().await;
    assert_eq!(scene.accepted(), records(&["a", "b"]));
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), line(&too_long));
    assert_eq!(scene.counters.dead_letters_refused.get(), 1);
}

#[tokio::test]
async fn letters_stay_on_the_disk_until_the_stream_is_back_and_new_ones_wake_it() {
    let mut scene = Scene::new();
    scene.keep(&["a"]);
    *scene.shelf.away.lock().unwrap() = true;
    let moment = Duration::from_millis(100);
    timeout(moment, scene.forwarder().run()).await.expect_err("it never ends");
    assert_eq!(scene.accepted(), [""; 0]);
    assert_eq!(fs::read_to_string(scene.file()).unwrap(), line("a"));

    *scene.shelf.away.lock().unwrap() = false;
    let file = scene.file();
    let Scene { store, shelf, config, .. } = &mut scene;
    let mut forwarder = Forwarder::new(config, store, &*shelf, Arc::default());
    let both = async {
        until(|| !file.exists()).await;
        store.append(&[letter("b")]).unwrap();
        until(|| shelf.accepted.lock().unwrap().len() == 2).await;
    };
    tokio::select! {
        never = forwarder.run() => match never {},
        () = both => {}
    }
    assert_eq!(scene.accepted(), records(&["a", "b"]));
}
