use std::path::Path;

use bytes::Bytes;
use tokio::time::timeout;

use crate::pipeline::clock::now;
use crate::pipeline::tests::{PATIENCE, config};
use crate::record::RecordSlot;

use super::*;

/// On a stream of 4 shards.
fn golden(dir: &Path) -> Numbering {
    let config = config(dir, "stream.shards = 4\nstream.partitioning = 'golden'");
    Numbering::open(&config, config.streams.first()).unwrap()
}

fn record(numbering: &mut Numbering, slot: usize, key: &str) -> Incoming {
    let (slot, key) = (RecordSlot(slot), numbering.key(key));
    Incoming { slot, key, data: Bytes::new(), rx_ts_ms: 0, since: now() }
}

async fn write(numbering: &mut Numbering) -> Vec<usize> {
    numbering.start(now());
    let written = timeout(PATIENCE, numbering.written()).await.expect("in time");
    let passed = numbering.finish(written, now());
    passed.iter().map(|incoming| incoming.slot.0).collect()
}

#[tokio::test]
async fn records_of_new_devices_wait_for_the_disk_in_order_and_those_of_known_ones_pass() {
    let dir = tempfile::tempdir().unwrap();
    let mut numbering = golden(dir.path());
    let waits = |numbering: &mut Numbering, slot, key| {
        let incoming = record(numbering, slot, key);
        numbering.admit(incoming).is_none()
    };
    assert!(waits(&mut numbering, 0, "a"));
    assert!(waits(&mut numbering, 1, "b"));
    assert!(waits(&mut numbering, 2, "a"));
    numbering.start(now());
    // Too late for the write that is running.
    assert!(waits(&mut numbering, 3, "c"));
    assert!(waits(&mut numbering, 4, "b"));
    assert_eq!(write(&mut numbering).await, [0, 1, 2, 4]);
    assert!(!waits(&mut numbering, 5, "a"));
    assert!(waits(&mut numbering, 6, "c"));
    assert_eq!(write(&mut numbering).await, [3, 6]);
}

#[tokio::test]
async fn records_of_new_devices_wait_while_the_disk_refuses_their_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let mut numbering = golden(dir.path());
    let incoming = record(&mut numbering, 0, "a");
    assert!(numbering.admit(incoming).is_none());
    let good = numbering.file.replace(RegisterFile::full());
    assert!(write(&mut numbering).await.is_empty());
    let retry_at = numbering.retry_at().expect("it is tried again");
    numbering.start(now());
    assert!(numbering.write.is_none() && retry_at > now(), "not at once");

    numbering.file = good;
    numbering.start(retry_at);
    assert_eq!(write(&mut numbering).await, [0]);
    assert_eq!(numbering.retry_at(), None);
}

#[tokio::test]
async fn device_has_its_number_in_the_next_run_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut numbering = golden(dir.path());
    let before = numbering.register.as_ref().unwrap().before();
    let number = |numbering: &mut Numbering, key| {
        numbering.key(key).number().map(|number| number.get() - before)
    };
    assert_eq!(["a", "b"].map(|key| number(&mut numbering, key)), [Some(1), Some(2)]);
    write(&mut numbering).await;
    drop(numbering);
    let mut next = golden(dir.path());
    assert_eq!(["b", "c", "a"].map(|key| number(&mut next, key)), [Some(2), Some(3), Some(1)]);
}
