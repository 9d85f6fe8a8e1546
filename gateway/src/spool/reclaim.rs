//! Settling, and giving back the disk space of what is settled.

use std::io;

use super::progress::Progress;
use super::segment::{Name, Segment};
use super::settled::runs;
use super::{Disk, Seq, Spool};

/// The active segment is given back when all of it is settled and it is over this part of the
/// largest: an idle spool is small, and a busy one does not begin a file for every group.
const IDLE_PART: u64 = 4;

/// The reserve is at most this part of the largest segment.
const RESERVE_PART: u64 = 8;

/// How many files may refuse to go before nothing more is dropped: of one the file may be the cause.
const STUCK_MAX: usize = 1;

impl<D: Disk> Spool<D> {
    /// Notes that `seqs`, in any order, need not be delivered any more, and frees segments of which
    /// nothing need be. Seqs that were not appended are passed over.
    ///
    /// Does not wait for the disk, but for when a segment goes, or once in 50,000 ranges. Never fails:
    /// what can't be noted on disk costs duplicates after a crash, and what can't be freed is tried
    /// again.
    pub fn settle(&mut self, seqs: &[Seq]) {
        let mut ranges = runs(seqs);
        ranges.retain_mut(|range| {
            range.start = range.start.max(self.oldest_unsettled());
            range.end = range.end.min(self.next);
            range.start < range.end
        });
        let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else { return };
        let touched = first.start..last.end;
        self.progress.settle(&self.disk, &ranges);
        self.reclaim(|segment| segment.name.base < touched.end && touched.start < segment.end);
        if self.progress.is_long() {
            // If not now, then with the next.
            drop(self.save());
        }
    }

    /// Frees all that can be freed, what could not be freed before included.
    pub(super) fn reclaim_all(&mut self) {
        self.reclaim(|_| true);
    }

    fn reclaim(&mut self, among: impl Fn(&Segment) -> bool) {
        let done: Vec<Name> = self
            .segments
            .iter()
            .filter(|segment| among(segment) && self.is_done(segment))
            .map(|segment| segment.name)
            .collect();
        if done.is_empty() {
            return;
        }
        let mut saved = self.save();
        for name in done {
            if let Err(error) = self.free(name, &saved) {
                tracing::debug!(%error, file = %name, "a segment stays for now");
            } else if saved.is_err() {
                saved = self.save();
            }
        }
        self.sync_dir();
        self.reserve();
    }

    /// Whether nothing in `segment` need be kept.
    fn is_done(&self, segment: &Segment) -> bool {
        let is_active = self.active.is_some() && segment.end == self.next;
        let is_large = segment.bytes > self.bounds.segment_bytes_max() / IDLE_PART;
        self.progress.settled.covers(segment.seqs()) && (!is_active || is_large)
    }

    /// Drops the oldest segment of which the file goes, and those before it.
    ///
    /// # Errors
    /// When none goes. Nothing is dropped while the directory takes no changes, nor when so many
    /// files stay that the next would, too.
    pub(super) fn drop_oldest(&mut self) -> io::Result<()> {
        let mut saved = self.save();
        let (empty, owed): (Vec<_>, Vec<_>) =
            self.segments.iter().cloned().partition(|at| self.progress.settled.covers(at.seqs()));
        let mut refused = Vec::new();
        for segment in empty.into_iter().chain(owed) {
            let unsettled = self.progress.settled.unsettled_in(segment.seqs());
            if !unsettled.is_empty() {
                if refused.len() > STUCK_MAX || saved.as_ref().is_err_and(|e| !is_full(e)) {
                    break;
                }
                self.progress.settle(&self.disk, &unsettled);
                self.dropped.extend(unsettled);
                saved = self.save();
            }
            match self.free(segment.name, &saved) {
                Ok(()) => {
                    self.sync_dir();
                    self.reserve();
                    return Ok(());
                }
                Err(e) => refused.push(e),
            }
        }
        saved.and_then(|()| refused.pop().map_or(Ok(()), Err))
    }

    /// Takes a segment's file away: out of the directory, or aside if something in it could not be
    /// read.
    ///
    /// What is gone must stay settled, or its absence would be taken for a loss: so the cursor goes
    /// first, and `saved` says whether it did. On a full disk it may not fit before something goes.
    /// The newest segment stays even then: it alone remembers which seqs were given out.
    fn free(&mut self, name: Name, saved: &io::Result<()>) -> io::Result<()> {
        let is_newest = self.segments.iter().next_back().is_some_and(|last| last.name == name);
        if let Err(e) = saved
            && (is_newest || !is_full(e))
        {
            return Err(e.kind().into());
        }
        if is_newest {
            self.active = None;
        }
        let file = name.to_string();
        let is_damaged = self.progress.damaged.contains(&name.base);
        let freed = if is_damaged { self.disk.quarantine(&file) } else { self.disk.remove(&file) };
        match freed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.segments.remove(name);
        self.reader.forget(name);
        self.progress.damaged.remove(&name.base);
        Ok(())
    }

    /// Makes durable what is settled. If that fails, the journal still has it.
    pub(super) fn save(&mut self) -> io::Result<()> {
        let saved = self.progress.save(&self.disk, self.next);
        if let Err(error) = &saved {
            tracing::debug!(%error, "what is delivered is noted in the journal only");
        }
        saved
    }

    /// Keeps room for the next cursor, if some was freed.
    pub(super) fn reserve(&self) {
        Progress::reserve(&self.disk, self.bounds.segment_bytes_max() / RESERVE_PART);
    }

    fn sync_dir(&self) {
        // Should the files come back after a power cut, the cursor says that they are settled.
        if let Err(error) = self.disk.sync_dir() {
            tracing::debug!(%error, "the directory is not synced");
        }
    }
}

/// Whether the disk works, and nothing more fits.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
