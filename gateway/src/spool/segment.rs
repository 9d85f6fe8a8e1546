//! The segments of a spool: what is remembered of each, and how their files are called.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;

use super::Seq;
use super::settled::Settled;

/// The name of a segment's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// The seq of the first entry.
    pub(super) base: Seq,
    /// Which attempt to begin a segment there: an earlier one failed, and its file would not go.
    pub(super) attempt: u32,
}

impl Name {
    /// The name that `file` has, if it is called like a segment.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let (base, attempt) =
            file.strip_prefix("segment-")?.strip_suffix(".tgs")?.split_once('-')?;
        let name = Self { base: Seq(base.parse().ok()?), attempt: attempt.parse().ok()? };
        (name.to_string() == file).then_some(name)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment-{:020}-{}.tgs", self.base.0, self.attempt)
    }
}

/// What is remembered of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) name: Name,
    /// The seq after the last.
    pub(super) end: Seq,
    /// Where the last entry ends.
    pub(super) entries_end: u64,
    /// The file's length.
    pub(super) bytes: u64,
}

impl Segment {
    pub(super) fn seqs(&self) -> Range<Seq> {
        self.name.base..self.end
    }
}

/// All segments, by their seqs, which do not overlap.
#[derive(Debug, Default)]
pub(super) struct Segments {
    all: VecDeque<Segment>,
    bytes: u64,
}

impl Segments {
    /// Takes segments as they were found, in any order. Where two hold the same seqs, the one begun
    /// later is right: the other's were never acknowledged there.
    pub(super) fn new(mut found: Vec<Segment>) -> Self {
        found.sort_by_key(|segment| segment.name);
        let mut limit = Seq(u64::MAX);
        for segment in found.iter_mut().rev() {
            segment.end = segment.end.min(limit);
            limit = segment.name.base;
        }
        Self { bytes: found.iter().map(|segment| segment.bytes).sum(), all: found.into() }
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.all.iter()
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The seq after the last of all.
    pub(super) fn end(&self) -> Option<Seq> {
        self.all.back().map(|last| last.end)
    }

    /// The one called `name`.
    pub(super) fn get(&self, name: Name) -> Option<&Segment> {
        self.all.get(self.position(name)?)
    }

    /// The segment that holds `seq`.
    pub(super) fn holding(&self, seq: Seq) -> Option<&Segment> {
        let after = self.all.partition_point(|segment| segment.name.base <= seq);
        self.all.get(after.checked_sub(1)?).filter(|segment| seq < segment.end)
    }

    /// Where the next segment after `seq` begins.
    pub(super) fn base_after(&self, seq: Seq) -> Option<Seq> {
        let after = self.all.partition_point(|segment| segment.name.base <= seq);
        self.all.get(after).map(|segment| segment.name.base)
    }

    /// What is not settled before `next` and in no segment.
    pub(super) fn missing(&self, settled: &Settled, next: Seq) -> Vec<Range<Seq>> {
        let mut missing = Vec::new();
        let mut from = settled.cursor();
        for seqs in self.all.iter().map(Segment::seqs) {
            missing.extend(settled.unsettled_in(from..seqs.start));
            from = from.max(seqs.end);
        }
        missing.extend(settled.unsettled_in(from..next));
        missing
    }

    /// Adds one behind all others.
    pub(super) fn push(&mut self, segment: Segment) {
        self.bytes += segment.bytes;
        self.all.push_back(segment);
    }

    /// Forgets the one called `name`.
    pub(super) fn remove(&mut self, name: Name) {
        let removed = self.position(name).and_then(|at| self.all.remove(at));
        self.bytes -= removed.map_or(0, |segment| segment.bytes);
    }

    /// Changes what is remembered of the one called `name`.
    pub(super) fn change(&mut self, name: Name, change: impl FnOnce(&mut Segment)) {
        if let Some(segment) = self.position(name).and_then(|at| self.all.get_mut(at)) {
            self.bytes -= segment.bytes;
            change(segment);
            self.bytes += segment.bytes;
        }
    }

    /// Changes what is remembered of the last one.
    pub(super) fn change_last(&mut self, change: impl FnOnce(&mut Segment)) {
        if let Some(last) = self.all.back().map(|last| last.name) {
            self.change(last, change);
        }
    }

    fn position(&self, name: Name) -> Option<usize> {
        self.all.binary_search_by_key(&name, |segment| segment.name).ok()
    }
}
