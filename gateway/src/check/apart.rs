//! Work on threads of its own: nobody knows when a disk that hangs will answer.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Longest wait for the configuration and the files that it names, which have some kilobytes.
pub const FILES_MAX: Duration = Duration::from_secs(5);

/// Longest wait for what the disk says of the directories.
pub(super) const DIRECTORIES_MAX: Duration = Duration::from_secs(10);

/// What `work` gives, if it does within `limit`.
///
/// Work that takes longer keeps a thread of the runtime, which nobody can stop: end the runtime without
/// waiting for it.
pub async fn apart<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    timeout(limit, spawn_blocking(work)).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_that_hangs_is_waited_for_no_longer_than_its_limit() {
        let (answer, hangs) = mpsc::channel::<()>();
        assert!(apart(Duration::from_millis(50), move || hangs.recv()).await.is_none());
        drop(answer);
        assert_eq!(apart(FILES_MAX, || 7).await, Some(7));
    }
}
