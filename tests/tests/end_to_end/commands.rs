//! What an operator asks of the spool and of the books, and whether the answers are true.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tests::fleet::Load;
use tests::patience::in_time;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::Link;

use super::world::World;

/// What a command answers as JSON, and its exit code.
async fn ask(world: &World, arguments: &[&str]) -> (Option<i32>, Value) {
    let answered = world.gateway.ask(&[arguments, &["--json"]].concat()).await;
    let value = serde_json::from_str(&answered.text).unwrap_or_default();
    assert_ne!(value, Value::Null, "{}{}", answered.text, answered.log);
    (answered.code, value)
}

/// What an audit says, which must balance.
async fn audit(world: &World) -> Value {
    let (code, said) = ask(world, &["audit"]).await;
    assert_eq!((code, said.get("balances")), (Some(0), Some(&true.into())), "{said:#}");
    said
}

/// The bounds of a term.
fn span(said: &Value, term: &str) -> (u64, u64) {
    let terms = said.get("terms").expect("an audit");
    let term = terms.get(term).or(said.get(term)).expect("a term");
    let bound = |name: &str| term.get(name).and_then(Value::as_u64).expect("a number");
    (bound("least"), bound("most"))
}

fn exactly(said: &Value, terms: &[(&str, u64)]) {
    for (term, records) in terms {
        assert_eq!(span(said, term), (*records, *records), "{term} in {said:#}");
    }
}

/// The bounds of a term hold `truth`, and are bounds.
fn holds(said: &Value, term: &str, truth: u64) {
    let (least, most) = span(said, term);
    assert!(least <= truth && truth <= most && least < most, "{term}: {truth} in {said:#}");
}

/// Waits until so many records wait in the spool.
async fn waiting(world: &World, records: u64) -> Value {
    let enough = async {
        loop {
            let (code, said) = ask(world, &["spool", "status"]).await;
            assert_eq!(code, Some(0));
            if said.get("records") == Some(&records.into()) {
                return said;
            }
        }
    };
    in_time(&format!("{records} records wait"), enough).await
}

/// A gateway that was stopped while the stream was away: these readings are in its spool.
async fn left_on_disk() -> (World, Vec<Reading>) {
    let world = World::new().await;
    let run = world.gateway.start().await;
    world.stream.faults(|faults| faults.link = Link::Refusing);
    let published = Load::new(200, 1_000).publish(world.broker.port).await;
    waiting(&world, 200).await;
    assert_eq!(run.stop().await.code, Some(0));
    (world, published)
}

/// 300 readings delivered and then 200 in the spool, of a gateway that runs.
async fn half_delivered(world: &World) -> Vec<Reading> {
    let mut published = Load::new(300, 1_000).publish(world.broker.port).await;
    world.all_arrive(&published).await;
    world.stream.faults(|faults| faults.link = Link::Refusing);
    let later = Load { first_seq: 100, ..Load::new(200, 1_000) };
    published.extend(later.publish(world.broker.port).await);
    waiting(world, 200).await;
    published
}

fn segment(world: &World) -> PathBuf {
    let files = fs::read_dir(world.gateway.dir().join("tidegate-state/spool")).expect("a spool");
    let mut files = files.map(|file| file.expect("readable").path());
    files.find(|file| file.extension().is_some_and(|end| end == "tgs")).expect("a segment")
}

#[tokio::test]
async fn audit_is_exact_over_clean_runs_and_a_stop_with_records_on_disk() {
    let world = World::new().await;
    world.begin_session().await;
    let run = world.gateway.start().await;
    let published = half_delivered(&world).await;
    assert_eq!(audit(&world).await["gateway_runs"], true);
    assert_eq!(run.stop().await.code, Some(0));
    let said = audit(&world).await;
    exactly(&said, &[("received", 500), ("delivered", 300), ("spooled", 200)]);
    assert_eq!(said["on_disk"]["spooled"], 200);

    world.stream.faults(|faults| faults.link = Link::Up);
    let run = world.gateway.start().await;
    world.all_arrive(&published).await;
    waiting(&world, 0).await;
    assert_eq!(run.stop().await.code, Some(0));
    let said = audit(&world).await;
    exactly(&said, &[("received", 500), ("delivered", 500), ("spooled", 0), ("again", 0)]);
    assert_eq!((&said["runs"]["clean"], &said["beside"]["replayed"]), (&3.into(), &200.into()));
    assert_eq!(world.stream.counts().records, 500);
}

#[tokio::test]
async fn audit_after_a_kill_gives_bounds_that_hold_the_truth() {
    let world = World::new().await;
    let run = world.gateway.start().await;
    let published = half_delivered(&world).await;
    run.kill().await;
    let said = audit(&world).await;
    holds(&said, "received", 500);
    holds(&said, "delivered", 300);
    assert_eq!((&said["runs"]["crashed"], &said["on_disk"]["spooled"]), (&1.into(), &200.into()));

    world.stream.faults(|faults| faults.link = Link::Up);
    let run = world.gateway.start().await;
    world.all_arrive(&published).await;
    waiting(&world, 0).await;
    assert_eq!(run.stop().await.code, Some(0));
    let said = audit(&world).await;
    // Everything was sent once, and what the broker sent again as often.
    let stored = world.stream.counts().records;
    holds(&said, "received", stored);
    holds(&said, "delivered", stored);
    assert_eq!(said["on_disk"]["spooled"], 0);
}

#[tokio::test]
async fn audit_after_a_kill_under_load_accounts_for_all_that_was_stored() {
    let world = World::new().await;
    let run = world.gateway.start().await;
    let killed = async {
        world.stored(4_000).await;
        run.kill().await;
        let stored = world.stream.counts().records;
        (stored, audit(&world).await)
    };
    let load = Load::new(6_000, 2_000);
    let (_, (stored, said)) = tokio::join!(load.publish(world.broker.port), killed);
    let (least, most) = span(&said, "received");
    assert!(least <= stored && stored <= most, "{stored} stored, {said:#}");
    assert!(least >= 1_000 && most < 100_000, "too wide to be of use: {said:#}");
}

#[tokio::test]
async fn audit_fails_when_records_vanish_from_the_spool() {
    let (world, _) = left_on_disk().await;
    fs::remove_dir_all(world.gateway.dir().join("tidegate-state/spool")).expect("removable");
    let (code, said) = ask(&world, &["audit"]).await;
    assert_eq!((code, &said["balances"]), (Some(1), &Value::Bool(false)), "{said:#}");
    assert_eq!(said["missing"], 200);
}

#[tokio::test]
async fn torn_books_are_put_aside_and_new_ones_begin() {
    let (world, _) = left_on_disk().await;
    let ledger = world.gateway.dir().join("tidegate-state/ledger.json");
    fs::write(&ledger, "{\"version\":1,\"crc").expect("writable");
    let run = world.gateway.start().await;
    run.says("the books cannot be read: new ones begin").await;
    run.stop().await;
    assert!(ledger.with_extension("json.aside").exists());
    let said = audit(&world).await;
    assert_eq!(said["opening"], 200);
    exactly(&said, &[("received", 0), ("spooled", 200)]);
}

#[tokio::test]
async fn spool_status_beside_a_running_gateway_follows_an_outage_to_its_end() {
    let world = World::new().await;
    let run = world.gateway.start().await;
    world.stream.faults(|faults| faults.link = Link::Refusing);
    let load = Load::new(1_500, 300);
    let outage = async {
        run.says("records go to the spool").await;
        let (_, during) = ask(&world, &["spool", "status"]).await;
        world.stream.faults(|faults| faults.link = Link::Up);
        during
    };
    let (published, during) = tokio::join!(load.publish(world.broker.port), outage);
    assert_eq!((&during["gateway_runs"], &during["out_per_s"]), (&true.into(), &0.into()));
    assert!(during["in_per_s"].as_u64() > Some(0), "{during:#}");
    assert_eq!(during["empty_in_s"], Value::Null);
    world.all_arrive(&published).await;
    let after = waiting(&world, 0).await;
    assert_eq!((&after["gateway_runs"], &after["oldest"]), (&true.into(), &Value::Null));
    run.stop().await;
    let (_, stopped) = ask(&world, &["spool", "status"]).await;
    assert_eq!(stopped["gateway_runs"], false);
}

#[tokio::test]
async fn exported_lines_are_the_readings_that_were_not_delivered() {
    let (world, published) = left_on_disk().await;
    let exported = world.gateway.ask(&["spool", "export"]).await;
    let reading = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a JSON object a line");
        Reading::of_record(line["data"].as_str().expect("text").as_bytes()).expect("a reading")
    };
    let exported: Vec<_> = exported.text.lines().map(reading).collect();
    assert_eq!(Comparison::of(&published, &exported), Comparison::default());

    world.stream.faults(|faults| faults.link = Link::Up);
    let run = world.gateway.start().await;
    world.all_arrive(&published).await;
    waiting(&world, 0).await;
    run.stop().await;
    assert_eq!(world.gateway.ask(&["spool", "export"]).await.text, "");
}

#[tokio::test]
async fn flipped_bit_is_found_and_after_a_repair_the_rest_is_delivered() {
    let (world, published) = left_on_disk().await;
    assert_eq!(world.gateway.ask(&["spool", "verify"]).await.code, Some(0));
    let file = segment(&world);
    let mut bytes = fs::read(&file).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("writable");
    let verified = world.gateway.ask(&["spool", "verify"]).await;
    assert_eq!(verified.code, Some(1));
    let name = file.file_name().expect("a file").to_string_lossy().into_owned();
    assert!(verified.text.contains(&name), "{}", verified.text);
    assert!(verified.text.contains("199 records intact, 1 unreadable"), "{}", verified.text);
    let exported = world.gateway.ask(&["spool", "export"]).await;
    assert_eq!((exported.code, exported.text.lines().count()), (Some(1), 199), "{}", exported.log);
    assert!(exported.log.contains("unreadable=1"), "{}", exported.log);

    let repaired = world.gateway.ask(&["spool", "repair"]).await;
    assert_eq!(repaired.code, Some(0), "{}", repaired.log);
    assert!(repaired.text.contains("unreadable: 1 record;"), "{}", repaired.text);
    exactly(&audit(&world).await, &[("corrupted", 1), ("spooled", 199)]);
    world.stream.faults(|faults| faults.link = Link::Up);
    let run = world.gateway.start().await;
    world.stored(199).await;
    waiting(&world, 0).await;
    assert_eq!(run.stop().await.code, Some(0));
    assert_eq!(Comparison::of(&published, &world.arrived()).lost.len(), 1);
    exactly(&audit(&world).await, &[("received", 200), ("delivered", 199), ("corrupted", 1)]);
}

#[tokio::test]
async fn export_of_a_spool_that_lacks_a_file_says_so() {
    let (world, _) = left_on_disk().await;
    fs::remove_file(segment(&world)).expect("removable");
    let exported = world.gateway.ask(&["spool", "export"]).await;
    assert_eq!(exported.code, Some(1), "{}{}", exported.text, exported.log);
    assert!(exported.log.contains("missing=200"), "{}", exported.log);
}

#[tokio::test]
async fn purged_records_count_as_dropped_and_are_not_delivered() {
    let (world, _) = left_on_disk().await;
    let young = world.gateway.ask(&["spool", "purge", "--older-than", "1h"]).await;
    assert_eq!((young.code, young.text.starts_with("purged: 0 records")), (Some(0), true));
    let run = world.gateway.start().await;
    let refused = world.gateway.ask(&["spool", "purge", "--older-than", "0s"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.log.contains("ledger.json: a gateway is running"), "{}", refused.log);
    run.stop().await;
    let purged = world.gateway.ask(&["spool", "purge", "--older-than", "0s"]).await;
    assert!(purged.text.starts_with("purged: 200 records"), "{}{}", purged.text, purged.log);
    exactly(&audit(&world).await, &[("received", 200), ("dropped", 200), ("spooled", 0)]);

    world.stream.faults(|faults| faults.link = Link::Up);
    world.begin_session().await;
    assert_eq!(world.stream.counts().records, 0);
}

#[tokio::test]
async fn gateway_without_its_spool_says_what_an_earlier_run_left_there() {
    let (world, _) = left_on_disk().await;
    let world = world.set("spool.mode", "\"off\"");
    let run = world.gateway.start().await;
    let left = run.field("the spool holds records that are not delivered", "records").await;
    assert_eq!(left, 200);
    // It keeps the books, and what is done to the spool must be in them.
    for upkeep in [&["spool", "repair"][..], &["spool", "purge", "--older-than", "0s"]] {
        let refused = world.gateway.ask(upkeep).await;
        assert_eq!(refused.code, Some(1), "{}{}", refused.text, refused.log);
        let names = ["ledger.json: a gateway is running", "stop it first"];
        assert!(names.iter().all(|words| refused.log.contains(words)), "{}", refused.log);
    }
    waiting(&world, 200).await;
    run.stop().await;
    exactly(&audit(&world).await, &[("received", 200), ("spooled", 200)]);
}

#[tokio::test]
async fn commands_without_a_directory_say_what_is_missing() {
    let world = World::new().await;
    let status = world.gateway.ask(&["spool", "status"]).await;
    assert_eq!((status.code, status.log.contains("there is no directory")), (Some(1), true));
    let audit = world.gateway.ask(&["audit"]).await;
    assert_eq!((audit.code, audit.log.contains("no books")), (Some(1), true));
}
