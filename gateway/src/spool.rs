//! Records on local disk that await the stream: a segmented append log in one directory.
//!
//! [`Spool::append`] returns when its group is durable. [`Spool::read`] gives what is not settled, in
//! order, and [`Spool::settle`] notes what need not be delivered any more, in any order. One thread at
//! a time uses it; every call may wait for the disk.
//!
//! ```text
//! segment-<first seq>-<attempt>.tgs   entries, each with its own checksums      codec, walk
//! cursor, journal                     what is settled                           cursor, progress
//! reserve                             room for the next cursor on a full disk   progress
//! lock                                held by the process that writes           disk
//! target                              for which stream they are                 written by who opens
//! torn                                an end of a segment, for the quarantine   open
//! quarantine/                         what could not be read; never deleted
//! ```
//!
//! What was appended to a file whose write or sync failed is not trusted: the segment ends where its
//! last durable group does, and the same seqs come again in the next one, which then is the right one.
//! Only the last segment is read when the spool opens; the others have footers.

use std::io;
use std::ops::Range;

use bytes::Bytes;

use crate::config::WhenFull;
use crate::record::PartitionKey;

pub use disk::{Directory, Disk, LockError, TARGET, directories};
pub use open::{OpenError, Recovery, advice};
pub use read::Read;
pub use survey::{SegmentSurvey, Survey, Unreadable, Visited, awaited, survey};

use append::Active;
use progress::Progress;
use read::Reader;
use segment::Segments;

mod append;
mod codec;
mod cursor;
mod disk;
mod open;
mod progress;
mod read;
mod reclaim;
mod segment;
mod settled;
mod survey;
mod upkeep;
mod walk;
mod window;

#[cfg(test)]
mod tests;

/// A segment is at most this large, unless one group is larger: what is freed at once, and what a
/// start reads.
const SEGMENT_BYTES_MAX: u64 = 8 << 20;

/// Into how many segments the ceiling is divided at least: dropping the oldest drops such a part.
const SEGMENTS_MIN: u64 = 8;

/// Number of an entry: from 1, growing by one, never used again in its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

impl Seq {
    /// The first of all.
    pub const FIRST: Self = Self(1);

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// A record on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub seq: Seq,
    /// The partition key with which it is sent.
    pub key: PartitionKey,
    /// When it arrived, in milliseconds since 1970-01-01 UTC.
    pub rx_ts_ms: i64,
    /// The bytes to send.
    pub data: Bytes,
}

/// Where an entry lies. Good until the spool is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    seq: Seq,
    offset: u32,
    bytes: u32,
}

impl Place {
    pub(crate) fn new(seq: Seq, offset: u64, bytes: u64) -> io::Result<Self> {
        let narrow = |wide: u64| u32::try_from(wide).map_err(io::Error::other);
        Ok(Self { seq, offset: narrow(offset)?, bytes: narrow(bytes)? })
    }

    /// The number of the entry.
    #[must_use]
    pub fn seq(self) -> Seq {
        self.seq
    }

    /// How many bytes the entry has on the disk.
    #[must_use]
    pub fn bytes(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }
}

/// What became of a group that was to be appended.
#[derive(Debug, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Kept,
    /// The ceiling is reached, and the operator chose to wait: nothing was written.
    Full,
}

/// How much disk the spool may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Ceiling over all segments, in bytes. The files that say what is settled, of some megabytes
    /// at most, come on top; and so does the quarantine, which only the operator empties.
    pub bytes_max: u64,
    /// What happens there.
    pub when_full: WhenFull,
}

impl Bounds {
    fn segment_bytes_max(self) -> u64 {
        SEGMENT_BYTES_MAX.min(self.bytes_max / SEGMENTS_MIN)
    }
}

/// The log.
#[derive(Debug)]
pub struct Spool<D: Disk> {
    disk: D,
    bounds: Bounds,
    next: Seq,
    segments: Segments,
    /// The last segment, while it can be appended to.
    active: Option<Active<D::File>>,
    progress: Progress<D::File>,
    reader: Reader<D::File>,
    /// Dropped, and not told yet.
    dropped: Vec<Range<Seq>>,
    /// Found unreadable, and not told yet.
    lost: Vec<Range<Seq>>,
}

impl<D: Disk> Spool<D> {
    /// The seq of the next entry to append.
    #[must_use]
    pub fn next_seq(&self) -> Seq {
        self.next
    }

    /// The seq of the oldest entry that must be delivered; [`next_seq`](Self::next_seq) when none.
    #[must_use]
    pub fn oldest_unsettled(&self) -> Seq {
        self.progress.settled.cursor().min(self.next)
    }

    /// How many entries must be delivered.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.progress.settled.unsettled_before(self.next)
    }

    /// Bytes of all segments: what is held against [`Bounds::bytes_max`].
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.bytes()
    }

    /// What was not settled and turned out to be unreadable since this was last asked, in any order.
    /// What is left of it is kept in `quarantine`. Where the end of the log is damaged, it is at
    /// least one entry. What was missing at the start, [`Recovery::corrupted`] counts.
    pub fn take_lost(&mut self) -> Vec<Range<Seq>> {
        std::mem::take(&mut self.lost)
    }

    /// Ends cleanly: what is settled will stay settled whatever happens. Dropping the spool instead
    /// is what a crash does.
    ///
    /// # Errors
    /// When that cannot be made durable. Nothing is lost, some may be delivered twice.
    pub fn close(mut self) -> io::Result<()> {
        self.seal();
        self.reclaim_all();
        self.progress.save(&self.disk, self.next)
    }
}
