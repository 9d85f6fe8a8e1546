use serde::Serialize;

use crate::number::real;

/// How large the data of records are, without their partition keys.
///
/// Billing rounds every record up, so a mean is not enough: records around 1 KiB cost half as much
/// again as their mean says. Give a histogram where there is one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sizes {
    bins: Vec<Bin>,
    is_mean: bool,
}

/// Records of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Bytes of data in each.
    pub bytes: u32,
    /// Their part of all records, above 0 and at most 1.
    pub share: f64,
}

impl Sizes {
    /// All records taken to be of this many bytes, because no more than the mean is known.
    #[must_use]
    pub fn mean(bytes: u32) -> Self {
        Self { bins: vec![Bin { bytes, share: 1.0 }], is_mean: true }
    }

    /// So many records of so many bytes, in any order; sizes may repeat. `None` without a record.
    #[must_use]
    pub fn histogram(counts: impl IntoIterator<Item = (u32, u64)>) -> Option<Self> {
        let mut counts: Vec<_> = counts.into_iter().filter(|(_, records)| *records > 0).collect();
        counts.sort_unstable();
        let all: f64 = counts.iter().map(|(_, records)| real(*records)).sum();
        let mut bins: Vec<Bin> = Vec::new();
        for (bytes, records) in counts {
            let share = real(records) / all;
            match bins.last_mut() {
                Some(last) if last.bytes == bytes => last.share += share,
                Some(_) | None => bins.push(Bin { bytes, share }),
            }
        }
        (!bins.is_empty()).then_some(Self { bins, is_mean: false })
    }

    /// The sizes, smallest first; at least one, and their shares sum up to 1.
    #[must_use]
    pub fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// Whether only a mean is known.
    #[must_use]
    pub fn is_mean(&self) -> bool {
        self.is_mean
    }

    /// Bytes of data in a record, on average.
    #[must_use]
    pub fn mean_bytes(&self) -> f64 {
        self.average(f64::from)
    }

    /// Bytes of data in the largest record.
    #[must_use]
    pub fn largest_bytes(&self) -> u32 {
        self.bins.last().map_or(0, |bin| bin.bytes)
    }

    /// Units of `unit_bytes` (above 0) that a record is billed as, on average: each record is
    /// rounded up by itself.
    #[must_use]
    pub fn units(&self, unit_bytes: u32) -> f64 {
        self.average(|bytes| f64::from(bytes.div_ceil(unit_bytes)))
    }

    /// The part of records for whose size `is` holds.
    #[must_use]
    pub fn share_where(&self, is: impl Fn(u32) -> bool) -> f64 {
        self.average(|bytes| if is(bytes) { 1.0 } else { 0.0 })
    }

    fn average(&self, of: impl Fn(u32) -> f64) -> f64 {
        self.bins.iter().map(|bin| bin.share * of(bin.bytes)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_sorted_and_weighed_and_its_empty_bins_are_gone() {
        let sizes = Sizes::histogram([(5632, 1), (512, 6), (512, 3), (9, 0)]).expect("records");
        assert_eq!(
            sizes.bins(),
            [Bin { bytes: 512, share: 0.6 + 0.3 }, Bin { bytes: 5632, share: 0.1 }]
        );
        assert!((sizes.mean_bytes() - 1024.0).abs() < 1e-9);
        assert_eq!(sizes.largest_bytes(), 5632);
        assert_eq!(Sizes::histogram([(7, 0)]), None);
    }

    /// Simulated elsewhere: 90 % of 512 bytes and 10 % of 5,632 have a mean of 1,024 and are billed
    /// as 1.50 KiB each; 10 % Gaussian spread around 1,024 as well.
    #[test]
    fn two_fleets_of_one_mean_are_billed_differently() {
        let mixed = Sizes::histogram([(512, 9), (5632, 1)]).expect("records");
        assert!((mixed.units(1024) - 1.5).abs() < 1e-9);
        assert!((Sizes::mean(1024).units(1024) - 1.0).abs() < 1e-9);
        assert!((Sizes::mean(1025).units(1024) - 2.0).abs() < 1e-9);
    }
}
