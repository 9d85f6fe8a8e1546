//! Questions about a gateway that runs.

use std::fs;

use clap::Parser;
use serde_json::Value;
use shard_estimator::cli::{Answer, Running, answer_observed};

use super::{Program, TODAY};

/// A page of a gateway that received records of 1,000 bytes and keys of 20, `per_s` in a second.
struct Gateway<'a> {
    per_s: u64,
    uptime_s: u64,
    keys: u64,
    /// Not shown if it is 0.
    shards: u64,
    /// Not shown if it is 0.
    hottest_used: f64,
    holds: bool,
    hot: &'a str,
}

const GATEWAY: Gateway<'_> = Gateway {
    per_s: 2_400,
    uptime_s: 600,
    keys: 20_000,
    shards: 4,
    hottest_used: 0.62,
    holds: true,
    hot: "",
};

impl Gateway<'_> {
    fn page(&self) -> String {
        let Self { per_s, uptime_s, keys, shards, hottest_used, holds, hot } = self;
        let (records, holds) = (per_s * uptime_s, u8::from(*holds));
        let hottest = if *hottest_used > 0.0 {
            format!("tidegate_hottest_shard_offered_ratio {hottest_used}\n")
        } else {
            String::new()
        };
        let counted = if *shards > 0 {
            format!("tidegate_stream_shards{{known=\"listed\"}} {shards}.0\n")
        } else {
            String::new()
        };
        let buckets: String = shard_estimator::SIZE_EDGES
            .iter()
            .map(|edge| {
                let up_to = if *edge < 1_000 { 0 } else { records };
                format!("tidegate_record_data_bytes_bucket{{le=\"{edge}.0\"}} {up_to}\n")
            })
            .collect();
        format!(
            "# TYPE tidegate_build info\ntidegate_build_info{{version=\"0.1.0\"}} 1\n\
             tidegate_uptime_seconds {uptime_s}.0\n{buckets}\
             tidegate_record_data_bytes_sum {sum}.0\n\
             tidegate_partition_key_bytes_total {key_bytes}\ntidegate_partition_keys {keys}.0\n\
             {counted}{hottest}tidegate_stream_partitioning{{how=\"md5\"}} 1.0\n\
             tidegate_window_records_per_second {per_s}.0\ntidegate_throttled_ratio 0.001\n\
             tidegate_plan_holds {holds}.0\ntidegate_plan_target_ratio 0.8\n\
             tidegate_pace_fraction_ratio 0.9\n{hot}# EOF\n",
            sum = records * 1_000,
            key_bytes = records * 20,
        )
    }

    fn running(&self) -> Running {
        Running::read(&self.page(), None).expect("a page of ours")
    }
}

fn asked(running: Running, flags: &str) -> Result<String, String> {
    answered(running, flags).map(|answer| answer.text)
}

fn answered(running: Running, flags: &str) -> Result<Answer, String> {
    let program = Program::parse_from(["plan"].into_iter().chain(flags.split_whitespace()));
    answer_observed(&program.arguments, running, TODAY).map_err(|faults| faults.to_string())
}

fn json(running: Running) -> Value {
    serde_json::from_str(&asked(running, "--format json").expect("a plan")).expect("JSON")
}

#[test]
fn what_came_is_planned_for_and_the_shards_that_there_are_are_judged() {
    let plan = json(GATEWAY.running());
    let near = |value: &Value, expected: f64| {
        let value = value.as_f64().expect("a number");
        assert!((value / expected - 1.0).abs() < 0.001, "{value}, not {expected}");
    };
    near(&plan["records_per_s"], 2_400.0);
    near(&plan["bytes_per_s"], 2_400.0 * 1_020.0);
    assert_eq!(plan["plan"]["shards"], 4);
    assert_eq!((&plan["holding"]["holds"], &plan["holding"]["shards"]), (&true.into(), &4.into()));

    let table = asked(GATEWAY.running(), "").expect("a plan");
    assert!(
        table.contains("THE PLAN HOLDS: the stream has 4 shards, and needs no more."),
        "{table}"
    );
    assert!(table.contains("62.0 % of its limits"), "{table}");
}

#[test]
fn too_few_shards_hold_no_more_and_the_steps_to_enough_are_shown() {
    let too_small = Gateway { shards: 2, hottest_used: 1.21, ..GATEWAY }.running();
    let Answer { text: table, is_broken, .. } = answered(too_small, "").expect("a plan");
    assert!(is_broken, "which the exit code says");
    let verdict = "THE PLAN NO LONGER HOLDS: the stream has 2 shards, and needs 4.";
    assert!(table.contains(verdict), "{table}");
    assert!(table.contains("From 2 shards in 1 of the 10 steps of a day: 4."), "{table}");
}

#[test]
fn a_shard_that_is_hotter_than_planned_needs_more_whatever_the_estimate() {
    let plan = json(Gateway { hottest_used: 1.0, ..GATEWAY }.running());
    assert_eq!((&plan["holding"]["holds"], &plan["holding"]["needed"]), (&false.into(), &5.into()));
}

/// A plan leaves room for hashing that is less kind than it turned out to be.
#[test]
fn shards_that_are_found_to_be_enough_are_enough_whatever_a_new_plan_would_take() {
    let gateway = Gateway { shards: 3, hottest_used: 0.79, ..GATEWAY };
    let Answer { text: table, is_broken, .. } = answered(gateway.running(), "").expect("a plan");
    assert!(table.contains("THE PLAN HOLDS: the stream has 3 shards"), "{table}");
    assert!(table.contains("A new plan would take 4 shards."), "{table}");
    assert!(!is_broken);
    let holding = &json(gateway.running())["holding"];
    assert_eq!((&holding["needed"], &holding["planned"]), (&3.into(), &4.into()));
}

#[test]
fn a_gateway_that_places_by_numbers_is_planned_for_as_one() {
    let by_hash = Gateway { per_s: 20_000, keys: 2_000, shards: 29, ..GATEWAY };
    let by_number = by_hash.page().replace("how=\"md5\"", "how=\"golden\"");
    let shards = |running| json(running)["plan"]["shards"].as_u64().expect("a number");
    let (by_hash, by_number) =
        (shards(by_hash.running()), shards(Running::read(&by_number, None).unwrap()));
    assert!(by_number < by_hash, "{by_number} and {by_hash}");
}

/// Numbers are given by first sight, so the hot ones among devices lie anywhere.
#[test]
fn hot_keys_among_devices_that_are_placed_by_numbers_are_planned_for_as_hashed() {
    let hot = "tidegate_hot_key_records_per_second{key=\"pump\"} 400.0\n\
               tidegate_hot_key_bytes_per_second{key=\"pump\"} 408000.0\n";
    let page =
        Gateway { hot, keys: 100, ..GATEWAY }.page().replace("how=\"md5\"", "how=\"golden\"");
    let plan = json(Running::read(&page, None).unwrap());
    assert_eq!(plan["inputs"]["goals"]["placement"], "md5");
}

/// What the others send to the same shards is not seen.
#[test]
fn one_of_several_gateways_does_not_say_that_the_plan_holds() {
    let one_of = |gateways: u32, gateway: Gateway<'_>| {
        let shown = format!("tidegate_pace_instances {gateways}.0\n# EOF\n");
        Running::read(&gateway.page().replace("# EOF\n", &shown), None).unwrap()
    };
    let of_four = answered(one_of(4, GATEWAY), "").expect("a plan");
    let table = of_four.text;
    assert!(!table.contains("HOLDS") && !of_four.is_broken, "{table}");
    assert!(table.contains("has 4 shards, and this gateway needs 4 of them."), "{table}");
    assert!(table.contains("of this gateway alone: 4 share the stream, add theirs."), "{table}");
    assert!(!table.contains("with an even part of it"), "it is the part of one: {table}");
    let holding = &json(one_of(4, GATEWAY))["holding"];
    assert_eq!((&holding["holds"], &holding["gateways"]), (&Value::Null, &4.into()));
    let settings = asked(one_of(4, GATEWAY), "--format toml").expect("settings");
    assert!(settings.contains("instances = 4\n"), "{settings}");

    let too_small = Gateway { shards: 2, hottest_used: 1.21, ..GATEWAY };
    let broken = answered(one_of(4, too_small), "").expect("a plan");
    assert!(broken.is_broken && broken.text.contains("THE PLAN NO LONGER HOLDS"), "{broken:?}");
    assert!(broken.text.contains("add theirs"), "{broken:?}");

    let alone = asked(one_of(1, GATEWAY), "").expect("a plan");
    assert_eq!(Ok(alone), asked(GATEWAY.running(), ""));
}

#[test]
fn a_warning_of_the_gateway_counts() {
    let table = asked(Gateway { holds: false, ..GATEWAY }.running(), "").expect("a plan");
    assert!(table.contains("NO LONGER HOLDS, though 4 shards should be enough"), "{table}");
    assert!(table.contains("has warned of it"), "{table}");
}

#[test]
fn shards_that_are_not_told_apart_can_be_given() {
    let unknown = || Gateway { shards: 0, hottest_used: 0.0, ..GATEWAY }.running();
    let table = asked(unknown(), "").expect("a plan");
    assert!(table.contains("give --current-shards"), "{table}");
    let table = asked(unknown(), "--current-shards 3").expect("a plan");
    assert!(table.contains("the stream has 3 shards, and needs 4"), "{table}");
}

#[test]
fn two_pages_show_what_came_between_them() {
    let quiet = Gateway { per_s: 100, ..GATEWAY };
    // 60,000 records in ten minutes, and then 12,000 in ten seconds.
    let later = Gateway { per_s: 1, uptime_s: 72_000, ..GATEWAY }
        .page()
        .replace("tidegate_uptime_seconds 72000.0", "tidegate_uptime_seconds 610.0");
    let between = Running::read(&later, None).unwrap().since(&quiet.running()).unwrap();
    assert!((json(between)["records_per_s"].as_f64().unwrap() - 1_200.0).abs() < 0.1);

    let restarted = GATEWAY.running().since(&Gateway { uptime_s: 700, ..GATEWAY }.running());
    assert!(restarted.unwrap_err().contains("restarted"));
}

#[test]
fn a_hot_key_is_planned_for_by_itself() {
    let hot = "tidegate_hot_key_records_per_second{key=\"pump \\\"7\\\"\"} 600.0\n\
               tidegate_hot_key_bytes_per_second{key=\"pump \\\"7\\\"\"} 612000.0\n";
    let plan = json(Gateway { hot, ..GATEWAY }.running());
    let classes = plan["inputs"]["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 2, "{classes:?}");
    assert!((classes[1]["period"].as_f64().unwrap() * 600.0 - 1.0).abs() < 0.001);
    assert!((plan["records_per_s"].as_f64().unwrap() - 2_400.0).abs() < 1.0);
}

/// The rates of hot keys are those of a window, and so is what they are a part of: what comes at the
/// moment may be ten times that, or a tenth.
#[test]
fn a_hot_key_is_a_part_of_the_window_in_which_it_was_hot() {
    let hot = "tidegate_hot_key_records_per_second{key=\"pump\"} 600.0\n\
               tidegate_hot_key_bytes_per_second{key=\"pump\"} 612000.0\n\
               tidegate_offered_records_per_second 240.0\n";
    let plan = json(Gateway { hot, ..GATEWAY }.running());
    let classes = plan["inputs"]["classes"].as_array().unwrap();
    let names: Vec<_> = classes.iter().map(|class| class["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["devices", "hot key pump"]);
    assert!((classes[1]["period"].as_f64().unwrap() * 600.0 - 1.0).abs() < 0.001);
    let per_s = plan["records_per_s"].as_f64().unwrap();
    assert!((per_s / 2_400.0 - 1.0).abs() < 0.001, "{per_s}");
}

/// 950 of the 1,000 records a second that a shard takes.
#[test]
fn a_key_that_no_shards_can_carry_is_named_and_the_plan_holds_no_longer() {
    for (label, called) in
        [("key=\"pump \\\"7\\\"\"", "hot key pump \\\"7\\\""), ("rank=\"1\"", "hot key 1")]
    {
        let hot = format!(
            "tidegate_hot_key_records_per_second{{{label}}} 950.0\n\
             tidegate_hot_key_bytes_per_second{{{label}}} 95000.0\n"
        );
        let running = || Gateway { hot: &hot, ..GATEWAY }.running();
        let Answer { text, is_broken, .. } = answered(running(), "").expect("an answer");
        let verdict =
            format!("THE PLAN NO LONGER HOLDS: {called} alone is 95.0 % of a shard's limits");
        assert!(text.starts_with(&verdict), "{text}");
        assert!(
            text.contains("more shards cannot help") && text.contains("alone uses 95 %"),
            "{text}"
        );
        assert!(is_broken);
        let json = json(running());
        assert_eq!((&json["holding"]["holds"], &json["key"]), (&false.into(), &called.into()));
        assert!(asked(running(), "--format toml").unwrap_err().starts_with(&verdict));
    }
}

/// 700 of the 1,000 records a second that a shard takes: too much for a plan of 0.6.
const WARM: &str = "tidegate_hot_key_records_per_second{key=\"pump\"} 700.0\n\
                    tidegate_hot_key_bytes_per_second{key=\"pump\"} 70000.0\n";

#[test]
fn a_key_is_too_much_for_the_target_that_is_asked_for_wherever_that_is_written() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "[plan]\ntarget_util = 0.6\n").unwrap();
    let warm = || Gateway { hot: WARM, ..GATEWAY }.running();
    assert!(!answered(warm(), "").expect("a plan").is_broken);
    for flags in ["--target-util 0.6".to_owned(), format!("--plan {}", file.path().display())] {
        let Answer { text, is_broken, .. } = answered(warm(), &flags).expect("an answer");
        assert!(
            text.starts_with("THE PLAN NO LONGER HOLDS: hot key pump alone is 70.0 %"),
            "{text}"
        );
        assert!(is_broken, "{flags}");
    }
}

#[test]
fn what_is_wrong_with_a_question_is_no_verdict_however_hot_a_key_is() {
    let hot = WARM.replace("700.0", "950.0");
    for (flags, because) in [
        ("--limiter 0.5", "0.8"),
        ("--drain 1h", "no outage"),
        ("--restore 1m", "device_buffer"),
        ("--region moon-1", "moon-1"),
        ("--trace t.jsonl", "choose one"),
    ] {
        let faults = asked(Gateway { hot: &hot, ..GATEWAY }.running(), flags);
        let faults = faults.expect_err(flags);
        assert!(faults.contains(because) && !faults.contains("NO LONGER HOLDS"), "{faults}");
    }
}

#[test]
fn without_traffic_there_is_nothing_to_plan() {
    let fault = asked(Gateway { per_s: 0, ..GATEWAY }.running(), "").unwrap_err();
    assert!(fault.contains("received no record in that time"), "{fault}");
    let same = GATEWAY.running().since(&GATEWAY.running()).unwrap();
    assert!(asked(same, "").unwrap_err().contains("received no record"));
}

#[test]
fn devices_or_a_trace_beside_a_gateway_are_a_fault() {
    for flags in ["--devices 7 --period 1s", "--trace t.jsonl"] {
        assert!(asked(GATEWAY.running(), flags).unwrap_err().contains("gateway is watched and"));
    }
}

#[test]
fn a_page_of_another_version_says_what_it_lacks() {
    let page = GATEWAY.page().replace("tidegate_plan_holds", "tidegate_was_planned");
    let fault = Running::read(&page, None).unwrap_err();
    assert!(fault.contains("tidegate_plan_holds: it is of another version"), "{fault}");
}
