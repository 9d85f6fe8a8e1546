//! Each constraint binds where it should, and says why; classes that differ are planned together.

use std::num::NonZeroU32;
use std::time::Duration;

use shard_estimator::{
    Check, Class, Constraint, Devices, Estimator, Fleet, Footprint, Goals, Growth, Outage, Packing,
    Placement, Plan, Readers, Reporting, Restore, Sizes,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn shards(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests count from one")
}

fn class(name: &str, devices: u32, period: Duration, bytes: u32) -> Class {
    Class {
        name: name.to_owned(),
        devices: Devices::Counted { devices, key_bytes: 16 },
        period,
        sizes: Sizes::mean(bytes),
        reporting: Reporting::Spread,
        buffered: 0,
    }
}

fn aligned(name: &str, devices: u32, jitter: Duration) -> Class {
    let reporting = Reporting::Aligned { jitter };
    Class { reporting, ..class(name, devices, 900 * SECOND, 400) }
}

fn estimator(classes: Vec<Class>, goals: Goals) -> Estimator {
    let fleet = Fleet::new(classes).expect("a fleet without fault");
    Estimator::new(fleet, goals).expect("goals without fault")
}

fn plan(classes: Vec<Class>, goals: Goals) -> Plan {
    estimator(classes, goals).plan().expect("shards")
}

#[track_caller]
fn binds(plan: &Plan, constraint: Constraint, words: &[&str]) {
    assert_eq!(plan.binding, [constraint], "{} shards", plan.shards);
    let less = plan.less.as_ref().and_then(|less| less.check(constraint)).expect("its check");
    let explained = less.explain();
    for word in words {
        assert!(explained.contains(word), "{word:?} is missing in: {explained}");
    }
}

#[test]
fn small_records_need_shards_for_their_number() {
    let plan = plan(vec![class("a", 20_000, SECOND, 100)], Goals::default());
    binds(&plan, Constraint::Records, &["805.0 records/s", "0.8 x 1000"]);
}

#[test]
fn large_records_need_shards_for_their_bytes() {
    let plan = plan(vec![class("a", 5_000, SECOND, 10_000)], Goals::default());
    binds(&plan, Constraint::Bytes, &["data and keys", "0.8 x 1048576"]);
}

#[test]
fn many_consumers_need_shards_for_their_reads() {
    let readers = Readers { sharing: 4, ..Goals::default().readers };
    let fleet = vec![class("a", 20_000, SECOND, 1_024)];
    let shared = plan(fleet.clone(), Goals { readers, ..Goals::default() });
    binds(&shared, Constraint::Reads, &["x 4", "0.9 x 2097152"]);
    let fan_out = Readers { sharing: 1, fan_out: 3, ..readers };
    let read_per_s = 4.0 * shared.chosen.hottest.bytes_per_s;
    assert!(read_per_s <= 0.9 * f64::from(2 << 20), "{read_per_s}");
    let own = plan(fleet, Goals { readers: fan_out, ..Goals::default() });
    assert!(own.shards < shared.shards, "{} and {}", own.shards, shared.shards);
}

#[test]
fn devices_that_report_together_need_shards_or_jitter() {
    let together = plan(vec![aligned("a", 5_000, Duration::ZERO)], Goals::default());
    binds(&together, Constraint::Delay, &["0.99 x", "900/s", "allowed 2s"]);
    let apart = plan(vec![aligned("a", 5_000, 6 * SECOND)], Goals::default());
    assert_eq!(apart.shards, shards(1));
}

#[test]
fn what_else_flows_slows_a_burst_down_by_what_comes_before_it() {
    let burst = aligned("burst", 2_600, SECOND);
    let alone = plan(vec![burst.clone()], Goals::default());
    let among_others = plan(vec![burst, class("steady", 700, SECOND, 100)], Goals::default());
    assert_eq!(alone.shards, shards(1));
    assert_eq!(among_others.shards, shards(2));
    assert_eq!(among_others.binding, [Constraint::Delay]);
}

/// 100 records of 50,016 bytes with their keys: what the limiter of 943,718 bytes/s does not pass at
/// once waits, and what always flows has no part in it but by what comes before them.
#[test]
fn a_burst_of_large_records_waits_for_its_bytes() {
    let burst = |jitter| Class { sizes: Sizes::mean(50_000), ..aligned("burst", 100, jitter) };
    let p99_s = |classes| {
        let outlook = estimator(classes, Goals::default()).outlook(shards(1));
        let Some(Check::Delay(wait)) = outlook.check(Constraint::Delay) else {
            panic!("no delay: {:?}", outlook.checks)
        };
        wait.p99.expect("it drains").as_secs_f64()
    };
    let waiting = 99.0 * 50_016.0 - 131_072.0;
    let alone = p99_s(vec![burst(Duration::ZERO)]);
    assert!((alone - 0.1 - waiting / 943_718.0).abs() < 1e-6, "{alone}");
    let steady = class("steady", 20, SECOND, 9_984);
    let sudden = p99_s(vec![burst(Duration::ZERO), steady.clone()]);
    assert!((sudden - alone).abs() < 1e-6, "{sudden}");
    let slow = p99_s(vec![burst(2 * SECOND), steady]);
    let comes_before = 0.99 * 2.0 * 200_000.0;
    let expected = 0.1 + (waiting + comes_before) / 943_718.0 - 0.99 * 2.0;
    assert!((slow - expected).abs() < 1e-6, "{slow}");
}

/// 800 sensors that were without power for 4 hours send 12,800 records at once; within 5 s each
/// shard of one has a p99 of 9.03 s, and the linger: with what they report meanwhile, 0.9/s.
#[test]
fn devices_that_come_back_together_need_shards_or_jitter() {
    let goals =
        |jitter| Goals { restore: Some(Restore { jitter, p99: 5 * SECOND }), ..Goals::default() };
    let sensors = Class { buffered: 16, ..class("sensors", 800, 900 * SECOND, 400) };
    let one = estimator(vec![sensors.clone()], goals(5 * SECOND)).outlook(shards(1));
    let Some(Check::Restore(wait)) = one.check(Constraint::Restore) else {
        panic!("no restore: {:?}", one.checks)
    };
    let p99_s = wait.p99.expect("it drains").as_secs_f64();
    assert!((p99_s - 9.124).abs() < 0.001, "{p99_s}");
    let sudden = plan(vec![sensors.clone()], goals(5 * SECOND));
    binds(&sudden, Constraint::Restore, &["12800", "jitter", "allowed 5s"]);
    assert_eq!(plan(vec![sensors], goals(60 * SECOND)).shards, shards(1));
}

/// 720 devices go on with a record a second while the 43,200 that they kept are sent: of 900 a second
/// 180 pass, and (0.99 x 43,200 - 100) / 900 s are 47.41 s
#[test]
fn what_was_kept_is_sent_beside_what_comes_meanwhile() {
    let restore = Some(Restore { jitter: 10 * SECOND, p99: 40 * SECOND });
    let goals = Goals { restore, ..Goals::default() };
    let devices = Class { buffered: 60, ..class("devices", 720, SECOND, 200) };
    let estimator = estimator(vec![devices], goals);
    let one = estimator.outlook(shards(1));
    let Some(Check::Restore(wait)) = one.check(Constraint::Restore) else {
        panic!("no restore: {:?}", one.checks)
    };
    let p99_s = wait.p99.expect("it drains").as_secs_f64();
    assert!((p99_s - 45.53).abs() < 0.01, "{p99_s}");
    assert_eq!(one.broken(), [Constraint::Restore]);
    assert!(estimator.plan().expect("shards").shards > shards(1));
}

#[test]
fn an_outage_needs_shards_to_catch_up() {
    let outage = Some(Outage { lasts: HOUR, drained_within: HOUR });
    let plan = plan(vec![class("a", 20_000, SECOND, 100)], Goals { outage, ..Goals::default() });
    binds(&plan, Constraint::Drain, &["rho", "allowed 3600s"]);
}

#[test]
fn growth_needs_shards_in_advance() {
    let growth = Some(Growth { per_month: 0.05, horizon_months: 12 });
    let grown = plan(vec![class("a", 20_000, SECOND, 100)], Goals { growth, ..Goals::default() });
    binds(&grown, Constraint::Growth, &["ln", "asked for 12 months"]);
    let shrinking = Some(Growth { per_month: -0.05, horizon_months: 12 });
    let goals = Goals { growth: shrinking, ..Goals::default() };
    let shrunk = plan(vec![class("a", 20_000, SECOND, 100)], goals);
    assert_eq!(shrunk.shards, shards(29), "they must suffice today");
}

#[test]
fn all_that_one_shard_less_would_break_is_named() {
    let outage = Some(Outage { lasts: HOUR, drained_within: 8 * HOUR });
    let goals = Goals { placement: Placement::Even, outage, ..Goals::default() };
    let plan = plan(vec![class("a", 20_000, SECOND, 1_024)], goals);
    assert_eq!(plan.binding, [Constraint::Records, Constraint::Bytes, Constraint::Drain]);
}

#[test]
fn what_each_constraint_needs_is_told_and_the_plan_is_the_most_of_it() {
    let outage = Some(Outage { lasts: HOUR, drained_within: 4 * HOUR });
    let growth = Some(Growth { per_month: 0.03, horizon_months: 3 });
    let estimator = estimator(
        vec![class("a", 20_000, SECOND, 1_024)],
        Goals { outage, growth, ..Goals::default() },
    );
    let needs = estimator.needs();
    let expected = [
        (Constraint::Records, 29),
        (Constraint::Bytes, 28),
        (Constraint::Reads, 12),
        (Constraint::Drain, 32),
        (Constraint::Growth, 35),
    ];
    assert_eq!(needs, expected.map(|(constraint, n)| (constraint, Some(shards(n)))));
    assert_eq!(estimator.plan().expect("shards").shards, shards(35));
}

/// The same 3,000 devices, as one class of known keys and as two: what is counted must agree.
#[test]
fn known_devices_count_the_same_in_one_class_as_in_two() {
    let keys: Vec<String> = (0..3_000).map(|n| format!("device-{n}")).collect();
    let known = |name: &str, keys: &[String]| Class {
        devices: Devices::Known(keys.to_vec()),
        ..class(name, 0, Duration::from_millis(250), 300)
    };
    let one = estimator(vec![known("all", &keys)], Goals::default());
    let (first, second) = keys.split_at(1_234);
    let two = estimator(vec![known("first", first), known("second", second)], Goals::default());
    for n in 1..64 {
        let (one, two) = (one.outlook(shards(n)).hottest, two.outlook(shards(n)).hottest);
        assert!((one.devices - two.devices).abs() < 1e-9, "{n} shards");
        assert!((one.records_per_s - two.records_per_s).abs() < 1e-6, "{n} shards");
    }
    let (carried, of_two) = (one.carried(shards(20)).times, two.carried(shards(20)).times);
    assert!(carried > 1.0 && (of_two - carried).abs() < 1e-3, "{carried} and {of_two}");
    let plan = one.plan().expect("shards");
    assert_eq!(plan.shards, two.plan().expect("shards").shards);
    let by_shard = one.used_by_shard(plan.shards);
    let hottest = by_shard.iter().copied().fold(0.0, f64::max);
    assert!((hottest - plan.chosen.hottest.records_used).abs() < 1e-9);
    assert!((by_shard.iter().sum::<f64>() - 12.0).abs() < 1e-9);
}

/// Numbered from 1, class after class: as if they were one class.
#[test]
fn golden_places_of_two_classes_are_those_of_one() {
    let golden =
        |classes| estimator(classes, Goals { placement: Placement::Golden, ..Goals::default() });
    let one = golden(vec![class("all", 900, SECOND, 100)]);
    let two = golden(vec![class("a", 123, SECOND, 100), class("b", 777, SECOND, 100)]);
    for n in 1..64 {
        let (one, two) = (one.outlook(shards(n)).hottest, two.outlook(shards(n)).hottest);
        assert!((one.devices - two.devices).abs() < 1e-9, "{n} shards");
    }
    let fifty = golden(vec![class("all", 50, SECOND, 100)]).outlook(shards(4)).hottest;
    assert!((fifty.devices - 13.0).abs() < 1e-9, "{fifty:?}");
}

/// A quick look rules numbers of shards out, and must not rule out those that hold.
#[test]
fn a_played_plan_is_the_fewest_shards_that_hold() {
    for (slow, fast) in [(1_000, 100), (2_000, 200)] {
        let classes = vec![class("slow", slow, SECOND, 200), class("fast", fast, SECOND / 20, 200)];
        let plan = plan(classes, Goals::default());
        assert_eq!(plan.chosen.broken(), [], "{slow} and {fast}");
        assert_eq!(plan.binding, [Constraint::Records], "{slow} and {fast}");
    }
}

#[test]
fn too_few_are_those_whose_outlook_breaks_a_goal_whoever_they_are() {
    let known = Devices::Known((0..300).map(|n| format!("known-{n}")).collect());
    let known = Class { devices: known, ..class("known", 0, SECOND / 10, 200) };
    let hashed = class("hashed", 300, SECOND / 10, 200);
    let unlike = vec![class("slow", 1_000, SECOND, 200), class("fast", 100, SECOND / 20, 200)];
    let growth = Some(Growth { per_month: 0.05, horizon_months: 6 });
    for (classes, growth) in
        [(vec![known], growth), (vec![hashed], growth), (unlike.clone(), None), (unlike, growth)]
    {
        let estimator = estimator(classes, Goals { growth, ..Goals::default() });
        let all: Vec<_> = (1..16).step_by(2).map(shards).collect();
        let mut broken = all.clone();
        broken.retain(|shards| !estimator.outlook(*shards).broken().is_empty());
        assert!(!broken.is_empty() && broken.len() < all.len(), "{broken:?}");
        assert_eq!(estimator.too_few(&all), broken);
    }
}

/// Played plans are below what the heaviest class alone would make of all records, and above the
/// fair share.
#[test]
fn classes_that_differ_need_more_shards_than_their_sum_and_fewer_than_if_all_were_heavy() {
    let light = class("light", 8_000, SECOND, 200);
    let heavy = class("heavy", 400, SECOND / 20, 200);
    let both = plan(vec![light, heavy], Goals::default()).shards.get();
    let fair = 16_000_u32.div_ceil(800);
    let all_heavy = plan(vec![class("heavy", 800, SECOND / 20, 200)], Goals::default()).shards;
    assert!(both > fair && both < all_heavy.get(), "{fair}, {both}, {all_heavy}");
}

#[test]
fn packing_saves_shards_and_an_aligned_burst_is_packed_too() {
    let goals = Goals { packing: Some(Packing::default()), ..Goals::default() };
    let fleet = vec![aligned("a", 20_000, Duration::ZERO)];
    let (packed, plain) = (plan(fleet.clone(), goals), plan(fleet, Goals::default()));
    assert!(packed.shards < plain.shards, "{} and {}", packed.shards, plain.shards);
}

/// Packing adds bytes to what is packed. A shard that has more than its share of the large records
/// has their bytes to send, packed or not.
#[test]
fn packed_records_of_mixed_classes_are_as_heavy_as_what_is_in_them() {
    let classes = || vec![class("light", 1_000, SECOND, 100), class("heavy", 10, SECOND, 20_000)];
    let packing = Some(Packing::default());
    let plain = estimator(classes(), Goals::default());
    let packed = estimator(classes(), Goals { packing, ..Goals::default() });
    for n in 1..8 {
        let bytes = |of: &Estimator| of.outlook(shards(n)).hottest.bytes_per_s;
        let (plain, packed) = (bytes(&plain), bytes(&packed));
        assert!(packed > 0.99 * plain && packed < 1.2 * plain, "{n}: {packed} of {plain}");
    }
}

/// And so has a burst.
#[test]
fn a_packed_burst_of_mixed_classes_waits_for_its_bytes() {
    let large = |bytes| Class { sizes: Sizes::mean(bytes), ..aligned("large", 100, 60 * SECOND) };
    let p99 = |bytes| {
        let classes = vec![large(bytes), class("small", 100, SECOND / 5, 100)];
        let goals = Goals { packing: Some(Packing::default()), ..Goals::default() };
        let outlook = estimator(classes, goals).outlook(shards(1));
        let Some(Check::Delay(wait)) = outlook.check(Constraint::Delay) else {
            panic!("no delay: {:?}", outlook.checks)
        };
        wait.p99.expect("it drains")
    };
    let alone_s = 100.0 * 800_000.0 / 943_718.0 - 60.0;
    assert!(p99(800_000).as_secs_f64() > 0.9 * alone_s, "{:?}", p99(800_000));
    assert!(p99(1_000) < SECOND, "{:?}", p99(1_000));
}

#[test]
fn what_shards_carry_is_told_in_reverse() {
    let estimator = estimator(vec![class("a", 20_000, SECOND, 100)], Goals::default());
    let carried = estimator.carried(shards(29));
    assert!(carried.devices >= 20_000 && carried.devices < 20_700, "{carried:?}");
    let few = estimator.carried(shards(1));
    assert_eq!((few.devices, few.times < 1.0), (800, true), "{few:?}");
    assert_eq!(few.outage, None, "nothing was asked");
}

/// On 29 shards the hottest is used at 779 of 900: an hour takes 6.44.
#[test]
fn the_longest_outage_that_shards_bear_is_told() {
    let outage = Some(Outage { lasts: HOUR, drained_within: 8 * HOUR });
    let goals = Goals { outage, ..Goals::default() };
    let estimator = estimator(vec![class("a", 20_000, SECOND, 100)], goals);
    let longest = estimator.carried(shards(29)).outage.expect("an outage was asked about");
    let expected_s = 8.0 * 3_600.0 * 121.0 / 779.0;
    assert!((longest.as_secs_f64() - expected_s).abs() < 1e-3, "{longest:?}");
}

#[test]
fn a_gateway_needs_a_line_for_base64_and_a_disk_for_the_outage() {
    let outage = Some(Outage { lasts: HOUR, drained_within: 12 * HOUR });
    let goals = Goals { outage, ..Goals::default() };
    let estimator = estimator(vec![class("a", 1_000, SECOND, 1_008)], goals);
    let needs = Footprint::of(&estimator, shards(2));
    let near = |value: f64, expected: f64| (value / expected - 1.0).abs() < 1e-6;
    assert!(near(needs.uplink_bits_per_s, 1_000.0 * 1_024.0 * 11.0), "{needs:?}");
    assert!(near(needs.disk_bytes, 3_600.0 * 1_000.0 * 1_056.0), "{needs:?}");
    assert!(near(needs.cores, 0.035), "{needs:?}");
    // Two shards at 0.9 take 1,800 records/s, whose bytes are just as near their limit.
    assert!(near(needs.uplink_bits_per_s_catching_up, 1_800.0 * 1_024.0 * 11.0), "{needs:?}");
    assert!(needs.cores_catching_up > needs.cores, "{needs:?}");
    // 24 MiB, and what arrives in 1.1 s.
    assert!(near(needs.memory_bytes, f64::from(24 << 20) + 1_100.0 * 1_024.0), "{needs:?}");
}

#[test]
fn a_gateway_of_large_records_catches_up_by_their_bytes() {
    let large = class("a", 100, SECOND, 10_224);
    let needs = Footprint::of(&estimator(vec![large], Goals::default()), shards(2));
    let limit_bits_per_s = 2.0 * 0.9 * f64::from(1 << 20) * 11.0;
    let catching_up = needs.uplink_bits_per_s_catching_up;
    assert!((catching_up / limit_bits_per_s - 1.0).abs() < 1e-6, "{needs:?}");
}

#[test]
fn a_plan_is_written_for_machines() {
    let growth = Some(Growth { per_month: 0.03, horizon_months: 0 });
    let outage = Some(Outage { lasts: HOUR, drained_within: HOUR });
    let goals = Goals { growth, outage, ..Goals::default() };
    let json = serde_json::to_value(plan(vec![class("a", 200, SECOND, 100)], goals))
        .expect("a plan is JSON");
    assert_eq!(json["shards"], 1);
    assert_eq!(json["binding"], serde_json::json!([]));
    assert_eq!(json["less"], serde_json::Value::Null);
    let drain = json["chosen"]["checks"]
        .as_array()
        .and_then(|checks| checks.iter().find(|check| check["constraint"] == "drain"))
        .expect("an outage was asked about");
    let takes_s = drain["takes"].as_f64().expect("seconds");
    assert!((takes_s - 3_600.0 * 200.0 / 700.0).abs() < 1e-6, "{drain}");
}
