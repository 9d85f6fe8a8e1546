//! A fleet grows by more devices, not by heavier ones: what it will need is what the grown fleet
//! needs, and what shards carry does not depend on how many devices ask.

use std::num::NonZeroU32;
use std::time::Duration;

use shard_estimator::{
    Carried, Class, Devices, Estimator, Fleet, Goals, Growth, Placement, Reporting, Sizes,
};

fn shards(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests count from one")
}

fn class(name: &str, devices: Devices, per_s: u64) -> Class {
    Class {
        name: name.to_owned(),
        devices,
        period: Duration::from_millis(1_000 / per_s),
        sizes: Sizes::mean(100),
        reporting: Reporting::Spread,
        buffered: 0,
    }
}

fn counted(devices: u32) -> Devices {
    Devices::Counted { devices, key_bytes: 16 }
}

fn known(devices: u32) -> Devices {
    Devices::Known((0..devices).map(|n| format!("machine-{n}")).collect())
}

/// Some that report at 1 Hz, and others that report more often.
fn mixed(slow: Devices, fast: Devices, fast_per_s: u64) -> Vec<Class> {
    vec![class("slow", slow, 1), class("fast", fast, fast_per_s)]
}

fn estimator(classes: Vec<Class>, goals: Goals) -> Estimator {
    let fleet = Fleet::new(classes).expect("a fleet without fault");
    Estimator::new(fleet, goals).expect("goals without fault")
}

fn needed(classes: Vec<Class>, goals: Goals) -> u32 {
    estimator(classes, goals).plan().expect("shards").shards.get()
}

/// 28.6 times as many in two years.
const FAST: Growth = Growth { per_month: 0.15, horizon_months: 24 };

fn near(one: u32, other: u32) -> bool {
    one.abs_diff(other) <= (one / 20).max(1)
}

#[test]
fn a_growing_fleet_needs_what_the_grown_one_does_whoever_is_in_it() {
    let golden = Goals { placement: Placement::Golden, ..Goals::default() };
    let even = Goals { placement: Placement::Even, ..Goals::default() };
    for (what, goals, now, then) in [
        (
            "a tenth of them faster",
            Goals::default(),
            mixed(counted(100), counted(10), 10),
            mixed(counted(2_863), counted(287), 10),
        ),
        (
            "a tenth of them much faster",
            Goals::default(),
            mixed(counted(100), counted(10), 50),
            mixed(counted(2_863), counted(287), 50),
        ),
        (
            "known",
            Goals::default(),
            vec![class("machines", known(100), 50)],
            vec![class("machines", counted(2_863), 50)],
        ),
        (
            "known, of two classes",
            Goals::default(),
            mixed(Devices::Known((0..100).map(|n| format!("slow-{n}")).collect()), known(10), 50),
            mixed(counted(2_863), counted(287), 50),
        ),
        (
            "numbered",
            golden,
            vec![class("machines", counted(10), 50)],
            vec![class("machines", counted(287), 50)],
        ),
        (
            "even",
            even,
            mixed(counted(100), counted(10), 50),
            mixed(counted(2_863), counted(287), 50),
        ),
    ] {
        let grown = needed(then, goals.clone());
        let growing = estimator(now, Goals { growth: Some(FAST), ..goals });
        let plan = growing.plan().expect("shards");
        assert!(near(plan.shards.get(), grown), "{what}: {} and {grown}", plan.shards);
        assert_eq!(plan.chosen.broken(), [], "{what}");
        assert!(!plan.binding.is_empty(), "{what}");

        let months: Vec<_> = (0..=24).collect();
        let by_month: Vec<_> = growing.shards_by_month(&months).into_iter().flatten().collect();
        assert!(by_month.is_sorted() && by_month.len() == 25, "{what}: {by_month:?}");
        assert!(near(by_month[24].get(), plan.shards.get()), "{what}: {by_month:?}");
        assert!(growing.carried(plan.shards).times >= 28.6, "{what}");
    }
}

#[test]
fn what_shards_carry_does_not_depend_on_how_many_devices_ask() {
    let carried = |tens: u32| {
        let fleet = mixed(counted(10 * tens), counted(tens), 10);
        estimator(fleet, Goals::default()).carried(shards(12))
    };
    let devices = [1, 10, 100, 286, 1_000].map(|tens| carried(tens).devices);
    assert!(devices.iter().all(|count| near(*count, 4_053)), "{devices:?}");
    let Carried { devices, .. } = carried(368);
    let fits = |tens| needed(mixed(counted(10 * tens), counted(tens), 10), Goals::default()) <= 12;
    assert!(fits(devices / 11 * 98 / 100) && !fits(devices / 11 * 102 / 100), "{devices}");
}

#[test]
fn devices_that_are_known_carry_what_is_known_of_them_and_those_to_come_are_hashed_beside() {
    let vehicles = |count: u32| {
        let keys = (0..count).map(|n| format!("VIN{n:014}")).collect();
        vec![class("vehicles", Devices::Known(keys), 1)]
    };
    // Counted, 20,000 of them fit on 27 shards; hashed, they would need 29.
    let carried = estimator(vehicles(20_000), Goals::default()).carried(shards(27));
    assert!((20_001..20_200).contains(&carried.devices), "{carried:?}");
    // Of known devices that are too many, nobody knows which are to go.
    let fewer = estimator(vehicles(20_000), Goals::default()).carried(shards(14));
    let hashed = estimator(vec![class("vehicles", counted(20_000), 1)], Goals::default());
    assert!(near(fewer.devices, hashed.carried(shards(14)).devices), "{fewer:?}");
    // The more are known, the less is left to chance.
    let all = needed(vehicles(24_000), Goals::default());
    let growth = Some(Growth { per_month: 0.2, horizon_months: 1 });
    let most = needed(vehicles(20_000), Goals { growth, ..Goals::default() });
    let none = needed(vec![class("vehicles", counted(24_000), 1)], Goals::default());
    assert!(all <= most && most <= none, "{all}, {most} and {none}");
}

/// As a trace has it, where no two machines are alike: a thousandth more of each is no second one of each.
#[test]
fn thirty_classes_of_one_device_grow_by_a_part_of_a_device() {
    let machine = |n: u32| Class {
        period: Duration::from_millis(4 + u64::from(n)),
        ..class(&format!("machine {n}"), counted(1), 1)
    };
    let machines = || (0..30).map(machine).collect::<Vec<_>>();
    let now = needed(machines(), Goals::default());
    let growth = Some(Growth { per_month: 0.001, horizon_months: 1 });
    let growing = estimator(machines(), Goals { growth, ..Goals::default() });
    let hardly_more = growing.plan().expect("shards").shards.get();
    assert!((now..=now + 1).contains(&hardly_more), "{now} and {hardly_more}");
    let doubled = Some(Growth { per_month: 1.0, horizon_months: 1 });
    let doubled = needed(machines(), Goals { growth: doubled, ..Goals::default() });
    let twice = machines().into_iter().map(|class| Class { devices: counted(2), ..class });
    assert_eq!(doubled, needed(twice.collect(), Goals::default()));
    let carried: Vec<_> = (now..2 * now).map(|n| growing.carried(shards(n)).times).collect();
    assert!(carried.is_sorted() && carried[0] >= 1.0, "{carried:?}");
    assert!(carried.last() > Some(&1.2), "{carried:?}");
}

/// What comes beside known devices of two kinds, whose weights are no multiples of each other, against
/// as many hashed one by one.
#[test]
fn known_devices_of_two_kinds_grow_as_plays_of_those_to_come_do() {
    let mut chance = fastrand::Rng::with_seed(20_261_122);
    let kinds = || {
        let steady = Class { period: Duration::from_millis(37), ..class("steady", known(90), 1) };
        let keys = (0..400).map(|n| format!("slow-{n}")).collect();
        let slow =
            Class { period: Duration::from_millis(701), ..class("slow", Devices::Known(keys), 1) };
        vec![steady, slow]
    };
    let [steady, slow] = [37.0_f64, 701.0].map(|period_ms| 1_000.0 / period_ms);
    let growth = Some(Growth { per_month: 0.5, horizon_months: 1 });
    let growing = estimator(kinds(), Goals { growth, ..Goals::default() });
    let plan = growing.plan().expect("shards").shards;
    let now = estimator(kinds(), Goals::default());
    // Of the 45 and 200 to come, on each shard beside those that are there.
    let overloaded = |n: NonZeroU32, chance: &mut fastrand::Rng| {
        let there: Vec<_> = now.used_by_shard(n).into_iter().map(|used| 1_000.0 * used).collect();
        let play = |_: &u32| {
            let mut by_shard = there.clone();
            let mut hash = |devices, per_s| {
                (0..devices).for_each(|_| by_shard[chance.usize(..there.len())] += per_s);
            };
            hash(45, steady);
            hash(200, slow);
            by_shard.into_iter().any(|per_s| per_s > 800.0)
        };
        let plays = 20_000_u32;
        f64::from(u32::try_from((0..plays).filter(play).count()).expect("few")) / f64::from(plays)
    };
    // The standard deviation of a hundredth of 20,000 plays is 0.0007.
    let risk = overloaded(plan, &mut chance);
    assert!(risk <= 0.0125, "{risk} on {plan}");
    let less = NonZeroU32::new(plan.get() - 1).expect("more than one");
    let risk = overloaded(less, &mut chance);
    assert!(risk > 0.008, "{risk} on {less} would do");
}

/// A billionth of the circle more or less is no device: beyond those that are looked up they are even.
#[test]
fn millions_of_golden_devices_have_no_more_above_their_share_than_one_million() {
    let above = |devices: u32| {
        let placement = Placement::Golden;
        let fleet = vec![Class {
            period: Duration::from_secs(86_400),
            ..class("all", counted(devices), 1)
        }];
        let hottest =
            estimator(fleet, Goals { placement, ..Goals::default() }).outlook(shards(37)).hottest;
        hottest.devices - f64::from(devices) / 37.0
    };
    let (million, millions) = (above(1 << 20), above(1 << 22));
    assert!(million > 0.5 && (millions - million).abs() < 1e-6, "{million} and {millions}");
}

/// Neither what is said of a month nor what is said of the plan must say that one shard less would do,
/// nor that the plan does not.
#[test]
fn a_plan_with_growth_agrees_with_itself_at_every_horizon() {
    let months: Vec<_> = (0..=40).collect();
    for horizon_months in (1..=36).step_by(7) {
        let growth = Some(Growth { per_month: 0.04, horizon_months });
        let fleet = mixed(counted(3_000), counted(150), 10);
        let growing = estimator(fleet, Goals { growth, ..Goals::default() });
        let plan = growing.plan().expect("shards");
        assert_eq!(plan.chosen.broken(), [], "{horizon_months} months");
        assert!(!plan.binding.is_empty(), "{horizon_months} months: {:?}", plan.less);
        let by_month: Vec<_> = growing.shards_by_month(&months).into_iter().flatten().collect();
        assert!(by_month.is_sorted(), "{horizon_months} months: {by_month:?}");
        assert_eq!(by_month[horizon_months as usize], plan.shards, "{by_month:?}");
    }
}
