//! What is wrong with a fleet or with the goals is said by name, all of it at once, with what to do.

#![expect(clippy::panic, reason = "a test may fail where it stands")]

use std::time::Duration;

use shard_estimator::{
    Class, Devices, Estimator, Factor, Fleet, FleetFault, GoalFault, Goals, Growth, Outage,
    Packing, Placement, Readers, Reporting, Restore, Sizes,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn sensors() -> Class {
    Class {
        name: "sensors".to_owned(),
        devices: Devices::Counted { devices: 100, key_bytes: 16 },
        period: MINUTE,
        sizes: Sizes::mean(500),
        reporting: Reporting::Spread,
        buffered: 0,
    }
}

fn known(keys: &[&str]) -> Devices {
    Devices::Known(keys.iter().map(|key| (*key).to_owned()).collect())
}

fn faults_of(classes: Vec<Class>) -> Vec<String> {
    let faults = Fleet::new(classes).err().unwrap_or_default();
    faults.iter().map(FleetFault::to_string).collect()
}

fn faults_with(class: Class, goals: Goals) -> Vec<String> {
    let fleet = Fleet::new(vec![class]).expect("a fleet without fault");
    let faults = Estimator::new(fleet, goals).err().unwrap_or_default();
    faults.iter().map(GoalFault::to_string).collect()
}

#[track_caller]
fn says(faults: &[String], words: &[&str]) {
    let [fault] = faults else { panic!("one fault, not {faults:#?}") };
    for word in words {
        assert!(fault.contains(word), "{word:?} is missing in: {fault}");
    }
}

fn part(part: f64) -> Factor {
    Factor::new(part).expect("above 0, at most 1")
}

/// A device that sends `per_s` records of 100 bytes a second.
fn heavy(per_s: u32) -> Class {
    let devices = Devices::Counted { devices: 3, key_bytes: 16 };
    Class { devices, period: Duration::from_secs(1) / per_s, sizes: Sizes::mean(100), ..sensors() }
}

#[test]
fn a_fleet_and_goals_without_fault_have_none() {
    assert_eq!(faults_of(vec![sensors()]), [""; 0]);
    assert_eq!(faults_with(sensors(), Goals::default()), [""; 0]);
}

#[test]
fn all_faults_of_a_fleet_are_said_at_once() {
    let broken = Class { period: Duration::ZERO, sizes: Sizes::mean(0), ..sensors() };
    let faults = faults_of(vec![broken, sensors()]);
    assert_eq!(faults.len(), 3, "{faults:#?}");
}

#[test]
fn there_must_be_classes_with_names_and_devices() {
    says(&faults_of(vec![]), &["no device class", "describe at least one"]);
    says(&faults_of(vec![sensors(), sensors()]), &["two classes", "\"sensors\"", "rename"]);
    let none = Devices::Counted { devices: 0, key_bytes: 16 };
    says(&faults_of(vec![Class { devices: none, ..sensors() }]), &["\"sensors\"", "no devices"]);
    let empty = Class { devices: known(&[]), ..sensors() };
    says(&faults_of(vec![empty]), &["\"sensors\"", "no devices", "list of their ids"]);
    let all = Devices::Counted { devices: u32::MAX, key_bytes: 16 };
    let more = Class { name: "more".to_owned(), ..sensors() };
    let faults = faults_of(vec![Class { devices: all, ..sensors() }, more]);
    says(&faults, &["more than 4294967295 devices", "a stream for each part"]);
}

#[test]
fn a_period_is_longer_than_nothing_and_than_its_jitter() {
    let faults = faults_of(vec![Class { period: Duration::ZERO, ..sensors() }]);
    says(&faults, &["\"sensors\"", "period is 0"]);
    let late = Class { reporting: Reporting::Aligned { jitter: HOUR }, ..sensors() };
    says(&faults_of(vec![late]), &["jitter of 3600s", "period of 60s", "spread"]);
    let just = Class { reporting: Reporting::Aligned { jitter: MINUTE }, ..sensors() };
    assert_eq!(faults_of(vec![just]), [""; 0]);
}

#[test]
fn a_record_has_bytes_and_a_stream_that_takes_it() {
    let of = |bytes| Class { sizes: Sizes::mean(bytes), period: HOUR, ..sensors() };
    says(&faults_of(vec![of(0)]), &["\"sensors\"", "0 bytes", "at least 1"]);
    says(&faults_of(vec![of(10 << 20)]), &["10485776 bytes", "10485760", "split it"]);
    let raise = ["1048577 bytes", "1048576", "UpdateMaxRecordSize", "record_bytes_max"];
    says(&faults_with(of((1 << 20) - 15), Goals::default()), &raise);
    assert_eq!(faults_with(of((1 << 20) - 16), Goals::default()), [""; 0]);
    let p99 = Duration::from_secs(3);
    let raised = Goals { record_bytes_max: 10 << 20, p99, ..Goals::default() };
    assert_eq!(faults_with(of(2 << 20), raised), [""; 0]);
    let too_high = Goals { record_bytes_max: (10 << 20) + 1, ..Goals::default() };
    says(&faults_with(sensors(), too_high), &["record_bytes_max is 10485761", "10485760"]);
}

#[test]
fn a_partition_key_has_1_to_256_characters_and_is_there_once() {
    let long = "é".repeat(257);
    for (key, chars) in [("", "0 characters"), (long.as_str(), "257 characters")] {
        let class = Class { devices: known(&["good", key]), ..sensors() };
        says(&faults_of(vec![class]), &["\"sensors\"", chars, "1 to 256", "hash"]);
    }
    let longest = Class { devices: known(&[&"é".repeat(256)]), ..sensors() };
    assert_eq!(faults_of(vec![longest]), [""; 0]);
    for key_bytes in [0, 1_025] {
        let devices = Devices::Counted { devices: 1, key_bytes };
        let faults = faults_of(vec![Class { devices, ..sensors() }]);
        says(&faults, &[&format!("{key_bytes} bytes"), "1 to 1024 bytes"]);
    }
    let others = Class { name: "others".to_owned(), devices: known(&["a", "b"]), ..sensors() };
    let again = Class { devices: known(&["c", "b"]), ..sensors() };
    says(&faults_of(vec![others, again]), &["\"sensors\"", "\"b\" is there twice"]);
}

#[test]
fn a_device_above_a_shard_s_limits_is_not_helped_by_shards() {
    let alone = ["\"sensors\"", "more shards cannot help, one key lives on one shard"];
    says(&faults_with(heavy(1_001), Goals::default()), &alone);
    let large = Class { sizes: Sizes::mean(900_000), ..heavy(2) };
    says(&faults_with(large, Goals::default()), &alone);
    let near = faults_with(heavy(850), Goals::default());
    says(&near, &["85 % of a shard", "target of 0.8", "raise the target", alone[1]]);
}

/// What the gateway packs is one record for the shard.
#[test]
fn a_device_of_many_small_records_is_helped_by_packing() {
    let packed = Goals { packing: Some(Packing::default()), ..Goals::default() };
    assert_eq!(faults_with(heavy(2_000), packed), [""; 0]);
    let tiny = Goals { packing: Some(Packing { bytes_max: 0 }), ..Goals::default() };
    says(&faults_with(sensors(), tiny), &["packed records of 0 bytes", "1 to 1048576"]);
}

/// 1.2 MB a second of one camera, in a fleet whose records are small.
#[test]
fn a_device_of_many_large_records_is_not_packed_away_by_the_small_ones_of_others() {
    let camera = Class {
        name: "camera".to_owned(),
        devices: Devices::Counted { devices: 1, key_bytes: 16 },
        sizes: Sizes::mean(30_000),
        ..heavy(40)
    };
    let many = Devices::Counted { devices: 100_000, key_bytes: 16 };
    let fleet = Fleet::new(vec![Class { devices: many, ..sensors() }, camera]);
    let goals = Goals { packing: Some(Packing::default()), ..Goals::default() };
    let faults = Estimator::new(fleet.expect("a fleet without fault"), goals).expect_err("camera");
    let faults: Vec<_> = faults.iter().map(GoalFault::to_string).collect();
    says(&faults, &["\"camera\"", "more shards cannot help"]);
}

#[test]
fn a_target_is_not_above_what_is_sent() {
    let goals = Goals { target: part(0.95), ..Goals::default() };
    says(&faults_with(sensors(), goals), &["0.95", "fraction 0.9", "lower the target"]);
}

#[test]
fn a_risk_is_a_probability() {
    for risk in [0.0, 1.0, -0.01, f64::NAN, f64::INFINITY] {
        let faults = faults_with(sensors(), Goals { risk, ..Goals::default() });
        says(&faults, &["skew risk", "above 0 and below 1"]);
    }
}

#[test]
fn a_linger_lets_the_limiter_reach_its_rate_and_the_delay_its_goal() {
    let slow = Goals { linger: Duration::from_millis(200), ..Goals::default() };
    says(&faults_with(sensors(), slow), &["linger of 200ms", "burst of 100", "to 111 ms"]);
    let hasty = Goals { p99: Duration::from_millis(50), ..Goals::default() };
    says(&faults_with(sensors(), hasty), &["p99 of 50ms", "linger of 100ms"]);
    let restore = Some(Restore { jitter: Duration::ZERO, p99: Duration::from_millis(99) });
    let hasty = Goals { restore, ..Goals::default() };
    says(&faults_with(sensors(), hasty), &["p99 of 99ms", "linger of 100ms"]);
}

#[test]
fn a_record_that_takes_longer_than_it_may_is_not_helped_by_shards() {
    let large =
        Class { sizes: Sizes::mean(500 << 10), period: Duration::from_secs(20), ..sensors() };
    let within = |ms| Goals { p99: Duration::from_millis(ms), ..Goals::default() };
    let faults = faults_with(large.clone(), within(300));
    says(&faults, &["p99 of 300ms", "in pieces", "503.663ms", "smaller records"]);
    assert_eq!(faults_with(large, within(510)), [""; 0]);
}

#[test]
fn an_outage_that_no_shards_can_drain_is_said() {
    let goals = |drained_within| Goals {
        outage: Some(Outage { lasts: HOUR, drained_within }),
        ..Goals::default()
    };
    let faults = faults_with(sensors(), goals(Duration::ZERO));
    says(&faults, &["3600s cannot be drained within 0ns", "allow more time"]);
    // 720 of 900 records a second take four hours, and a period is in whole nanoseconds.
    assert_eq!(faults_with(heavy(720), goals(4 * HOUR + MINUTE)), [""; 0]);
    says(&faults_with(heavy(720), goals(3 * HOUR)), &["\"sensors\"", "80 %"]);
}

#[test]
fn consumers_are_as_many_as_a_stream_bears() {
    let with = |sharing, polls_per_s, fan_out| {
        let readers = Readers { sharing, polls_per_s, fan_out };
        faults_with(sensors(), Goals { readers, ..Goals::default() })
    };
    says(&with(6, 1.0, 0), &["6 consumers", "a shard answers 5", "fan-out"]);
    assert_eq!(with(5, 1.0, 50), [""; 0]);
    says(&with(1, 1.0, 51), &["51 consumers", "can have 20", "50 with On-demand Advantage"]);
    for polls_per_s in [f64::NAN, f64::INFINITY, -1.0] {
        says(&with(1, polls_per_s, 0), &["polls_per_s", "0 or more"]);
    }
}

#[test]
fn retention_and_growth_are_possible() {
    for retention in [HOUR, 366 * 24 * HOUR] {
        let faults = faults_with(sensors(), Goals { retention, ..Goals::default() });
        says(&faults, &["retention", "24 hours to 365 days"]);
    }
    for per_month in [-1.0, f64::NAN, f64::INFINITY] {
        let growth = Some(Growth { per_month, horizon_months: 12 });
        says(&faults_with(sensors(), Goals { growth, ..Goals::default() }), &["growth", "0.03"]);
    }
}

/// 4,000 million of them are counted; what becomes of them in a year is not.
#[test]
fn a_fleet_that_outgrows_counting_is_looked_at_less_far_ahead() {
    let devices = Devices::Counted { devices: 4_000_000_000, key_bytes: 16 };
    let fleet = || Class { devices: devices.clone(), period: 60 * 24 * HOUR, ..sensors() };
    let with = |per_month| {
        let growth = Some(Growth { per_month, horizon_months: 12 });
        faults_with(fleet(), Goals { growth, ..Goals::default() })
    };
    says(&with(0.1), &["12553713507 devices", "4294967295", "less far ahead"]);
    assert!(Estimator::new(Fleet::new(vec![fleet()]).expect("counted"), Goals::default()).is_ok());
}

/// 40 devices among 2,000 send nearly all records: numbered one after the other they would lie evenly,
/// and in the order in which a gateway sees them they do not.
#[test]
fn golden_places_are_for_devices_that_are_alike() {
    let golden = Goals { placement: Placement::Golden, ..Goals::default() };
    let of = |other: Class| {
        let fleet = Fleet::new(vec![sensors(), Class { name: "others".to_owned(), ..other }]);
        let faults = Estimator::new(fleet.expect("a fleet without fault"), golden.clone()).err();
        faults.unwrap_or_default().iter().map(GoalFault::to_string).collect::<Vec<_>>()
    };
    let few = Devices::Counted { devices: 40, key_bytes: 16 };
    assert_eq!(of(Class { devices: few, ..sensors() }), [""; 0], "as many as there may be");
    let unlike = [
        Class { period: Duration::from_millis(10), ..sensors() },
        Class { sizes: Sizes::mean(10_000), ..sensors() },
        Class { reporting: Reporting::Aligned { jitter: MINUTE }, ..sensors() },
        Class { buffered: 60, ..sensors() },
    ];
    for other in unlike {
        says(&of(other), &["classes that differ", "first sees them", "placement md5"]);
    }
}

/// Of 30 devices two meet on one of 20,000 shards with a probability of 2 %, of 60 with one of 9 %.
#[test]
fn a_goal_that_no_number_of_shards_holds_is_named() {
    let thirty = Devices::Counted { devices: 30, key_bytes: 16 };
    let heavy = |name: &str, per_s| Class {
        name: name.to_owned(),
        devices: thirty.clone(),
        ..heavy(per_s)
    };
    for classes in [vec![heavy("a", 500)], vec![heavy("a", 500), heavy("b", 600)]] {
        let fleet = Fleet::new(classes).expect("a fleet without fault");
        let estimator = Estimator::new(fleet, Goals::default()).expect("goals without fault");
        let fault = estimator.plan().expect_err("no shards for devices that must never meet");
        says(&[fault.to_string()], &["20000", "records", "divide them"]);
    }
}

/// Of 300 known devices any two that meet are too much for a shard: all 20,000 numbers of shards
/// are tried.
#[test]
fn known_devices_that_always_meet_somewhere_are_named_too() {
    let keys: Vec<String> = (0..300).map(|n| format!("device-{n}")).collect();
    let class = Class { devices: Devices::Known(keys), ..heavy(500) };
    let fleet = Fleet::new(vec![class]).expect("a fleet without fault");
    let estimator = Estimator::new(fleet, Goals::default()).expect("goals without fault");
    let fault = estimator.plan().expect_err("no shards for devices that must never meet");
    says(&[fault.to_string()], &["20000", "records"]);
}
