//! What makes two records the same.

use super::*;

fn ids(topic: &str, payload: &str, rx_ts_ms: i64, nonce: u64) -> Vec<String> {
    let records = Records { sequence_pointer: Some("/seq".to_owned()), ..records() };
    let normaliser = Normaliser::new(&records).unwrap();
    let payload = Bytes::copy_from_slice(payload.as_bytes());
    let made = normaliser.normalise(topic.as_bytes(), &payload, rx_ts_ms, nonce).unwrap();
    made.into_iter()
        .map(|record| serde_json::from_slice::<serde_json::Value>(&record.data).unwrap())
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect()
}

fn id(topic: &str, payload: &str, rx_ts_ms: i64, nonce: u64) -> String {
    ids(topic, payload, rx_ts_ms, nonce).remove(0)
}

#[test]
fn a_reading_with_time_or_sequence_keeps_its_id_however_often_it_arrives() {
    for payload in [r#"{"ts":1763692404,"t":1}"#, r#"{"seq":4,"t":1}"#] {
        let first = id(TOPIC, payload, RX_TS_MS, 1);
        assert_eq!(id(TOPIC, payload, RX_TS_MS + 60_000, 2), first);
    }
}

#[test]
fn readings_that_differ_in_anything_have_different_ids() {
    let base = id("a/1", r#"{"ts":1763692404,"t":1}"#, RX_TS_MS, 1);
    for (topic, payload) in [
        ("a/2", r#"{"ts":1763692404,"t":1}"#),
        ("a/1", r#"{"ts":1763692405,"t":1}"#),
        ("a/1", r#"{"ts":1763692404,"t":2}"#),
        ("a/1", r#"{"ts":1763692404,"seq":1,"t":1}"#),
    ] {
        assert_ne!(id(topic, payload, RX_TS_MS, 1), base, "{topic} {payload}");
    }
}

#[test]
fn equal_readings_that_tell_no_time_stay_two() {
    let first = id(TOPIC, "21.4", RX_TS_MS, 1);
    assert_ne!(id(TOPIC, "21.4", RX_TS_MS, 2), first, "in the same millisecond");
    assert_ne!(id(TOPIC, "21.4", RX_TS_MS + 1, 1), first, "in the next");
    assert_eq!(id(TOPIC, "21.4", RX_TS_MS, 1), first);
}

#[test]
fn a_clock_that_stands_still_identifies_nothing() {
    let payload = r#"{"ts":0,"t":21.4}"#;
    assert_ne!(id(TOPIC, payload, RX_TS_MS, 1), id(TOPIC, payload, RX_TS_MS, 2));
}

#[test]
fn equal_elements_of_an_array_stay_two() {
    let both = ids(TOPIC, r#"[{"ts":1763692404,"t":1},{"ts":1763692404,"t":1}]"#, RX_TS_MS, 1);
    assert_ne!(both[0], both[1]);
}
