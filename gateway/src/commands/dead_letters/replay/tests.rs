use std::sync::Mutex;

use bytes::Bytes;
use tempfile::TempDir;

use crate::addressee::Addressee;
use crate::dead_letter::{NO_STREAM, Origin, Store};
use crate::deliver::{Trouble, TroubleKind, Verdict};
use crate::queue::Taken;
use crate::record::PartitionKey;

use super::*;

/// Keeps what it accepts, and refuses what holds "poison" for good.
#[derive(Default)]
struct Shelf {
    accepted: Mutex<Vec<String>>,
}

impl Stream for Shelf {
    async fn put(&self, records: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        let texts = records.iter().map(|taken| String::from_utf8(taken.record.data.to_vec()));
        let texts: Vec<_> = texts.map(Result::unwrap).collect();
        if texts.iter().any(|text| text.contains("poison")) {
            let detail = "poison".to_owned();
            return Err(Trouble { kind: TroubleKind::Invalid, detail });
        }
        self.accepted.lock().unwrap().extend(texts);
        Ok(vec![Verdict::Accepted(None); records.len()])
    }
}

struct Scene {
    config: Config,
    directory: Directory,
    shelf: Shelf,
    /// Goes with the scene.
    _dir: TempDir,
}

impl Scene {
    /// Letters that were rejected as no JSON, whatever they are today.
    fn with(payloads: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "state_dir = {:?}\nrecords.device_pointer = '/d'\n\
             mqtt = {{ url = 'mqtt://b', client_id = 'c', topics = ['t'] }}\n\
             stream = {{ name = 's', region = 'eu-central-1' }}",
            dir.path()
        );
        let config = Config::parse(&text).unwrap();
        let letters: Vec<_> = payloads.iter().map(|payload| letter(payload)).collect();
        Store::open(&config.dead_letter).unwrap().append(&letters).unwrap();
        let directory = Directory::new(&config.dead_letter.dir);
        Self { config, directory, shelf: Shelf::default(), _dir: dir }
    }

    fn planner(&self) -> Planner {
        Planner::new(&self.config, &asked(None)).unwrap()
    }

    async fn replay(&self) -> Report {
        let streams = std::slice::from_ref(&self.shelf);
        let replay = Replay::new(&self.directory, self.planner(), &self.config, streams);
        replay.run(&asked(None)).await.unwrap()
    }

    fn left(&self) -> Vec<Letter> {
        self.directory.entries().unwrap().map(|entry| entry.unwrap().letter().unwrap()).collect()
    }
}

fn asked(reason: Option<&str>) -> Arguments {
    Arguments { reason: reason.map(str::to_owned), to: None, stream: None, dry_run: false }
}

fn of_record(key: &str) -> Origin {
    let target = Addressee::parse("s eu-central-1");
    Origin::Record { key: PartitionKey::new(key), stream: None, target }
}

fn letter(payload: &str) -> Letter {
    Letter {
        at_ms: 7,
        reason: "not_json".into(),
        detail: "once".to_owned(),
        origin: Origin::Topic(Bytes::from_static(b"t")),
        payload: Payload::Whole(payload.to_owned().into()),
    }
}

#[tokio::test]
async fn of_a_letter_that_becomes_several_records_only_what_is_refused_stays() {
    let scene = Scene::with(&[r#"[{"d":"a","v":1},{"d":"b","n":"poison"},{"d":"c","v":3}]"#]);
    let report = scene.replay().await;
    assert_eq!((report.delivered, report.still_bad.get(REFUSED_BY_STREAM)), (0, Some(&1)));
    assert_eq!(scene.shelf.accepted.lock().unwrap().len(), 2);
    let left = scene.left();
    assert_eq!((left.len(), left[0].at_ms), (1, 7));
    assert_eq!(left[0].origin, of_record("b"));
    // As often as one likes: it is sent as it is.
    assert_eq!(scene.replay().await.still_bad.len(), 1);
    assert_eq!(scene.left(), left);
}

#[tokio::test]
async fn letter_that_is_still_bad_stays_with_the_reason_of_today() {
    let scene = Scene::with(&["{}", "{oops", r#"{"d":"a","v":1}"#]);
    let report = scene.replay().await;
    assert_eq!(report.delivered, 1);
    let reasons: Vec<_> = scene.left().into_iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, ["no_device", "not_json"]);
    assert_eq!(
        report.still_bad.into_iter().collect::<Vec<_>>(),
        [("no_device".into(), 1), ("not_json".into(), 1)]
    );
}

#[tokio::test]
async fn more_letters_than_a_group_takes_are_all_sent_once_and_equal_ones_each() {
    let payloads: Vec<_> = (0..1_200).map(|n| format!(r#"{{"d":"a","v":{}}}"#, n / 2)).collect();
    let scene = Scene::with(&payloads.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(scene.replay().await.delivered, 1_200);
    assert_eq!(scene.shelf.accepted.lock().unwrap().len(), 1_200);
    assert_eq!(scene.left(), []);
}

#[test]
fn dry_run_counts_what_is_asked_for_and_changes_nothing() {
    let scene = Scene::with(&[r#"{"d":"a","v":1}"#, "{}"]);
    let before = scene.left();
    let rehearsed = |reason| rehearse(&scene.directory, scene.planner(), &asked(reason)).unwrap();
    let report = rehearsed(None);
    assert_eq!((report.delivered, report.still_bad.get("no_device")), (1, Some(&1)));
    assert_eq!(rehearsed(Some("empty")), Report::default());
    assert_eq!(scene.left(), before);
}

#[test]
fn what_was_asked_for_and_is_not_there_is_said() {
    let scene = Scene::with(&["{}", "{oops"]);
    let said = |asked: Arguments| {
        let mut out = Vec::new();
        run(&scene.directory, &scene.config, &Arguments { dry_run: true, ..asked }, &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        said(asked(Some("notjson"))),
        "0 would be sent; still bad: 0 dead letters; none is notjson, of 2 dead letters: 2 not_json\n"
    );
    assert!(!said(asked(Some("not_json"))).contains("none is"));
    let astray = Report { still_bad: BTreeMap::from([(NO_STREAM.into(), 1)]), ..Report::default() };
    for (to, is_said) in [(Some("s"), true), (None, false)] {
        let asked = Arguments { to: to.map(str::to_owned), ..asked(None) };
        let rest = astray.rest(&scene.directory, &asked).unwrap();
        assert_eq!(rest.contains("a publish needs a route"), is_said, "{rest}");
    }
}

#[test]
fn same_letter_makes_the_same_record_each_time() {
    let scene = Scene::with(&[]);
    let letter = letter(r#"{"d":"a","v":1}"#);
    let line = Fingerprint::of(&letter.line().unwrap());
    let record = || match scene.planner().plan(&letter, line) {
        Plan::Send(records) => records[0].1.data.clone(),
        Plan::StillBad { .. } | Plan::Hashed | Plan::Unasked => panic!("it is a record"),
    };
    assert_eq!(record(), record());
}

#[tokio::test]
async fn large_record_that_was_refused_is_sent_again_as_it_is() {
    let scene = Scene::with(&[]);
    let record = "x".repeat(900_000);
    let letter =
        Letter { reason: REFUSED_BY_STREAM.into(), origin: of_record("a"), ..letter(&record) };
    Store::open(&scene.config.dead_letter).unwrap().append(&[letter]).unwrap();
    assert_eq!(scene.replay().await.delivered, 1);
    assert!(*scene.shelf.accepted.lock().unwrap() == [record]);
    assert_eq!(scene.left(), []);
}

#[test]
fn record_goes_to_the_stream_that_it_was_for_and_to_another_only_when_that_is_said() {
    let scene = Scene::with(&[]);
    for (reason, target, goes) in [
        (REFUSED_BY_STREAM, None, true),
        (REFUSED_BY_STREAM, Some("s eu-central-1"), true),
        (REFUSED_BY_STREAM, Some("s eu-west-1"), false),
        (REFUSED_BY_STREAM, Some("t eu-central-1"), false),
        (NO_STREAM, None, false),
    ] {
        let target = target.and_then(Addressee::parse);
        let origin = Origin::Record { key: PartitionKey::new("a"), stream: None, target };
        let letter = Letter { reason: reason.into(), origin, ..letter("{}") };
        let line = Fingerprint::of(&letter.line().unwrap());
        let sends = |to: Option<&str>| {
            let asked = Arguments { to: to.map(str::to_owned), ..asked(None) };
            let mut planner = Planner::new(&scene.config, &asked).unwrap();
            matches!(planner.plan(&letter, line), Plan::Send(records) if records[0].0 == 0)
        };
        assert_eq!((sends(None), sends(Some("s"))), (goes, true), "{letter:?}");
    }
}
