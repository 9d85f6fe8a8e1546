//! The configurations that come with the gateway say what the gateway does.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidegate::config::{Config, KeySource, MqttVersion, Order, StreamTarget};

/// The least that must be said, as the README shows it.
const MINIMAL: &str = r#"
[mqtt]
url = "mqtt://127.0.0.1:1883"
client_id = "edge-1"
topics = ["sites/+/devices/+/telemetry"]

[stream]
name = "telemetry"
region = "us-east-1"
"#;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect("comes with the source")
}

fn parsed(text: &str) -> Config {
    Config::parse(text).map_err(|faults| format!("{faults}\nin\n{text}")).expect("no fault")
}

/// `text` without the comment sign before its defaults.
fn with_defaults(text: &str) -> String {
    uncommented(text, |line| {
        let line = line.strip_prefix('#')?;
        let is_key = line.starts_with(|c: char| c.is_ascii_lowercase());
        (is_key && !line.starts_with("example:")).then_some(line)
    })
}

/// `text` without the comment sign before the keys that have no default.
fn examples(text: &str) -> String {
    uncommented(text, |line| line.strip_prefix("#example: "))
}

fn uncommented<'t>(text: &'t str, key: impl Fn(&'t str) -> Option<&'t str>) -> String {
    text.lines().map(|line| key(line).unwrap_or(line).to_owned() + "\n").collect()
}

#[test]
fn the_minimal_configuration_needs_no_more() {
    let config = parsed(MINIMAL);
    assert_eq!(config.state_dir, Path::new("./tidegate-state"));
    assert_eq!(config.dead_letter.dir, Path::new("./tidegate-state/dead-letters"));
    assert_eq!(config.mqtt.version, MqttVersion::V5);
    assert_eq!(config.streams.first().target, StreamTarget::Name("telemetry".into()));
    assert_eq!(config.batch.linger, Duration::from_millis(50));
}

#[test]
fn the_two_optional_keys_of_the_contract_are_taken() {
    let config = parsed(&format!("{MINIMAL}endpoint = \"http://127.0.0.1:4567\"\nshards = 4"));
    let stream = config.streams.first();
    assert_eq!(
        (stream.network.endpoint.as_deref(), stream.shards),
        (Some("http://127.0.0.1:4567"), Some(4))
    );
}

#[test]
fn the_reference_is_the_minimal_configuration() {
    assert_eq!(parsed(&read("tidegate.toml")), parsed(MINIMAL));
}

#[test]
fn every_default_in_the_reference_is_the_default() {
    let text = with_defaults(&read("tidegate.toml"));
    let uncommented = text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#'));
    assert!(uncommented.count() > 30, "the defaults were found");
    assert_eq!(parsed(&text), parsed(MINIMAL));
}

#[test]
fn every_key_is_in_the_reference_and_the_reference_has_no_other() {
    let text = read("tidegate.toml");
    let mut written = BTreeSet::new();
    for text in [with_defaults(&text), without_alternatives(&examples(&text))] {
        let table: toml::Table = toml::from_str(&text).expect("valid without the comment signs");
        collect("", &toml::Value::Table(table), &mut written);
    }
    assert_eq!(written, Config::keys());
}

/// A key that must be there is in the examples a second time, with an alternative.
fn without_alternatives(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let key = |line: &str| line.split_once(" = ").map(|(key, _)| key.to_owned());
    lines.dedup_by(|later, earlier| {
        let same = key(later).is_some() && key(later) == key(earlier);
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
    lines.join("\n")
}

fn collect(path: &str, value: &toml::Value, into: &mut BTreeSet<String>) {
    if let Some(table) = value.as_table() {
        for (key, value) in table {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            collect(&path, value, into);
            into.insert(path);
        }
    }
    for element in value.as_array().into_iter().flatten() {
        collect(path, element, into);
    }
}

#[test]
fn the_edge_box_keeps_order_and_stays_small() {
    let config = parsed(&read("edge-box.toml"));
    assert_eq!(config.order, Order::Strict);
    let stream = config.streams.first();
    assert_eq!((stream.requests_in_flight, config.mqtt.packet_bytes_max), (2, 1 << 20));
    assert_eq!(stream.request_timeout, Duration::from_secs(92));
    assert_eq!(stream.region, "eu-central-1");
    assert!(config.mqtt.broker.tls.is_some_and(|tls| tls.client.is_some()));
}

#[test]
fn the_fleet_gateway_shares_its_subscriptions() {
    let config = parsed(&read("fleet.toml"));
    assert_eq!(
        (config.mqtt.lanes.len(), config.mqtt.share_group.as_deref()),
        (4, Some("tidegate"))
    );
    let stream = config.streams.first();
    let planned = shard_estimator::cli::planned_shards(&path("plan-fleet.toml")).expect("a plan");
    assert_eq!((stream.shards, stream.pace.instances), (Some(planned.get()), Some(4)));
}

#[test]
fn the_two_streams_have_each_their_own() {
    let config = parsed(&read("two-streams.toml"));
    let [customer, own] = config.streams.iter().collect::<Vec<_>>()[..] else { panic!("two") };
    assert_eq!((customer.label.as_str(), customer.pace.instances), ("customer", Some(4)));
    assert_eq!((own.label.as_str(), own.pace.instances), ("telemetry", None));
    assert!(customer.route.tenants.iter().eq(["acme"]));
    assert_eq!(config.spool_of(own).bytes_max, 2 << 30);
}

#[test]
fn a_file_is_named_in_its_faults_and_what_it_refers_to_is_looked_for() {
    let config = Config::load(&path("edge-box.toml")).expect("no fault");
    let faults = config.check_files("edge-box.toml").expect_err("no such files here").to_string();
    let keys: Vec<_> = faults.lines().filter_map(|line| line.split(" = ").next()).collect();
    assert_eq!(
        keys,
        [
            "edge-box.toml: mqtt.tls.ca_file",
            "edge-box.toml: mqtt.tls.cert_file",
            "edge-box.toml: mqtt.tls.key_file",
            "edge-box.toml: mqtt.password_file",
        ]
    );
    assert!(faults.contains("cannot be read: "), "{faults}");
}

#[test]
fn a_variable_that_is_not_set_is_a_fault_and_files_that_are_there_are_none() {
    let here = tempfile::tempdir().expect("a directory");
    let write = |name: &str| {
        let path = here.path().join(name);
        std::fs::write(&path, "x").expect("written");
        path.display().to_string()
    };
    let tls = |ca_file: &str, login: &str| {
        let text = MINIMAL.replace("mqtt:", "mqtts:").replace(
            "[stream]",
            &format!("username = \"u\"\n{login}\ntls = {{ ca_file = {ca_file:?} }}\n[stream]"),
        );
        parsed(&text).check_files("f").map_err(|faults| faults.to_string())
    };
    let password_file = format!("password_file = {:?}", write("password"));
    assert_eq!(tls(&write("ca.pem"), &password_file), Ok(()));
    let dir = here.path().display().to_string();
    assert_eq!(
        tls(&dir, "password_env = \"TIDEGATE_NEVER_SET\""),
        Err(format!(
            "f: mqtt.tls.ca_file = {dir:?}: is no file\n\
             f: mqtt.password_env = \"TIDEGATE_NEVER_SET\": is not set in the environment"
        ))
    );
}

#[test]
fn a_path_that_is_not_what_it_seems_is_told_with_what_it_is() {
    let why = |written: &str| {
        let config = parsed(&format!("{MINIMAL}ca_file = {written:?}"));
        let said = config.check_files("f").expect_err("it is not there").to_string();
        said.strip_prefix(&format!("f: stream.ca_file = {written:?}: "))
            .expect("its path")
            .to_owned()
    };
    for written in ["~/ca.pem", "$HOME/ca.pem"] {
        assert_eq!(
            why(written),
            "is not there: ~ and $ stand for themselves, so write the path out"
        );
    }
    let here = std::env::current_dir().expect("we are somewhere").display().to_string();
    let said = why("certs/ca.pem");
    assert!(said.starts_with(&format!("cannot be read in {here}: ")), "{said}");
    assert!(why("/nowhere/ca.pem").starts_with("cannot be read: "));
}

#[test]
fn a_file_that_is_not_there_is_a_fault_with_its_name() {
    let faults = Config::load(Path::new("/nowhere/t.toml")).expect_err("no file").to_string();
    assert!(faults.starts_with("/nowhere/t.toml: cannot be read: "), "{faults}");
}

#[test]
fn the_unit_leaves_time_for_a_stop_and_hands_over_the_key_that_the_edge_box_asks_for() {
    let unit = read("tidegate.service");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key));
    let stop = value("TimeoutStopSec=").and_then(|seconds| seconds.parse().ok()).expect("seconds");
    assert!(Duration::from_secs(stop) > parsed(MINIMAL).drain_max);
    let source = parsed(&read("edge-box.toml")).streams.first().credentials.source.clone();
    let KeySource::Systemd { id } = source else { panic!("{source:?}") };
    assert!(value("#LoadCredential=").is_some_and(|given| given.starts_with(&format!("{id}:"))));
}
