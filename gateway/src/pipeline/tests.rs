use std::fs::{self, File};

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

#[tokio::test]
async fn a_start_that_waits_for_the_dead_letters_can_be_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "state_dir = {:?}\n\
         mqtt = {{ url = 'mqtt://b', client_id = 'c', topics = ['t'] }}\n\
         stream = {{ name = 's', region = 'eu-central-1' }}",
        dir.path()
    );
    let config = Config::parse(&text).unwrap();
    fs::create_dir(&config.dead_letter.dir).unwrap();
    let lock = File::create(config.dead_letter.dir.join("lock")).unwrap();
    lock.lock().unwrap();
    let streams = Streams { records: &Idle, letters: None };
    let run = run(Arc::new(config), streams, Arc::default(), async {});
    let stopped = timeout(Duration::from_secs(20), run).await.expect("in time");
    // The thread that waits would keep the test.
    drop(lock);
    stopped.unwrap_err();
}
