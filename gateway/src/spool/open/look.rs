//! What the last process left, without touching it.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use super::OpenError;
use super::find::{Found, Inventory, State, find};
use crate::spool::codec::SpoolId;
use crate::spool::cursor::{Cursor, Decoded, decode_frames};
use crate::spool::progress::{CURSOR, JOURNAL, read_whole};
use crate::spool::read::ATTEMPTS_MAX;
use crate::spool::segment::Segments;
use crate::spool::settled::Settled;
use crate::spool::{Disk, Seq};

/// What is known of what was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spool) enum Memory {
    /// The cursor could be read.
    Known,
    /// There is none: the directory is new, or somebody took it away.
    None,
    /// It cannot be read: what was delivered may be sent again.
    Unreadable,
}

/// What the last process left.
pub(in crate::spool) struct Left {
    pub(in crate::spool) found: Vec<Found>,
    /// The same, without what is in two of them.
    pub(in crate::spool) segments: Segments,
    /// Files of somebody else, or of another spool.
    pub(in crate::spool) foreign: Vec<String>,
    pub(in crate::spool) memory: Memory,
    /// What the cursor says, and the journal after it. Its next seq was never given out.
    pub(in crate::spool) cursor: Cursor,
    pub(in crate::spool) journal: Journal,
}

/// The journal behind the cursor.
#[derive(Debug, Clone, Copy)]
pub(in crate::spool) struct Journal {
    pub(in crate::spool) bytes: u64,
    /// Some of it, or all, cannot be read: what was delivered lately may be sent again.
    pub(in crate::spool) is_damaged: bool,
}

impl Journal {
    /// Reads it, and adds what it says to `settled`.
    fn read<D: Disk>(disk: &D, id: SpoolId, settled: &mut Settled) -> Self {
        let Ok(journal) = read_patiently(disk, JOURNAL) else {
            return Self { bytes: 0, is_damaged: true };
        };
        let journal = journal.unwrap_or_default();
        let (ranges, is_damaged) = decode_frames(id, &journal);
        ranges.into_iter().for_each(|range| settled.insert(range));
        Self { bytes: journal.len() as u64, is_damaged }
    }
}

/// Looks at everything in the directory.
pub(in crate::spool) fn look<D: Disk>(disk: &D) -> Result<Left, OpenError> {
    let files = disk.list().map_err(|source| OpenError::Io { path: disk.path(""), source })?;
    let (memory, cursor) = read_cursor(disk)?;
    let Inventory { id, found, foreign } = find(disk, files, cursor.as_ref().map(|at| at.id))?;
    let mut cursor = cursor.unwrap_or_else(|| fresh(id, &found));
    let journal = Journal::read(disk, id, &mut cursor.settled);
    // A journal may know seqs of records that are gone: none is used again.
    let segments = Segments::new(found.iter().map(|found| found.segment.clone()).collect());
    let ends = segments.end().into_iter().chain([cursor.settled.end()]);
    cursor.next = ends.fold(cursor.next, Seq::max);
    Ok(Left { found, segments, foreign, memory, cursor, journal })
}

impl Left {
    /// The same, if one can go on with it: nothing tells which seqs are in use behind an end that cannot
    /// be read.
    pub(in crate::spool) fn whole<D: Disk>(self, disk: &D) -> Result<Self, OpenError> {
        match self.found.iter().find(|found| found.state == State::Unread) {
            Some(Found { segment, .. }) => {
                Err(OpenError::Unread { file: disk.path(&segment.name.to_string()) })
            }
            None => Ok(self),
        }
    }

    /// What had to be delivered and is in no segment, if anything tells.
    pub(in crate::spool) fn missing(&self) -> Vec<Range<Seq>> {
        match self.memory {
            Memory::Known => self.segments.missing(&self.cursor.settled, self.cursor.next),
            Memory::None | Memory::Unreadable => Vec::new(),
        }
    }

    pub(in crate::spool) fn warn<D: Disk>(&self, disk: &D) {
        if !self.foreign.is_empty() {
            let (dir, files) = (disk.path(""), &self.foreign);
            tracing::warn!(dir = %dir.display(), ?files, "not of this spool, left alone");
        }
        let cursor = (self.memory == Memory::Unreadable).then_some(CURSOR);
        for file in cursor.into_iter().chain(self.journal.is_damaged.then_some(JOURNAL)) {
            let file = disk.path(file);
            tracing::warn!(file = %file.display(), "cannot be read: what was delivered may be sent again");
        }
    }
}

/// Nothing is settled of what was found.
fn fresh(id: SpoolId, found: &[Found]) -> Cursor {
    let first = found.iter().map(|found| found.segment.name.base).min().unwrap_or(Seq::FIRST);
    Cursor { id, next: first, settled: Settled::before(first), damaged: BTreeSet::new() }
}

fn read_cursor<D: Disk>(disk: &D) -> Result<(Memory, Option<Cursor>), OpenError> {
    let decoded = match read_patiently(disk, CURSOR) {
        Ok(None) => return Ok((Memory::None, None)),
        Ok(Some(bytes)) => Cursor::decode(&bytes),
        Err(_) => Decoded::Unreadable,
    };
    match decoded {
        Decoded::Known(cursor) => Ok((Memory::Known, Some(cursor))),
        Decoded::Newer(version) => Err(OpenError::Newer { file: disk.path(CURSOR), version }),
        Decoded::Unreadable => Ok((Memory::Unreadable, None)),
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
