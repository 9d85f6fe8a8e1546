//! Looking at a spool without touching it, beside the process that writes it or after.

use std::io;
use std::ops::Range;

use super::codec::SpoolId;
use super::open::{Left, State, look};
use super::read::Found;
use super::segment::Segment;
use super::settled::Settled;
use super::walk::Walk;
use super::window::{Patience, Window};
use super::{Disk, Entry, OpenError, Seq};

/// How much is in memory at once.
const PART_BYTES: usize = 1 << 20;

/// What there was in the directory at one moment, more or less: its process may have gone on.
#[derive(Debug)]
pub struct Survey {
    /// Oldest first.
    pub segments: Vec<SegmentSurvey>,
    /// The seq after the last.
    pub next: Seq,
    /// Files that are not of this spool.
    pub foreign: Vec<String>,
    id: SpoolId,
    settled: Settled,
}

/// One segment, by its header and footer; one without a footer, by its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSurvey {
    /// The name of its file.
    pub file: String,
    /// The seqs of its entries.
    pub seqs: Range<Seq>,
    /// The length of its file.
    pub bytes: u64,
    /// How many entries must be delivered.
    pub unsettled: u64,
    /// The earliest and the latest time at which an entry arrived, in milliseconds since 1970-01-01
    /// UTC. `None` without entries.
    pub rx_ts_ms: Option<(i64, i64)>,
    /// Whether it has its footer: only the one that is written has none, or one that was damaged.
    pub is_sealed: bool,
    segment: Segment,
}

/// Looks at a spool by its headers and footers. Neither waits for nor disturbs the process that
/// writes there.
///
/// # Errors
/// When the directory cannot be read, or is of a newer version.
pub fn survey<D: Disk>(disk: &D) -> Result<Survey, OpenError> {
    let Left { found, segments, foreign, cursor, .. } = look(disk)?;
    let of = |segment: &Segment| {
        let found = found.iter().find(|found| found.segment.name == segment.name);
        let unsettled = cursor.settled.unsettled_in(segment.seqs());
        SegmentSurvey {
            file: segment.name.to_string(),
            seqs: segment.seqs(),
            bytes: segment.bytes,
            unsettled: unsettled.iter().map(|range| range.end.0 - range.start.0).sum(),
            rx_ts_ms: found.and_then(|found| found.times.range()),
            is_sealed: found.is_some_and(|found| found.state == State::Sealed),
            segment: segment.clone(),
        }
    };
    let segments = segments.iter().map(of).collect();
    Ok(Survey { segments, next: cursor.next, foreign, id: cursor.id, settled: cursor.settled })
}

impl Survey {
    /// Reads every entry, in order, and shows those that are intact, with whether they are settled.
    /// Returns how many are not: 0 is a spool without damage. Segments that went since are passed
    /// over.
    ///
    /// # Errors
    /// What `show` returns, or that a file cannot be opened.
    pub fn visit<D: Disk>(
        &self,
        disk: &D,
        mut show: impl FnMut(&Entry, bool) -> io::Result<()>,
    ) -> io::Result<u64> {
        let mut unreadable = 0;
        for SegmentSurvey { file, segment, .. } in &self.segments {
            let open = match disk.open_to_read(file) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            let window = Window::new(disk, &open, segment.entries_end, Patience::PassOver);
            let mut walk = Walk::new(window, self.id, segment.name.base);
            let mut from = segment.name.base;
            while from < segment.end {
                let mut found = Found::nothing_before(from);
                let all = Settled::before(Seq::FIRST);
                found.collect(&mut walk, segment.end, &all, PART_BYTES)?;
                for (_, entry) in &found.entries {
                    show(entry, self.settled.contains(entry.seq))?;
                }
                unreadable += found.lost.iter().map(|(r, _)| r.end.0 - r.start.0).sum::<u64>();
                from = found.next;
            }
        }
        Ok(unreadable)
    }
}
