//! What it costs to know a record's shard: paid once for every attempt.

use std::hint::black_box;
use std::num::NonZeroU32;

use criterion::{Criterion, criterion_group, criterion_main};
use shard_estimator::{HashKey, ShardRanges};

fn shard_of(criterion: &mut Criterion) {
    let ranges = ShardRanges::equal(NonZeroU32::new(29).expect("not zero"));
    let partition_key = "acme/sites/12/devices/70b3d57ed0061234/telemetry";
    let key = HashKey::of(partition_key);

    criterion.bench_function("HashKey::of, 48 bytes", |bench| {
        bench.iter(|| HashKey::of(black_box(partition_key)));
    });
    criterion.bench_function("ShardRanges::shard_of, 29 shards", |bench| {
        bench.iter(|| ranges.shard_of(black_box(key)));
    });
}

criterion_group!(benches, shard_of);
criterion_main!(benches);
