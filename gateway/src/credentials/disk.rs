//! Files that may lie on a disk that hangs, as those of a network do.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Longest wait for a file. It has some kilobytes at most.
const READ_MAX: Duration = Duration::from_secs(10);

/// Reads on a thread of its own, so that nobody else waits for the disk. One that hangs holds that
/// one thread, however often it is asked.
#[derive(Debug)]
pub(crate) struct Disk {
    turn: Arc<Semaphore>,
    patience: Duration,
}

impl Default for Disk {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), patience: READ_MAX }
    }
}

impl Disk {
    /// One that is waited for so long.
    #[cfg(test)]
    pub(crate) fn waited_for(patience: Duration) -> Self {
        Self { patience, ..Self::default() }
    }

    /// What `read` gives, if it does so in time.
    ///
    /// # Errors
    /// Its own, and when it takes too long.
    pub(crate) async fn read<T, E>(
        &self,
        read: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<io::Error> + Send + 'static,
    {
        self.within(self.patience, read).await
    }

    /// The same, of what may take so long.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) async fn within<T, E>(
        &self,
        limit: Duration,
        read: impl FnOnce() -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<io::Error> + Send + 'static,
    {
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
            let text = format!("the disk did not answer within {} s", limit.as_secs());
            io::Error::new(ErrorKind::TimedOut, text)
        };
        timeout(limit, done).await.unwrap_or_else(|_elapsed| Err(late()))?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_holds_one_thread_and_nobody_else() {
        let disk = Disk::waited_for(Duration::from_millis(50));
        let (answer, hangs) = mpsc::channel::<()>();
        let late = disk.read(move || hangs.recv().map_err(io::Error::other)).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        for _ in 0..3 {
            let behind = disk.read(|| io::Result::Ok(())).await.unwrap_err().to_string();
            assert!(behind.contains("the disk did not answer"), "{behind}");
        }
        drop(answer);
        let patient = Disk { patience: READ_MAX, turn: Arc::clone(&disk.turn) };
        assert_eq!(patient.read(|| io::Result::Ok(7)).await.unwrap(), 7);
    }
}
