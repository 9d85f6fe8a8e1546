//! Which entries need not be delivered any more. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Seq;

/// A set of seqs, as merged ranges: small however many there are, since most settle in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settled {
    /// All before it are settled, it is not.
    cursor: Seq,
    /// First and end of each range after the cursor. They neither touch nor overlap.
    ranges: BTreeMap<Seq, Seq>,
    /// How many those ranges hold.
    after_cursor: u64,
}

impl Settled {
    /// All before `cursor`.
    pub(super) fn before(cursor: Seq) -> Self {
        Self { cursor, ranges: BTreeMap::new(), after_cursor: 0 }
    }

    /// The oldest that is not settled.
    pub(super) fn cursor(&self) -> Seq {
        self.cursor
    }

    /// The ranges after the cursor, in order.
    pub(super) fn ranges(&self) -> impl ExactSizeIterator<Item = Range<Seq>> {
        self.ranges.iter().map(|(start, end)| *start..*end)
    }

    /// The end of the highest range.
    pub(super) fn end(&self) -> Seq {
        self.ranges.last_key_value().map_or(self.cursor, |(_, end)| *end)
    }

    /// Adds `range`.
    pub(super) fn insert(&mut self, range: Range<Seq>) {
        let (mut start, mut end) = (range.start.max(self.cursor), range.end);
        if start >= end {
            return;
        }
        // Whatever touches the new range becomes a part of it.
        while let Some((at, until)) = self.last_from_or_before(end).filter(|(_, u)| *u >= start) {
            self.ranges.remove(&at);
            self.after_cursor -= until.0 - at.0;
            (start, end) = (start.min(at), end.max(until));
        }
        if start == self.cursor {
            self.cursor = end;
        } else {
            self.ranges.insert(start, end);
            self.after_cursor += end.0 - start.0;
        }
    }

    /// The first from `from` on that is not settled.
    pub(super) fn first_unsettled(&self, from: Seq) -> Seq {
        let from = from.max(self.cursor);
        self.last_from_or_before(from).map_or(from, |(_, end)| end.max(from))
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        self.first_unsettled(seq) != seq
    }

    /// Whether nothing in `range` is unsettled.
    pub(super) fn covers(&self, range: Range<Seq>) -> bool {
        self.first_unsettled(range.start) >= range.end
    }

    /// How many before `end` are not settled; nothing from `end` on is.
    pub(super) fn unsettled_before(&self, end: Seq) -> u64 {
        end.0.saturating_sub(self.cursor.0).saturating_sub(self.after_cursor)
    }

    /// The parts of `range` that are not settled, in order.
    pub(super) fn unsettled_in(&self, range: Range<Seq>) -> Vec<Range<Seq>> {
        let mut parts = Vec::new();
        let mut start = self.first_unsettled(range.start);
        while start < range.end {
            let next = self.ranges.range(start..).next().map_or(range.end, |(next, _)| *next);
            let end = next.min(range.end);
            parts.push(start..end);
            start = self.first_unsettled(end);
        }
        parts
    }

    fn last_from_or_before(&self, seq: Seq) -> Option<(Seq, Seq)> {
        self.ranges.range(..=seq).next_back().map(|(start, end)| (*start, *end))
    }
}

/// `seqs` as ranges: sorted, merged, each once.
pub(super) fn runs(seqs: &[Seq]) -> Vec<Range<Seq>> {
    let mut sorted = seqs.to_vec();
    sorted.sort_unstable();
    let mut runs: Vec<Range<Seq>> = Vec::new();
    for seq in sorted {
        match runs.last_mut() {
            Some(last) if seq <= last.end => last.end = seq.next().max(last.end),
            _ => runs.push(seq..seq.next()),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_holds_what_a_plain_set_holds(
            ranges in prop::collection::vec((1_u64..60, 0_u64..9), 0..40),
            from in 1_u64..70,
            len in 0_u64..30,
        ) {
            let mut settled = Settled::before(Seq(5));
            let mut plain: BTreeSet<u64> = (1..5).collect();
            for (start, count) in ranges {
                settled.insert(Seq(start)..Seq(start + count));
                plain.extend(start..start + count);
                let unsettled = |seq: &u64| !plain.contains(seq);
                let end = plain.last().map_or(5, |last| last + 1);
                prop_assert_eq!(settled.cursor().0, (1..).find(unsettled).unwrap());
                prop_assert_eq!(settled.end().0, end);
                prop_assert_eq!(
                    settled.unsettled_before(Seq(80)),
                    (1..80).filter(unsettled).count() as u64
                );
                prop_assert_eq!(settled.first_unsettled(Seq(from)).0, (from..).find(unsettled).unwrap());
                prop_assert_eq!(settled.contains(Seq(from)), plain.contains(&from));
                let range = Seq(from)..Seq(from + len);
                prop_assert_eq!(settled.covers(range.clone()), !(from..from + len).any(|s| unsettled(&s)));
                let parts = settled.unsettled_in(range).into_iter().flat_map(|r| r.start.0..r.end.0);
                let expected = (from..from + len).filter(unsettled);
                prop_assert_eq!(parts.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn what_settles_in_any_order_becomes_one_range() {
        let seqs = [9, 7, 8, 7, 3, 4].map(Seq);
        assert_eq!(runs(&seqs), [Seq(3)..Seq(5), Seq(7)..Seq(10)]);
    }
}
