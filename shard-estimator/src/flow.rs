use serde::Serialize;

use crate::limits::{SHARD_BYTES_PER_S, SHARD_RECORDS_PER_S};

/// What flows in a second, on average.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Flow {
    /// Records.
    pub records_per_s: f64,
    /// Their bytes, data and keys.
    pub bytes_per_s: f64,
}

impl Flow {
    /// The part of one shard's limits that this takes: of the records or of the bytes, whichever is
    /// more. Above 1 one shard cannot take it.
    #[must_use]
    pub fn used(self) -> f64 {
        let records = self.records_per_s / f64::from(SHARD_RECORDS_PER_S);
        records.max(self.bytes_per_s / f64::from(SHARD_BYTES_PER_S))
    }
}
