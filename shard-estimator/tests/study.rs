//! What a study of three fleets found before this was written, by simulation and with scipy: tables
//! of costs, growth and skew. A fleet of 20,000 vehicles reports 1 KiB at 1 Hz, a factory has 500
//! machines at 10 Hz.

#![expect(clippy::panic, reason = "a test may fail where it stands")]

use std::num::NonZeroU32;
use std::time::Duration;

use shard_estimator::bill::Bill;
use shard_estimator::{
    Check, Class, Constraint, Devices, Estimator, Fleet, Goals, Growth, Keys, Outage, Packing,
    Placement, Prices, Reporting, Sizes, hottest_devices,
};

const HOUR: Duration = Duration::from_secs(3_600);

fn shards(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("tests count from one")
}

fn class(devices: Devices, period_ms: u64, bytes: u32) -> Class {
    Class {
        name: "devices".to_owned(),
        devices,
        period: Duration::from_millis(period_ms),
        sizes: Sizes::mean(bytes),
        reporting: Reporting::Spread,
        buffered: 0,
    }
}

fn vehicles() -> Class {
    class(Devices::Counted { devices: 20_000, key_bytes: 17 }, 1_000, 1_024)
}

fn known_vehicles() -> Class {
    class(Devices::Known((0..20_000).map(|n| format!("VIN{n:014}")).collect()), 1_000, 1_024)
}

fn machines() -> Class {
    class(Devices::Counted { devices: 500, key_bytes: 12 }, 100, 200)
}

fn estimator(class: Class, goals: Goals) -> Estimator {
    let fleet = Fleet::new(vec![class]).expect("a fleet without fault");
    Estimator::new(fleet, goals).expect("goals without fault")
}

fn an_hour_drained_within(hours: u32) -> Option<Outage> {
    Some(Outage { lasts: HOUR, drained_within: hours * HOUR })
}

fn drain_hours(estimator: &Estimator, n: u32) -> Option<f64> {
    match estimator.outlook(shards(n)).check(Constraint::Drain) {
        Some(Check::Drain { takes, .. }) => takes.map(|time| time.as_secs_f64() / 3600.0),
        other => panic!("no outage was asked about: {other:?}"),
    }
}

fn growing(class: Class, placement: Placement, per_month: f64) -> Estimator {
    let growth = Some(Growth { per_month, horizon_months: 0 });
    estimator(class, Goals { placement, growth, ..Goals::default() })
}

fn months_left(estimator: &Estimator, n: u32) -> f64 {
    match estimator.outlook(shards(n)).check(Constraint::Growth) {
        Some(Check::Growth { months: Some(months), .. }) => *months,
        other => panic!("no growth that ends: {other:?}"),
    }
}

#[test]
fn the_fleet_s_costs_and_outcomes_are_those_of_the_study() {
    let prices: Prices =
        toml::from_str(include_str!("../../configs/prices.toml")).expect("a file of prices");
    let goals = Goals { outage: an_hour_drained_within(12), ..Goals::default() };
    let hashed = estimator(vehicles(), goals.clone());
    let even = estimator(vehicles(), Goals { placement: Placement::Even, ..goals });
    for (n, usd, hot, drain_hashed, drain_even) in [
        (20, "$954.84", 1.103, None, None),
        (23, "$987.69", 0.967, None, Some(29.0)),
        (25, "$1,009.59", 0.894, Some(149.0), Some(8.0)),
        (27, "$1,031.49", 0.832, Some(12.2), Some(4.66)),
        (29, "$1,053.39", 0.779, Some(6.44), Some(3.29)),
        (32, "$1,086.24", 0.711, Some(3.76), Some(2.27)),
        (40, "$1,173.84", 0.579, Some(1.80), Some(1.25)),
        (60, "$1,392.84", 0.400, Some(0.80), Some(0.59)),
    ] {
        let bill = Bill::of(&hashed, shards(n), &prices.regions["us-east-1"]);
        let total = bill.provisioned.expect("its prices are known").total();
        assert_eq!(total.to_string(), usd, "{n} shards");
        let used = hashed.outlook(shards(n)).hottest.records_used;
        assert!((used - hot).abs() < 0.000_6, "{n} shards: {used}");
        for (estimator, expected) in [(&hashed, drain_hashed), (&even, drain_even)] {
            let (hours, near) =
                (drain_hours(estimator, n), |a: f64, b: f64| (a - b).abs() <= 0.01 * b + 0.005);
            let agrees = match (hours, expected) {
                (Some(hours), Some(expected)) => near(hours, expected),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            assert!(agrees, "{n} shards: {hours:?} instead of {expected:?}");
        }
    }
}

#[test]
fn a_drain_goal_of_four_hours_takes_32_shards() {
    let goals = Goals { outage: an_hour_drained_within(4), ..Goals::default() };
    let plan = estimator(vehicles(), goals).plan().expect("shards");
    assert_eq!((plan.shards.get(), plan.binding), (32, vec![Constraint::Drain]));
}

#[test]
fn golden_places_cost_at_most_one_shard_more_than_even_ones() {
    for (class, even, golden, hashed) in [(vehicles(), 25, 26, 29), (machines(), 7, 7, 9)] {
        for (placement, n) in
            [(Placement::Even, even), (Placement::Golden, golden), (Placement::Md5, hashed)]
        {
            let goals = Goals { placement, ..Goals::default() };
            let plan = estimator(class.clone(), goals).plan().expect("shards");
            assert_eq!(plan.shards.get(), n, "{placement:?}");
        }
    }
}

#[test]
fn vehicles_that_are_known_are_counted_and_a_shard_more_can_be_worse() {
    let known = estimator(known_vehicles(), Goals::default());
    for (n, hottest) in [
        (20, 1068.0),
        (22, 962.0),
        (25, 869.0),
        (26, 821.0),
        (27, 799.0),
        (28, 763.0),
        (29, 733.0),
        (30, 734.0),
        (31, 690.0),
        (32, 691.0),
    ] {
        let devices = known.outlook(shards(n)).hottest.devices;
        assert!((devices - hottest).abs() < 0.5, "{n} shards: {devices}");
    }
    assert_eq!(known.plan().expect("shards").shards.get(), 27);
    let risked = Goals { risk: 0.05, ..Goals::default() };
    assert_eq!(estimator(vehicles(), risked).plan().expect("shards").shards.get(), 28);
}

#[test]
fn shards_last_as_many_months_as_the_study_says() {
    let fleet = growing(vehicles(), Placement::Even, 0.03);
    let factory = growing(machines(), Placement::Even, 0.05);
    for (estimator, n, months) in
        [(&fleet, 28, 3.8), (&fleet, 29, 5.0), (&factory, 7, 2.3), (&factory, 9, 7.5)]
    {
        let left = months_left(estimator, n);
        assert!((left - months).abs() <= 0.06, "{n} shards: {left}");
    }
    assert!(months_left(&fleet, 24) < f64::EPSILON, "too few already");
}

#[test]
fn shards_are_needed_in_the_months_that_the_study_says() {
    let months = [0, 1, 2, 3, 6, 9, 12, 18, 24];
    for (placement, needed) in [
        (Placement::Md5, [29, 30, 30, 31, 34, 37, 41, 49, 58]),
        (Placement::Even, [25, 26, 27, 28, 30, 33, 36, 43, 51]),
    ] {
        let by_month = growing(vehicles(), placement, 0.03).shards_by_month(&months);
        assert_eq!(by_month, needed.map(|n| Some(shards(n))), "{placement:?}");
    }
}

#[test]
fn a_horizon_buys_the_shards_of_its_month_and_growth_binds() {
    let growth = Some(Growth { per_month: 0.03, horizon_months: 12 });
    let plan = estimator(vehicles(), Goals { growth, ..Goals::default() }).plan().expect("shards");
    assert_eq!((plan.shards.get(), plan.binding), (41, vec![Constraint::Growth]));
}

/// 24 vehicles' records in one: not one shard less, and a third of the cost.
#[test]
fn packing_saves_put_units_of_large_records_and_shards_of_small_ones() {
    let prices: Prices =
        toml::from_str(include_str!("../../configs/prices.toml")).expect("a file of prices");
    let packing = Some(Packing::default());
    let fleet = estimator(vehicles(), Goals { packing, ..Goals::default() });
    let plan = fleet.plan().expect("shards");
    assert_eq!(plan.shards.get(), 29);
    let bill = Bill::of(&fleet, plan.shards, &prices.regions["us-east-1"]);
    assert_eq!(bill.provisioned.expect("its prices are known").total().to_string(), "$348.21");
    for (data_bytes, key_bytes, carried) in [(200, 12, 4_717.0), (512, 16, 1_946.0)] {
        let full = Packing::default().full(data_bytes, key_bytes, Keys::Distinct);
        let packed_per_s = f64::from(1 << 20) / f64::from(full.bytes + key_bytes);
        let records_per_s = packed_per_s * f64::from(full.records);
        assert!((records_per_s - carried).abs() < 1.0, "{data_bytes}: {records_per_s}");
    }
}

/// Two numbers of shards for 500 keys and for 20,000, and the table of 20,000 draws.
#[test]
fn skew_is_at_least_that_of_twenty_thousand_draws() {
    const AT: [u32; 6] = [2, 4, 8, 16, 32, 64];
    for (devices, p99) in [
        (50, [1.36, 1.68, 2.24, 3.20, 4.48, 6.40]),
        (200, [1.18, 1.36, 1.60, 2.00, 2.56, 3.52]),
        (1_000, [1.08, 1.16, 1.26, 1.42, 1.66, 2.05]),
        (10_000, [1.03, 1.05, 1.08, 1.13, 1.20, 1.29]),
        (100_000, [1.01, 1.02, 1.03, 1.04, 1.06, 1.09]),
    ] {
        for (n, p99) in AT.into_iter().zip(p99) {
            let fair = f64::from(devices) / f64::from(n);
            let skew = f64::from(hottest_devices(devices, shards(n), 0.01)) / fair;
            assert!(skew >= p99 - 0.005, "{devices} on {n}: {skew} and {p99}");
            assert!(skew <= 1.05 * p99 + 1.0 / fair, "{devices} on {n}: {skew} and {p99}");
        }
    }
}
