//! What holds of whatever is published.

use std::fs;

use proptest::collection::{hash_set, vec};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::config::Kind;

const KEYS: [&str; 13] =
    ["v", "id", "tenant", "src", "type", "dev", "ts", "ts_src", "rx_ts", "seq", "m", "x", "q"];

/// A configuration for each number.
fn some_records(number: u8) -> Records {
    let unmapped = [Unmapped::Measure, Unmapped::Keep, Unmapped::Drop][usize::from(number % 3)];
    let fields = vec![
        FieldRule { kind: Some(Kind::Number), scale: 0.1, ..rule("/a", "alpha") },
        FieldRule { kind: Some(Kind::Boolean), ..rule("/b/a", "beta") },
        FieldRule { kind: Some(Kind::Text), ..rule("/b/0", "gamma") },
    ];
    match number / 3 % 3 {
        0 => Records { unmapped, ..records() },
        1 => Records { unmapped, ..mapped(fields) },
        _ => Records {
            unmapped,
            device_pointer: Some("/b".to_owned()),
            tenant_pointer: Some("/c/a".to_owned()),
            sequence_pointer: Some("/a".to_owned()),
            time_pointers: vec!["/c/b".to_owned(), "/ts".to_owned()],
            ..records()
        },
    }
}

/// One line; valid JSON; the fixed keys in their order, each once; names of measurements unique, in
/// snake_case, with one value each.
fn check_line(data: &[u8]) {
    let line = data.strip_suffix(b"\n").expect("a newline at the end");
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "one line");
    let text = str::from_utf8(line).expect("UTF-8");
    let mut order = KEYS.iter();
    leaf::each_part(text, |place, value| {
        let leaf::Place::Key(key) = place else { panic!("an object") };
        assert!(order.any(|fixed| *fixed == key), "{key} is new, repeated or out of order: {text}");
        assert_ne!(value, "null");
        Ok(())
    })
    .expect("an object");
    let record: Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut names = std::collections::HashSet::new();
    for measurement in record["m"].as_array().into_iter().flatten() {
        let name = measurement["n"].as_str().expect("a name");
        assert!(names.insert(name), "{name} twice: {text}");
        assert!(!name.is_empty() && name.chars().all(|c| c == '_' || c.is_alphanumeric()));
        let values = ["v", "b", "s"].map(|slot| measurement.get(slot).is_some());
        assert_eq!(values.iter().filter(|has| **has).count(), 1, "{text}");
    }
}

fn check_all(records: &Records, topic: &[u8], payload: &[u8]) {
    let normaliser = Normaliser::new(records).expect("a good configuration");
    match normaliser.normalise(topic, &Bytes::copy_from_slice(payload), RX_TS_MS, 1) {
        Ok(normalised) => normalised.into_iter().for_each(|record| check_line(&record.data)),
        Err(reject) => {
            assert!(!reject.detail.is_empty() && reject.detail.len() < 200, "{reject}");
            assert!(!reject.detail.contains('\n'), "{reject}");
        }
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?",
        Just("1763692404".to_owned()),
        Just("1e999".to_owned()),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        number(),
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just(r#""\ud83d\ude00 \u0000""#.to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        number().prop_map(|digits| format!("\"{digits}\"")),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[a-cA-C0.]{0,2}", "ts", any::<String>()]
        .prop_map(|key| serde_json::to_string(&key).unwrap())
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t")]
}

fn json() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 40, 6, |inner| {
        let member = (key(), blank(), inner.clone())
            .prop_map(|(key, blank, value)| format!("{blank}{key}{blank}:{blank}{value}{blank}"));
        prop_oneof![
            vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
            (blank(), vec(inner, 0..6))
                .prop_map(|(blank, items)| format!("[{blank}{}{blank}]", items.join(","))),
        ]
    })
}

/// How many scalars other than null and arrays there are, arrays not looked into.
fn leaves(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Object(members) => members.values().map(leaves).sum(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => 1,
    }
}

proptest! {
    #[test]
    fn any_json_is_one_good_line_or_a_reject(number: u8, json in json()) {
        check_all(&some_records(number), b"a/b", json.as_bytes());
    }

    #[test]
    fn any_bytes_are_one_good_line_or_a_reject(
        number: u8,
        topic in vec(any::<u8>(), 0..20),
        payload in vec(any::<u8>(), 0..60),
    ) {
        check_all(&some_records(number), &topic, &payload);
    }

    #[test]
    fn anything_that_looks_like_json_is_one_good_line_or_a_reject(
        number: u8,
        payload in "[\\[\\]{}\":,.\\\\abtu0-9eE+ -]{0,40}",
    ) {
        check_all(&some_records(number), b"a/b", payload.as_bytes());
    }

    #[test]
    fn numbers_keep_their_digits(digits in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?") {
        let line = line(&records(), &format!(r#"{{"a":{digits}}}"#));
        let expected = format!(r#""m":[{{"n":"a","v":{digits}}}]"#);
        prop_assert!(line.contains(&expected), "{} in {}", expected, line);
    }

    #[test]
    fn every_leaf_arrives(keys in hash_set("[a-cA-C0.-]{1,3}", 0..6), values in vec(json(), 6)) {
        let members = keys.iter().zip(&values).map(|(key, value)| format!("\"{key}\":{value}"));
        let payload = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        let Ok(value) = serde_json::from_str::<Value>(&payload) else { return Ok(()) };
        let record: Value = serde_json::from_str(&line(&records(), &payload)).unwrap();
        let measured = record["m"].as_array().map_or(0, Vec::len);
        let kept = record["x"].as_object().map_or(0, serde_json::Map::len);
        // Keys that an inner object repeats count once in `value`, and all of them arrive.
        prop_assert!(measured + kept >= leaves(&value), "{} from {}", record, payload);
    }

    #[test]
    fn snake_case_of_snake_case_is_itself(key: String) {
        let (mut once, mut twice) = (String::new(), String::new());
        name::push(&mut once, &key);
        name::push(&mut twice, &once);
        prop_assert_eq!(once, twice);
    }
}

#[test]
fn the_seeds_of_the_fuzzer_are_one_good_line_or_a_reject() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/corpus/normalise");
    let mut seeds = 0;
    for entry in fs::read_dir(corpus).expect("the corpus") {
        let payload = fs::read(entry.unwrap().path()).unwrap();
        for number in 0..9 {
            check_all(&some_records(number), b"sites/a/devices/b", &payload);
        }
        seeds += 1;
    }
    assert!(seeds >= 10, "{seeds} seeds");
}
