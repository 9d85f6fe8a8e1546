use std::path::Path;

use bytes::Bytes;
use tokio::time::timeout;

use crate::pipeline::clock::now;
use crate::pipeline::tests::{PATIENCE, config};
use crate::record::RecordSlot;

use super::*;
use crate::config::Streams;

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

#[test]
fn devices_are_not_numbered_anew_while_their_numbers_lie_where_no_stream_looks() {
    let dir = tempfile::tempdir().unwrap();
    let only = config(dir.path(), "stream.shards = 4\nstream.partitioning = 'golden'");
    let several = |labels: [&str; 2]| {
        let mut config = only.clone();
        let streams = labels.map(|label| {
            let label = label.to_owned();
            Stream { label, is_apart: true, ..only.streams.first().clone() }
        });
        let [first, second] = streams;
        config.streams = Streams::new(first, vec![second]);
        config
    };
    let open = |config: &Config| -> Result<()> {
        let mut streams = config.streams.iter();
        streams.try_for_each(|stream| {
            Numbering::look(config, stream)?;
            Numbering::open(config, stream).map(drop)
        })
    };
    open(&only).unwrap();
    let [one, two, three] = ["one", "two", "three"];
    let refusal = format!("{:#}", open(&several([one, two])).unwrap_err());
    let moves = refusal.split_once("mkdir -p ").unwrap().1.split_once(';').unwrap().0;
    let done = std::process::Command::new("sh").args(["-c", &format!("mkdir -p {moves}")]).status();
    assert!(done.unwrap().success(), "{refusal}");
    open(&several([one, two])).unwrap();
    let refusal = format!("{:#}", open(&several([three, two])).unwrap_err());
    assert!(refusal.contains("streams/one/golden.register, which no stream uses"), "{refusal}");
    let refusal = format!("{:#}", open(&only).unwrap_err());
    assert!(refusal.contains("which no stream uses"), "{refusal}");
}
