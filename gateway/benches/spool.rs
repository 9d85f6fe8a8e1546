//! What the spool costs: appending and reading 1 KB records, and opening 2 GiB of them.
//!
//! On the file system of the target directory, with every group synced.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tidegate::config::WhenFull;
use tidegate::record::PartitionKey;
use tidegate::spool::{Bounds, Directory, Entry, Seq, Spool};

const GROUP: u64 = 500;
const RECORD_BYTES: usize = 1_000;
const GIB: u64 = 1 << 30;

fn open(dir: &Path) -> Spool<Directory> {
    let bounds = Bounds { bytes_max: 3 * GIB, when_full: WhenFull::DropOldest };
    Spool::open(Directory::new(dir), bounds).expect("an empty directory").0
}

fn group(from: Seq) -> Vec<Entry> {
    let key = PartitionKey::new("sites/north/devices/pump-17");
    let data = Bytes::from(vec![b'7'; RECORD_BYTES]);
    (from.0..from.0 + GROUP)
        .map(|seq| Entry { seq: Seq(seq), key: key.clone(), rx_ts_ms: 0, data: data.clone() })
        .collect()
}

fn spool(c: &mut Criterion) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let mut spool = open(dir.path());
    let mut benches = c.benchmark_group("spool");
    benches.sample_size(10).measurement_time(Duration::from_secs(10));

    benches.throughput(Throughput::Elements(GROUP));
    benches.bench_function("append 500 and sync", |b| {
        b.iter(|| {
            let group = group(spool.next_seq());
            spool.append(&group).expect("room")
        });
    });
    while spool.bytes() < 2 * GIB {
        let group = group(spool.next_seq());
        spool.append(&group).expect("room");
    }
    let mut from = spool.oldest_unsettled();
    benches.bench_function("read 500", |b| {
        b.iter(|| {
            let read = spool.read(from, 500 * RECORD_BYTES).expect("readable");
            from = if read.next < spool.next_seq() { read.next } else { spool.oldest_unsettled() };
            read.entries.len()
        });
    });
    drop(spool);
    benches.throughput(Throughput::Elements(1));
    benches.bench_function("open 2 GiB", |b| {
        b.iter_batched(|| (), |()| open(dir.path()).unsettled(), BatchSize::PerIteration);
    });
    benches.finish();
}

criterion_group!(benches, spool);
criterion_main!(benches);
