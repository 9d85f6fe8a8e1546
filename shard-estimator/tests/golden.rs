//! The values that the project was given, computed apart from it with scipy and by hand:
//! `capacity.json` holds inputs and outputs at us-east-1 list prices, and says itself with which
//! constants. Shards and constraints must come out exactly, money to the cent, times to 1 %.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "a test may fail where it stands")]

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;
use shard_estimator::bill::{
    Bill, Cost, FIREHOSE_UNIT_BYTES, ON_DEMAND_UNIT_BYTES, PUT_UNIT_BYTES,
};
use shard_estimator::burst::{Drainage, Wave};
use shard_estimator::limits::{SHARD_BYTES_PER_S, SHARD_RECORDS_PER_S};
use shard_estimator::{
    AwsFormula, Budget, Check, Class, Constraint, Devices, Estimator, Factor, Fleet, Footprint,
    Goals, HashKey, Keys, Outage, Packing, Placement, Prices, Readers, Reporting, ShardRanges,
    Sizes, Wait, drain_time, hottest_devices,
};

fn golden() -> Value {
    serde_json::from_str(include_str!("capacity.json")).expect("the golden values are JSON")
}

fn prices() -> Prices {
    toml::from_str(include_str!("../../configs/prices.toml")).expect("a file of prices")
}

fn number(of: &Value, name: &str) -> f64 {
    of[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {of}"))
}

fn count(of: &Value, name: &str) -> u32 {
    let count = of[name].as_u64().and_then(|count| u32::try_from(count).ok());
    count.unwrap_or_else(|| panic!("no count {name} in {of}"))
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_else(|| panic!("no text {name} in {of}"))
}

fn rows<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of["unit"][name].as_array().unwrap_or_else(|| panic!("no rows {name}"))
}

fn shards(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests count from one")
}

/// Within half a unit of the last decimal that the golden value has.
fn rounds_to(name: &str, value: f64, golden: f64, decimals: i32) {
    let half = 0.5 * 10_f64.powi(-decimals) + 1e-9;
    assert!((value - golden).abs() <= half, "{name}: {value} instead of {golden}");
}

fn within_one_per_cent(name: &str, value: f64, golden: f64, decimals: i32) {
    let rounding = 0.5 * 10_f64.powi(-decimals);
    let allowed = 0.01 * golden.abs() + rounding;
    assert!((value - golden).abs() <= allowed, "{name}: {value} instead of {golden}");
}

fn hours(hours: f64) -> Duration {
    Duration::from_secs_f64(3600.0 * hours)
}

fn estimator(input: &Value) -> Estimator {
    let aligned = input.get("jitter").map(|_| number(input, "jitter"));
    let class = Class {
        name: "devices".to_owned(),
        devices: Devices::Counted { devices: count(input, "D"), key_bytes: count(input, "key") },
        period: Duration::from_secs_f64(number(input, "P")),
        sizes: Sizes::mean(count(input, "payload")),
        reporting: aligned.map_or(Reporting::Spread, |jitter_s| Reporting::Aligned {
            jitter: Duration::from_secs_f64(jitter_s),
        }),
        buffered: 0,
    };
    let defaults = Goals::default();
    let goals = Goals {
        placement: match input.get("placement").and_then(Value::as_str) {
            Some("balanced") => Placement::Even,
            Some(other) => panic!("placement {other}"),
            None => Placement::Md5,
        },
        p99: input
            .get("p99_target")
            .map_or(defaults.p99, |_| Duration::from_secs_f64(number(input, "p99_target"))),
        readers: Readers { sharing: count(input, "consumers"), ..defaults.readers },
        outage: Some(Outage {
            lasts: hours(number(input, "outage_h")),
            drained_within: hours(number(input, "drain_h")),
        }),
        packing: input.get("agg").map(|_| Packing::default()),
        ..defaults
    };
    let fleet = Fleet::new(vec![class]).expect("a fleet without fault");
    Estimator::new(fleet, goals).expect("goals without fault")
}

fn check_scenario(name: &str, scenario: &Value) {
    let estimator = estimator(&scenario["input"]);
    let output = &scenario["output"];
    let plan = estimator.plan().expect("shards that hold the goals");
    let (fleet, chosen) = (estimator.fleet(), &plan.chosen);

    assert_eq!(plan.shards.get(), count(output, "shards"), "{name}");
    let binding: Vec<_> = plan.binding.iter().map(ToString::to_string).collect();
    assert_eq!(serde_json::json!(binding), output["binding_at_S_minus_1"], "{name}");

    rounds_to(name, fleet.devices(), number(output, "devices"), 0);
    rounds_to(name, fleet.records_per_s(), number(output, "rec_s"), 4);
    rounds_to(name, fleet.bytes_per_s() / fleet.records_per_s(), number(output, "wire_bytes"), 0);
    rounds_to(name, fleet.bytes_per_s() / f64::from(1 << 20), number(output, "MiB_s"), 4);
    let naive = (fleet.records_per_s() / f64::from(SHARD_RECORDS_PER_S)).ceil();
    rounds_to(name, naive, number(output, "naive_records"), 0);

    let mean_bytes = fleet.per_record(|class| class.sizes.mean_bytes());
    let sharing = estimator.goals().readers.sharing;
    let aws = AwsFormula::of(fleet.records_per_s(), mean_bytes, sharing);
    rounds_to(name, aws.raw, output["aws_formula"][0].as_f64().expect("raw"), 4);
    assert_eq!(u64::from(aws.shards), output["aws_formula"][1], "{name}");

    let hottest = chosen.hottest;
    rounds_to(name, hottest.devices, number(output, "hot_devices"), 0);
    rounds_to(name, hottest.skew, number(output, "skew"), 4);
    rounds_to(name, hottest.records_per_s, number(output, "hot_rec_s"), 3);
    rounds_to(name, hottest.records_used, number(output, "hot_rec_util"), 4);
    rounds_to(name, hottest.bytes_used, number(output, "hot_byte_util"), 4);

    let fraction = estimator.goals().fraction;
    let limiter = &output["limiter"];
    rounds_to(name, f64::from(fraction.of(SHARD_RECORDS_PER_S)), number(limiter, "rec_rate"), 0);
    rounds_to(name, f64::from(fraction.of(SHARD_BYTES_PER_S)), number(limiter, "byte_rate"), 0);
    assert_eq!(Budget::of_shard(fraction).records_burst.get(), count(limiter, "rec_burst"));

    let Some(Check::Drain { takes: Some(takes), .. }) = chosen.check(Constraint::Drain) else {
        panic!("{name}: an outage that is drained: {:?}", chosen.checks)
    };
    within_one_per_cent(name, takes.as_secs_f64() / 3600.0, number(output, "drain_h"), 4);
    let footprint = Footprint::of(&estimator, plan.shards);
    rounds_to(name, footprint.outage_records, number(output, "backlog_records"), 0);
    let backlog_mib = footprint.outage_bytes / f64::from(1 << 20);
    rounds_to(name, backlog_mib, number(output, "backlog_MiB"), 1);
    if output.get("p99_burst_delay_s").is_some() {
        let Some(Check::Delay(Wait { p99: Some(p99), .. })) = chosen.check(Constraint::Delay)
        else {
            panic!("{name}: a burst that is drained: {:?}", chosen.checks)
        };
        within_one_per_cent(name, p99.as_secs_f64(), number(output, "p99_burst_delay_s"), 3);
    }
    check_packing(name, &estimator, plan.shards, output);
    check_bill(name, &estimator, plan.shards, &output["cost"]);
}

fn check_packing(name: &str, estimator: &Estimator, at: NonZeroU32, output: &Value) {
    let Some(golden) = output.get("agg") else { return };
    let input_key = estimator.fleet().per_record(Class::key_bytes);
    let data_bytes = estimator.fleet().classes()[0].sizes.largest_bytes();
    let key_bytes = format!("{input_key}").parse().expect("whole bytes");
    let full = Packing::default().full(data_bytes, key_bytes, Keys::Distinct);
    assert_eq!(full.records, count(golden, "records_per_agg_max"), "{name}");
    assert_eq!(full.bytes, count(golden, "agg_bytes_full"), "{name}");
    let sent = estimator.sent_by_shard(at);
    let sent_per_s = sent.records_per_s * f64::from(at.get());
    rounds_to(name, sent_per_s, number(golden, "agg_rec_s_total"), 2);
    rounds_to(name, sent.records_each, number(golden, "mean_user_per_agg"), 1);
}

type Part = fn(&Cost) -> f64;

fn check_bill(name: &str, estimator: &Estimator, at: NonZeroU32, golden: &Value) {
    let prices = prices();
    let bill = Bill::of(estimator, at, prices.region("us-east-1").expect("its prices"));
    let check = |mode: &str, parts: &[(&str, Part)], cost: Option<Cost>| {
        let cost = cost.unwrap_or_else(|| panic!("{name}: {mode} has no price"));
        for (part, of) in parts {
            let at = format!("{name}, {mode}, {part}");
            rounds_to(&at, of(&cost), number(&golden[mode], part), 2);
        }
        rounds_to(name, cost.total().0, number(&golden[mode], "total"), 2);
    };
    check(
        "provisioned",
        &[
            ("shard", |cost| cost.capacity.0),
            ("put", |cost| cost.ingest.0),
            ("efo", |cost| cost.fan_out.0),
        ],
        bill.provisioned,
    );
    check(
        "on_demand",
        &[
            ("stream", |cost| cost.capacity.0),
            ("ingest", |cost| cost.ingest.0),
            ("read", |cost| cost.reads.0),
        ],
        bill.on_demand,
    );
    check(
        "advantage",
        &[("ingest", |cost| cost.ingest.0), ("read", |cost| cost.reads.0)],
        bill.advantage,
    );
    let at_floor = bill.advantage.map(|cost| cost.at_floor);
    assert_eq!(at_floor, golden["advantage"]["committed"].as_bool(), "{name}");
}

#[test]
fn every_scenario_comes_out_as_given() {
    let golden = golden();
    let scenarios = golden["scenarios"].as_object().expect("scenarios by name");
    assert_eq!(scenarios.len(), 6);
    for (name, scenario) in scenarios {
        check_scenario(name, scenario);
    }
}

#[test]
fn hottest_devices_are_as_scipy_says() {
    for row in rows(&golden(), "hot_m") {
        let (devices, at) = (count(row, "D"), shards(count(row, "S")));
        assert_eq!(hottest_devices(devices, at, number(row, "alpha")), count(row, "m"), "{row}");
    }
}

#[test]
fn aws_s_own_formula_answers_as_its_guide() {
    for row in rows(&golden(), "aws_formula") {
        let (records_per_s, bytes) = (number(row, "rec_s"), number(row, "bytes"));
        let aws = AwsFormula::of(records_per_s, bytes, count(row, "consumers"));
        rounds_to("raw", aws.raw, number(row, "raw"), 9);
        assert_eq!(aws.shards, count(row, "shards"), "{row}");
    }
}

#[test]
fn outages_are_drained_as_calculated() {
    for row in rows(&golden(), "drain") {
        let used = number(row, "load") / number(row, "cap");
        let drained = drain_time(hours(number(row, "H")), used).expect("it ends");
        rounds_to("hours", drained.as_secs_f64() / 3600.0, number(row, "hours"), 9);
    }
}

#[test]
fn bursts_wait_as_calculated() {
    for row in rows(&golden(), "burst") {
        let jitter = Duration::from_secs_f64(number(row, "J"));
        let wave = Wave { amount: number(row, "N"), jitter, period: None };
        let (per_s, burst) = (number(row, "r"), number(row, "sigma"));
        let drainage = Drainage { per_s, burst, beside_per_s: 0.0 };
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            let delay = wave.delay(quantile, drainage).expect("it drains");
            rounds_to(name, delay.as_secs_f64(), number(row, name), 8);
        }
        rounds_to("backlog", wave.backlog(drainage), number(row, "backlog"), 9);
    }
}

#[test]
fn packed_records_have_the_producer_library_s_sizes() {
    for row in rows(&golden(), "aggregate") {
        let packing = Packing { bytes_max: count(row, "limit") };
        let is_distinct = row["distinct"].as_bool().expect("a flag");
        let keys = if is_distinct { Keys::Distinct } else { Keys::Same };
        let full = packing.full(count(row, "payload"), count(row, "key"), keys);
        assert_eq!((full.records, full.bytes), (count(row, "n"), count(row, "size")), "{row}");
    }
}

#[test]
fn keys_fall_on_the_shards_given() {
    for row in rows(&golden(), "md5_shard") {
        let key = HashKey::of(text(row, "key"));
        assert_eq!(format!("{:032x}", key.0), text(row, "hash"));
        let shard = ShardRanges::equal(shards(count(row, "S"))).shard_of(key);
        assert_eq!(shard, count(row, "shard"), "{row}");
    }
}

#[test]
fn golden_places_are_as_given() {
    let golden = golden();
    let places = &golden["unit"]["golden"];
    for row in places["points"].as_array().expect("points") {
        let key = HashKey::golden(count(row, "n"));
        assert_eq!(format!("{:032x}", key.0), text(row, "point"), "{row}");
        assert_eq!(key.to_string(), text(row, "dec"), "{row}");
        for (name, n) in [("S4", 4), ("S29", 29)] {
            assert_eq!(ShardRanges::equal(shards(n)).shard_of(key), count(row, name), "{row}");
        }
    }
    for row in places["max_per_shard"].as_array().expect("counts") {
        let ranges = ShardRanges::equal(shards(count(row, "S")));
        let mut by_shard = vec![0_u32; ranges.shards().get() as usize];
        for n in 1..=count(row, "D") {
            by_shard[ranges.shard_of(HashKey::golden(n)) as usize] += 1;
        }
        assert_eq!(by_shard.into_iter().max(), Some(count(row, "m")), "{row}");
    }
}

#[test]
fn records_are_billed_in_the_units_given() {
    for (name, unit, unit_bytes, of_unit) in [
        ("put_units", "units", PUT_UNIT_BYTES, 1.0),
        ("od_kib", "kib", ON_DEMAND_UNIT_BYTES, 1.0),
        ("firehose", "kib", FIREHOSE_UNIT_BYTES, 5.0),
    ] {
        for row in rows(&golden(), name) {
            let units = Sizes::mean(count(row, "bytes")).units(unit_bytes);
            rounds_to(name, units * of_unit, number(row, unit), 9);
        }
    }
}

#[test]
fn the_floor_of_advantage_is_ten_mebibytes_a_second_at_the_standard_price() {
    let golden = golden();
    let building = estimator(&golden["scenarios"]["building"]["input"]);
    let bill = Bill::of(&building, shards(1), &prices().regions["us-east-1"]);
    let floor = bill.advantage.expect("its prices are known").total();
    assert_eq!(floor.to_string(), "$3,079.69");
    let standard = Factor::new(0.12).expect("dollars in and out").get();
    let mib_per_s = floor.0 / standard * 1024.0 / (730.0 * 3600.0);
    rounds_to("AWS's own advice", mib_per_s, 10.0, 6);
}
