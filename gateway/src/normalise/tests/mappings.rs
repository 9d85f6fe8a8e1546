//! Leaves with a rule.

use super::*;
use crate::config::Kind;

#[test]
fn a_rule_names_its_leaf() {
    let records = mapped(vec![FieldRule {
        channel: Some(3),
        unit: Some("Cel".to_owned()),
        ..rule("/air/t", "temperature")
    }]);
    check_body(
        &records,
        r#"{"air":{"t":21.40,"h":40}}"#,
        r#""m":[{"n":"temperature","ch":3,"v":21.40,"u":"Cel"},{"n":"air_h","v":40}]"#,
    );
}

#[test]
fn the_first_filter_that_matches_holds() {
    let mapping = |filter: &str, name: &str| Mapping {
        filter: filter.to_owned(),
        fields: vec![rule("/t", name)],
    };
    let records = Records {
        mappings: vec![
            mapping("other/#", "other"),
            mapping("sites/+/devices/#", "first"),
            mapping("#", "second"),
        ],
        ..records()
    };
    check_body(&records, r#"{"t":1}"#, r#""m":[{"n":"first","v":1}]"#);
}

#[test]
fn scaled_numbers_are_written_short() {
    let scaled = |scale, offset| mapped(vec![FieldRule { scale, offset, ..rule("/t", "t") }]);
    for (scale, offset, json, expected) in [
        (0.1, 0.0, "214", "21.4"),
        (0.001, 0.0, "3612", "3.612"),
        (0.01, -40.0, "6140", "21.4"),
        (2.0, 0.0, "1.5", "3.0"),
        (1.0, 273.15, "0", "273.15"),
        (0.3, 0.0, "10", "3.0"),
        (0.1, 0.0, r#"" 214 ""#, "21.4"),
    ] {
        check_body(
            &scaled(scale, offset),
            &format!(r#"{{"t":{json}}}"#),
            &format!(r#""m":[{{"n":"t","v":{expected}}}]"#),
        );
    }
    check_body(&scaled(10.0, 0.0), r#"{"t":1e308}"#, r#""x":{"t":1e308},"q":["type_mismatch"]"#);
}

#[test]
fn a_kind_decides_the_slot() {
    use Kind::{Boolean, Number, Text};
    for (kind, json, slot) in [
        (Number, "21.40", r#""v":21.40"#),
        (Number, r#""21.40""#, r#""v":21.40"#),
        (Number, r#""-100.000000""#, r#""v":-100.000000"#),
        (Number, r#""+5""#, r#""v":5.0"#),
        (Number, r#"".5""#, r#""v":0.5"#),
        (Number, r#""007""#, r#""v":7.0"#),
        (Boolean, "true", r#""b":true"#),
        (Boolean, "0", r#""b":false"#),
        (Boolean, "1", r#""b":true"#),
        (Boolean, r#""ON""#, r#""b":true"#),
        (Boolean, r#""off""#, r#""b":false"#),
        (Boolean, r#""False""#, r#""b":false"#),
        (Text, r#""a\tb""#, r#""s":"a\tb""#),
        (Text, "1.50", r#""s":"1.50""#),
        (Text, "1e999", r#""s":"1e999""#),
        (Text, "true", r#""s":"true""#),
    ] {
        let records = mapped(vec![FieldRule { kind: Some(kind), ..rule("/t", "t") }]);
        let payload = format!(r#"{{"t":{json}}}"#);
        check_body(&records, &payload, &format!(r#""m":[{{"n":"t",{slot}}}]"#));
    }
}

#[test]
fn what_is_not_of_its_kind_is_kept_and_flagged() {
    use Kind::{Boolean, Number, Text};
    for (kind, json) in [
        (Number, "true"),
        (Number, r#""warm""#),
        (Number, r#""NaN""#),
        (Number, r#""inf""#),
        (Number, r#""""#),
        (Number, "[1]"),
        (Number, r#"{"a":1}"#),
        (Boolean, "2"),
        (Boolean, "1.0"),
        (Boolean, r#""yes""#),
        (Text, "[]"),
        (Text, "{}"),
    ] {
        for unmapped in [Unmapped::Measure, Unmapped::Keep, Unmapped::Drop] {
            let fields = vec![FieldRule { kind: Some(kind), ..rule("/a/t", "wanted") }];
            let records = Records { unmapped, ..mapped(fields) };
            let line = line(&records, &format!(r#"{{"a":{{"t":{json}}}}}"#));
            assert!(line.contains(&format!(r#""a_t":{json}"#)), "{line}");
            assert!(line.contains(r#""q":["type_mismatch","id_unstable"]"#), "{line}");
        }
    }
}

#[test]
fn numbers_of_a_rule_beyond_a_double_are_kept_as_text() {
    for kind in [None, Some(Kind::Number)] {
        let records = mapped(vec![FieldRule { kind, ..rule("/a/t", "wanted") }]);
        for unmapped in [Unmapped::Measure, Unmapped::Keep, Unmapped::Drop] {
            let line = line(&Records { unmapped, ..records.clone() }, r#"{"a":{"t":1e999}}"#);
            assert!(line.contains(r#""a_t":"1e999"}"#), "{line}");
            assert!(line.contains(r#""q":["type_mismatch","number_as_text","#), "{line}");
        }
    }
    let records = mapped(vec![FieldRule { kind: Some(Kind::Number), ..rule("/t", "wanted") }]);
    check_body(&records, r#"{"t":"1e999"}"#, r#""x":{"t":"1e999"},"q":["type_mismatch"]"#);
}

#[test]
fn keys_with_slashes_tildes_and_digits_can_be_pointed_at() {
    let records = mapped(vec![
        rule("/a~1b", "slash"),
        rule("/c~0d", "tilde"),
        rule("/~01", "tilde_one"),
        rule("/0/x", "zero"),
        rule("/list/1/x", "second"),
        rule("/", "blank"),
    ]);
    check_body(
        &records,
        r#"{"a/b":1,"c~d":2,"~1":3,"0":{"x":4},"list":[{"x":5},{"x":6}],"":7}"#,
        concat!(
            r#""m":[{"n":"slash","v":1},{"n":"tilde","v":2},{"n":"tilde_one","v":3},"#,
            r#"{"n":"zero","v":4},{"n":"second","v":6},{"n":"blank","v":7}],"#,
            r#""x":{"list":[{"x":5},{"x":6}]}"#
        ),
    );
}

#[test]
fn the_empty_pointer_is_the_whole_payload() {
    let records = mapped(vec![rule("", "level")]);
    check_body(&records, "21.4", r#""m":[{"n":"level","v":21.4}]"#);
    check_body(&records, r#"{"a":[ 1]}"#, r#""x":{"value":{"a":[1]}},"q":["type_mismatch"]"#);
    check_reject(&records, r#"{"a":]"#, "not_json: expected value at line 1 column 6");
}

#[test]
fn faulty_configurations_are_refused_not_relied_on() {
    let refused = |records: Records| Normaliser::new(&records).unwrap_err().to_string();
    assert_eq!(
        refused(Records { device_pointer: Some("dev".to_owned()), ..records() }),
        "JSON Pointer `dev` must start with `/`"
    );
    assert_eq!(
        refused(mapped(vec![rule("/a~2", "a")])),
        "JSON Pointer `/a~2`: after `~` comes 0 or 1"
    );
    assert_eq!(
        refused(Records { topic_template: Some("a/{dev".to_owned()), ..records() }),
        "topic template: `{dev`: a name must fill its level, as in `a/{dev}/b`"
    );
    let mappings = vec![Mapping { filter: "a#".to_owned(), fields: Vec::new() }];
    assert_eq!(
        refused(Records { mappings, ..records() }),
        "filter of a mapping: `+` and `#` must stand alone between slashes"
    );
}
