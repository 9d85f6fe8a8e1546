//! Several streams.

use std::future::pending;

use crate::config::Streams;
use crate::spool::survey;

use super::*;

/// Keeps what it accepts, or never answers.
#[derive(Default)]
struct Shelf {
    accepted: Mutex<Vec<String>>,
    is_silent: bool,
}

impl Stream for Shelf {
    async fn put(&self, records: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        if self.is_silent {
            return pending().await;
        }
        let device = |taken: &Taken| taken.key.as_str().to_owned();
        self.accepted.lock().unwrap().extend(records.iter().map(device));
        Ok(vec![Verdict::Accepted(None); records.len()])
    }
}

/// Two streams: `a/#` goes to the first and `b/#` to the second, unless the payload says a tenant.
/// What is said of all is `settings`.
fn scene(dir: TempDir, settings: &str) -> Scene<Shelf> {
    let text = format!(
        "state_dir = {:?}\nmqtt = {{ url = 'mqtt://b', client_id = 'c', topics = ['#'] }}\n\
         records = {{ tenant_pointer = '/tenant', device_pointer = '/d' }}\n{settings}\n\
         [[stream]]\nname = 'a'\nregion = 'eu-north-1'\nroute = {{ topics = ['a/#'] }}\n\
         [[stream]]\nname = 'b'\nregion = 'eu-south-1'\n\
         route = {{ tenants = ['acme'], topics = ['b/#', 'c/#'] }}\n",
        dir.path()
    );
    let config = Config::parse(&text).unwrap();
    Scene {
        dir,
        config,
        streams: vec![Shelf::default(), Shelf::default()],
        counters: Arc::default(),
    }
}

fn new_scene(settings: &str) -> Scene<Shelf> {
    scene(tempfile::tempdir().unwrap(), settings)
}

fn payload(device: &str, tenant: &str) -> String {
    format!(r#"{{"d":"{device}","tenant":"{tenant}","v":1}}"#)
}

fn of(number: u64, topic: &'static str, payload: String) -> Intake {
    publish(number, topic.into(), payload.into())
}

impl Scene<Shelf> {
    fn accepted(&self) -> [Vec<String>; 2] {
        [0, 1].map(|index| {
            let mut accepted = self.streams[index].accepted.lock().unwrap().clone();
            accepted.sort_unstable();
            accepted
        })
    }

    /// Reason and payload of each letter.
    fn letters(&self) -> Vec<(String, Payload)> {
        let directory = Directory::new(&self.config.dead_letter.dir);
        let letters = directory.entries().unwrap().map(|entry| entry.unwrap().letter().unwrap());
        letters.map(|letter| (letter.reason.into_owned(), letter.payload)).collect()
    }
}

#[tokio::test]
async fn every_record_goes_to_one_stream_or_becomes_a_letter() {
    let scene = new_scene("");
    let mixed = format!("[{},{}]", payload("4", "acme"), payload("5", "other"));
    let lost = payload("6", "other");
    let story = async |mut doors: Doors| {
        for (number, (topic, payload)) in [
            ("a/1", payload("1", "acme")),
            ("a/1", payload("2", "other")),
            ("b/1", payload("3", "acme")),
            ("c/1", mixed),
            ("b/2", lost.clone()),
            ("d", payload("7", "acme")),
        ]
        .into_iter()
        .enumerate()
        {
            doors.intake.send(of(number as u64, topic, payload)).await.unwrap();
        }
        let mut settled = 0;
        while settled < 6 {
            settled += doors.settled.recv().await.unwrap().len();
        }
    };
    let ended = scene.run(story).await;
    assert_eq!(scene.accepted(), [["acme/1", "other/2"], ["acme/3", "acme/4"]]);
    let letters = scene.letters();
    assert!(letters.iter().all(|(reason, _)| reason == "no_stream"), "{letters:?}");
    let payloads: Vec<_> = letters.into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(payloads.len(), 3);
    // One alone of its publish as a record, since the other was sent; a publish as it came.
    assert!(payloads.contains(&Payload::Whole(lost.into())));
    let ledger = ended.ledger;
    assert!(ledger.balances());
    assert_eq!((ledger.received, ledger.delivered, ledger.dead_lettered), (7, 4, 3));
}

#[tokio::test]
async fn publish_for_two_streams_is_settled_when_it_is_safe_with_both() {
    let mut scene = new_scene("drain_s_max = 1");
    scene.streams[1].is_silent = true;
    // By the tenant alone, so that one publish is for both.
    let [mut first, mut second] =
        [0, 1].map(|place| scene.config.streams.iter().nth(place).cloned().unwrap());
    (first.route.topics, second.route.topics) = (vec![], vec![]);
    first.route.tenants = ["own".to_owned()].into();
    scene.config.streams = Streams::new(first, vec![second]);
    let story = async |mut doors: Doors| {
        let both = format!("[{},{}]", payload("1", "own"), payload("2", "acme"));
        doors.intake.send(of(1, "x", both)).await.unwrap();
        assert_eq!(doors.settled.recv().await.unwrap().len(), 1);
        assert_eq!(scene.accepted()[0].len(), 1);
        let dir = scene.config.streams.iter().map(|one| scene.config.spool_of(one).dir).last();
        let on_disk = survey(&crate::spool::Directory::new(&dir.unwrap())).unwrap();
        assert_eq!(on_disk.unsettled(), 1, "the other is on the disk");
    };
    let ended = scene.run(story).await;
    assert_eq!(scene.accepted(), [vec!["own/1".to_owned()], vec![]]);
    assert_eq!((ended.ledger.delivered, ended.ledger.spooled), (1, 1));
}

#[tokio::test]
async fn what_is_left_of_a_stream_that_is_gone_is_told_and_delivered_when_it_is_back() {
    let mut scene_of_both = new_scene("spool.mode = 'always'\ndrain_s_max = 1");
    scene_of_both.streams[1].is_silent = true;
    let story = async |mut doors: Doors| {
        for number in 0..3 {
            let payload = payload(&number.to_string(), "acme");
            doors.intake.send(of(number, "b/1", payload)).await.unwrap();
            doors.settled.recv().await.unwrap();
        }
    };
    assert_eq!(scene_of_both.run(story).await.ledger.spooled, 3);

    let mut scene_of_one = scene(scene_of_both.dir, "");
    let first = scene_of_one.config.streams.first().clone();
    scene_of_one.config.streams = Streams::new(first, vec![]);
    scene_of_one.streams.truncate(1);
    for _ in 0..2 {
        let log = Log::begin();
        let ended = scene_of_one.run(async |_: Doors| {}).await;
        let log = log.text();
        assert_eq!((ended.ledger.recovered, ended.ledger.spooled), (0, 0));
        assert_eq!(
            log.matches("a [[stream]] with label = \"b\" delivers them").count(),
            1,
            "{log}"
        );
    }

    let scene = scene(scene_of_one.dir, "");
    let delivered = async |doors: Doors| {
        until(|| scene.accepted()[1].len() == 3).await;
        drop(doors);
    };
    let ended = scene.run(delivered).await;
    assert_eq!((ended.ledger.recovered, ended.ledger.delivered), (3, 3));
    let books = crate::books::LedgerFile::new(&scene.config.state_dir).read().unwrap();
    assert_eq!((books.missing, books.terms.delivered.least), (0, 3));
    let balance = books.balance();
    assert!(balance.holds(), "{balance:?}");
}

/// Always has something to tell.
struct Restless;

impl Stream for Restless {
    async fn put(&self, _: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        pending().await
    }

    async fn key_changed(&self) {}
}

#[tokio::test]
async fn streams_that_always_have_something_to_tell_are_heard_in_turn() {
    let Scene { dir, config, counters, .. } = new_scene("");
    let scene = Scene { dir, config, counters, streams: vec![Restless, Restless] };
    let mut flow = scene.open(mpsc::channel(1).0);
    for turn in 0..10 {
        assert_eq!(next_of(&mut flow.branches, turn).await.0, turn % 2);
    }
}
