//! From entry to entry through one segment, past what cannot be read.

use std::io;

use super::Disk;
use super::codec::{
    ENTRY_HEADER_BYTES, ENTRY_MAGIC, EntryHeader, FOOTER_BYTES, Footer, HEADER_BYTES, Seed, SpoolId,
};
use super::window::Window;
use super::{Place, Seq};

const HEADER: u64 = HEADER_BYTES as u64;
const ENTRY_HEADER: u64 = ENTRY_HEADER_BYTES as u64;

/// What comes next in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// An intact header. Whether key and data are, [`Walk::bytes`] and the header tell.
    Entry(Place, EntryHeader),
    /// What follows cannot be read; the walk goes on behind it.
    Gap,
    /// No entry follows.
    End(Tail),
}

/// What lies behind the last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// Nothing.
    Clean,
    /// The beginning of an entry whose rest was never written, or zeros.
    Torn,
    /// Bytes that are no entry any more, or never were.
    Garbage,
    /// Something that the disk does not give now. It may be anything.
    Unread,
}

/// A walk through the entries of one segment.
pub(super) struct Walk<'a, D: Disk> {
    window: Window<'a, D>,
    seed: Seed,
    offset: u64,
    expected: Seq,
}

impl<'a, D: Disk> Walk<'a, D> {
    /// From the first entry on, which is that of `base`.
    pub(super) fn new(window: Window<'a, D>, id: SpoolId, base: Seq) -> Self {
        Self { window, seed: Seed::new(id, base), offset: HEADER, expected: base }
    }

    /// From a place where an entry is known to end.
    pub(super) fn go_to(&mut self, offset: u64, expected: Seq) {
        (self.offset, self.expected) = (offset, expected);
    }

    /// Where the next step begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next seq, if nothing is missing.
    pub(super) fn expected(&self) -> Seq {
        self.expected
    }

    /// The next step.
    ///
    /// # Errors
    /// When the disk cannot read. The same step may be tried again.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        let left = self.window.end().saturating_sub(self.offset);
        if left == 0 {
            return Ok(Step::End(Tail::Clean));
        }
        let bytes = self.window.at(self.offset, ENTRY_HEADER)?;
        match EntryHeader::decode(self.seed, bytes) {
            Some(header) if header.seq >= self.expected => {
                if header.entry_bytes() > left {
                    return Ok(Step::End(Tail::Torn));
                }
                let place = Place::new(header.seq, self.offset, header.entry_bytes())?;
                self.offset += header.entry_bytes();
                self.expected = header.seq.next();
                Ok(Step::Entry(place, header))
            }
            _ => match self.search()? {
                Some(offset) => {
                    self.offset = offset;
                    Ok(Step::Gap)
                }
                None => {
                    let tail = self.tail()?;
                    let is_unread = self.window.unread_end() > self.offset;
                    Ok(Step::End(if is_unread { Tail::Unread } else { tail }))
                }
            },
        }
    }

    /// The bytes of the entry at `place`, header included.
    ///
    /// # Errors
    /// When the disk cannot read.
    pub(super) fn bytes(&mut self, place: Place) -> io::Result<&[u8]> {
        self.window.at(u64::from(place.offset), u64::from(place.bytes))
    }

    /// Whether the entry at `place` was not written whole, for all that the disk gives.
    ///
    /// # Errors
    /// When the disk cannot read.
    pub(super) fn is_torn(&mut self, place: Place, header: &EntryHeader) -> io::Result<bool> {
        let offset = u64::from(place.offset);
        let is_torn = header.is_torn(self.bytes(place)?, offset);
        Ok(is_torn && self.window.unread_end() <= offset)
    }

    /// Where the next entry begins that was written after the one expected, or is it.
    fn search(&mut self) -> io::Result<Option<u64>> {
        let mut at = self.offset + 1;
        while at + ENTRY_HEADER <= self.window.end() {
            let bytes = self.window.at(at, ENTRY_HEADER)?;
            let whole = bytes.len() + 1 - ENTRY_HEADER_BYTES;
            let mut candidates =
                bytes.windows(ENTRY_HEADER_BYTES).zip(at..).filter(|(bytes, _)| {
                    bytes.starts_with(&ENTRY_MAGIC)
                        && EntryHeader::decode(self.seed, bytes)
                            .is_some_and(|header| header.seq >= self.expected)
                });
            if let Some((_, found)) = candidates.next() {
                return Ok(Some(found));
            }
            at += whole as u64;
        }
        Ok(None)
    }

    /// What the bytes are behind which nothing follows.
    fn tail(&mut self) -> io::Result<Tail> {
        // Too short for an entry: a write that did not get far. Of a footer, the entries say as much.
        let left = self.window.end() - self.offset;
        if left < ENTRY_HEADER
            || left <= FOOTER_BYTES as u64 && Footer::begins(self.window.at(self.offset, left)?)
        {
            return Ok(Tail::Torn);
        }
        let mut at = self.offset;
        while at < self.window.end() {
            let bytes = self.window.at(at, 1)?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(Tail::Garbage);
            }
            at += bytes.len() as u64;
        }
        Ok(Tail::Torn)
    }
}
