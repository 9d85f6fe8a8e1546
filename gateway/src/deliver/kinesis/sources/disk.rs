//! Files that may lie on a disk that hangs, as those of a network do.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::credentials::Why;

/// Longest wait for a file. It has some kilobytes at most.
const READ_MAX: Duration = Duration::from_secs(10);

/// Reads on a thread of its own, so that nobody else waits for the disk. One that hangs holds that
/// one thread, however often it is asked.
#[derive(Debug)]
pub(super) struct Disk {
    turn: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Disk {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), patience: READ_MAX }
    }
}

impl Disk {
    /// What `read` gives, if it does so in time.
    ///
    /// # Errors
    /// Its own, and when it takes too long.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, Why> + Send + 'static,
    ) -> Result<T, Why> {
        let turn = Arc::clone(&self.turn);
        let done = async {
            // Nobody closes it.
            let turn = turn.acquire_owned().await.map_err(io::Error::other)?;
            let read = spawn_blocking(move || {
                let _held = turn;
                read()
            });
            Ok(read.await?)
        };
        let late = || {
            let text = format!("the disk did not answer within {} s", self.patience.as_secs());
            io::Error::new(ErrorKind::TimedOut, text)
        };
        let in_time = timeout(self.patience, done).await.unwrap_or_else(|_elapsed| Err(late()));
        in_time.map_err(Why::Unreadable)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_holds_one_thread_and_nobody_else() {
        let disk = Disk { patience: Duration::from_millis(50), ..Disk::default() };
        let (answer, hangs) = mpsc::channel::<()>();
        let read = disk.read(move || hangs.recv().map_err(|_gone| Why::Torn)).await;
        assert!(matches!(read, Err(Why::Unreadable(error)) if error.kind() == ErrorKind::TimedOut));
        for _ in 0..3 {
            let behind = disk.read(|| Ok(())).await.unwrap_err().to_string();
            assert!(behind.contains("the disk did not answer"), "{behind}");
        }
        drop(answer);
        let patient = Disk { patience: READ_MAX, turn: Arc::clone(&disk.turn) };
        assert_eq!(patient.read(|| Ok(7)).await.unwrap(), 7);
    }
}
