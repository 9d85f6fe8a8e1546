//! What a plan costs: 100,000 devices whose keys are known, and classes whose keys are not.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use shard_estimator::{
    Advice, Arrivals, Class, Devices, Estimator, Fleet, Goals, Growth, HashKey, Reporting, Sizes,
    Traffic, hottest_devices,
};

fn class(name: &str, devices: Devices, period_ms: u64) -> Class {
    Class {
        name: name.to_owned(),
        devices,
        period: Duration::from_millis(period_ms),
        sizes: Sizes::mean(700),
        reporting: Reporting::Spread,
        buffered: 0,
    }
}

/// 100,000 vehicles that need about 512 shards.
fn known() -> Vec<Class> {
    let keys = (0..100_000).map(|n| format!("VIN{n:014}")).collect();
    vec![class("vehicles", Devices::Known(keys), 300)]
}

fn unknown() -> Vec<Class> {
    let counted = |devices| Devices::Counted { devices, key_bytes: 17 };
    vec![
        class("slow", counted(80_000), 2_000),
        class("medium", counted(15_000), 500),
        class("fast", counted(5_000), 200),
    ]
}

/// No period is a multiple of another, and no two classes report together.
fn many() -> Vec<Class> {
    let class_of = |n: u32| Class {
        reporting: Reporting::Aligned { jitter: Duration::from_secs(u64::from(n) + 1) },
        ..class(
            &format!("class {n}"),
            Devices::Counted { devices: 5_000, key_bytes: 17 },
            60_000 + 1_373 * u64::from(n),
        )
    };
    (0..20).map(class_of).collect()
}

fn estimator(classes: Vec<Class>, horizon_months: u32) -> Estimator {
    let growth = Some(Growth { per_month: 0.03, horizon_months });
    let fleet = Fleet::new(classes).expect("a fleet without fault");
    Estimator::new(fleet, Goals { growth, ..Goals::default() }).expect("goals without fault")
}

/// A minute in which 20,000 keys sent twenty records each, and ten sent as much as a third of a shard
/// takes.
fn arrivals() -> Arrivals<u32> {
    let minute = Duration::from_secs(60);
    let mut traffic = Traffic::new(minute, Duration::ZERO);
    let mut add = |key: u32| traffic.add(HashKey::of(&key.to_string()), &key, 20, 700);
    for round in 0..2_000 {
        (0..10).for_each(|_| (0..10).for_each(&mut add));
        (0..200).for_each(|key| add(10 + (round * 200 + key) % 20_000));
    }
    traffic.pass(minute);
    traffic.arrivals().cloned().expect("a window that is full")
}

fn all_up_to(shards: u32) -> impl Iterator<Item = NonZeroU32> {
    (1..=shards).filter_map(NonZeroU32::new)
}

fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10);
    group.bench_function("100,000 known devices, from keys to a plan", |bench| {
        let classes = known();
        bench.iter(|| estimator(black_box(classes.clone()), 0).plan());
    });
    group.bench_function("100,000 known devices, every number of shards to 512", |bench| {
        let classes = known();
        bench.iter(|| {
            let estimator = estimator(black_box(classes.clone()), 0);
            all_up_to(512).map(|shards| estimator.outlook(shards)).collect::<Vec<_>>()
        });
    });
    group.bench_function("100,000 devices of three classes", |bench| {
        let estimator = estimator(unknown(), 0);
        bench.iter(|| black_box(&estimator).plan());
    });
    group.bench_function("100,000 devices of twenty classes that grow for two years", |bench| {
        let estimator = estimator(many(), 24);
        let months: Vec<_> = (0..=24).collect();
        bench.iter(|| {
            let plan = black_box(&estimator).plan();
            (plan, estimator.shards_by_month(&months))
        });
    });
    group.bench_function("advice for 20,000 keys, ten of them hot", |bench| {
        let arrivals = arrivals();
        let advice = Advice::of(&arrivals, &Goals::default(), None);
        assert!(advice.shards.is_some(), "it is planning that is measured");
        bench.iter(|| Advice::of(black_box(&arrivals), &Goals::default(), None));
    });
    group.finish();

    criterion.bench_function("the bound for 20,000 devices on 29 shards", |bench| {
        let shards = NonZeroU32::new(29).expect("not zero");
        bench.iter(|| hottest_devices(black_box(20_000), shards, 0.01));
    });
}

criterion_group!(benches, plan);
criterion_main!(benches);
