//! Files with many faults, with none, and with anything at all.

use std::path::Path;

use proptest::prelude::*;

use super::with;
use crate::config::check::state_dir;
use crate::config::{Config, Order};

#[test]
fn ten_faults_are_ten_lines_in_one_run() {
    let text = r##"
order = "fifo"
[mqtt]
url = "mqtt://joe:secret@broker"
client_id = "edge-{random}"
topics = [
    "sites/+/telemetry",
    "sites/#/telemetry",
]
recieve_maximum = 20
[stream]
name = "telemetry"
region = "us-east-1"
shards = "4"
backoff_ms_min = 5000
backoff_ms_max = 50
partition_key = "{tenant}"
[batch]
linger_ms = 0
bytes_max = "1 MB"
"##;
    let faults = Config::parse(text).expect_err("ten faults").to_string();
    let expected = [
        r#"2: order = "fifo": must be "device" or "strict" or "none""#,
        "4: mqtt.url: must be without user:password@: use username, and password_file or \
         password_env",
        "5: mqtt.client_id = \"edge-{random}\": must be fixed, without braces: the broker keeps our \
         session under it from one start to the next",
        "8: mqtt.topics = \"sites/#/telemetry\": '#' must be the last level of a topic filter, and \
         the whole level",
        "10: mqtt.recieve_maximum: no such key; did you mean mqtt.receive_maximum?",
        r#"14: stream.shards = "4": must be 1 to 20000 shards, a number without quotes"#,
        "15: stream.backoff_ms_min = 5000: must be at most backoff_ms_max",
        "17: stream.partition_key = \"{tenant}\": must hold {dev} or {topic}: records keep their \
         order within a partition key, and one key for many devices puts them all on one shard",
        "19: batch.linger_ms = 0: must be 1 to 999 milliseconds",
        "20: batch.bytes_max = \"1 MB\": MB is read in two ways: say KiB, MiB, GiB (powers of 1024) \
         or kB (1000)",
    ]
    .map(|fault| format!("tidegate.toml:{fault}"));
    assert_eq!(faults.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    for (text, line) in [("a = 1\nb = [", 2), ("a = 1\n\na = 2", 3), ("[a]\n[a]", 2), ("?", 1)] {
        let faults = Config::parse(text).expect_err(text);
        for fault in faults.as_slice() {
            assert_eq!(fault.line, Some(line), "{fault}");
            assert!(fault.to_string().starts_with("no valid TOML: "), "{fault}");
        }
    }
}

#[test]
fn what_is_there_twice_is_named_and_nothing_else_that_is_no_toml_is_repeated() {
    for (text, key) in
        [("a = 1\na = 2", "a"), ("[mqtt]\n[mqtt]", "mqtt"), ("[[stream]]\n[stream]", "stream")]
    {
        let said = Config::parse(text).expect_err(text).to_string();
        assert_eq!(said, format!("tidegate.toml:2: no valid TOML: duplicate key: {key}"));
    }
    let said = Config::parse("mqtt.username = hunter2").expect_err("no quotes").to_string();
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_long_value_is_shown_by_its_beginning() {
    let text = with(&format!("order = '{}'\nmqtt.retained = '''a\nb'''", "ä".repeat(100)));
    let faults = Config::parse(&text).expect_err("two faults");
    let shown: Vec<_> = faults.as_slice().iter().filter_map(|fault| fault.value.clone()).collect();
    assert_eq!(shown, [format!("'{}…", "ä".repeat(59)), "'''a…".to_owned()]);
}

#[test]
fn what_should_be_a_table_and_is_none_is_one_fault() {
    let faults = Config::parse("mqtt = 4\nstream = []").expect_err("two faults").to_string();
    let expected = [
        "tidegate.toml:1: mqtt = 4: must be a table: { key = value, … }",
        "tidegate.toml:2: stream = []: must be a table: { key = value, … }",
    ];
    assert_eq!(faults.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_service_with_several_state_directories_uses_the_first() {
    for (variable, dir) in [("", "./tidegate-state"), ("/a", "/a"), ("/a:/b", "/a")] {
        assert_eq!(state_dir(variable), Path::new(dir), "{variable:?}");
    }
}

#[test]
fn state_lies_where_the_service_was_told_unless_the_file_says_otherwise() {
    let service = Path::new("/var/lib/tidegate");
    let config = Config::parse_file(&with(""), "f", service).expect("no fault");
    assert_eq!(config.state_dir, service);
    let config = Config::parse_file(&with("state_dir = 'here'"), "f", service).expect("no fault");
    assert_eq!((config.state_dir.as_path(), config.order), (Path::new("here"), Order::Device));
}

#[test]
fn lines_are_counted_alike_with_windows_line_ends() {
    let text = with("order = 1").replace('\n', "\r\n");
    assert_eq!(Config::parse(&text).expect_err("a fault").as_slice()[0].line, Some(6));
}

/// Any value that TOML can write.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}").to_lowercase()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("0xffff_ffff_ffff_ffff".to_owned()),
        "\"[ -!#-\\[\\]-~é€]{0,12}\"",
        "'[a-z+#/{}$@:~0-9 ]{0,16}'",
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![Just("filter".to_owned()), Just("qos".to_owned()), "[a-z_]{1,8}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|all| format!("[{}]", all.join(", "))),
            prop::collection::btree_map(key, inner, 0..3).prop_map(|all| {
                let all: Vec<_> =
                    all.into_iter().map(|(key, value)| format!("{key} = {value}")).collect();
                format!("{{ {} }}", all.join(", "))
            }),
        ]
    })
}

/// A known key that is no table, or any other.
fn key() -> impl Strategy<Value = String> {
    let keys: Vec<_> = Config::keys().into_iter().collect();
    prop_oneof![9 => prop::sample::select(keys), 1 => "[a-z_]{1,6}(\\.[a-z_]{1,6}){0,2}"]
}

proptest! {
    #[test]
    fn no_text_upsets_the_reader(text in "\\PC{0,200}") {
        if let Err(faults) = Config::parse(&text) {
            prop_assert!(!faults.to_string().is_empty());
        }
    }

    /// And whatever is wrong is told with a line of the file, or is missing from it.
    #[test]
    fn no_value_upsets_the_reader(entries in prop::collection::btree_map(key(), value(), 0..12)) {
        let lines = entries.iter().map(|(key, value)| format!("{key} = {value}\n"));
        let text: String = lines.collect();
        if let Err(faults) = Config::parse(&text) {
            prop_assert!(!faults.as_slice().is_empty());
            for fault in faults.as_slice() {
                let within = fault.line.is_some_and(|line| line <= text.lines().count().max(1));
                let missing = fault.line.is_none() && fault.allowed.starts_with("is missing");
                prop_assert!(within || missing, "{:?} in\n{}", fault, text);
            }
        }
    }

    /// A setting alone is right or is named as wrong: nothing else is blamed for it.
    #[test]
    fn a_fault_names_the_key_that_was_written(key in key(), value in value()) {
        let related = |minimal: &str| minimal.starts_with(&key) || key.starts_with(minimal);
        prop_assume!(!super::MINIMAL.iter().any(|(minimal, _)| related(minimal)));
        let text = with(&format!("{key} = {value}"));
        if let Err(faults) = Config::parse(&text) {
            let table = key.split('.').next().unwrap_or_default();
            for fault in faults.as_slice() {
                let blamed = fault.key.starts_with(table) || fault.allowed.starts_with("no valid");
                prop_assert!(blamed, "{}\n{}", fault, text);
            }
        }
    }
}
