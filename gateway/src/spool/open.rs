//! Opening: whose directory it is, what the last process left, and where to go on.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use super::codec::{Footer, Seed};
use super::cursor::{Cursor, Decoded, decode_frames};
use super::progress::{CURSOR, JOURNAL, Progress, read_whole};
use super::read::{ATTEMPTS_MAX, Reader};
use super::segment::{Segment, Segments};
use super::settled::Settled;
use super::{Bounds, Disk, LockError, Seq, Spool};

pub use error::OpenError;

use find::{Found, Inventory, State, find};

mod error;
mod find;

/// What was found in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Segments.
    pub segments: usize,
    /// Entries that must be delivered.
    pub unsettled: u64,
    /// Files that are not ours. They stay.
    pub foreign: Vec<String>,
}

impl<D: Disk> Spool<D> {
    /// Opens the directory: creates it if need be, makes it ours alone, and finds out what the last
    /// process left. Nothing that can't be read is deleted.
    ///
    /// # Errors
    /// When another process has it, when it cannot be read or written, and when it was written by a
    /// newer version. Damage is no error: it is passed over, said and
    /// [counted](Self::take_corrupted).
    pub fn open(mut disk: D, bounds: Bounds) -> Result<(Self, Recovery), OpenError> {
        disk.lock().map_err(|error| match error {
            LockError::Held(pid) => OpenError::Locked { path: disk.path(""), pid },
            LockError::Io(source) => OpenError::Io { path: disk.path(""), source },
        })?;
        let files = disk.list().map_err(|source| OpenError::Io { path: disk.path(""), source })?;
        let cursor = read_cursor(&disk)?;
        let Inventory { id, found, foreign } =
            find(&disk, files, cursor.as_ref().map(|cursor| cursor.id))?;
        if !foreign.is_empty() {
            tracing::warn!(dir = %disk.path("").display(), files = ?foreign, "not of this spool, left alone");
        }
        // Without it, what was delivered lately is sent again.
        let journal = read_patiently(&disk, JOURNAL).unwrap_or_default().unwrap_or_default();
        let is_new = cursor.is_none();
        let first = found.iter().map(|found| found.segment.name.base).min().unwrap_or(Seq::FIRST);
        let mut cursor = cursor.unwrap_or_else(|| Cursor {
            id,
            next: first,
            settled: Settled::before(first),
            damaged: BTreeSet::new(),
        });
        for range in decode_frames(id, &journal) {
            cursor.settled.insert(range);
        }
        let next = cursor.next.max(cursor.settled.end());
        let mut spool = Self {
            bounds,
            next,
            segments: Segments::new(found.iter().map(|found| found.segment.clone()).collect()),
            active: None,
            progress: Progress::new(cursor, journal.len() as u64),
            reader: Reader::default(),
            dropped: Vec::new(),
            corrupted: 0,
            disk,
        };
        // Seqs of records that are gone may be in a journal that is not: none is used again.
        spool.next = next.max(spool.segments.end().unwrap_or(next));
        let missing = spool.miss(is_new);
        spool.end_unsealed(&found, &missing);
        if is_new || !journal.is_empty() || !missing.is_empty() {
            spool.save();
        }
        spool.reclaim_all();
        let recovery = Recovery {
            segments: spool.segments.iter().count(),
            unsettled: spool.unsettled(),
            foreign,
        };
        Ok((spool, recovery))
    }

    /// Settles the seqs that are in no segment, and counts them, unless nothing tells whether they
    /// had been delivered. Returns the unsettled ones.
    fn miss(&mut self, is_new: bool) -> Vec<Range<Seq>> {
        let mut missing = Vec::new();
        let mut from = self.progress.settled.cursor();
        for seqs in self.segments.iter().map(Segment::seqs) {
            missing.extend(self.progress.settled.unsettled_in(from..seqs.start));
            from = from.max(seqs.end);
        }
        missing.extend(self.progress.settled.unsettled_in(from..self.next));
        for range in &missing {
            self.progress.settled.insert(range.clone());
            let entries = range.end.0 - range.start.0;
            if !is_new {
                self.corrupted += entries;
                tracing::warn!(dir = %self.disk.path("").display(), first_seq = range.start.0, entries, "entries of the spool are missing");
            }
        }
        missing
    }

    /// Ends the segments whose process could not: cuts what was never written whole, and adds the
    /// footer. Those that are damaged stay as they are.
    fn end_unsealed(&mut self, found: &[Found], missing: &[Range<Seq>]) {
        for Found { segment, state } in found {
            let State::Open { times, is_damaged } = state else { continue };
            if segment.end == segment.name.base {
                continue;
            }
            let is_short = missing.iter().any(|range| range.start == segment.end);
            if *is_damaged || is_short {
                self.progress.damaged.insert(segment.name.base);
                continue;
            }
            let end = self.segments.holding(segment.name.base).map_or(segment.end, |at| at.end);
            let footer = Footer { end, times: *times };
            match self.end(segment, &footer) {
                Ok(bytes) => self.segments.change(segment.name, |at| at.bytes = bytes),
                Err(error) => tracing::debug!(%error, "a segment stays without its footer"),
            }
        }
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

/// The cursor, or none if it cannot be read: then what was delivered is sent again.
fn read_cursor<D: Disk>(disk: &D) -> Result<Option<Cursor>, OpenError> {
    let file = disk.path(CURSOR);
    let decoded = match read_patiently(disk, CURSOR) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => Cursor::decode(&bytes),
        Err(_) => Decoded::Unreadable,
    };
    match decoded {
        Decoded::Known(cursor) => Ok(Some(cursor)),
        Decoded::Newer(version) => Err(OpenError::Newer { file, version }),
        Decoded::Unreadable => {
            tracing::warn!(file = %file.display(), "the cursor cannot be read: what was delivered may be sent again");
            disk.quarantine(CURSOR).map_err(|source| OpenError::Io { path: file, source })?;
            Ok(None)
        }
    }
}

/// All bytes of a small file, tried as often as it takes for a fault that passes.
fn read_patiently<D: Disk>(disk: &D, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut read = read_whole(disk, name);
    for _ in 1..ATTEMPTS_MAX {
        if read.is_ok() {
            break;
        }
        read = read_whole(disk, name);
    }
    read
}
