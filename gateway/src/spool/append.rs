//! Appending: groups into segments, and what to do when the disk refuses.

use std::io;
use std::ops::Range;

use super::codec::{
    FOOTER_BYTES, Footer, HEADER_BYTES, Seed, Times, encode_entry, encode_header, entry_bytes,
};
use super::segment::{Name, Segment};
use super::{Appended, Disk, Entry, Seq, Spool};
use crate::config::WhenFull;

/// How much of a group is encoded before it is written.
const PIECE_BYTES: usize = 1 << 20;

/// The segment that is appended to.
#[derive(Debug)]
pub(super) struct Active<F> {
    file: F,
    seed: Seed,
    times: Times,
}

impl<D: Disk> Spool<D> {
    /// Appends `group` and makes it durable, as a whole. Its seqs begin with
    /// [`next_seq`](Self::next_seq) and are consecutive.
    ///
    /// # Errors
    /// When it may not be durable. [`next_seq`](Self::next_seq) is what it was, and the next group
    /// begins there again, in a new segment.
    pub fn append(&mut self, group: &[Entry]) -> io::Result<Appended> {
        debug_assert!(
            group.iter().zip(self.next.0..).all(|(entry, seq)| entry.seq.0 == seq),
            "seqs are consecutive",
        );
        let group_bytes: u64 = group.iter().map(entry_bytes).sum();
        if !group.is_empty() {
            if !self.make_room(group_bytes)? {
                return Ok(Appended::Full);
            }
            self.roll_for(group_bytes);
            if let Err(e) = self.write(group, group_bytes) {
                self.abandon();
                return Err(e);
            }
        }
        Ok(Appended::Kept)
    }

    /// What was not settled and went to make room since this was last asked, whether or not the newer
    /// ones were kept then: the oldest segments, as the operator chose.
    pub fn take_dropped(&mut self) -> Vec<Range<Seq>> {
        std::mem::take(&mut self.dropped)
    }

    /// Frees what is over the ceiling with `group_bytes` more. Whether that much may be written: a
    /// group that is larger than the ceiling may when nothing else is there, or it never would.
    fn make_room(&mut self, group_bytes: u64) -> io::Result<bool> {
        let needed = group_bytes + (HEADER_BYTES + 2 * FOOTER_BYTES) as u64;
        let fits =
            |spool: &Self| spool.bytes() == 0 || spool.bytes() + needed <= spool.bounds.bytes_max;
        if !fits(self) {
            self.reclaim_all();
        }
        while !fits(self) {
            match self.bounds.when_full {
                WhenFull::Wait => return Ok(false),
                WhenFull::DropOldest => self.drop_oldest()?,
            }
        }
        Ok(true)
    }

    /// Seals the active segment if `group_bytes` more are too many for it.
    fn roll_for(&mut self, group_bytes: u64) {
        let largest = self.bounds.segment_bytes_max().saturating_sub(FOOTER_BYTES as u64);
        if self.segments.iter().next_back().is_some_and(|last| last.bytes + group_bytes > largest) {
            self.seal();
        }
    }

    fn write(&mut self, group: &[Entry], group_bytes: u64) -> io::Result<()> {
        if self.active.is_none() {
            self.begin()?;
        }
        let Some(active) = &mut self.active else {
            return Err(io::Error::other("no segment to append to"));
        };
        // Longer from here on, by an unknown part of this.
        self.segments.change_last(|last| last.bytes += group_bytes);
        let whole = usize::try_from(group_bytes).unwrap_or(PIECE_BYTES);
        let mut piece = Vec::with_capacity(whole.min(PIECE_BYTES));
        for entry in group {
            encode_entry(active.seed, entry, &mut piece).ok_or(io::ErrorKind::FileTooLarge)?;
            active.times.include(entry.rx_ts_ms);
            if piece.len() >= PIECE_BYTES {
                self.disk.append(&mut active.file, &piece)?;
                piece.clear();
            }
        }
        self.disk.append(&mut active.file, &piece)?;
        self.disk.sync(&active.file)?;
        self.next.0 += group.len() as u64;
        let end = self.next;
        self.segments.change_last(|last| {
            last.end = end;
            last.entries_end = last.bytes;
        });
        Ok(())
    }

    /// Creates a segment for the next seq.
    fn begin(&mut self) -> io::Result<()> {
        let base = self.next;
        // Of files that begin with the same seq the latest attempt is right, so it must be this one.
        let others = self.disk.list()?.into_iter().filter_map(|(file, _)| Name::parse(&file));
        let attempts = others.filter(|other| other.base == base).map(|other| other.attempt + 1);
        let name = Name { base, attempt: attempts.max().unwrap_or(0) };
        let file = self.disk.create(&name.to_string())?;
        let bytes = HEADER_BYTES as u64;
        self.segments.push(Segment { name, end: base, entries_end: bytes, bytes });
        let seed = Seed::new(self.progress.id, base);
        let active = self.active.insert(Active { file, seed, times: Times::NONE });
        self.disk.append(&mut active.file, &encode_header(self.progress.id, base))?;
        // Else a power cut could take the file, and with it what the caller was told.
        self.disk.sync_dir()
    }

    /// Gives the active segment up after a failure: its file is not written to again, and ends where
    /// it was durable.
    fn abandon(&mut self) {
        let Some(active) = self.active.take() else { return };
        let Some(last) = self.segments.iter().next_back().cloned() else { return };
        let file = last.name.to_string();
        if last.end == last.name.base {
            // Nothing in it is durable. If it stays, the next attempt takes another name.
            if let Err(error) = self.disk.remove(&file) {
                tracing::debug!(%error, file, "a segment that was never used stays");
            }
            self.segments.remove(last.name);
        } else {
            self.cut_last(&active.file);
        }
    }

    /// Cuts the last segment to its entries.
    fn cut_last(&mut self, file: &D::File) {
        let Some(last) = self.segments.iter().next_back() else { return };
        match self.disk.truncate(file, last.entries_end) {
            Ok(()) => self.segments.change_last(|last| last.bytes = last.entries_end),
            Err(error) => tracing::debug!(%error, "the end of a failed write stays"),
        }
    }

    /// Ends the active segment with a footer. Without one it is read whole at the next start, and
    /// that is all, so a failure is not told.
    pub(super) fn seal(&mut self) {
        let Some(mut active) = self.active.take() else { return };
        let footer = Footer { end: self.next, times: active.times }.encode(active.seed);
        self.segments.change_last(|last| last.bytes += footer.len() as u64);
        let appended = self.disk.append(&mut active.file, &footer);
        if let Err(error) = appended.and_then(|()| self.disk.sync(&active.file)) {
            tracing::debug!(%error, "a segment stays without its footer");
            self.cut_last(&active.file);
        }
    }
}
