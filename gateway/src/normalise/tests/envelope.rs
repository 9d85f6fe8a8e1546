//! Device, tenant, type, time and sequence.

use super::*;

const TEMPLATE: &str = "sites/{tenant}/devices/{dev}/{type}";

fn with_template() -> Records {
    Records { topic_template: Some(TEMPLATE.to_owned()), ..records() }
}

#[test]
fn a_record_is_one_line_with_its_keys_in_order() {
    let records = Records {
        sequence_pointer: Some("/n".to_owned()),
        topic_template: Some(TEMPLATE.to_owned()),
        ..records()
    };
    let payload = r#"{"n":7,"ts":1763692404123,"t":21.40,"on":true,"mode":"eco","h":[1, 2]}"#;
    assert_eq!(
        line(&records, payload),
        concat!(
            r#"{"v":1,"id":"52PEZAE2WFX2NZF651A5X7N1S1","tenant":"north","src":"json","#,
            r#""type":"telemetry","dev":"d7","ts":1763692404123,"ts_src":"device","#,
            r#""rx_ts":1763692404456,"seq":7,"m":[{"n":"t","v":21.40},{"n":"on","b":true},"#,
            r#"{"n":"mode","s":"eco"}],"x":{"h":[1,2]}}"#,
            "\n"
        )
    );
}

#[test]
fn with_nothing_said_the_device_is_the_topic_and_the_time_that_of_arrival() {
    check(
        &records(),
        "21.4",
        concat!(
            r#""src":"json","type":"telemetry","dev":"sites/north/devices/d7/telemetry","#,
            r#""ts":1763692404456,"ts_src":"arrival","rx_ts":1763692404456,"#,
            r#""m":[{"n":"value","v":21.4}],"q":["id_unstable"]}"#
        ),
    );
}

#[test]
fn the_newline_is_a_setting() {
    let records = Records { newline: false, ..records() };
    assert!(line(&records, "1").ends_with('}'));
}

#[test]
fn a_topic_that_the_template_does_not_match_is_the_device() {
    let made = normalise(&with_template(), "other/d7", "1").unwrap();
    assert_eq!(made[0].device.as_str(), "other/d7");
    assert_eq!(made[0].tenant, None);
    let made = normalise(&with_template(), "sites/s/devices/d7/status", "1").unwrap();
    assert_eq!(made[0].device.as_str(), "d7");
    assert_eq!(made[0].tenant.as_deref(), Some("s"));
    let line = String::from_utf8(made[0].data.to_vec()).unwrap();
    assert!(line.contains(r#""tenant":"s","src":"json","type":"status","dev":"d7""#), "{line}");
}

#[test]
fn pointers_win_over_the_topic() {
    let records = Records {
        device_pointer: Some("/meta/id".to_owned()),
        tenant_pointer: Some("/meta/org".to_owned()),
        ..with_template()
    };
    let made = normalise(&records, TOPIC, r#"{"meta":{"id":"a\"b","org":"acme"},"t":1}"#).unwrap();
    assert_eq!(made[0].device.as_str(), "a\"b");
    assert_eq!(made[0].tenant.as_deref(), Some("acme"));
    let line = String::from_utf8(made[0].data.to_vec()).unwrap();
    assert!(line.contains(r#""tenant":"acme","src":"json","type":"telemetry","dev":"a\"b","#));
    assert!(line.contains(r#""m":[{"n":"t","v":1}]"#), "names are no measurements: {line}");

    let made = normalise(&records, TOPIC, r#"{"meta":{"id":4711,"org":null}}"#).unwrap();
    assert_eq!(made[0].device.as_str(), "4711");
    assert_eq!(made[0].tenant.as_deref(), Some("north"), "a missing tenant is the topic's");
}

#[test]
fn names_that_cannot_be_told_apart_are_rejects() {
    let records = Records {
        device_pointer: Some("/dev".to_owned()),
        tenant_pointer: Some("/org".to_owned()),
        ..records()
    };
    for (payload, expected) in [
        (r#"{"t":1}"#, "no_device: nothing at the device pointer"),
        (r#"{"dev":null}"#, "no_device: nothing at the device pointer"),
        (r#"{"dev":""}"#, "bad_device: the name is empty"),
        (r#"{"dev":"a\nb"}"#, "bad_device: the name has U+000A at byte 1"),
        (r#"{"dev":true}"#, "bad_device: the pointer leads to a boolean"),
        (r#"{"dev":{"id":1}}"#, "bad_device: the pointer leads to an object"),
        (r#"{"dev":"a","org":""}"#, "bad_tenant: the name is empty"),
        (r#"{"dev":"a","org":"\u0000"}"#, "bad_tenant: the name has U+0000 at byte 0"),
        (r#"{"dev":"a","org":[]}"#, "bad_tenant: the pointer leads to an array"),
    ] {
        check_reject(&records, payload, expected);
    }
    let long = format!(r#"{{"dev":"{}"}}"#, "a".repeat(65_536));
    check_reject(&records, long, "bad_device: the name has 65536 bytes");
}

#[test]
fn topics_that_cannot_be_names_are_rejects() {
    let reject = normalise(&records(), "a\nb", "1").unwrap_err();
    assert_eq!(reject.to_string(), "bad_device: the name has U+000A at byte 1");
    let reject = normalise(&with_template(), "sites//devices/d7/x", "1").unwrap_err();
    assert_eq!(reject.to_string(), "bad_tenant: the name is empty");
    let normaliser = Normaliser::new(&records()).unwrap();
    let reject = normaliser.normalise(b"a/\xff", &Bytes::from("1"), RX_TS_MS, 1).unwrap_err();
    assert_eq!(reject.reason, Reason::BadTopic);
}

/// `ts` and `ts_src` of a record whose payload has `json` at `/ts`.
fn time_of(json: &str) -> (i64, bool) {
    let line = line(&records(), &format!(r#"{{"ts":{json},"t":1}}"#));
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    (record["ts"].as_i64().unwrap(), record["ts_src"] == "device")
}

#[test]
fn times_are_told_apart_by_form_and_magnitude() {
    for (json, expected) in [
        ("1763692404", 1_763_692_404_000),
        ("1763692404.5", 1_763_692_404_500),
        ("1763692404.1239", 1_763_692_404_123),
        ("1763692404123", 1_763_692_404_123),
        ("1763692404123.9", 1_763_692_404_123),
        ("1763692404123456", 1_763_692_404_123),
        ("1763692404123456789", 1_763_692_404_123),
        (r#""1763692404.123""#, 1_763_692_404_123),
        ("946684800", 946_684_800_000),
        (r#""2025-11-21T02:33:24.123Z""#, 1_763_692_404_123),
        (r#""2025-11-21T02:33:24.123999999Z""#, 1_763_692_404_123),
        (r#""2025-11-21T04:33:24+02:00""#, 1_763_692_404_000),
        (r#""2025-11-21 02:33:24Z""#, 1_763_692_404_000),
        ("1763778804.456", RX_TS_MS + 86_400_000),
    ] {
        assert_eq!(time_of(json), (expected, true), "{json}");
    }
}

#[test]
fn times_that_cannot_be_are_kept_and_the_arrival_counts() {
    for json in [
        "0",
        "-1",
        "86400",
        "946684799",
        "1763778804.457",
        "15868685461234567890123",
        "1e9",
        "true",
        "[1763692404]",
        r#""""#,
        r#""yesterday""#,
        r#""2025-11-21T02:33:24""#,
        r#""1763692404.""#,
        r#""1763692404.5x""#,
        r#"{"seconds":1763692404}"#,
    ] {
        assert_eq!(time_of(json), (RX_TS_MS, false), "{json}");
        check_body(
            &records(),
            &format!(r#"{{"ts":{json}}}"#),
            &format!(r#""x":{{"ts":{json}}},"q":["ts_rejected"]"#),
        );
    }
}

#[test]
fn the_first_pointer_with_a_time_wins_wherever_it_stands() {
    let first = r#"{"timestamp":1763692401,"ts":1763692403,"time":1763692402}"#;
    let line = line(&records(), first);
    assert!(line.contains(r#""ts":1763692403000,"ts_src":"device""#), "{line}");
    check_body(&records(), first, r#""x":{"timestamp":1763692401,"time":1763692402}"#);
    let second = r#"{"ts":"soon","time":1763692402}"#;
    check_body(&records(), second, r#""x":{"ts":"soon"},"q":["ts_rejected"]"#);
    check_body(&records(), r#"{"ts":null,"time":1763692402}"#, "");
}

#[test]
fn a_sequence_is_a_whole_number_from_0() {
    let records = Records { sequence_pointer: Some("/n".to_owned()), ..records() };
    check_body(&records, r#"{"n":0}"#, r#""seq":0"#);
    check_body(&records, r#"{"n":"18446744073709551615"}"#, r#""seq":18446744073709551615"#);
    for json in ["-1", "1.0", "1e3", "18446744073709551616", "true", r#""x""#, "[1]"] {
        check_body(
            &records,
            &format!(r#"{{"n":{json}}}"#),
            &format!(r#""x":{{"n":{json}}},"q":["seq_rejected"]"#),
        );
    }
}
