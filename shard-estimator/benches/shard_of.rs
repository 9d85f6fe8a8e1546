//! What it costs to know a record's shard: paid once for every attempt; and to learn from where it
//! went.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use shard_estimator::{HashKey, LearnedMap, ShardId, ShardRanges, Sighting};

fn shard_of(criterion: &mut Criterion) {
    let ranges = ShardRanges::equal(NonZeroU32::new(29).expect("not zero"));
    for partition_key in
        ["acme/devices/70b3d57", "acme/sites/12/devices/70b3d57ed0061234/telemetry"]
    {
        let name = format!("HashKey::of, {} bytes", partition_key.len());
        criterion.bench_function(&name, |bench| {
            bench.iter(|| HashKey::of(black_box(partition_key)));
        });
    }
    let key = HashKey::of("acme/devices/70b3d57");
    criterion.bench_function("ShardRanges::shard_of, 29 shards", |bench| {
        bench.iter(|| ranges.shard_of(black_box(key)));
    });
}

fn learned(criterion: &mut Criterion) {
    let now = Duration::from_secs(1);
    for shards in [4, 29, 1_000] {
        let ranges = ShardRanges::equal(NonZeroU32::new(shards).expect("not zero"));
        let sightings: Vec<_> = (0..65_536)
            .map(|device| {
                let key = HashKey::of(&format!("acme/devices/{device}"));
                let shard = ShardId(ranges.shard_of(key).into());
                Sighting { key, shard, asked: now, heard: now }
            })
            .collect();
        let mut map = LearnedMap::new();
        criterion.bench_function(&format!("LearnedMap::note, {shards} shards"), |bench| {
            let mut next = sightings.iter().cycle();
            bench.iter(|| map.note(*black_box(next.next().expect("for ever"))));
        });
        criterion.bench_function(&format!("LearnedMap::place_of, {shards} shards"), |bench| {
            let mut next = sightings.iter().cycle();
            bench.iter(|| map.place_of(black_box(next.next().expect("for ever").key)));
        });
    }
}

criterion_group!(benches, shard_of, learned);
criterion_main!(benches);
