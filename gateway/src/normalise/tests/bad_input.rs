//! Payloads that no sensor should send, and some do. Each comes back as a record or a reject.

use super::*;

#[test]
fn what_is_no_json_is_a_reject_that_says_where() {
    for (payload, expected) in [
        ("", "empty: the payload is blank"),
        (" \r\n\t", "empty: the payload is blank"),
        ("null", "empty: the payload is null"),
        ("[]", "empty: the payload is an array without elements"),
        ("{", "not_json: EOF while parsing an object at line 1 column 1"),
        (r#"{"a":1"#, "not_json: EOF while parsing an object at line 1 column 6"),
        (r#"{"a":1}}"#, "not_json: trailing characters at line 1 column 8"),
        (r#"{"a":1,}"#, "not_json: trailing comma at line 1 column 8"),
        (r#"{"a":NaN}"#, "not_json: expected value at line 1 column 6"),
        (r#"{"a":-Infinity}"#, "not_json: invalid number at line 1 column 7"),
        ("NaN", "not_json: expected value at line 1 column 1"),
        ("nul", "not_json: EOF while parsing a value at line 1 column 3"),
        ("truex", "not_json: trailing characters at line 1 column 5"),
        ("1 2", "not_json: trailing characters at line 1 column 3"),
        ("01", "not_json: invalid number at line 1 column 2"),
        ("+1", "not_json: expected value at line 1 column 1"),
        ("t=21.4,h=40", "not_json: expected ident at line 1 column 2"),
        ("{'a':1}", "not_json: key must be a string at line 1 column 2"),
        (r#"{"a":"\x"}"#, "not_json: invalid escape at line 1 column 8"),
        (r#"{"a":"\ud800"}"#, "not_json: half of a surrogate pair in a string"),
        (r#"{"a":["\udc00"]}"#, "not_json: half of a surrogate pair in a string"),
        (r#"{"a":["\ud800\ud800\udc00"]}"#, "not_json: half of a surrogate pair in a string"),
        (r#"{"\ud83dx":1}"#, "not_json: half of a surrogate pair in a string"),
        (
            "{\"a\":\"b\nc\"}",
            "not_json: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 7",
        ),
    ] {
        check_reject(&records(), payload, expected);
    }
}

#[test]
fn whole_surrogate_pairs_are_text() {
    check_body(
        &records(),
        r#"{"a":"\ud83d\uDE00","b":"\\ud800"}"#,
        r#""m":[{"n":"a","s":"\ud83d\uDE00"},{"n":"b","s":"\\ud800"}]"#,
    );
}

#[test]
fn what_is_not_utf8_is_a_reject_that_says_where() {
    check_reject(
        &records(),
        b"{\"a\":\"\xff\"}",
        "not_utf8: the payload: invalid utf-8 sequence of 1 bytes from index 6",
    );
    let gzip = [0x1f, 0x8b, 0x08, 0x00];
    assert_eq!(normalise(&records(), TOPIC, gzip).unwrap_err().reason, Reason::NotUtf8);
}

#[test]
fn nesting_ends_at_64() {
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let arrays =
        |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    let too_deep = "too_deep: objects and arrays are nested deeper than 64";
    for unmapped in [Unmapped::Measure, Unmapped::Keep, Unmapped::Drop] {
        let records = Records { unmapped, ..records() };
        assert_eq!(normalise(&records, TOPIC, objects(64)).unwrap().len(), 1);
        assert_eq!(normalise(&records, TOPIC, arrays(64)).unwrap().len(), 1);
        check_reject(&records, objects(65), too_deep);
        check_reject(&records, arrays(65), too_deep);
        check_reject(&records, objects(10_000), too_deep);
        check_reject(&records, "[".repeat(10_000), too_deep);
    }
}

#[test]
fn brackets_in_strings_or_side_by_side_are_not_nested() {
    let quoted = format!(r#"{{"a":"{}\"[","b":[{}[]]}}"#, "[".repeat(200), "[],".repeat(200));
    assert_eq!(normalise(&records(), TOPIC, quoted).unwrap().len(), 1);
}

#[test]
fn twenty_megabytes_are_a_reject() {
    let megabytes = 20 * 1024 * 1024;
    let too_large = format!("too_large: a record of over {RECORD_BYTES_MAX} bytes");
    check_reject(&records(), format!(r#"{{"a":"{}"}}"#, "x".repeat(megabytes)), &too_large);
    check_reject(
        &records(),
        format!("[{}1]", "1,".repeat(megabytes / 2)),
        "not_object: element 0: it is a number",
    );
    check_reject(&records(), format!("{{\"a\":[{}1]}}", "1,".repeat(megabytes / 2)), &too_large);
    check_reject(&records(), " ".repeat(megabytes), "empty: the payload is blank");
    let raw = Records { format: Format::Raw, ..records() };
    check_reject(&raw, "x".repeat(megabytes), &too_large);
}

#[test]
fn a_record_may_be_as_large_as_the_stream_takes_and_no_larger() {
    let raw = Records { format: Format::Raw, newline: false, ..records() };
    assert!(normalise(&raw, TOPIC, "x".repeat(RECORD_BYTES_MAX)).is_ok());
    assert!(normalise(&raw, TOPIC, "x".repeat(RECORD_BYTES_MAX + 1)).is_err());
    let payload = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
    let around = normalise(&records(), TOPIC, payload(0)).unwrap()[0].data.len();
    let largest = normalise(&records(), TOPIC, payload(RECORD_BYTES_MAX - around)).unwrap();
    assert_eq!(largest[0].data.len(), RECORD_BYTES_MAX);
    assert!(normalise(&records(), TOPIC, payload(RECORD_BYTES_MAX - around + 1)).is_err());
}

#[test]
fn small_payloads_that_would_make_huge_records_are_rejects() {
    let members: Vec<String> = (0..10_000).map(|i| format!(r#""k{i}":1"#)).collect();
    let long_path = format!(r#"{{"{}":{{{}}}}}"#, "p".repeat(10_000), members.join(","));
    let reject = normalise(&records(), TOPIC, long_path).unwrap_err();
    assert_eq!(reject.reason, Reason::TooLarge);

    let devices = Records { device_pointer: Some("/d".to_owned()), ..records() };
    let element = format!(r#"{{"d":"{}"}}"#, "d".repeat(1000));
    let many = format!("[{}]", vec![element; 16_000].join(","));
    let reject = normalise(&devices, TOPIC, many).unwrap_err();
    assert_eq!(reject.reason, Reason::TooLarge);
}

#[test]
fn one_key_forty_thousand_times_is_numbered_in_no_time() {
    let payload = format!("{{{}}}", vec![r#""a":1"#; 40_000].join(","));
    let line = line(&records(), &payload);
    assert!(line.contains(r#"{"n":"a_40000","v":1}]"#));
}

#[test]
fn an_array_of_objects_is_one_record_each() {
    let payload = r#" [ {"ts":1763692404,"t":1}, {"ts":1763692405,"t":2} ] "#;
    let made = normalise(&records(), TOPIC, payload).unwrap();
    let lines: Vec<_> = made.iter().map(|record| str::from_utf8(&record.data).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains(r#""ts":1763692404000"#) && lines[0].contains(r#""v":1}]}"#));
    assert!(lines[1].contains(r#""ts":1763692405000"#) && lines[1].contains(r#""v":2}]}"#));
}

#[test]
fn one_bad_element_rejects_the_array() {
    check_reject(&records(), r#"[{"t":1},{"t":2},3]"#, "not_object: element 2: it is a number");
    check_reject(&records(), "[[1]]", "not_object: element 0: it is an array");
    check_reject(&records(), r#"[{"t":1},{"t":]"#, "not_json: expected value at line 1 column 15");
    let devices = Records { device_pointer: Some("/d".to_owned()), ..records() };
    check_reject(
        &devices,
        r#"[{"d":"a"},{"d":"\n"}]"#,
        "bad_device: element 1: the name has U+000A at byte 0",
    );
}

#[test]
fn raw_is_the_payload_as_it_came() {
    let raw = Records { format: Format::Raw, ..records() };
    for (payload, expected) in [
        (b"\xff\x00".as_slice(), b"\xff\x00\n".as_slice()),
        (b"{ \"a\": 1 }\n", b"{ \"a\": 1 }\n"),
        (b" ", b" \n"),
    ] {
        assert_eq!(normalise(&raw, TOPIC, payload).unwrap()[0].data, expected);
    }
    let bare = Records { newline: false, ..raw.clone() };
    assert_eq!(normalise(&bare, TOPIC, "x").unwrap()[0].data, "x");
    check_reject(&raw, "", "empty: the payload has no bytes");
}

#[test]
fn raw_payloads_are_read_only_when_they_name_the_device() {
    let raw = Records {
        format: Format::Raw,
        device_pointer: Some("/0/d".to_owned()),
        topic_template: Some("sites/{tenant}/#".to_owned()),
        ..records()
    };
    let made = normalise(&raw, TOPIC, r#"[{"d":"d9"}]"#).unwrap();
    assert_eq!(made[0].device.as_str(), "d9");
    assert_eq!(made[0].tenant.as_deref(), Some("north"));
    assert_eq!(made[0].data, "[{\"d\":\"d9\"}]\n");
    check_reject(&raw, "x", "not_json: expected value at line 1 column 1");
    check_reject(&raw, "{}", "no_device: nothing at the device pointer");
}
