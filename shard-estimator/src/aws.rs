use serde::Serialize;

use crate::number::count_up;

/// What the developer guide's own formula answers ("How do I size a stream"), for comparison:
/// max(write KiB/s ÷ 1,024, read KiB/s ÷ 2,048), the mean size rounded up to whole KiB.
///
/// It knows no limit on records, no skew, no bursts, no outage and no growth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AwsFormula {
    /// Before it is rounded up.
    pub raw: f64,
    /// Shards; at least 1.
    pub shards: u32,
}

impl AwsFormula {
    /// For so many records of so many bytes of data, and consumers that share the reads.
    #[must_use]
    pub fn of(records_per_s: f64, mean_bytes: f64, sharing: u32) -> Self {
        let write_kib_per_s = f64::from(count_up(mean_bytes / 1024.0)) * records_per_s;
        let read_kib_per_s = write_kib_per_s * f64::from(sharing);
        let raw = (write_kib_per_s / 1024.0).max(read_kib_per_s / 2048.0);
        Self { raw, shards: count_up(raw).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_more_than_a_kibibyte_doubles_the_shards_and_the_records_limit_is_forgotten() {
        assert_eq!(AwsFormula::of(20_000.0, 1_024.0, 1).shards, 20);
        assert_eq!(AwsFormula::of(20_000.0, 1_025.0, 1).shards, 40);
        assert_eq!(AwsFormula::of(1_020.0, 500.0, 1).shards, 1);
    }
}
