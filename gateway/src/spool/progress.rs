//! What is settled, in memory and on disk.
//!
//! The file `cursor` is replaced seldom and durably. Between, `journal` takes what settles, without
//! a sync: a killed process loses nothing of it, a power cut costs the duplicates of the last
//! half minute, after which the kernel writes of its own accord. What either file says stays true
//! for ever, since no seq is used again; so a journal older than its cursor does no harm.
//!
//! The file `reserve` is there to be removed: on a full disk the cursor takes its place, so that what
//! is delivered can be freed.

use std::collections::BTreeSet;
use std::io;
use std::ops::Range;

use super::codec::SpoolId;
use super::cursor::{Cursor, encode_cursor, encode_frames, whole_frames};
use super::reclaim::is_full;
use super::settled::Settled;
use super::{Disk, Seq};

pub(super) const CURSOR: &str = "cursor";
pub(super) const CURSOR_NEW: &str = "cursor.new";
pub(super) const JOURNAL: &str = "journal";
pub(super) const RESERVE: &str = "reserve";

/// Room for a cursor with four thousand ranges, unless the spool is tiny.
const RESERVE_BYTES: u64 = 64 << 10;

/// Over this the journal begins anew behind a new cursor: what a start has to read.
const JOURNAL_BYTES_MAX: u64 = 1 << 20;

/// What is settled.
#[derive(Debug)]
pub(super) struct Progress<F> {
    pub(super) id: SpoolId,
    pub(super) settled: Settled,
    /// Segments in which something could not be read, by their first seqs.
    pub(super) damaged: BTreeSet<Seq>,
    journal: Option<F>,
    journal_bytes: u64,
    /// Whether it was said that the journal cannot be written.
    said: bool,
}

impl<F> Progress<F> {
    /// Goes on with a journal of `journal_bytes` bytes.
    pub(super) fn new(cursor: Cursor, journal_bytes: u64) -> Self {
        let Cursor { id, settled, damaged, .. } = cursor;
        Self { id, settled, damaged, journal: None, journal_bytes, said: false }
    }

    /// Whether a new cursor is due.
    pub(super) fn is_long(&self) -> bool {
        self.journal_bytes > JOURNAL_BYTES_MAX
    }

    /// Adds `ranges`, and notes them in the journal. Where it can't be written, a crash costs
    /// duplicates.
    pub(super) fn settle<D: Disk<File = F>>(&mut self, disk: &D, ranges: &[Range<Seq>]) {
        for range in ranges {
            self.settled.insert(range.clone());
        }
        let frames = encode_frames(self.id, ranges);
        match self.write(disk, &frames) {
            Ok(()) => self.said = false,
            Err(error) => {
                // What was written of a frame would put those behind it out of step.
                self.journal = None;
                if !std::mem::replace(&mut self.said, true) {
                    let file = disk.path(JOURNAL);
                    tracing::warn!(%error, file = %file.display(), "what is delivered cannot be noted: a crash would send it again");
                }
            }
        }
    }

    /// Makes durable what is settled, and that seqs before `next` may be in use.
    pub(super) fn save<D: Disk<File = F>>(&mut self, disk: &D, next: Seq) -> io::Result<()> {
        match self.replace_cursor(disk, next) {
            Err(e) if is_full(&e) && disk.remove(RESERVE).is_ok() => {
                self.replace_cursor(disk, next)
            }
            saved => saved,
        }
    }

    /// Makes the reserve, of at most `bytes_max` bytes, if there is none and the disk has room.
    pub(super) fn reserve<D: Disk<File = F>>(disk: &D, bytes_max: u64) {
        let Ok(mut file) = disk.create(RESERVE) else { return };
        let bytes = usize::try_from(RESERVE_BYTES.min(bytes_max)).unwrap_or(0);
        if disk.append(&mut file, &vec![0; bytes]).is_err() {
            drop(disk.remove(RESERVE));
        }
    }

    fn replace_cursor<D: Disk<File = F>>(&mut self, disk: &D, next: Seq) -> io::Result<()> {
        // A file whose sync failed is not written to again.
        match disk.remove(CURSOR_NEW) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = disk.create(CURSOR_NEW)?;
        disk.append(&mut file, &encode_cursor(self.id, next, &self.settled, &self.damaged))?;
        disk.sync(&file)?;
        disk.rename(CURSOR_NEW, CURSOR)?;
        disk.sync_dir()?;
        // All that the journal says is in the cursor now. Should this fail, it only stays long.
        if self.journal_bytes > 0 && self.cut_journal(disk, 0).is_err() {
            self.journal = None;
        }
        Ok(())
    }

    fn write<D: Disk<File = F>>(&mut self, disk: &D, frames: &[u8]) -> io::Result<()> {
        if self.journal.is_none() {
            self.cut_journal(disk, whole_frames(self.journal_bytes))?;
        }
        if let Some(journal) = &mut self.journal {
            disk.append(journal, frames)?;
            self.journal_bytes += frames.len() as u64;
        }
        Ok(())
    }

    /// Opens the journal if need be and cuts it to `len` bytes.
    fn cut_journal<D: Disk<File = F>>(&mut self, disk: &D, len: u64) -> io::Result<()> {
        let journal = match self.journal.take() {
            Some(journal) => journal,
            None => match disk.create(JOURNAL) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => disk.open(JOURNAL)?,
                created => created?,
            },
        };
        disk.truncate(&journal, len)?;
        self.journal = Some(journal);
        self.journal_bytes = len;
        Ok(())
    }
}

/// All bytes of a small file, if it is there.
pub(super) fn read_whole<D: Disk>(disk: &D, name: &str) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open_to_read(name) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let read = disk.read_at(&file, &mut chunk, bytes.len() as u64)?;
        if read == 0 {
            return Ok(Some(bytes));
        }
        bytes.extend(chunk.iter().take(read));
    }
}
