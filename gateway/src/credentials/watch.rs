//! Notices that files may have changed: at once by inotify where the system tells, within half a
//! minute everywhere.
//!
//! A watch of inotify is on what a name stood for, and files of keys are replaced rather than
//! written: by renaming another over them, by swapping a link to their directory as Kubernetes does.
//! So the directories are watched in which the names are, of the path and of every link on it, and
//! after any event they are found anew. Network and overlay file systems tell nothing, therefore it is
//! looked again every so often in any case.
//!
//! To find the names is to ask a disk, and one that hangs must hold up nobody: that is done elsewhere.

use std::future;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};

use super::disk::Disk;
use trail::Trail;

#[cfg(test)]
mod tests;
mod trail;

/// A change is told so long after the last sign of it: who writes a file, or several that belong
/// together, takes more than one step.
const SETTLE: Duration = Duration::from_millis(100);

/// Signs that a change may go on for, each [`SETTLE`] after the one before: a second.
const SIGNS_MAX: u32 = 10;

/// How often to look again where nothing is told.
const POLL_EVERY: Duration = Duration::from_secs(30);

/// Room for some tens of events.
const EVENT_BYTES: usize = 4_096;

/// Watches some files.
#[derive(Debug)]
pub struct Watch {
    paths: Vec<PathBuf>,
    poll: Interval,
    disk: Disk,
    /// Lays a watch on the paths; a test makes it fail.
    lay: Lay,
    /// `None` before it is laid, and while it cannot be.
    armed: Option<Armed>,
    /// Whether something was noticed that was not told yet. At first that nothing is watched.
    noticed: bool,
    failure_told: bool,
}

/// A watch on the directories that the paths lead through.
#[derive(Debug)]
struct Armed {
    inotify: AsyncFd<OwnedFd>,
    trail: Trail,
}

type Lay = fn(&[PathBuf]) -> io::Result<(OwnedFd, Trail)>;

impl Watch {
    /// Watches `paths`, which need not be there yet, once it is asked for changes: the first is told as
    /// soon as they are watched, for what came before was not noticed. Of no path nothing ever is.
    ///
    /// # Panics
    /// Outside of a runtime.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Self {
        Self::with(paths, lay, POLL_EVERY)
    }

    fn with(paths: Vec<PathBuf>, lay: Lay, every: Duration) -> Self {
        let mut poll = interval(every);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once.
        poll.reset();
        let disk = Disk::default();
        Self { paths, poll, disk, lay, armed: None, noticed: true, failure_told: false }
    }

    /// Waits until one of the files may have changed: look again. Nothing is missed when this is
    /// dropped and asked again, nor what happens between two calls.
    pub async fn changed(&mut self) {
        if self.paths.is_empty() {
            future::pending::<()>().await;
        }
        if !self.noticed {
            tokio::select! {
                () = sign(self.armed.as_ref()) => {}
                _ = self.poll.tick() => {}
            }
            self.noticed = true;
        }
        for _ in 0..SIGNS_MAX {
            let quiet = tokio::select! {
                () = sign(self.armed.as_ref()) => false,
                () = sleep(SETTLE) => true,
            };
            if quiet {
                break;
            }
        }
        // Armed before the files are read: what changes while they are is noticed.
        self.rearm().await;
        self.noticed = false;
    }

    async fn rearm(&mut self) {
        let (paths, lay) = (self.paths.clone(), self.lay);
        // Watches are few: the old ones go first.
        let old = self.armed.take().map(|armed| armed.inotify.into_inner());
        let laid = self.disk.read(move || {
            drop(old);
            lay(&paths)
        });
        match laid.await.and_then(Armed::new) {
            Ok(armed) => self.armed = Some(armed),
            Err(error) if !self.failure_told => {
                self.failure_told = true;
                tracing::warn!(%error, "changes of key files are noticed within half a minute only");
            }
            Err(_) => {}
        }
    }
}

/// Waits for a sign that a file may have changed.
async fn sign(armed: Option<&Armed>) {
    let Some(armed) = armed else { return future::pending().await };
    loop {
        // An error means that nothing is told any more. The poll goes on.
        let Ok(mut ready) = armed.inotify.readable().await else { return future::pending().await };
        match ready.try_io(|inotify| armed.trail.is_touched(inotify.get_ref())) {
            Ok(Ok(false)) | Err(_) => {}
            Ok(Ok(true)) => return,
            Ok(Err(_)) => return future::pending().await,
        }
    }
}

impl Armed {
    fn new((inotify, trail): (OwnedFd, Trail)) -> io::Result<Self> {
        #[expect(
            deprecated,
            reason = "its successor is unsafe for descriptors that somebody else may close; nobody \
                      may close this one"
        )]
        let inotify = AsyncFd::new(inotify)?;
        Ok(Self { inotify, trail })
    }
}

fn lay(paths: &[PathBuf]) -> io::Result<(OwnedFd, Trail)> {
    let laid = || {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let trail = Trail::lay(&inotify, paths)?;
        Ok((inotify, trail))
    };
    laid().map_err(|error| none_left(&error))
}

fn none_left(error: &io::Error) -> io::Error {
    io::Error::other(format!(
        "the system has no inotify watch left (fs.inotify.max_user_instances, max_user_watches): \
         {error}"
    ))
}

impl Trail {
    /// Reads all events there are, and says whether one of them is about the trail; when there was
    /// none, that it would have to wait.
    fn is_touched(&self, inotify: &OwnedFd) -> io::Result<bool> {
        let mut room = [MaybeUninit::uninit(); EVENT_BYTES];
        let mut events = Reader::new(inotify, &mut room);
        let mut touched = None;
        loop {
            match events.next() {
                Ok(event) => {
                    let lost = event.events().contains(ReadFlags::QUEUE_OVERFLOW);
                    let is_ours = lost || self.leads_over(event.wd(), event.file_name());
                    touched = Some(is_ours || touched.unwrap_or_default());
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        touched.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}
