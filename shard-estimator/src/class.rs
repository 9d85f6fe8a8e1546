use std::time::Duration;

use serde::Serialize;

use crate::Sizes;
use crate::number::real;

/// Devices that are alike: they report equally often and records of the same sizes.
///
/// Any value can be written; [`Fleet::new`](crate::Fleet::new) says what is wrong with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Class {
    /// What people call them; faults and warnings use it.
    pub name: String,
    /// How many there are, or which.
    pub devices: Devices,
    /// Each device sends one record in so long. In JSON: seconds.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub period: Duration,
    /// Data of the records, without keys.
    pub sizes: Sizes,
    /// Whether they report together.
    pub reporting: Reporting,
    /// Records that each device keeps while it cannot send, and sends at once when it can again.
    pub buffered: u32,
}

/// How many devices there are, or which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Devices {
    /// Only their number is known.
    Counted {
        /// How many.
        devices: u32,
        /// Bytes of the partition key of one, in UTF-8.
        key_bytes: u32,
    },
    /// The partition key of each. If those of all classes are, it is known, and not only likely,
    /// which shard each device loads.
    Known(Vec<String>),
}

/// When the devices of a class report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reporting {
    /// Each at its own moment of the period.
    Spread,
    /// All at the beginning of the period, each up to `jitter` later, evenly. In JSON: seconds.
    Aligned {
        /// Zero means at the same moment.
        #[serde(serialize_with = "crate::seconds::serialize")]
        jitter: Duration,
    },
}

impl Class {
    /// How many devices there are.
    #[must_use]
    pub fn count(&self) -> f64 {
        match &self.devices {
            Devices::Counted { devices, .. } => f64::from(*devices),
            Devices::Known(keys) => real(keys.len() as u64),
        }
    }

    /// Bytes of a partition key, on average.
    #[must_use]
    pub fn key_bytes(&self) -> f64 {
        match &self.devices {
            Devices::Counted { key_bytes, .. } => f64::from(*key_bytes),
            Devices::Known(keys) => {
                let bytes: usize = keys.iter().map(String::len).sum();
                real(bytes as u64) / real(keys.len().max(1) as u64)
            }
        }
    }

    /// Bytes of a record as a shard counts them: data and key, on average.
    #[must_use]
    pub fn record_bytes(&self) -> f64 {
        self.sizes.mean_bytes() + self.key_bytes()
    }

    /// Bytes of the largest record, data and key.
    #[must_use]
    pub fn largest_record_bytes(&self) -> u64 {
        let key_bytes = match &self.devices {
            Devices::Counted { key_bytes, .. } => u64::from(*key_bytes),
            Devices::Known(keys) => keys.iter().map(String::len).max().unwrap_or(0) as u64,
        };
        u64::from(self.sizes.largest_bytes()) + key_bytes
    }

    /// Records that one device sends in a second.
    #[must_use]
    pub fn device_records_per_s(&self) -> f64 {
        self.period.as_secs_f64().recip()
    }

    /// Records that all of them send in a second, on average.
    #[must_use]
    pub fn records_per_s(&self) -> f64 {
        self.count() / self.period.as_secs_f64()
    }
}
