//! What admission costs a record: its hash key, its shard, and leave to go.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use shard_estimator::{HashKey, ShardId, ShardRanges, Traffic};
use tidegate::config::{Config, Order};
use tidegate::deliver::Verdict;
use tidegate::dispatch::pace::Pace;
use tidegate::queue::{Admission, Gate, Incoming, Queues, Room, Taken};
use tidegate::record::{PartitionKey, RecordSlot};
use tidegate::register::Register;

const CONFIG: &str = r#"
[mqtt]
url = "mqtt://localhost"
client_id = "edge-1"
topics = ["t"]
[stream]
name = "telemetry"
region = "us-east-1"
"#;
const SHARDS: u32 = 29;
const DEVICES: usize = 10_000;

/// Between two draws: a quarter of what 29 shards take, so that all are granted.
const PAUSE: Duration = Duration::from_micros(150);

/// 20 bytes each.
fn names() -> Vec<String> {
    (0..DEVICES).map(|device| format!("acme/devices/{device:07}")).collect()
}

fn pace_of(text: &str, now: Instant) -> Pace {
    let config = Config::parse(text).expect("complete");
    Pace::new(&config, config.streams.first(), now)
}

/// A pace that has learned 29 shards.
fn pace(now: Instant) -> Pace {
    let mut pace = pace_of(CONFIG, now);
    let mut queues = Queues::new(Order::None);
    for (number, name) in names().iter().enumerate() {
        let (slot, key, data) = (RecordSlot(number), PartitionKey::new(name), Bytes::new());
        queues.push(Incoming { slot, key, data, rx_ts_ms: 0, since: now });
    }
    // All at once.
    let unpaced = format!("{CONFIG}[pace]\nmode = \"off\"");
    let mut open = pace_of(&unpaced, now);
    let ranges = ShardRanges::equal(SHARDS.try_into().expect("not zero"));
    let accepted = |taken: Taken| {
        let shard = ShardId(ranges.shard_of(taken.key.hash_key()).into());
        (taken, Verdict::Accepted(Some(shard)))
    };
    let taken = queues.take(Room { records: DEVICES, bytes: usize::MAX }, &mut open, now);
    pace.observe(&taken.into_iter().map(accepted).collect::<Vec<_>>(), now);
    pace
}

#[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
fn admission(criterion: &mut Criterion) {
    let began = Instant::now();
    let names = names();
    let keys: Vec<_> = names.iter().map(|name| PartitionKey::new(name)).collect();
    criterion.bench_function("pace/a partition key and its hash key, 20 bytes", |bench| {
        let mut next = names.iter().cycle();
        bench.iter(|| PartitionKey::new(black_box(next.next().expect("for ever"))));
    });
    for devices in [DEVICES, 1_000_000] {
        let names: Vec<_> = (0..devices).map(|n| format!("acme/devices/{n:07}")).collect();
        let mut register = Register::default();
        for name in &names {
            register.number(name);
        }
        let name = format!("pace/the same, placed by its number, one of {devices}");
        criterion.bench_function(&name, |bench| {
            let mut at = 0;
            // All of them, none beside the one before, and each just made, as a router makes it.
            let name = || {
                at = (at + 7_919) % devices;
                names.get(at).cloned().unwrap_or_default()
            };
            let key = |name: String| PartitionKey::placed(&name, |key| register.number(key));
            bench.iter_batched(name, key, BatchSize::SmallInput);
        });
    }
    let (mut learned, mut now) = (pace(began), began);
    criterion.bench_function("pace/leave to send, 29 learned shards", |bench| {
        let mut next = keys.iter().cycle();
        bench.iter(|| {
            now += PAUSE;
            learned.draw(black_box(next.next().expect("for ever")), 300, now)
        });
    });
    let last = learned.draw(&PartitionKey::new("last"), 300, now + PAUSE);
    assert_eq!(last, Admission::Granted, "it is leave that was measured");
    let (mut learned, mut now) = (pace(began), began);
    criterion.bench_function("pace/a hash key of 20 bytes and leave to send", |bench| {
        let mut next = names.iter().zip(&keys).cycle();
        bench.iter(|| {
            let (name, key) = black_box(next.next().expect("for ever"));
            now += PAUSE;
            (HashKey::of(name), learned.draw(key, 300, now))
        });
    });
    let (mut learned, mut now) = (pace(began), began);
    let mut traffic = Traffic::new(Duration::from_secs(60), Duration::ZERO);
    criterion.bench_function("pace/counting a record that there is to send", |bench| {
        let mut next = keys.iter().cycle();
        bench.iter(|| {
            let key = black_box(next.next().expect("for ever"));
            now += PAUSE;
            traffic.add(key.hash_key(), key, 20, 280);
            learned.offered(key, 300, now);
        });
    });
    assert!(traffic.sizes().records() > 0, "it is counting that was measured");
}

criterion_group!(benches, admission);
criterion_main!(benches);
