use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::deliver::{Trouble, Verdict};
use crate::queue::Taken;

use super::*;

/// Longest wait for anything that must happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// The least that a gateway must be told, and `settings`; it keeps its state in `dir`.
pub(super) fn config(dir: &Path, settings: &str) -> Config {
    let text = format!(
        "state_dir = {dir:?}\n\
         mqtt.url = 'mqtt://b'\nmqtt.client_id = 'c'\nmqtt.topics = ['t']\n\
         stream.name = 's'\nstream.region = 'eu-central-1'\n{settings}"
    );
    Config::parse(&text).unwrap()
}

/// Somebody else changes the dead letters, until this is dropped.
pub(super) fn lock(config: &Config) -> File {
    let path = config.dead_letter.dir.join("lock");
    let lock = File::options().create(true).append(true).open(path).unwrap();
    lock.lock().unwrap();
    lock
}

/// Looks until `condition` holds.
pub(super) async fn until(condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, holds).await.expect("in time");
}

/// Is asked for nothing.
struct Idle;

impl Stream for Idle {
    async fn put(&self, _: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        unreachable!("nothing is received");
    }
}

#[tokio::test]
async fn a_start_that_waits_for_the_dead_letters_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "");
    fs::create_dir(&config.dead_letter.dir).unwrap();
    let lock = lock(&config);
    let streams = Streams { records: &[Idle], letters: None };
    let run = run(Arc::new(config), streams, Arc::default(), async {});
    let stopped = timeout(PATIENCE, run).await.expect("in time");
    // The thread that waits would keep the test.
    drop(lock);
    stopped.unwrap_err();
}

#[tokio::test]
async fn a_start_can_be_stopped_while_the_disk_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let slow = dir.path().join("ledger.json");
    assert!(Command::new("mkfifo").arg(&slow).status().unwrap().success());
    let (stop, stopped) = oneshot::channel();
    let (ended, still_reading) = mpsc::channel::<()>();
    let disk = thread::spawn(move || {
        // Opens once it is read, and then nothing comes of it.
        let slow = File::options().write(true).open(slow).unwrap();
        stop.send(()).unwrap();
        still_reading.recv_timeout(PATIENCE).unwrap_err();
        drop(slow);
    });
    let streams = Streams { records: &[Idle], letters: None };
    let stop = async { drop(stopped.await) };
    let config = Arc::new(config(dir.path(), ""));
    let error = run(config, streams, Arc::default(), stop).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped before the state could be used");
    drop(ended);
    disk.join().unwrap();
}
