//! Keeps the books on disk while the gateway runs: a checkpoint a minute, sooner when what the last
//! one allows for is nearly received. Away from the flow's thread.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{info, warn};

use crate::books::{Books, Held, LedgerFile, Spooled, Stop, Unread};
use crate::limits::{BOOKS_EVERY, BOOKS_HEADROOM_MIN};
use crate::metrics::{Beside, Conservation};

use super::joined;

/// What the books say of the run at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) unix_ms: i64,
    pub(super) ledger: Conservation,
    pub(super) beside: Beside,
}

/// The books, and when they are written next.
#[derive(Debug)]
pub(super) struct Bookkeeping {
    books: Books,
    file: LedgerFile,
    /// Absent if the books cannot be kept at all.
    held: Option<Held>,
    /// How old they were at the start.
    away: Duration,
    job: Option<JoinHandle<io::Result<()>>>,
    /// At most so many records are received before the checkpoint on disk is replaced.
    covered: u64,
    /// As of the checkpoint that was begun last.
    checkpoint: Conservation,
    headroom: u64,
    due_at: Instant,
    /// Whether the checkpoint that is being written replaces one that may stand as well.
    may_stand: bool,
    /// Whether the books on disk are out of the way, because they would be wrong.
    aside: bool,
    /// Whether the last checkpoint could not be written.
    failing: bool,
}

impl Bookkeeping {
    /// Takes the books in `state_dir` up, or begins new ones: nothing here keeps a gateway from
    /// running. `letters` counts the dead letters on disk, which takes long where there are many;
    /// only new books ask.
    pub(super) fn open(
        state_dir: &Path,
        found: Spooled,
        letters: impl FnOnce() -> io::Result<u64>,
        now: Instant,
        unix_ms: i64,
    ) -> Self {
        let file = LedgerFile::new(state_dir);
        let (held, away) = (hold(&file), file.age(unix_ms));
        let mut books = match file.read() {
            Ok(books) => books,
            Err(unread) => {
                if held.is_some() {
                    begin_anew(&file, &unread);
                }
                let letters_before = letters().unwrap_or_else(|error| {
                    warn!(%error, "the books begin without the dead letters of before");
                    0
                });
                Books::new(unix_ms, found.taken + found.left.unwrap_or(0), letters_before)
            }
        };
        books.begin(unix_ms, found, BOOKS_HEADROOM_MIN);
        let mut bookkeeping = Self {
            checkpoint: books.running.map(|run| run.ledger).unwrap_or_default(),
            books,
            file,
            held,
            away,
            job: None,
            covered: BOOKS_HEADROOM_MIN,
            headroom: BOOKS_HEADROOM_MIN,
            due_at: now + BOOKS_EVERY,
            may_stand: false,
            aside: false,
            failing: false,
        };
        if bookkeeping.held.is_some() {
            bookkeeping.take(write(&bookkeeping.file, &bookkeeping.books, false));
        }
        bookkeeping
    }

    /// How long no gateway may have run before this one: since the books were last written.
    pub(super) fn away(&self) -> Duration {
        self.away
    }

    /// Whether the gateway may have received so many records before the next checkpoint. Books that
    /// cannot be written hold nobody up for long: they are put aside.
    pub(super) fn covers(&self, received: u64) -> bool {
        self.held.is_none() || self.aside || received <= self.covered
    }

    /// Whether a checkpoint is due: after a while if anything changed, and at once when little of
    /// the headroom is left.
    pub(super) fn is_due(&self, now: Instant, expected: u64, ledger: &Conservation) -> bool {
        let used = expected.saturating_sub(self.checkpoint.received);
        let nearly_used = used > self.headroom / 4 * 3;
        let idle = self.job.is_none() && self.held.is_some();
        let uncovered = !self.covers(expected);
        let retry = uncovered || !self.failing || now >= self.due_at;
        let changed = *ledger != self.checkpoint;
        idle && retry && (uncovered || nearly_used || now >= self.due_at && changed)
    }

    /// Begins a checkpoint, before `expected` records are received.
    pub(super) fn start(&mut self, now: Instant, moment: Moment, expected: u64) {
        let used = expected.saturating_sub(self.checkpoint.received);
        let early = now < self.due_at;
        let again = if early { self.headroom.max(used) } else { used };
        self.headroom = again.saturating_mul(2).max(BOOKS_HEADROOM_MIN);
        self.checkpoint = moment.ledger;
        self.due_at = now + BOOKS_EVERY;
        self.books.checkpoint(moment.unix_ms, moment.ledger, moment.beside, self.headroom);
        self.may_stand = expected <= self.covered;
        let (file, books, may_stand) = (self.file.clone(), self.books.clone(), self.may_stand);
        self.job = Some(spawn_blocking(move || write(&file, &books, may_stand)));
    }

    /// Waits for the checkpoint that is being written; for ever if none is.
    pub(super) async fn written(&mut self) -> io::Result<()> {
        match &mut self.job {
            Some(job) => joined(job).await,
            None => std::future::pending().await,
        }
    }

    /// Takes a checkpoint that was written, or not.
    pub(super) fn finish(&mut self, written: io::Result<()>, now: Instant) {
        self.job = None;
        match &written {
            Ok(()) => self.covered = self.checkpoint.received.saturating_add(self.headroom),
            Err(_) => self.due_at = now + RETRY,
        }
        self.take(written);
    }

    /// Writes the last ledger of the run.
    pub(super) async fn close(mut self, last: Moment, stop: Stop) {
        if self.held.is_none() {
            return;
        }
        if self.job.is_some() {
            // What it says is in the books already; its file must not come after ours.
            drop(self.written().await);
        }
        self.books.end(last.ledger, last.beside, stop);
        let (file, books) = (self.file.clone(), self.books.clone());
        self.may_stand = last.ledger.received <= self.covered;
        let may_stand = self.may_stand;
        self.take(joined(spawn_blocking(move || write(&file, &books, may_stand))).await);
    }

    fn take(&mut self, written: io::Result<()>) {
        let failed = written.is_err();
        self.aside = failed && (self.aside || !self.may_stand);
        if let Err(error) = written
            && !self.failing
        {
            let file = self.file.path().display();
            warn!(%error, %file, "the books cannot be written: a crash may cost them");
        } else if self.failing && !failed {
            info!("the books are written again");
        }
        self.failing = failed;
    }
}

/// Pause after a checkpoint that could not be written.
const RETRY: Duration = Duration::from_secs(1);

fn hold(file: &LedgerFile) -> Option<Held> {
    let why = match file.hold() {
        Ok(Some(held)) => return Some(held),
        Ok(None) => "another process keeps them".to_owned(),
        Err(error) => error.to_string(),
    };
    warn!(why, file = %file.path().display(), "this run is not in the books");
    None
}

/// Says why there are new books, and keeps what could not be read.
fn begin_anew(file: &LedgerFile, unread: &Unread) {
    if let Unread::Unreadable { .. } = unread {
        let aside = file.set_aside().map(|path| path.display().to_string());
        warn!(why = %unread, ?aside, "the books cannot be read: new ones begin");
    }
}

/// Writes the books. If those on disk can't be replaced and may not stand, they are put aside: what
/// they allow for is used up.
fn write(file: &LedgerFile, books: &Books, may_stand: bool) -> io::Result<()> {
    let written = file.write(books);
    if written.is_err() && !may_stand {
        drop(file.set_aside());
    }
    written
}

#[cfg(test)]
mod tests;
