//! Payloads that no device should send.

use bytes::Bytes;
use data_encoding::BASE64;
use serde_json::Value;
use tests::fleet::{Message, publish};
use twox_hash::XxHash3_128;

use super::world::World;

/// What becomes of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// One record with this text in it.
    Record(&'static str),
    /// One dead letter, with this reason, that keeps the bytes.
    Letter(&'static str),
}

use Fate::{Letter, Record};

/// Bytes of JSON: more than a record may have, fewer than a packet may.
const LARGE: usize = 9_000_000;

fn payloads() -> Vec<(&'static str, Bytes, Fate)> {
    let digits = "7".repeat(400);
    let nested = |depth| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let large = format!(r#"{{"note":"{}"}}"#, "x".repeat(LARGE));
    let number = format!(r#"{{"count":{digits}}}"#);
    vec![
        (
            "not-utf-8",
            b"{\"temperature\":21.4,\"note\":\"\xff\xfe\"}".as_slice().into(),
            Letter("not_utf8"),
        ),
        ("not-json", "temperature=21.4".into(), Letter("not_json")),
        ("cut-off", r#"{"temperature":21."#.into(), Letter("not_json")),
        ("empty", Bytes::new(), Letter("empty")),
        ("large", large.into(), Letter("too_large")),
        ("nested", nested(10_000).into(), Letter("too_deep")),
        (
            "nested-array",
            format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)).into(),
            Letter("too_deep"),
        ),
        ("duplicate-keys", r#"{"temperature":1,"temperature":2}"#.into(), Record("temperature")),
        ("not-a-number", r#"{"temperature":NaN}"#.into(), Letter("not_json")),
        ("many-digits", number.into(), Record("7777777777")),
        ("nul", b"\0".as_slice().into(), Letter("not_json")),
        ("fine", r#"{"temperature":21.4}"#.into(), Record("21.4")),
    ]
}

fn topic(name: &str) -> String {
    format!("sites/1/devices/{name}/telemetry")
}

async fn each_becomes_a_record_or_a_dead_letter(world: World) {
    let run = world.gateway.start().await;
    let payloads = payloads();
    let messages =
        payloads.iter().map(|(name, payload, _)| Message::new(topic(name), payload.clone()));
    publish(world.broker.port, messages).await;
    let expected = payloads.iter().filter(|(_, _, fate)| matches!(fate, Record(_))).count() as u64;
    world.stored(expected).await;
    let books = run.stop().await.books();

    let (records, letters) = (world.stream.records(), world.gateway.dead_letters());
    for (name, payload, fate) in &payloads {
        let records: Vec<_> = records
            .iter()
            .filter(|record| record.partition_key.contains(topic(name).as_str()))
            .map(|record| String::from_utf8(record.data.to_vec()).expect("a record is UTF-8"))
            .collect();
        let letters: Vec<_> =
            letters.iter().filter(|letter| letter["topic"] == topic(name)).collect();
        match (fate, records.as_slice(), letters.as_slice()) {
            (Record(text), [record], []) => {
                serde_json::from_str::<&serde_json::value::RawValue>(record).expect("JSON");
                assert!(record.contains(text), "{name}: {text} is not in {record}");
            }
            (Letter(reason), [], [letter]) => {
                assert_eq!(letter["reason"], *reason, "{name}: {}", letter["detail"]);
                assert!(keeps(letter, payload), "{name}: {letter}");
            }
            other => assert_eq!(format!("{other:.300?}"), "", "{name}"),
        }
    }
    assert_eq!(books.received, payloads.len() as u64);
    assert_eq!(books.delivered, expected);
}

/// Whether the letter holds the bytes, or length and hash of many.
fn keeps(letter: &Value, payload: &Bytes) -> bool {
    let text = |key: &str| letter[key].as_str();
    let bytes = letter["bytes"] == payload.len();
    let kept = match (text("payload"), text("payload_base64"), text("payload_xxh3_128")) {
        (Some(text), None, None) => text.as_bytes() == payload,
        (None, Some(code), None) => {
            BASE64.decode(code.as_bytes()).is_ok_and(|data| data == *payload)
        }
        (None, None, Some(hash)) => *hash == format!("{:032x}", XxHash3_128::oneshot(payload)),
        _ => false,
    };
    bytes && kept
}

#[tokio::test]
async fn every_payload_becomes_a_record_or_a_dead_letter_over_mqtt_5() {
    each_becomes_a_record_or_a_dead_letter(World::new().await).await;
}

#[tokio::test]
async fn every_payload_becomes_a_record_or_a_dead_letter_over_mqtt_3() {
    each_becomes_a_record_or_a_dead_letter(World::new().await.set("mqtt.version", "3")).await;
}

/// A world whose gateway lets in 16 KiB, and a packet of 100,000 bytes before a good reading.
async fn with_a_packet_over_the_limit(world: World) -> World {
    let world = world.set("mqtt.packet_bytes_max", "\"16 KiB\"");
    world.begin_session().await;
    let large = Message::new(topic("large"), vec![b'x'; 100_000]);
    let fine = Message::new(topic("fine"), r#"{"temperature":21.4}"#);
    publish(world.broker.port, [large, fine]).await;
    world
}

#[tokio::test]
async fn packet_over_the_limit_is_kept_back_by_the_broker_over_mqtt_5() {
    let world = with_a_packet_over_the_limit(World::new().await).await;
    let run = world.gateway.start().await;
    world.stored(1).await;
    assert_eq!(run.stop().await.books().received, 1);
}

/// A broker of 3.1.1 knows no limit and sends the packet until it is taken.
#[tokio::test]
async fn packet_over_the_limit_is_named_and_passes_once_the_limit_is_raised_over_mqtt_3() {
    let world = World::new().await.set("mqtt.version", "3");
    let world = with_a_packet_over_the_limit(world).await;
    let run = world.gateway.launch();
    run.says("over mqtt.packet_bytes_max").await;
    run.kill().await;

    let world = world.set("mqtt.packet_bytes_max", "\"1 MiB\"");
    let run = world.gateway.start().await;
    world.stored(1).await;
    let books = run.stop().await.books();
    assert_eq!((books.delivered, books.dead_lettered), (1, 1));
}

#[tokio::test]
async fn raw_payloads_pass_as_they_came() {
    let world = World::new().await.set("records.format", "\"raw\"").set("records.newline", "false");
    let run = world.gateway.start().await;
    let payload = Bytes::from_static(b"\x00\xff not JSON \n");
    publish(world.broker.port, [Message::new(topic("raw"), payload.clone())]).await;
    world.stored(1).await;
    run.stop().await.books();
    assert_eq!(world.stream.records()[0].data, payload);
}

#[tokio::test]
async fn device_with_a_newline_is_a_dead_letter() {
    let world = World::new().await.set("records.device_pointer", "\"/dev\"");
    let run = world.gateway.start().await;
    let payload = |device| format!(r#"{{"dev":"{device}","temperature":1}}"#);
    let message = |device| Message::new(topic("some"), payload(device));
    publish(world.broker.port, [message("a\\nb"), message("a b")]).await;
    world.stored(1).await;
    run.stop().await.books();

    assert_eq!(world.stream.records()[0].partition_key.as_ref(), "a b");
    let letters = world.gateway.dead_letters();
    assert_eq!(letters[0]["reason"], "bad_device");
    assert_eq!(letters[0]["payload"], payload("a\\nb"));
}
