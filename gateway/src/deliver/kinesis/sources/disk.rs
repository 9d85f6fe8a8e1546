//! Files that may lie on a disk that hangs, as those of a network do.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::credentials::Why;

/// Longest wait for a file. It has some kilobytes at most.
const READ_MAX: Duration = Duration::from_secs(10);

/// How much later than a question itself the thread that asks it is given up.
const GRACE: Duration = Duration::from_secs(1);

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
        self.within(self.patience, read).await
    }

    /// What a provider of the SDK's gives within `limit`. In the midst of asking a service it reads
    /// files, of tokens and of profiles, as if no disk ever hung; so all of it is done on such a thread.
    ///
    /// # Errors
    /// Its own, and when it takes too long.
    pub(super) async fn ask(
        &self,
        provider: impl ProvideCredentials + 'static,
        limit: Duration,
    ) -> Result<Credentials, CredentialsError> {
        // Longer than its own, which says better who did not answer.
        let asked = self.within(limit + GRACE, move || {
            // It must go on while that of the gateway does other things, and not hold up its end.
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(Why::Unreadable)?;
            let asked = async { timeout(limit, provider.provide_credentials()).await };
            let late = |_elapsed| CredentialsError::provider_timed_out(limit);
            let answer = runtime.block_on(asked).map_err(late).flatten();
            runtime.shutdown_background();
            Ok(answer)
        });
        asked.await.unwrap_or_else(|why| Err(CredentialsError::provider_error(why)))
    }

    async fn within<T: Send + 'static>(
        &self,
        limit: Duration,
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
            let text = format!("the disk did not answer within {} s", limit.as_secs());
            io::Error::new(ErrorKind::TimedOut, text)
        };
        let in_time = timeout(limit, done).await.unwrap_or_else(|_elapsed| Err(late()));
        in_time.map_err(Why::Unreadable)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use aws_credential_types::provider::future::ProvideCredentials as ProviderFuture;

    use super::*;
    use crate::telemetry::causes;

    /// The SDK, when the file that it reads is on a disk that hangs.
    #[derive(Debug)]
    struct Hangs(std::sync::Mutex<mpsc::Receiver<()>>);

    impl ProvideCredentials for Hangs {
        fn provide_credentials<'a>(&'a self) -> ProviderFuture<'a>
        where
            Self: 'a,
        {
            let gone = self.0.lock().unwrap().recv_timeout(READ_MAX);
            ProviderFuture::ready(Err(CredentialsError::not_loaded(format!("{gone:?}"))))
        }
    }

    #[tokio::test]
    async fn the_sdk_may_wait_for_a_disk_and_nobody_else_does() {
        let (answer, hangs) = mpsc::channel::<()>();
        let disk = Disk::default();
        let why = causes(&disk.ask(Hangs(hangs.into()), Duration::ZERO).await.unwrap_err());
        assert!(why.contains("the disk did not answer within 1 s"), "{why}");
        drop(answer);
    }

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
