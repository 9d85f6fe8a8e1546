//! The command as it is typed: what it answers, and what it says is wrong with a question.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use jiff::civil::{Date, date};
use serde_json::{Value, json};
use shard_estimator::cli::{Answer, Arguments, Faults, answer};

mod gateways;
mod names;
mod running;
mod trace;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

const TODAY: Date = date(2026, 6, 1);

/// 20,000 vehicles at 1 Hz.
const FLEET: &str = "--devices 20000 --period 1s --sizes 1KiB:1 --key-bytes 17";

/// `None` if the flags cannot be read at all.
fn asked(flags: &str) -> Result<Answer, String> {
    let words = std::iter::once("plan").chain(flags.split_whitespace());
    let program = Program::try_parse_from(words).map_err(|error| error.to_string())?;
    answer(&program.arguments, TODAY).map_err(|faults: Faults| faults.to_string())
}

#[track_caller]
fn answered(flags: &str) -> String {
    asked(flags).expect("a question without fault").text
}

fn json_of(flags: &str) -> Value {
    serde_json::from_str(&answered(&format!("{flags} --format json"))).expect("JSON")
}

#[track_caller]
fn refused(flags: &str, words: &[&str]) {
    let fault = asked(flags).expect_err("a question at fault");
    for word in words {
        assert!(fault.contains(word), "{word:?} is not in: {fault}");
    }
}

#[track_caller]
fn warned(flags: &str, words: &[&str]) {
    let text = answered(flags);
    let warnings: Vec<_> = text.lines().filter(|line| line.starts_with("! ")).collect();
    let said = |warning: &&str| words.iter().all(|word| warning.contains(word));
    assert!(warnings.iter().any(said), "{words:?} is not in: {warnings:#?}");
}

fn config(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../configs").join(name)
}

/// A file in a folder of its own, which lives as long as the folder.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.toml");
    fs::write(&path, text).expect("a writable folder");
    let path = path.display().to_string();
    (folder, path)
}

#[track_caller]
fn is_golden(example: &str) {
    let plan = config(&format!("plan-{example}.toml"));
    let text = answered(&format!("--plan {} --explain", plan.display()));
    let golden =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/command/plan-{example}.txt"));
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert!(text == expected, "{} should be, if this is right:\n{text}", golden.display());
}

#[test]
fn the_building_is_answered_as_before() {
    is_golden("building");
}

#[test]
fn the_fleet_is_answered_as_before() {
    is_golden("fleet");
}

#[test]
fn the_factory_is_answered_as_before() {
    is_golden("factory");
}

#[test]
fn the_shards_cost_and_outage_of_a_fleet_are_those_computed_elsewhere() {
    let answer = json_of(&format!("{FLEET} --consumers 2 --outage 1h --drain 12h"));
    assert_eq!(answer["schema_version"], 1);
    assert_eq!(answer["plan"]["shards"], 29);
    assert_eq!(answer["plan"]["binding"], json!(["records"]));
    assert_eq!(answer["aws_formula"]["shards"], 20);
    // Even shares would do with 25, and leave no room for the device or two that golden keys need.
    assert_eq!(answer["golden_shards"], 26);
    assert_eq!(answer["inputs"]["prices_date"], "2026-05-05");
    assert_eq!(answer["inputs"]["goals"]["seed"], 1);
    let bill = &answer["bill"]["provisioned"];
    let dollars = bill["capacity"].as_f64().unwrap() + bill["ingest"].as_f64().unwrap();
    assert!((dollars - 1053.39).abs() < 0.005, "{dollars}");
}

#[test]
fn all_that_was_asked_is_there_for_machines() {
    let asked = "--gateways 3 --current-shards 16 --on-demand-peak 9MiB";
    let inputs = &json_of(&format!("{FLEET} {asked} --max-shards-ok 40"))["inputs"];
    assert_eq!((&inputs["gateways"], &inputs["current_shards"]), (&json!(3), &json!(16)));
    assert_eq!(inputs["on_demand_peak"], 9 << 20);
    assert_eq!(inputs["max_shards_ok"], 40);
    let inputs = &json_of(&format!("{FLEET} --shards 29"))["inputs"];
    assert_eq!((&inputs["gateways"], &inputs["current_shards"]), (&json!(1), &Value::Null));
}

#[test]
fn one_shard_less_is_said_to_break_what_it_breaks_and_one_more_what_it_buys() {
    let text = answered(&format!("{FLEET} --outage 1h --drain 4h"));
    assert!(text.contains("32 shards, because of drain."), "{text}");
    assert!(text.contains("One shard less would save $10.95 a month and break drain ("), "{text}");
    assert!(
        text.contains("One shard more would cost $10.95 a month more and buy records"),
        "{text}"
    );
}

#[test]
fn a_number_of_shards_is_asked_in_reverse() {
    let text = answered(&format!("{FLEET} --shards 29"));
    assert!(text.contains("29 shards carry 20,"), "{text}");
    let answer = json_of(&format!("{FLEET} --shards 20 --outage 1h"));
    assert!(answer["carried"]["times"].as_f64().unwrap() < 0.8);
    assert_eq!(answer["carried"]["outage"], 0.0);
    assert!(answered(&format!("{FLEET} --shards 7 --format toml")).contains("shards = 7\n"));
}

#[test]
fn flags_go_before_the_file() {
    let (_folder, path) =
        file("[plan]\ntarget_util = 0.5\n[[class]]\ndevices = 10\nperiod = '1s'\nsizes = '1024:1'");
    let of_file = json_of(&format!("--plan {path}"));
    assert_eq!(of_file["inputs"]["goals"]["target"], 0.5);
    let of_flags = json_of(&format!("--plan {path} --target-util 60% --devices 20"));
    assert_eq!(of_flags["inputs"]["goals"]["target"], 0.6);
    assert_eq!(of_flags["inputs"]["classes"][0]["devices"]["counted"]["devices"], 20);
}

#[test]
fn every_fault_of_a_file_is_told_in_one_run_with_its_line() {
    let (_folder, path) = file(
        "[plan]\ntarget = 0.8\np99 = 'soon'\n[[class]]\nrecord_bytes = '1 KB'\ncolour = 'red'\n\
         devices = true\n[prices]\n",
    );
    let fault = asked(&format!("--plan {path}")).expect_err("faults");
    let lines: Vec<_> = fault.lines().collect();
    assert_eq!(lines.len(), 6, "{fault}");
    let begins = [
        ":2: plan.target: no such key; there are target_util",
        ":3: plan.p99 = \"soon\": must be a time",
        ":5: class.record_bytes = \"1 KB\": KB is read in two ways: say KiB",
        ":6: class.colour: no such key",
        ":7: class.devices: must be a text or a number",
        ":8: prices: no such key",
    ];
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.contains(begin), "{begin:?} is not in: {line}");
    }
    let (_folder, broken) = file("[plan\n");
    refused(&format!("--plan {broken}"), &[":1: no valid TOML"]);
    refused("--plan /nowhere.toml", &["cannot read /nowhere.toml"]);
    let (_folder, bell) = file("\"a\\u0007\" = 1\n");
    refused(&format!("--plan {bell}"), &[":1: a\\u{7}: no such key"]);
    let (_folder, shapes) = file("plan = 1\nclass = [1]\n");
    refused(&format!("--plan {shapes}"), &[":1: plan: must be a table", ":2: class: must be"]);
}

#[test]
fn what_is_missing_or_said_twice_is_told_all_at_once() {
    refused("", &["devices is missing", "period is missing", "record_bytes is missing"]);
    refused(
        "--devices 1 --ids x --record-bytes 1 --sizes 1:1 --align spread --jitter 1s --drain 1h",
        &["devices and ids", "period is missing", "record_bytes and sizes", "jitter", "no outage"],
    );
    refused(&format!("{FLEET} --horizon 3 --restore-p99 1s"), &["no growth", "no restore"]);
    let factory = config("plan-factory.toml");
    refused(&format!("--plan {} --period 2s", factory.display()), &["3 classes", "in the file"]);
}

#[test]
fn a_quantity_that_is_none_is_refused_where_it_is_typed() {
    refused("--record-bytes 1KB", &["KB is read in two ways", "KiB"]);
    refused("--period 15", &["with its unit"]);
    refused("--target-util NaN", &["must be a number"]);
    refused("--target-util 1.2", &["at most 1"]);
    refused("--limiter 1.1", &["at most 1"]);
    refused("--period=-1s", &["with its unit"]);
    refused("--devices=-5", &["whole number"]);
    refused("--devices 99999999999", &["whole number"]);
    for flag in ["--shards", "--current-shards", "--max-shards-ok"] {
        refused(&format!("{FLEET} {flag} 20001"), &["1 to 20000, the most that a stream can have"]);
        assert!(asked(&format!("{FLEET} {flag} 20000")).is_ok(), "{flag}");
    }
    refused(
        &format!("{FLEET} --gateways 10001"),
        &["1 to 10000, the most that may share a stream"],
    );
    refused("--placement weighted", &["md5", "golden", "even"]);
}

#[test]
fn what_the_library_finds_wrong_is_told_by_the_command() {
    let with = |flags: &str| format!("--devices 10 --period 1s --record-bytes 100 {flags}");
    refused("--devices 10 --period 0s --record-bytes 100", &["period is 0"]);
    refused("--devices 0 --period 1s --record-bytes 100", &["no devices"]);
    refused("--devices 1 --period 1s --record-bytes 0", &["0 bytes"]);
    refused("--devices 1 --period 1s --record-bytes 11MiB", &["no stream takes more"]);
    refused("--devices 1 --period 1s --record-bytes 2MiB", &["UpdateMaxRecordSize"]);
    refused("--devices 1 --period 100us --record-bytes 9", &["more shards cannot help"]);
    refused(&with("--key-bytes 0"), &["keys of 0 bytes"]);
    refused(&with("--key-bytes 2000"), &["keys of 2000 bytes"]);
    refused(&with("--jitter 2s"), &["jitter of 2s is longer"]);
    refused(&with("--target-util 0.95"), &["above the limiter's fraction"]);
    refused(&with("--skew-risk 0"), &["skew risk of 0"]);
    refused(&with("--linger 10s"), &["cannot reach the limiter's own rate", "p99"]);
    refused(&with("--outage 1h --drain 0s"), &["cannot be drained"]);
    refused(&with("--consumers 6"), &["a shard answers 5"]);
    refused(&with("--efo 51"), &["enhanced fan-out"]);
    refused(&with("--retention 1h"), &["24 hours to 365 days"]);
    refused(&with("--growth=-100%"), &["above -1"]);
    refused(&with("--aggregate 2MiB"), &["packed records"]);
    refused(&with("--region mars-1"), &["no prices for region", "us-east-1"]);
    refused(&with("--prices /nowhere.toml"), &["cannot read"]);
}

#[test]
fn ids_are_counted_and_bad_lists_of_them_are_refused() {
    let (_folder, path) = file(&(0..200).map(|n| format!("dev-{n}\n")).collect::<String>());
    let flags = format!("--ids {path} --period 1s --sizes 100:1");
    assert_eq!(json_of(&flags)["plan"]["chosen"]["hottest"]["devices"], 200.0);
    refused(&format!("{flags} --key-bytes 3"), &["the ids are the keys"]);
    let (_folder, twice) = file("a\nb\na\n");
    refused(&format!("--ids {twice} --period 1s --sizes 100:1"), &["\"a\" is there twice"]);
    let (_folder, empty) = file("\n\n");
    refused(&format!("--ids {empty} --period 1s --sizes 100:1"), &["is empty"]);
    let (_folder, long) = file(&"x".repeat(257));
    refused(&format!("--ids {long} --period 1s --sizes 100:1"), &["257 characters"]);
}

#[test]
fn what_speaks_against_a_plan_is_said_with_advice() {
    warned("--devices 10 --period 1s --record-bytes 1000", &["give a histogram"]);
    warned("--devices 10 --period 1s --record-bytes 1000", &["below a whole KiB"]);
    warned("--devices 500 --period 100ms --sizes 200:1", &["golden-ratio"]);
    warned(FLEET, &["PUT units cost"]);
    warned(&format!("{FLEET} --efo 2"), &["enhanced fan-out costs"]);
    warned(&format!("{FLEET} --efo 21"), &["need On-demand Advantage"]);
    warned(&format!("{FLEET} --current-shards 4"), &["3 steps (8, 16, 29)"]);
    warned(&format!("{FLEET} --target-util 0.95 --limiter 0.97"), &["plan for 0.8"]);
    warned(&format!("{FLEET} --on-demand-peak 4MiB"), &["move the devices in steps"]);
    let large = "--devices 10 --period 1min --sizes 2MiB:1 --record-bytes-max 10MiB --p99 3s";
    warned(large, &["above 1 MiB"]);
    let many = "--devices 900000 --period 1s --sizes 1KiB:1 --region ap-northeast-1";
    warned(many, &["above the region's quota of 1000"]);
    warned(&format!("{many} --shards 1001"), &["1001 shards are above the region's quota"]);
    let question = Program::parse_from(
        std::iter::once("plan").chain("--devices 1 --period 1s --sizes 9:1".split(' ')),
    );
    let later = answer(&question.arguments, date(2026, 12, 1)).unwrap().text;
    assert!(later.contains("the prices are of 2026-05-05, 210 days old"), "{later}");
}

#[test]
fn nothing_is_said_against_a_good_plan() {
    let text = answered("--devices 90 --period 1s --sizes 500:1");
    let warnings = text.lines().filter(|line| line.starts_with("! "));
    assert_eq!(warnings.count(), 0, "{text}");
}

#[test]
fn settings_that_the_gateway_does_not_have_are_refused() {
    for (flags, why) in [
        ("--placement even", "md5 or golden"),
        ("--aggregate 25KiB", "does not pack"),
        ("--linger 0s", "1 ms"),
    ] {
        assert!(asked(&format!("{FLEET} {flags}")).is_ok(), "{flags}");
        refused(&format!("{FLEET} {flags} --format toml"), &[why]);
    }
}

#[test]
fn settings_say_what_the_plan_counts_on() {
    let said = answered(&format!("{FLEET} --placement golden --target-util 0.7 --format toml"));
    let expected = "[stream]\nshards = 29\npartitioning = \"golden\"\n\n[pace]\n";
    assert!(said.contains(expected), "{said}");
    assert!(said.contains("\n[plan]\ntarget = 0.7\n"), "{said}");
    assert!(!answered(&format!("{FLEET} --format toml")).contains("partitioning"));
}

/// Devices that differ are numbered in an order that nobody knows.
#[test]
fn golden_places_are_not_promised_for_classes_that_differ() {
    let classes = "[[class]]\nname = 'many'\ndevices = 1960\nperiod = '10s'\nsizes = '200:1'\n\
                   [[class]]\nname = 'few'\ndevices = 40\nperiod = '10ms'\nsizes = '200:1'\n";
    let (_folder, path) = file(classes);
    let answer = json_of(&format!("--plan {path}"));
    assert_eq!(answer["golden_shards"], Value::Null);
    assert!(!answered(&format!("--plan {path}")).contains("olden"));
    assert!(!answered(&format!("--plan {path} --format html")).contains("olden"));
    refused(&format!("--plan {path} --placement golden"), &["classes that differ", "md5"]);
}

#[test]
fn what_speaks_against_the_fleet_is_said_in_reverse_too() {
    let fleet = "--devices 10 --period 1s --record-bytes 1000 --shards 1 --current-shards 9";
    warned(fleet, &["give a histogram"]);
    warned(&format!("{fleet} --efo 21"), &["need On-demand Advantage"]);
    let skewed = "--devices 500 --period 100ms --sizes 200:1 --shards";
    warned(&format!("{skewed} 20"), &["golden-ratio hash keys 7 would be enough"]);
    assert!(!answered(&format!("{skewed} 7")).contains("golden-ratio"), "they are as few");
    warned(fleet, &["the stream gets there in 4 steps (5, 3, 2, 1)"]);
}

#[test]
fn what_was_kept_and_when_it_is_sent_are_said_together() {
    let buffer = "device_buffer is given, but no restore";
    refused(&format!("{FLEET} --device-buffer 60"), &[buffer]);
    refused(&format!("{FLEET} --restore 30s"), &["restore is given, but no device_buffer"]);
    let both = "--devices 20 --period 1s --sizes 200:1 --device-buffer 60 --restore 30s";
    assert!(asked(both).is_ok());
    assert!(asked(&format!("{FLEET} --device-buffer 0")).is_ok());
}

#[test]
fn modes_that_have_no_price_are_named() {
    let silent = "on-demand prices of";
    assert!(!answered(FLEET).contains(silent));
    for (flags, what) in [
        ("--efo 1", "on-demand prices of enhanced fan-out are not known"),
        ("--retention 7d", "on-demand prices of retention beyond 24 hours are not known"),
        ("--efo 1 --retention 7d", "of enhanced fan-out and of retention beyond 24 hours"),
    ] {
        let table = answered(&format!("{FLEET} {flags}"));
        assert!(table.contains(what), "{table}");
        assert!(answered(&format!("{FLEET} {flags} --format html")).contains(what), "{flags}");
    }
    assert!(!answered(FLEET).contains("the file has no price"));
    let tokyo = format!("{FLEET} --region ap-northeast-1");
    for (flags, what) in [
        ("", "of on-demand Advantage, of delivery by Firehose in this region"),
        ("--efo 1", "of provisioned shards, of delivery by Firehose in this region"),
    ] {
        let table = answered(&format!("{tokyo} {flags}"));
        assert!(table.contains("; the file has no price, or not every one, "), "{table}");
        assert!(table.contains(what), "{table}");
    }
}

#[test]
fn the_months_go_as_far_as_the_horizon() {
    let grown = format!("{FLEET} --growth 1%/mo --horizon 48mo");
    let text = answered(&grown);
    let line = text.lines().find(|line| line.starts_with("after months")).expect("months");
    assert!(line.ends_with(" 48"), "{line}");
    let page = answered(&format!("{grown} --format html"));
    let is_label = |label: &&str| page.lines().any(|line| line == *label);
    assert!(["42", "48"].iter().all(is_label), "labelled up to the horizon");
}

#[test]
fn a_plan_above_what_is_fine_says_so() {
    for (max, is_above) in [(28, true), (29, false)] {
        let answer = asked(&format!("{FLEET} --max-shards-ok {max}")).expect("a plan");
        assert_eq!(answer.is_above_max, is_above, "{max}");
    }
}
