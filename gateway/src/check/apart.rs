//! Work on threads of its own: nobody knows when a disk that hangs will answer.

use std::panic::resume_unwind;
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
/// waiting for it. Its panic is ours.
pub async fn apart<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let done = timeout(limit, spawn_blocking(work)).await.ok()?;
    Some(done.unwrap_or_else(|failure| resume_unwind(failure.into_panic())))
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

    #[tokio::test]
    #[should_panic(expected = "of its own")]
    async fn panic_of_the_work_is_not_taken_for_slowness() {
        apart(FILES_MAX, || panic!("of its own")).await.unwrap_or(());
    }
}
