use crate::Sizes;
use crate::number::{count_up, real};

const KIB: u32 = 1024;

/// Sizes that records are counted by, in bytes of data: a record belongs to the first that is not
/// below its own. Billing rounds up to 1 KiB on demand, to 5 KiB in Firehose and to 25 KiB in PUT
/// units, so those are among them; the last is the largest record of a stream.
pub const SIZE_EDGES: [u32; 16] = [
    256,
    512,
    KIB,
    2 * KIB,
    3 * KIB,
    4 * KIB,
    5 * KIB,
    10 * KIB,
    15 * KIB,
    20 * KIB,
    25 * KIB,
    50 * KIB,
    100 * KIB,
    256 * KIB,
    512 * KIB,
    1024 * KIB,
];

/// How many records of which sizes there were, in bounded memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SizeCounts {
    /// Records up to each of [`SIZE_EDGES`] and above the one before. What is larger than the last
    /// counts as the last.
    pub counts: [u64; SIZE_EDGES.len()],
    /// Bytes of all of them together, exactly.
    pub bytes: u64,
}

impl SizeCounts {
    /// Counts a record with so many bytes of data.
    pub fn add(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        if let Some(count) = self.counts.get_mut(edge_of(bytes)) {
            *count += 1;
        }
        self.bytes += bytes;
    }

    /// Those of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut both = *self;
        both.counts.iter_mut().zip(other.counts).for_each(|(count, more)| *count += more);
        both.bytes += other.bytes;
        both
    }

    /// Those but for so many `records` with so many `bytes` together, of which no more is known: they
    /// are taken from the sizes nearest to their mean.
    #[must_use]
    pub fn without(&self, records: u64, bytes: u64) -> Self {
        let mut rest = *self;
        let mean = edge_of(bytes / records.max(1));
        let mut nearest: Vec<_> = (0..).zip(&mut rest.counts).collect();
        nearest.sort_by_key(|(edge, _)| mean.abs_diff(*edge));
        let mut left = records;
        for (_, count) in nearest {
            let taken = left.min(*count);
            *count -= taken;
            left -= taken;
        }
        rest.bytes = rest.bytes.saturating_sub(bytes);
        rest
    }

    /// How many records there were.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sizes for a plan, a byte at least; `None` without a record.
    ///
    /// What lies between two edges is taken to be of one size, equally far from one edge to the next
    /// everywhere, such that the mean is exact.
    #[must_use]
    pub fn sizes(&self) -> Option<Sizes> {
        let ends = || std::iter::once(0).chain(SIZE_EDGES).zip(SIZE_EDGES).zip(self.counts);
        let (mut least, mut span) = (0.0, 0.0);
        for ((low, high), records) in ends() {
            least += real(records) * f64::from(low);
            span += real(records) * f64::from(high - low);
        }
        let part = ((real(self.bytes) - least) / span).clamp(0.0, 1.0);
        let size = |low, high| f64::from(low) + part * f64::from(high - low);
        let bins = ends().map(|((low, high), records)| (count_up(size(low, high)).max(1), records));
        Sizes::histogram(bins)
    }
}

/// Which of [`SIZE_EDGES`] a record of `bytes` belongs to.
fn edge_of(bytes: u64) -> usize {
    SIZE_EDGES.partition_point(|edge| u64::from(*edge) < bytes).min(SIZE_EDGES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(sizes: impl IntoIterator<Item = usize>) -> SizeCounts {
        let mut counts = SizeCounts::default();
        sizes.into_iter().for_each(|bytes| counts.add(bytes));
        counts
    }

    #[test]
    fn a_record_is_counted_by_the_edge_that_it_reaches() {
        let counts = counted([0, 1, 256, 257, 1024, 1025, 25_600, 1 << 20, 10 << 20]).counts;
        assert_eq!(counts, [3, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2]);
    }

    #[test]
    fn the_mean_is_kept_and_so_is_the_edge_at_which_billing_rounds() {
        let records = (0..900).map(|_| 512).chain((0..100).map(|_| 5632));
        let counts = counted(records);
        let sizes = counts.sizes().expect("records");
        assert_eq!((counts.records(), counts.bytes), (1_000, 1_024_000));
        assert!((sizes.mean_bytes() / 1024.0 - 1.0).abs() < 0.002, "{sizes:?}");
        assert!((sizes.units(25 * KIB) - 1.0).abs() < 1e-9);
        assert!((sizes.share_where(|bytes| bytes <= KIB) - 0.9).abs() < 1e-9);
    }

    #[test]
    fn records_of_one_size_stay_of_that_size() {
        for bytes in [1, 255, 256, 257, 1_000, 1_024, 1_025, 20_000, 1 << 20] {
            let sizes = counted([bytes; 7]).sizes().expect("records");
            let mean = sizes.mean_bytes();
            assert!((mean - f64::from(u32::try_from(bytes).unwrap())).abs() <= 1.0, "{mean}");
        }
    }

    #[test]
    fn what_is_taken_out_is_of_the_sizes_nearest_to_its_mean() {
        let all = counted([300, 300, 1_000, 5_000, 9_000]);
        assert_eq!(all.without(2, 1_300), counted([300, 5_000, 9_000]));
        assert_eq!(all.without(2, 14_000), counted([300, 300, 1_000]));
        assert_eq!(all.without(9, 99_000), SizeCounts::default());
        assert_eq!(all.without(0, 0), all);
    }

    #[test]
    fn without_records_there_are_no_sizes_and_none_is_below_a_byte() {
        assert_eq!(SizeCounts::default().sizes(), None);
        assert_eq!(counted([0, 0]).sizes(), Sizes::histogram([(1, 2)]));
    }
}
