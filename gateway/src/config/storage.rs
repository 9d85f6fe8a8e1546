//! What is kept on disk: the `[spool]` and `[dead_letter]` tables.

use std::path::PathBuf;

use super::{Config, Stream, StreamTarget};

/// The `[spool]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct Spool {
    /// When records go to disk.
    pub mode: SpoolMode,
    /// Where the segments go, or the directories of the streams that have their own.
    pub dir: PathBuf,
    /// Ceiling over all segments of all streams, in bytes.
    pub bytes_max: u64,
    /// What happens at the ceiling.
    pub when_full: WhenFull,
    /// When a group of records is synced.
    pub sync: SpoolSync,
    /// Who goes first once the stream is back.
    pub catch_up: CatchUp,
}

impl Config {
    /// The spool of one stream: its part of the whole.
    #[must_use]
    pub fn spool_of(&self, stream: &Stream) -> Spool {
        let bytes_max = self.spool.bytes_max / self.streams.count() as u64;
        Spool { dir: stream.within(&self.spool.dir), bytes_max, ..self.spool.clone() }
    }
}

/// When records go to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolMode {
    /// While their shard is late, or the stream is away.
    Overflow,
    /// Whenever the stream does not take them before their group is synced.
    Always,
    /// Never: the broker is the only buffer.
    Off,
}

/// When a group of records is synced. A publish is acknowledged after that in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolSync {
    /// At once while the broker's window waits for it or a group is large, else once a second.
    Adaptive,
    /// At once: more wear, sooner acknowledgements.
    Immediate,
}

/// Who goes first once the stream is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// The oldest: order is kept.
    Order,
    /// What arrives now; the spool fills the rest of the pace. Order is not kept.
    LiveFirst,
}

/// The `[dead_letter]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Where the files go.
    pub dir: PathBuf,
    /// Ceiling over all files, in bytes.
    pub bytes_max: u64,
    /// What happens at the ceiling.
    pub when_full: WhenFull,
    /// A stream that takes the letters from the disk.
    pub stream: Option<LetterStream>,
}

/// A stream for dead letters.
#[derive(Debug, Clone, PartialEq)]
pub struct LetterStream {
    /// Which.
    pub target: StreamTarget,
    /// The label of the stream of records with whose key, and in whose region, it is reached.
    pub with: String,
}

/// What happens when a bounded store is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest go, counted.
    DropOldest,
    /// The broker waits.
    Wait,
}
