//! Opening: whose directory it is, what the last process left, and where to go on.

use std::io;
use std::ops::Range;

use super::codec::{Footer, Seed};
use super::progress::{CURSOR, JOURNAL, Progress};
use super::read::Reader;
use super::segment::Segment;
use super::{Bounds, Disk, LockError, Seq, Spool};

pub use error::{OpenError, advice};
pub(super) use find::State;
pub(super) use look::{Left, look};

use find::{Found, TORN};
use look::Memory;

mod error;
mod find;
mod look;

/// What was found in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Entries that must be delivered.
    pub unsettled: u64,
    /// Entries that had to be delivered and are in no segment.
    pub corrupted: u64,
}

impl<D: Disk> Spool<D> {
    /// Opens the directory: creates it if need be, makes it ours alone, and finds out what the last
    /// process left. Nothing that can't be read is deleted.
    ///
    /// # Errors
    /// When another process has it, when it or the end of the log cannot be read or written, and when
    /// it was written by a newer version. Damage is no error: it is passed over, said and
    /// [told](Self::take_lost).
    pub fn open(mut disk: D, bounds: Bounds) -> Result<(Self, Recovery), OpenError> {
        disk.lock().map_err(|error| match error {
            LockError::Held(pid) => OpenError::Locked { path: disk.path(""), pid },
            LockError::Io(source) => OpenError::Io { path: disk.path(""), source },
        })?;
        let left = look(&disk)?;
        left.warn(&disk);
        let left = left.whole(&disk)?;
        if left.memory == Memory::Unreadable {
            disk.quarantine(CURSOR)
                .map_err(|source| OpenError::Io { path: disk.path(CURSOR), source })?;
        }
        let Left { found, segments, memory, cursor, journal, .. } = left;
        // What still could be read of a journal that cannot be put aside goes to the cursor.
        let is_aside = journal.is_damaged && disk.quarantine(JOURNAL).is_ok();
        let journal_bytes = if is_aside { 0 } else { journal.bytes };
        let mut spool = Self {
            bounds,
            next: cursor.next,
            segments,
            active: None,
            progress: Progress::new(cursor, journal_bytes),
            reader: Reader::default(),
            dropped: Vec::new(),
            lost: Vec::new(),
            disk,
        };
        let missing = spool.miss();
        let corrupted = match memory {
            Memory::Known => missing.iter().map(|seqs| spool.warn_of_missing(seqs, &found)).sum(),
            // Nothing tells whether they had been delivered.
            Memory::None | Memory::Unreadable => 0,
        };
        spool.end_unsealed(&found, &missing);
        if memory != Memory::Known || journal.bytes > 0 || !missing.is_empty() {
            // If it can't be written, the journal stays as it is.
            drop(spool.save());
        }
        spool.reclaim_all();
        spool.reserve();
        let recovery = Recovery { unsettled: spool.unsettled(), corrupted };
        Ok((spool, recovery))
    }

    /// Settles the seqs that are in no segment. Returns those that were not.
    fn miss(&mut self) -> Vec<Range<Seq>> {
        let missing = self.segments.missing(&self.progress.settled, self.next);
        for range in &missing {
            self.progress.settled.insert(range.clone());
        }
        missing
    }

    /// Says that `seqs` are in no segment: a file is gone, or the one that should hold them is short.
    /// Returns how many they are.
    fn warn_of_missing(&self, seqs: &Range<Seq>, found: &[Found]) -> u64 {
        let (first_seq, entries) = (seqs.start.0, seqs.end.0 - seqs.start.0);
        let before = found.iter().rfind(|at| at.segment.name.base <= seqs.start);
        match before.filter(|at| at.state != State::Sealed) {
            Some(Found { segment, .. }) => {
                let file = self.disk.path(&segment.name.to_string());
                tracing::warn!(file = %file.display(), first_seq, entries, "entries of the spool are missing: the file was cut, or the one that followed is gone");
            }
            None => {
                let dir = self.disk.path("");
                tracing::warn!(dir = %dir.display(), first_seq, entries, "entries of the spool are missing: a file is gone");
            }
        }
        entries
    }

    /// Ends the segments whose process could not: cuts what was never written whole, of which a copy
    /// is kept if it is entries, and adds the footer. Those that are damaged stay as they are.
    fn end_unsealed(&mut self, found: &[Found], missing: &[Range<Seq>]) {
        for Found { segment, times, state } in found {
            // What a later segment holds too is not this one's any more.
            let end = self.segments.get(segment.name).map_or(segment.end, |kept| kept.end);
            let is_short = missing.iter().any(|range| range.start == segment.end);
            match state {
                State::Sealed => continue,
                State::Open if end == segment.name.base => continue,
                State::Open if !is_short => {}
                State::Torn
                    if end > segment.name.base && !is_short && self.keep_torn(segment).is_ok() => {}
                State::Open | State::Torn | State::Damaged | State::Unread => {
                    self.progress.damaged.insert(segment.name.base);
                    continue;
                }
            }
            match self.end(segment, &Footer { end, times: *times }) {
                Ok(bytes) => self.segments.change(segment.name, |at| at.bytes = bytes),
                Err(error) => tracing::debug!(%error, "a segment stays without its footer"),
            }
        }
    }

    /// Puts a copy of what follows the entries of `segment` into the quarantine.
    fn keep_torn(&self, segment: &Segment) -> io::Result<()> {
        let whole = self.disk.open_to_read(&segment.name.to_string())?;
        let bytes = usize::try_from(segment.bytes - segment.entries_end);
        let mut torn = vec![0; bytes.map_err(io::Error::other)?];
        self.disk.read_at(&whole, &mut torn, segment.entries_end)?;
        // A start that did not get far may have left one. What it holds was not cut yet.
        drop(self.disk.remove(TORN));
        let mut copy = self.disk.create(TORN)?;
        self.disk.append(&mut copy, &torn)?;
        self.disk.sync(&copy)?;
        self.disk.quarantine(TORN)?;
        self.disk.sync_dir()?;
        let (file, offset) = (self.disk.path(&segment.name.to_string()), segment.entries_end);
        tracing::info!(file = %file.display(), offset, "the last records were never written whole: they are cut, and kept in quarantine");
        Ok(())
    }

    fn end(&self, segment: &Segment, footer: &Footer) -> io::Result<u64> {
        let mut file = self.disk.open(&segment.name.to_string())?;
        let footer = footer.encode(Seed::new(self.progress.id, segment.name.base));
        self.disk.truncate(&file, segment.entries_end)?;
        self.disk.append(&mut file, &footer)?;
        self.disk.sync(&file)?;
        Ok(segment.entries_end + footer.len() as u64)
    }
}
