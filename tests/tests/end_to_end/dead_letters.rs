//! What could not be sent: to a stream of its own, and back again by command.

use std::collections::HashSet;

use serde_json::Value;
use tests::fleet::{Load, Message, publish};
use tests::mosquitto::Settings;
use tests::patience::{in_time, until};
use tests::reading::Comparison;
use tests::small_disk::SmallDisk;
use tidegate::rehearsal::stream::{self, Action, Counts, LocalStream, Refusal, RequestFault};

use super::world::World;

fn topic(device: &str) -> String {
    format!("sites/1/devices/{device}/telemetry")
}

/// Publishes of `devices` that are no JSON.
async fn publish_bad(world: &World, devices: impl IntoIterator<Item = u32>) {
    let message = |n: u32| Message::new(topic(&n.to_string()), format!("bad {n}"));
    publish(world.broker.port, devices.into_iter().map(message)).await;
}

/// The payloads of the letters on the disk, "" where only the hash was kept. The gateway may be
/// running: what is half written or gone between two looks is passed over.
fn on_disk(world: &World) -> Vec<String> {
    let dir = world.gateway.dir().join("tidegate-state/dead-letters");
    let files = std::fs::read_dir(dir).expect("made at the first start");
    let files = files.map(|file| file.expect("readable").path());
    let files = files.filter(|file| file.extension().is_some_and(|end| end == "ndjson"));
    let texts = files.filter_map(|file| std::fs::read_to_string(file).ok());
    let letters = |text: String| {
        let letters = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        letters.map(|letter| text_of(&letter).unwrap_or_default()).collect::<Vec<_>>()
    };
    texts.flat_map(letters).collect()
}

/// Waits until so many letters are on the disk.
async fn kept(world: &World, letters: usize) {
    let enough = || on_disk(world).len() == letters;
    until(&format!("{letters} letters are on the disk"), enough).await;
}

/// A world that has run and now keeps these letters; the gateway is stopped.
async fn with_letters(world: World, devices: std::ops::Range<u32>) -> World {
    let count = devices.len();
    let run = world.gateway.start().await;
    publish_bad(&world, devices).await;
    kept(&world, count).await;
    run.stop().await.books();
    world
}

/// What the `letters` command answers when all goes well.
async fn ask(world: &World, arguments: &[&str]) -> String {
    let answered = world.gateway.ask(&[&["dead-letters"], arguments].concat()).await;
    assert_eq!(answered.code, Some(0), "{}", answered.log);
    answered.text
}

fn letters_stream(world: &World) -> LocalStream {
    let name = "letters".to_owned();
    world.stream.beside(stream::Settings { name, shards: 1, ..stream::Settings::default() })
}

fn text_of(letter: &Value) -> Option<String> {
    letter.get("payload")?.as_str().map(str::to_owned)
}

/// The payloads of the letters in a stream, in the order of storing.
fn arrived(stream: &LocalStream) -> Vec<String> {
    let letter = |data: &[u8]| serde_json::from_slice::<Value>(data).expect("a letter is JSON");
    let records = stream.records();
    let payload = |data: &[u8]| text_of(&letter(data)).expect("text");
    records.iter().map(|record| payload(&record.data)).collect()
}

fn distinct(payloads: Vec<String>) -> usize {
    payloads.into_iter().collect::<HashSet<_>>().len()
}

fn bad(devices: impl IntoIterator<Item = u32>) -> Vec<String> {
    devices.into_iter().map(|n| format!("bad {n}")).collect()
}

async fn all_forwarded(world: &World, stream: &LocalStream, letters: u64) {
    let enough = |counts: &Counts| counts.records >= letters;
    in_time("the letters' stream has them", stream.reached(enough)).await;
    kept(world, 0).await;
}

#[tokio::test]
async fn letters_go_to_their_own_stream_and_then_from_the_disk() {
    let world = World::new().await.set("dead_letter.stream", "\"letters\"");
    let letters = letters_stream(&world);
    let run = world.gateway.start().await;
    run.says("dead_letter.stream is there").await;
    publish_bad(&world, 0..20).await;
    all_forwarded(&world, &letters, 20).await;
    let books = run.stop().await.books();

    assert_eq!((books.dead_lettered, books.delivered), (20, 0));
    let mut payloads = arrived(&letters);
    payloads.sort();
    let mut expected = bad(0..20);
    expected.sort();
    assert_eq!(payloads, expected, "each once");
    assert_eq!(world.stream.counts().records, 0);
    let records = letters.records();
    let letter: Value = serde_json::from_slice(&records[0].data).expect("JSON");
    assert_eq!(letter["topic"], *records[0].partition_key);
    assert_eq!(letter["reason"], "not_json");
}

#[tokio::test]
async fn letters_wait_on_the_disk_while_their_stream_is_away_and_records_go_on() {
    let world = World::new().await.set("dead_letter.stream", "\"letters\"");
    let letters = letters_stream(&world);
    let away = RequestFault::Refuse(Refusal::service_unavailable());
    letters.faults(|faults| faults.all = Some(away));
    let run = world.gateway.start().await;
    publish_bad(&world, 0..50).await;
    run.says("the stream is unavailable").await;
    let published = Load::new(200, 1_000).publish(world.broker.port).await;
    world.all_arrive(&published).await;
    kept(&world, 50).await;

    // A stop does not wait for it, and the next run goes on.
    run.stop().await.books();
    let run = world.gateway.start().await;
    letters.faults(|faults| faults.all = None);
    all_forwarded(&world, &letters, 50).await;
    run.stop().await.books();
    assert_eq!(distinct(arrived(&letters)), 50);
}

#[tokio::test]
async fn letters_stream_that_does_not_exist_is_told_and_used_once_it_does() {
    let world = World::new().await.set("dead_letter.stream", "\"letters\"");
    let _another = world
        .stream
        .beside(stream::Settings { name: "another".to_owned(), ..stream::Settings::default() });
    let run = world.gateway.start().await;
    run.says("dead_letter.stream does not exist").await;
    publish_bad(&world, 0..3).await;
    run.says("check stream.name (or dead_letter.stream)").await;
    kept(&world, 3).await;
    let letters = letters_stream(&world);
    all_forwarded(&world, &letters, 3).await;
    run.stop().await.books();
}

#[tokio::test]
async fn key_that_may_only_put_forwards_letters_all_the_same() {
    let world = World::new().await.set("dead_letter.stream", "\"letters\"");
    let letters = letters_stream(&world);
    letters.faults(|faults| faults.permitted = Action::PUTS.to_vec());
    let run = world.gateway.start().await;
    run.says("whether dead_letter.stream exists is not known").await;
    publish_bad(&world, 0..3).await;
    all_forwarded(&world, &letters, 3).await;
    let log = run.stop().await.log;
    assert!(!log.iter().any(|line| line.contains("\"WARN\"")), "{log:?}");
}

#[tokio::test]
async fn letters_killed_in_the_midst_of_forwarding_all_arrive() {
    let world = World::new().await.set("dead_letter.stream", "\"letters\"");
    let letters = letters_stream(&world);
    world.begin_session().await;
    let killed = async {
        for round in 1..=4 {
            let run = world.gateway.start().await;
            let enough = |counts: &Counts| counts.records >= round * 300;
            in_time("some letters arrive", letters.reached(enough)).await;
            run.kill().await;
        }
        world.gateway.start().await
    };
    let ((), run) = tokio::join!(publish_bad(&world, 0..3_000), killed);
    let all = || distinct(arrived(&letters)) == 3_000;
    until("every publish is a letter in the stream", all).await;
    kept(&world, 0).await;
    run.stop().await.books();
    // The same letter twice: accepted and not taken from the disk yet, so at most what was accepted
    // of one file at each kill, which comes after some 300. What the broker sent again, because its
    // PUBACK was lost, arrived at another time.
    let lines: HashSet<_> = letters.records().into_iter().map(|record| record.data).collect();
    let twice = letters.records().len() - lines.len();
    assert!(twice <= 4 * 500, "{twice} twice");
}

#[tokio::test]
async fn gateway_killed_while_it_writes_letters_keeps_one_of_every_publish() {
    let world = World::new().await;
    world.begin_session().await;
    let killed = async {
        for round in 1..=4_usize {
            let run = world.gateway.start().await;
            let enough = || on_disk(&world).len() >= round * 500;
            until("some letters are on the disk", enough).await;
            run.kill().await;
        }
        world.gateway.start().await
    };
    let ((), run) = tokio::join!(publish_bad(&world, 0..4_000), killed);
    let all = || distinct(on_disk(&world)) == 4_000;
    until("every publish is a letter", all).await;
    run.stop().await.books();
    let listed = ask(&world, &["list", "--reason", "not_json"]).await;
    let count: usize = listed
        .lines()
        .last()
        .and_then(|line| line.split(' ').next()?.parse().ok())
        .expect("a count");
    assert!(count >= 4_000, "{count}");
}

#[tokio::test]
async fn letters_are_listed_and_shown_beside_a_running_gateway() {
    let world = World::new().await;
    let run = world.gateway.start().await;
    publish_bad(&world, [7]).await;
    publish(world.broker.port, [Message::new(topic("8"), b"\xff\x00".as_slice())]).await;
    kept(&world, 2).await;

    let listed = ask(&world, &["list"]).await;
    let lines: Vec<_> = listed.lines().collect();
    assert!(lines[0].starts_with("1:1 ") && lines[0].contains("not_json"), "{listed}");
    assert!(lines[0].ends_with("sites/1/devices/7/telemetry  5 bytes"), "{listed}");
    assert_eq!(lines[2], "2 dead letters: 1 not_json, 1 not_utf8");
    let listed = ask(&world, &["list", "--json", "--reason", "not_utf8"]).await;
    let line: Value = serde_json::from_str(&listed).expect("one line of JSON");
    assert_eq!((&line["id"], &line["bytes"]), (&"1:2".into(), &2.into()));
    assert_eq!(ask(&world, &["show", "1:1", "--payload"]).await, "bad 7");
    assert!(ask(&world, &["show", "1:2"]).await.contains("base64    /wA="));

    let answered = world.gateway.ask(&["dead-letters", "show", "9:9"]).await;
    assert_eq!(answered.code, Some(1));
    assert!(answered.log.contains("there is no dead letter 9:9"), "{}", answered.log);
    run.stop().await.books();
}

#[tokio::test]
async fn torn_line_is_passed_over_by_every_command_and_by_the_next_run() {
    let world = with_letters(World::new().await, 0..2).await;
    let file = world.gateway.dir().join("tidegate-state/dead-letters/dead-letters-000001.ndjson");
    let mut text = std::fs::read_to_string(&file).expect("written");
    text.push_str("{\"at\":17636924");
    std::fs::write(&file, text).expect("writable");

    let answered = world.gateway.ask(&["dead-letters", "list"]).await;
    assert!(answered.log.contains("passed over"), "{}", answered.log);
    assert!(answered.text.ends_with("2 dead letters: 2 not_json\n"), "{}", answered.text);
    let sent = ask(&world, &["replay"]).await;
    assert_eq!(sent, "0 delivered; still bad: 2 dead letters: 2 not_json\n");
    let run = world.gateway.start().await;
    publish_bad(&world, [2]).await;
    kept(&world, 3).await;
    run.stop().await.books();
    assert_eq!(ask(&world, &["purge", "--reason", "not_json"]).await, "3 dead letters purged\n");
    assert_eq!(std::fs::read_to_string(&file).expect("kept"), "{\"at\":17636924");
    assert_eq!(ask(&world, &["purge", "--all"]).await, "1 dead letters purged\n");
}

#[tokio::test]
async fn mended_mapping_sends_letters_on_and_what_is_still_bad_stays() {
    let world = World::new().await.set("records.device_pointer", "\"/dev\"");
    let run = world.gateway.start().await;
    let message = |n: u32| Message::new(topic("9"), format!(r#"{{"device":"d{n}","seq":{n}}}"#));
    publish(world.broker.port, (0..30).map(message)).await;
    publish_bad(&world, [1]).await;
    kept(&world, 31).await;

    // Beside the running gateway, which knows the old mapping.
    let world = world.set("records.device_pointer", "\"/device\"");
    let would = ask(&world, &["replay", "--dry-run", "--reason", "no_device"]).await;
    assert_eq!(would, "30 would be sent; still bad: 0 dead letters\n");
    assert_eq!(world.stream.counts().records, 0);
    let sent = ask(&world, &["replay"]).await;
    assert_eq!(sent, "30 delivered; still bad: 1 dead letters: 1 not_json\n");
    let keys = world.stream.records();
    let mut keys: Vec<_> = keys.iter().map(|record| record.partition_key.to_string()).collect();
    keys.sort();
    let mut expected: Vec<_> = (0..30).map(|n| format!("d{n}")).collect();
    expected.sort();
    assert_eq!(keys, expected);
    let left = world.gateway.dead_letters();
    assert_eq!((left.len(), &left[0]["payload"]), (1, &"bad 1".into()));

    // The gateway goes on writing after the files were changed.
    publish_bad(&world, [2]).await;
    kept(&world, 2).await;
    run.stop().await.books();
}

#[tokio::test]
async fn refused_record_is_sent_again_as_it_is_however_long_and_too_long_a_payload_is_not() {
    let world = World::new().await;
    world.stream.faults(|faults| faults.record_bytes_max = 1_000);
    let run = world.gateway.start().await;
    let message = |size| Message::new(topic("1"), format!(r#"{{"note":"{}"}}"#, "x".repeat(size)));
    let too_long = Message::new(topic("1"), "x".repeat(100_000));
    publish(world.broker.port, [message(2_000), message(100_000), too_long]).await;
    kept(&world, 3).await;
    run.stop().await.books();

    let sent = ask(&world, &["replay"]).await;
    let skipped = "; skipped, because only their hash was kept: 1\n";
    assert!(
        sent.starts_with("0 delivered; still bad: 2 dead letters: 2 refused_by_stream"),
        "{sent}"
    );
    assert!(sent.ends_with(skipped), "{sent}");
    kept(&world, 3).await;
    world.stream.faults(|faults| faults.record_bytes_max = 1 << 20);
    let sent = ask(&world, &["replay"]).await;
    assert_eq!(sent, format!("2 delivered; still bad: 0 dead letters{skipped}"));
    let records = world.stream.records();
    assert_eq!(records.len(), 2);
    for (record, size) in records.iter().zip([2_000, 100_000]) {
        assert_eq!(record.partition_key.as_ref(), topic("1"));
        assert!(record.data.starts_with(b"{\"v\":1"), "sent as it was made");
        assert!(record.data.len() > size);
    }
    kept(&world, 1).await;
}

#[tokio::test]
async fn old_letters_are_purged_and_young_ones_stay() {
    let world = with_letters(World::new().await, 0..3).await;
    assert_eq!(ask(&world, &["purge", "--older-than", "1h"]).await, "0 dead letters purged\n");
    assert_eq!(ask(&world, &["purge", "--reason", "empty"]).await, "0 dead letters purged\n");
    assert_eq!(ask(&world, &["purge", "--older-than", "0s"]).await, "3 dead letters purged\n");
    kept(&world, 0).await;
    let answered = world.gateway.ask(&["dead-letters", "purge"]).await;
    assert_eq!(answered.code, Some(2), "what goes must be said");
}

#[tokio::test]
async fn full_disk_holds_letters_back_until_there_is_room() {
    let disk = SmallDisk::mount(1);
    let mut world = World::with(Settings::talkative(), stream::Settings::default()).await;
    let spool = world.gateway.spool_dir();
    world.gateway = world.gateway.set_path("state_dir", disk.path()).set_path("spool.dir", &spool);
    let run = world.gateway.start().await;
    disk.fill();
    publish_bad(&world, 0..20).await;
    run.says("dead letters cannot be kept").await;
    let published = Load::new(200, 500).publish(world.broker.port).await;
    assert_eq!(world.all_arrive(&published).await, Comparison::default());
    // Acknowledgements go in order, and the letters were first.
    assert_eq!(world.broker.acknowledged_by("edge-1"), 0);

    disk.clear();
    run.says("dead letters are kept again").await;
    until("all are acknowledged", || world.broker.acknowledged_by("edge-1") == 220).await;
    assert_eq!(run.times_said("dead letters cannot be kept"), 1);
    assert_eq!(run.stop().await.books().dead_lettered, 20);
}
