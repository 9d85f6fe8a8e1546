//! Looking at a spool without touching it, beside the process that writes it or after.

use std::io;
use std::ops::Range;

use super::codec::SpoolId;
use super::open::{Left, look};
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
    /// Entries that must be delivered and are in no segment, in order.
    pub missing: Vec<Range<Seq>>,
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
    segment: Segment,
}

/// What came of reading everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visited {
    /// How many segments were read. Those that went since the survey are not among them.
    pub segments: usize,
    /// What could not be read, in order: empty for a spool without damage.
    pub unreadable: Vec<Unreadable>,
}

/// A place that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The name of the file.
    pub file: String,
    /// Where it begins.
    pub offset: u64,
    /// The entries that should be there; none where the end of a file is damaged, or bytes between
    /// entries.
    pub seqs: Range<Seq>,
}

/// Looks at a spool by its headers and footers. Neither waits for nor disturbs the process that
/// writes there.
///
/// # Errors
/// When the directory cannot be read, or is of a newer version.
pub fn survey<D: Disk>(disk: &D) -> Result<Survey, OpenError> {
    survey_of(look(disk)?, disk)
}

/// How many entries would have to be delivered by who [opens](super::Spool::open) the spool now. Writes
/// nothing, and waits for nobody.
///
/// # Errors
/// Those with which it would not open, but for what another process has.
pub fn awaited<D: Disk>(disk: &D) -> Result<u64, OpenError> {
    Ok(survey_of(look(disk)?.whole(disk)?, disk)?.unsettled())
}

fn survey_of<D: Disk>(left: Left, disk: &D) -> Result<Survey, OpenError> {
    let missing = still_missing(disk, left.missing())?;
    let Left { segments, foreign, cursor, .. } = left;
    let of = |segment: &Segment| {
        let unsettled = cursor.settled.unsettled_in(segment.seqs());
        SegmentSurvey {
            file: segment.name.to_string(),
            seqs: segment.seqs(),
            bytes: segment.bytes,
            unsettled: unsettled.iter().map(|range| range.end.0 - range.start.0).sum(),
            segment: segment.clone(),
        }
    };
    let segments = segments.iter().map(of).collect();
    let (id, next, settled) = (cursor.id, cursor.next, cursor.settled);
    Ok(Survey { segments, next, missing, foreign, id, settled })
}

/// What of `missing` is missing at a second look, too. While a process delivers and frees, or writes,
/// one look may find a cursor that is older, or newer, than the segments.
pub(super) fn still_missing<D: Disk>(
    disk: &D,
    missing: Vec<Range<Seq>>,
) -> Result<Vec<Range<Seq>>, OpenError> {
    if missing.is_empty() {
        return Ok(missing);
    }
    let again = look(disk)?.missing();
    let both = |first: &Range<Seq>, second: &Range<Seq>| {
        first.start.max(second.start)..first.end.min(second.end)
    };
    let common =
        missing.iter().flat_map(|first| again.iter().map(move |second| both(first, second)));
    Ok(common.filter(|seqs| !seqs.is_empty()).collect())
}

impl Survey {
    /// How many entries must be delivered and are there.
    #[must_use]
    pub fn unsettled(&self) -> u64 {
        self.segments.iter().map(|segment| segment.unsettled).sum()
    }

    /// How many entries must be delivered and are in no segment.
    #[must_use]
    pub fn missing_entries(&self) -> u64 {
        self.missing.iter().map(|seqs| seqs.end.0 - seqs.start.0).sum()
    }

    /// Reads every entry, in order, and shows those that are intact, with whether they are settled.
    ///
    /// # Errors
    /// What `show` returns, or that a file cannot be opened.
    pub fn visit<D: Disk>(
        &self,
        disk: &D,
        mut show: impl FnMut(&Entry, bool) -> io::Result<()>,
    ) -> io::Result<Visited> {
        let mut visited = Visited { segments: 0, unreadable: Vec::new() };
        for SegmentSurvey { file, segment, .. } in &self.segments {
            let open = match disk.open_to_read(file) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            visited.segments += 1;
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
                visited.note(file, found.lost);
                from = found.next;
            }
        }
        Ok(visited)
    }
}

impl Visited {
    /// Notes what a walk through `file` found missing. A gap comes before the entries it cost.
    fn note(&mut self, file: &str, lost: Vec<(Range<Seq>, u64)>) {
        for (seqs, offset) in lost {
            match self.unreadable.last_mut() {
                Some(gap)
                    if gap.file == file && gap.seqs.end == seqs.start && gap.seqs.is_empty() =>
                {
                    gap.seqs = seqs;
                }
                _ => self.unreadable.push(Unreadable { file: file.to_owned(), offset, seqs }),
            }
        }
    }

    /// How many entries that is.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.unreadable.iter().map(|place| place.seqs.end.0 - place.seqs.start.0).sum()
    }
}
