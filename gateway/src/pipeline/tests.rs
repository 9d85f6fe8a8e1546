use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::deliver::{Trouble, Verdict};
use crate::queue::Taken;

use super::*;

/// Is asked for nothing.
struct Idle;

impl Stream for Idle {
    async fn put(&self, _: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        unreachable!("nothing is received");
    }
}

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

fn config(state_dir: &Path) -> Config {
    let text = format!(
        "state_dir = {state_dir:?}\n\
         mqtt = {{ url = 'mqtt://b', client_id = 'c', topics = ['t'] }}\n\
         stream = {{ name = 's', region = 'eu-central-1' }}",
    );
    Config::parse(&text).unwrap()
}

#[tokio::test]
async fn a_start_that_waits_for_the_dead_letters_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    fs::create_dir(&config.dead_letter.dir).unwrap();
    let lock = File::create(config.dead_letter.dir.join("lock")).unwrap();
    lock.lock().unwrap();
    let streams = Streams { records: &Idle, letters: None };
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
    let streams = Streams { records: &Idle, letters: None };
    let stop = async { drop(stopped.await) };
    let error = run(Arc::new(config(dir.path())), streams, Arc::default(), stop).await.unwrap_err();
    assert_eq!(error.to_string(), "stopped before the state could be used");
    drop(ended);
    disk.join().unwrap();
}
