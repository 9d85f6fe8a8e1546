//! What speaks against a plan that holds is said, with advice, and nothing is said of a good one.

#![expect(clippy::panic, reason = "a test may fail where it stands")]

use std::num::NonZeroU32;
use std::time::Duration;

use shard_estimator::bill::{Bill, Mode};
use shard_estimator::{
    Class, Devices, Estimator, Factor, Fleet, Goals, Packing, Placement, Prices, Readers,
    Reporting, Sizes, Warning,
};

fn shards(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests count from one")
}

/// 20,000 vehicles at 1 Hz whose sizes are known.
fn vehicles() -> Class {
    Class {
        name: "vehicles".to_owned(),
        devices: Devices::Counted { devices: 20_000, key_bytes: 17 },
        period: Duration::from_secs(1),
        sizes: sizes(&[(400, 1), (600, 1)]),
        reporting: Reporting::Spread,
        buffered: 0,
    }
}

fn sizes(counts: &[(u32, u64)]) -> Sizes {
    Sizes::histogram(counts.iter().copied()).expect("records")
}

fn estimator(class: Class, goals: Goals) -> Estimator {
    let fleet = Fleet::new(vec![class]).expect("a fleet without fault");
    Estimator::new(fleet, goals).expect("goals without fault")
}

fn of_plan(class: Class, goals: Goals, current: Option<u32>) -> Vec<String> {
    let estimator = estimator(class, goals);
    let plan = estimator.plan().expect("shards");
    let warnings = Warning::of_outlook(&estimator, &plan.chosen, current.map(shards));
    warnings.iter().map(Warning::to_string).collect()
}

fn of_hashing(class: &Class) -> Vec<String> {
    let shards_of = |placement| {
        let goals = Goals { placement, ..Goals::default() };
        estimator(class.clone(), goals).plan().expect("shards")
    };
    let (hashed, golden) = (shards_of(Placement::Md5), shards_of(Placement::Golden).shards);
    Warning::of_hashing(&hashed.chosen, golden).iter().map(Warning::to_string).collect()
}

fn prices() -> Prices {
    toml::from_str(include_str!("../../configs/prices.toml")).expect("a file of prices")
}

fn of_bill(class: Class, goals: Goals, n: u32, region: &str) -> Vec<String> {
    let prices = prices();
    let region = prices.region(region).expect("its prices");
    let bill = Bill::of(&estimator(class, goals), shards(n), region);
    Warning::of_bill(&bill, region).iter().map(Warning::to_string).collect()
}

#[track_caller]
fn says(warnings: &[String], words: &[&str]) {
    let [warning] = warnings else { panic!("one warning, not {warnings:#?}") };
    for word in words {
        assert!(warning.contains(word), "{word:?} is missing in: {warning}");
    }
}

#[test]
fn a_good_plan_has_no_warning() {
    assert_eq!(of_plan(vehicles(), Goals::default(), Some(29)), [""; 0]);
    let packed = Goals { packing: Some(Packing::default()), ..Goals::default() };
    assert_eq!(of_bill(vehicles(), packed, 29, "us-east-1"), [""; 0]);
}

#[test]
fn a_mean_hides_what_is_billed() {
    let mean = Class { sizes: Sizes::mean(500), ..vehicles() };
    says(&of_plan(mean, Goals::default(), None), &["\"vehicles\"", "mean", "histogram"]);
}

#[test]
fn records_just_below_a_kibibyte_are_near_the_next() {
    for (counts, share) in [(&[(1_000, 6), (100, 4)], "60 %"), (&[(2_048, 3), (1_749, 0)], "100 %")]
    {
        let near = Class { sizes: sizes(counts), ..vehicles() };
        says(&of_plan(near, Goals::default(), None), &[share, "KiB", "keep records short"]);
    }
    let beyond = Class { sizes: sizes(&[(1_025, 1), (1_700, 1)]), ..vehicles() };
    assert_eq!(of_plan(beyond, Goals::default(), None), [""; 0]);
}

#[test]
fn large_records_are_for_exceptions() {
    let p99 = Duration::from_secs(3);
    let goals = Goals { record_bytes_max: 10 << 20, p99, ..Goals::default() };
    let large = |few| Class {
        devices: Devices::Counted { devices: 5_000, key_bytes: 17 },
        period: Duration::from_secs(600),
        sizes: sizes(&[(400, 100 - few), (2_000_000, few)]),
        ..vehicles()
    };
    let [waits, many] = of_plan(large(3), goals.clone(), None).try_into().expect("two warnings");
    says(&[many], &["3.0 %", "above 1 MiB", "their address"]);
    says(&[waits], &["2000017 bytes", "2.1s each", "wait for each other", "tidegate rehearse"]);
    says(&of_plan(large(2), goals.clone(), None), &["wait for each other"]);
    assert_eq!(of_plan(large(1), goals, None), [""; 0], "one in a hundred");
}

/// Ten of 20,000 devices send nothing else: a shard has few of them.
#[test]
fn a_class_of_large_records_among_many_others_is_an_exception() {
    let cameras = |devices| Class {
        name: "cameras".to_owned(),
        devices: Devices::Counted { devices, key_bytes: 17 },
        period: Duration::from_secs(60),
        sizes: sizes(&[(2_000_000, 1)]),
        ..vehicles()
    };
    let warnings = |devices| {
        let classes =
            vec![Class { period: Duration::from_secs(60), ..vehicles() }, cameras(devices)];
        let goals = Goals {
            record_bytes_max: 10 << 20,
            p99: Duration::from_secs(3),
            placement: Placement::Even,
            ..Goals::default()
        };
        let fleet = Fleet::new(classes).expect("a fleet without fault");
        let estimator = Estimator::new(fleet, goals).expect("goals without fault");
        let warnings = Warning::of_outlook(&estimator, &estimator.outlook(shards(50)), None);
        warnings.iter().map(Warning::to_string).collect::<Vec<_>>()
    };
    assert_eq!(warnings(10), [""; 0]);
    let [_waits, many] = warnings(500).try_into().expect("two warnings");
    says(&[many], &["\"cameras\"", "100.0 %", "above 1 MiB"]);
}

#[test]
fn skew_calls_for_golden_places() {
    let few = Class { devices: Devices::Counted { devices: 2_000, key_bytes: 17 }, ..vehicles() };
    let few = Class { period: Duration::from_millis(100), ..few };
    says(&of_hashing(&few), &["1.50 times", "golden", "26 would be enough"]);
    assert_eq!(of_hashing(&vehicles()), [""; 0], "the skew of 29 shards is 1.13");
}

/// 16 of 20 devices are planned for on one of two shards, which are the fewest for 1,000 records/s.
#[test]
fn skew_that_costs_no_shard_is_not_spoken_of() {
    let few = Class { devices: Devices::Counted { devices: 20, key_bytes: 17 }, ..vehicles() };
    let few = Class { period: Duration::from_millis(20), ..few };
    let plan = estimator(few.clone(), Goals::default()).plan().expect("shards");
    assert!(plan.chosen.hottest.skew > 1.5, "{plan:?}");
    assert_eq!(of_hashing(&few), [""; 0]);
}

#[test]
fn a_target_above_nine_tenths_leaves_no_room() {
    let part = |part| Factor::new(part).expect("above 0, at most 1");
    let goals = |target| Goals {
        target: part(target),
        fraction: part(0.95),
        linger: Duration::from_millis(50),
        ..Goals::default()
    };
    says(&of_plan(vehicles(), goals(0.95), None), &["target of 0.95", "19 times"]);
    assert_eq!(of_plan(vehicles(), goals(0.9), None), [""; 0]);
}

#[test]
fn a_long_way_to_go_is_said() {
    says(&of_plan(vehicles(), Goals::default(), Some(4)), &["3 steps (8, 16, 29)", "10"]);
    assert_eq!(of_plan(vehicles(), Goals::default(), Some(15)), [""; 0]);
}

#[test]
fn a_region_allows_so_many_shards() {
    let packed = Goals { packing: Some(Packing::default()), ..Goals::default() };
    let warnings = of_bill(vehicles(), packed.clone(), 1_001, "ap-northeast-1");
    says(&warnings, &["1001 shards", "quota of 1000", "ask AWS"]);
    assert_eq!(of_bill(vehicles(), packed, 1_000, "ap-northeast-1"), [""; 0]);
}

#[test]
fn put_units_of_small_records_call_for_packing() {
    let warnings = of_bill(vehicles(), Goals::default(), 29, "us-east-1");
    says(&warnings, &["$735.84", "$317.55", "packing"]);
    assert_eq!(of_bill(vehicles(), Goals::default(), 40, "us-east-1"), [""; 0], "not twice $438");
}

/// Two consumers with reads of their own cost the fleet of 1 KiB records $1,938 on $1,053.
#[test]
fn fan_out_that_costs_more_than_the_stream_is_said() {
    let vehicles = Class { sizes: sizes(&[(1_024, 1)]), ..vehicles() };
    let with = |fan_out| Goals {
        readers: Readers { fan_out, ..Goals::default().readers },
        ..Goals::default()
    };
    let warnings = of_bill(vehicles.clone(), with(2), 29, "us-east-1");
    let (fan_out, put) = warnings.split_at(1);
    says(fan_out, &["$1,938.35", "$1,053.39", "share reads"]);
    says(put, &["packing"]);
    assert_eq!(of_bill(vehicles.clone(), with(1), 29, "us-east-1"), put, "$969 on $1,053");
    let many = of_plan(Class { sizes: sizes(&[(400, 1)]), ..vehicles }, with(21), None);
    says(&many, &["21 consumers", "Advantage"]);
}

#[test]
fn prices_of_half_a_year_ago_are_old() {
    let prices = prices();
    let day = |text: &str| text.parse().expect("a date");
    let old = Warning::of_prices(&prices, day("2026-11-02")).map(|warning| warning.to_string());
    says(&old.into_iter().collect::<Vec<_>>(), &["2026-05-05", "181 days", "newer file"]);
    assert_eq!(Warning::of_prices(&prices, day("2026-11-01")), None);
    assert_eq!(Warning::of_prices(&prices, day("2026-01-01")), None);
}

#[test]
fn an_on_demand_stream_takes_twice_its_peak() {
    let estimator = estimator(vehicles(), Goals::default());
    let bytes_per_s = 20_000.0 * 517.0;
    assert_eq!(Warning::of_on_demand(&estimator, bytes_per_s / 2.0), None);
    let jump = Warning::of_on_demand(&estimator, bytes_per_s / 2.1);
    let jump = jump.map(|warning| warning.to_string());
    says(&jump.into_iter().collect::<Vec<_>>(), &["10340000 bytes/s", "twice", "in steps"]);
}

#[test]
fn what_is_no_price_is_not_read() {
    let text = include_str!("../../configs/prices.toml");
    for no_price in ["-0.015", "nan", "inf"] {
        let text = text.replace("shard_hour = 0.015", &format!("shard_hour = {no_price}"));
        let fault = toml::from_str::<Prices>(&text).expect_err("not a price").to_string();
        assert!(fault.contains("shard_hour") && fault.contains("0 or more dollars"), "{fault}");
    }
    let misspelt = text.replace("firehose_gib", "firehose_gb");
    assert!(toml::from_str::<Prices>(&misspelt).is_err(), "unknown keys are faults");
    let no_date = text.replace("2026-05-05\"", "May 2026\"");
    assert!(toml::from_str::<Prices>(&no_date).is_err(), "an age cannot be told");
}

/// A mode is left out whose prices are not known, and nothing is guessed.
#[test]
fn what_has_no_price_is_not_calculated() {
    let modes = |goals: Goals, region: &str| {
        let prices = prices();
        let region = prices.region(region).expect("its prices");
        let bill = Bill::of(&estimator(vehicles(), goals), shards(29), region);
        bill.modes().map(|(mode, _)| mode).collect::<Vec<_>>()
    };
    let (virginia, tokyo) = ("us-east-1", "ap-northeast-1");
    let all = [Mode::Provisioned, Mode::OnDemand, Mode::Advantage];
    assert_eq!(modes(Goals::default(), virginia), all);
    assert_eq!(modes(Goals::default(), tokyo), [Mode::Provisioned, Mode::OnDemand]);
    let readers = Readers { fan_out: 1, ..Goals::default().readers };
    let fan_out = Goals { readers, ..Goals::default() };
    assert_eq!(modes(fan_out.clone(), virginia), [Mode::Provisioned]);
    assert_eq!(modes(fan_out, tokyo), []);
}

/// Extended retention doubles the price of a shard and more; beyond a week what lies there is paid.
#[test]
fn retention_is_paid_by_the_shard_for_a_week_and_by_the_gib_after_it() {
    const DAY: Duration = Duration::from_secs(86_400);
    let vehicles = Class { sizes: sizes(&[(1_024, 1)]), ..vehicles() };
    let retention = |days: u32| {
        let goals = Goals { retention: days * DAY, ..Goals::default() };
        let prices = prices();
        let region = prices.region("us-east-1").expect("its prices");
        let bill = Bill::of(&estimator(vehicles.clone(), goals), shards(29), region);
        bill.provisioned.expect("its prices are known").retention.to_string()
    };
    assert_eq!(retention(1), "$0.00");
    assert_eq!(retention(2), "$423.40", "29 shards, 730 hours, 0.020 each");
    assert_eq!(retention(7), "$423.40");
    assert_eq!(retention(8), "$461.30", "and 1,647.9 GiB of a day for 0.023 each");
}

/// 1 KiB records are billed as five.
#[test]
fn firehose_bills_small_records_fivefold() {
    let vehicles = Class { sizes: sizes(&[(1_024, 1)]), ..vehicles() };
    let region = prices().regions["us-east-1"];
    let bill = Bill::of(&estimator(vehicles, Goals::default()), shards(29), &region);
    assert_eq!(bill.firehose.expect("its price is known").to_string(), "$7,268.14");
}

#[test]
fn a_region_without_prices_is_named_with_those_that_have_them() {
    let fault = prices().region("mars-north-1").expect_err("no such region").to_string();
    says(&[fault], &["\"mars-north-1\"", "ap-northeast-1, us-east-1", "file of prices"]);
}
