//! Reading a file through a buffer of a bounded size.

use std::io;

use super::Disk;

/// How much is read at once, unless one entry is larger.
const CHUNK_BYTES: u64 = 256 << 10;

/// What a disk gives or loses as a whole.
const SECTOR_BYTES: u64 = 4 << 10;

/// How often a sector is tried before its loss is accepted.
const SECTOR_ATTEMPTS: u32 = 3;

/// What to do where the disk says that it cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Say so: it may be better in a moment.
    Fail,
    /// Take the sectors that can't be read for zeros, so that those around them are read.
    PassOver,
}

/// The first `end` bytes of a file, some of which are in memory.
pub(super) struct Window<'a, D: Disk> {
    disk: &'a D,
    file: &'a D::File,
    end: u64,
    patience: Patience,
    start: u64,
    buffer: Vec<u8>,
    /// Where the last of what was taken for zeros ends.
    unread_end: u64,
}

impl<'a, D: Disk> Window<'a, D> {
    pub(super) fn new(disk: &'a D, file: &'a D::File, end: u64, patience: Patience) -> Self {
        Self { disk, file, end, patience, start: 0, buffer: Vec::new(), unread_end: 0 }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Where the last of what could not be read, and was taken for zeros, ends; 0 if all was read.
    pub(super) fn unread_end(&self) -> u64 {
        self.unread_end
    }

    /// What is in memory from `offset` on: at least `len` bytes, or as many as there are before the
    /// end.
    ///
    /// # Errors
    /// What the disk says, unless told to pass over it.
    pub(super) fn at(&mut self, offset: u64, len: u64) -> io::Result<&[u8]> {
        let len = len.min(self.end.saturating_sub(offset));
        let held = self.start..=self.start + self.buffer.len() as u64;
        if !held.contains(&offset) || !held.contains(&(offset + len)) {
            self.fill(offset, len.max(CHUNK_BYTES).min(self.end.saturating_sub(offset)))?;
        }
        let skip = offset.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        Ok(skip.and_then(|skip| self.buffer.get(skip..)).unwrap_or_default())
    }

    fn fill(&mut self, offset: u64, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.start = offset;
        self.buffer.clear();
        self.buffer.resize(len, 0);
        let read = match self.disk.read_at(self.file, &mut self.buffer, offset) {
            Err(_) if self.patience == Patience::PassOver => self.fill_by_sectors(),
            read => read,
        };
        if read.is_err() {
            self.buffer.clear();
        }
        // A file that is shorter than we think reads as zeros, and zeros are no entry.
        read.map(drop)
    }

    fn fill_by_sectors(&mut self) -> io::Result<usize> {
        self.buffer.fill(0);
        let mut at = self.start;
        let mut rest = self.buffer.as_mut_slice();
        while !rest.is_empty() {
            let to_boundary = SECTOR_BYTES - at % SECTOR_BYTES;
            let len = usize::try_from(to_boundary).map_err(io::Error::other)?.min(rest.len());
            let (sector, others) = rest.split_at_mut(len);
            let mut attempts = 0..SECTOR_ATTEMPTS;
            if !attempts.any(|_| self.disk.read_at(self.file, sector, at).is_ok()) {
                sector.fill(0);
                self.unread_end = self.unread_end.max(at + len as u64);
            }
            at += to_boundary;
            rest = others;
        }
        Ok(self.buffer.len())
    }
}
