//! The broker on a real socket, and clients that are not ours.

mod clients;
mod faults;
mod mosquitto;
mod peer;

use std::time::Duration;

use super::*;
pub(crate) use peer::Watcher;

/// Fails a test that hangs.
async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("done within a minute")
}

/// Waits until `wanted` holds.
async fn until(mut wanted: impl FnMut() -> bool) {
    within(async {
        while !wanted() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

async fn broker() -> Broker {
    Broker::start(Settings::default()).await.unwrap()
}
