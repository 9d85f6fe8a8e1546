//! How long to wait.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// Longest wait for anything that must happen: far above what it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something that cannot be awaited.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits for `event`, at most [`PATIENCE`].
pub async fn in_time<T>(what: &str, event: impl Future<Output = T>) -> T {
    match timeout(PATIENCE, event).await {
        Ok(value) => value,
        Err(_elapsed) => fail(what),
    }
}

/// Looks until `condition` holds, at most [`PATIENCE`].
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    in_time(what, async {
        while !condition() {
            sleep(LOOK_EVERY).await;
        }
    })
    .await;
}

#[expect(clippy::panic, reason = "the test fails")]
fn fail(what: &str) -> ! {
    panic!("waited {PATIENCE:?} in vain: {what}")
}
