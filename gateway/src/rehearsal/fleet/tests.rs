use std::collections::HashMap;

use serde_json::Value;

use super::*;
use crate::rehearsal::broker::tests::Watcher;
use crate::rehearsal::broker::{Broker, Settings};

const AT_MS: i64 = 1_763_692_404_123;

#[test]
fn readings_have_exactly_the_size_asked_for_and_are_json() {
    for bytes in READING_BYTES_MIN..3000 {
        let made = reading(bytes % 7, bytes as u64, AT_MS, bytes, 9);
        assert_eq!(made.len(), bytes);
        let parsed: Value = serde_json::from_slice(&made).unwrap();
        assert_eq!(parsed["seq"], bytes);
    }
    for (asked, given) in [(0, READING_BYTES_MIN), (200_000, 200_000)] {
        let made = reading(1, u64::MAX, i64::MAX, asked, u64::MAX);
        assert_eq!(made.len(), given);
        serde_json::from_slice::<Value>(&made).unwrap();
    }
}

#[test]
fn same_arguments_make_the_same_reading_and_each_of_them_counts() {
    let first = reading(1, 2, AT_MS, 1024, 3);
    assert_eq!(first, reading(1, 2, AT_MS, 1024, 3));
    for other in [
        reading(2, 2, AT_MS, 1024, 3),
        reading(1, 3, AT_MS, 1024, 3),
        reading(1, 2, AT_MS + 1, 1024, 3),
        reading(1, 2, AT_MS, 1024, 4),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn readings_tell_their_time_in_two_ways() {
    let even: Value = serde_json::from_slice(&reading(0, 0, AT_MS, 1024, 1)).unwrap();
    let odd: Value = serde_json::from_slice(&reading(1, 0, AT_MS, 1024, 1)).unwrap();
    assert_eq!(even["ts"], "2025-11-21T02:33:24.123Z");
    assert_eq!(odd["ts"], AT_MS);
}

#[test]
fn a_canonical_record_is_not_much_larger_than_its_reading() {
    let made = reading(0, 123_456, AT_MS, 1024, 1);
    let parsed: Value = serde_json::from_slice(&made).unwrap();
    let members = parsed.as_object().unwrap();
    let (arrays, scalars): (Vec<_>, Vec<_>) = members.iter().partition(|(_, it)| it.is_array());
    assert_eq!((scalars.len(), arrays.len()), (13, 1));
    let measured: usize = scalars
        .iter()
        .filter(|(name, _)| !["ts", "seq"].contains(&name.as_str()))
        .map(|(name, value)| format!(r#"{{"n":"{name}","v":{value}}},"#).len())
        .sum();
    let kept: usize = arrays.iter().map(|(name, value)| format!("\"{name}\":{value},").len()).sum();
    let envelope = concat!(
        r#"{"v":1,"id":"01JD6Z3YQ8M4T2C9W7K5H1X0AB","src":"json","type":"telemetry","#,
        r#""dev":"sites/site-0/devices/dev-00000/telemetry","ts":1763692404123,"#,
        r#""ts_src":"device","rx_ts":1763692404456,"seq":123456,"m":[],"x":{}}"#
    );
    let record = envelope.len() + measured + kept;
    assert!(record <= 1150, "{record} bytes");
}

#[tokio::test]
async fn every_device_publishes_its_numbers_in_order_and_all_are_acknowledged() {
    let broker = Broker::start(Settings::default()).await.unwrap();
    let fleet = Fleet {
        devices: 7,
        rate_per_s: 3000,
        seconds: 1,
        record_bytes: 500,
        connections: 3,
        ..Fleet::default()
    };
    let progress = Progress::default();
    let watcher = Watcher::subscribe(&broker, "sites/#").await;
    let (seen, ()) = tokio::join!(watcher.take(3000), fleet.run(broker.address(), &progress));
    assert_eq!((progress.published(), progress.acknowledged()), (3000, 3000));
    let mut next: HashMap<String, u64> = HashMap::new();
    for publish in seen {
        let reading: Value = serde_json::from_slice(&publish.payload).unwrap();
        let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
        let expected = next.entry(topic).or_default();
        assert_eq!(reading["seq"], *expected);
        *expected += 1;
    }
    for device in 0..7 {
        assert_eq!(next[&fleet.topic_of(device)], fleet.readings_of(device));
    }
}

#[tokio::test]
async fn lost_connections_lose_no_reading() {
    let broker = Broker::start(Settings::default()).await.unwrap();
    let fleet = Fleet { devices: 5, rate_per_s: 1000, seconds: 2, ..Fleet::default() };
    let progress = Progress::default();
    let mut watcher = Watcher::subscribe(&broker, "sites/#").await;
    let interrupt = async {
        for at in [300, 800, 1200, 1500] {
            while progress.acknowledged() < at {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            broker.drop_connections();
        }
    };
    let expected: HashMap<String, u64> =
        (0..5).map(|it| (fleet.topic_of(it), fleet.readings_of(it))).collect();
    // Each device's readings arrive with none left out; some may arrive twice.
    let everything = async {
        let mut next: HashMap<String, u64> = HashMap::new();
        while next != expected {
            let publish = watcher.next().await;
            let reading: Value = serde_json::from_slice(&publish.payload).unwrap();
            let topic = String::from_utf8(publish.topic.to_vec()).unwrap();
            let next = next.entry(topic).or_default();
            let sequence = reading["seq"].as_u64().unwrap();
            assert!(sequence <= *next, "{sequence} came before {next}");
            *next = (*next).max(sequence + 1);
        }
    };
    tokio::join!(fleet.run(broker.address(), &progress), interrupt, everything);
    assert_eq!(progress.acknowledged(), 2000);
}
