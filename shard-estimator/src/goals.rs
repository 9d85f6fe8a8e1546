use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::RECORD_BYTES_MAX;
use crate::number::within;
use crate::{Factor, Packing};

/// What a plan must hold, and how the gateway and the consumers behave.
///
/// Any value can be written; [`Estimator::new`](crate::Estimator::new) says what is wrong with it.
/// Durations are seconds in JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Goals {
    /// The part of its limits that the hottest shard may be used at.
    pub target: Factor,
    /// The part of its limits that a shard is sent at most: what the gateway's limiter allows.
    pub fraction: Factor,
    /// Probability, above 0 and below 1, that hashing loads a shard more than is planned for.
    pub risk: f64,
    /// Which shard a device loads.
    pub placement: Placement,
    /// How long a record may wait in the gateway for others.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub linger: Duration,
    /// How long all but a hundredth of the records may wait, linger included: of aligned devices, and
    /// where there are none for large records to be drawn.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub p99: Duration,
    /// Largest record that the stream takes, data and key: 1 MiB unless its owner raised it.
    pub record_bytes_max: u32,
    /// Who reads the stream.
    pub readers: Readers,
    /// How long the stream keeps records. 24 hours are free, a year is the most.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub retention: Duration,
    /// How long the stream may be away.
    pub outage: Option<Outage>,
    /// What is expected when the devices come back together.
    pub restore: Option<Restore>,
    /// How the fleet grows.
    pub growth: Option<Growth>,
    /// How records are packed, if they are.
    pub packing: Option<Packing>,
    /// Seed of the plays of chance with classes of devices whose keys are not known.
    pub seed: u64,
}

/// Which shard a device loads. Devices whose keys are all known are counted, not estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// The shard that the MD5 of its partition key falls on.
    Md5,
    /// The shard of [`HashKey::golden`](crate::HashKey::golden), the devices numbered in the order in
    /// which they are first seen. Nobody knows that, so all devices must load a shard alike. Needs
    /// equal ranges.
    Golden,
    /// As many on each shard as on any other: the best that any placement can do.
    Even,
}

impl Placement {
    /// What comes of it where the devices are of so many classes. Numbers are given by first sight, so
    /// that hot keys among others lie anywhere: as if they were hashed.
    pub(crate) fn of_classes(self, classes: usize) -> Self {
        match self {
            Self::Golden if classes > 1 => Self::Md5,
            Self::Md5 | Self::Golden | Self::Even => self,
        }
    }
}

/// Who reads the stream.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Readers {
    /// Consumers that share the reads of each shard.
    pub sharing: u32,
    /// How often each of those calls `GetRecords` on each shard, in a second.
    pub polls_per_s: f64,
    /// Consumers with reads of their own (enhanced fan-out).
    pub fan_out: u32,
}

/// An outage to catch up after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// How long the stream is away.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub lasts: Duration,
    /// How long after it the last record of it may be delivered.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub drained_within: Duration,
}

/// All devices come back together, and each sends what it has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Restore {
    /// They come back evenly within so long.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub jitter: Duration,
    /// How long all but a hundredth of those records may wait, linger included.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub p99: Duration,
}

/// How a fleet grows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Growth {
    /// The part by which it is larger after a month: 0.03 for 3 %.
    pub per_month: f64,
    /// For how many months the shards must suffice.
    pub horizon_months: u32,
}

impl Growth {
    /// How many times its present size the fleet has after so many months.
    #[must_use]
    pub fn after(&self, months: f64) -> f64 {
        (1.0 + self.per_month).powf(months)
    }

    /// The largest that the fleet is up to the horizon, as a multiple of its present size.
    pub(crate) fn most(self) -> f64 {
        self.after(f64::from(self.horizon_months)).max(1.0)
    }

    /// After how many months it has outgrown shards that carry `times` its present size: 0 if it
    /// has already, `None` if it never does.
    #[must_use]
    pub fn outgrows_after(&self, times: f64) -> Option<f64> {
        if !within(1.0, times) {
            Some(0.0)
        } else if self.per_month > 0.0 {
            Some((times.ln() / self.per_month.ln_1p()).max(0.0))
        } else {
            None
        }
    }
}

/// What a stream takes unless its owner raised it.
const RECORD_BYTES_DEFAULT: u32 = 1 << 20;

const _: () = assert!(RECORD_BYTES_DEFAULT as usize == RECORD_BYTES_MAX);

impl Default for Goals {
    /// Keys hashed, used at 0.8 with a risk of 1 %, paced at 0.9; one consumer; p99 of 2 s; nothing
    /// asked about outages and growth.
    fn default() -> Self {
        let part = |part| Factor::new(part).expect("above 0, at most 1");
        Self {
            target: part(0.8),
            fraction: part(0.9),
            risk: 0.01,
            placement: Placement::Md5,
            linger: Duration::from_millis(100),
            p99: Duration::from_secs(2),
            record_bytes_max: RECORD_BYTES_DEFAULT,
            readers: Readers { sharing: 1, polls_per_s: 1.0, fan_out: 0 },
            retention: Duration::from_secs(86_400),
            outage: None,
            restore: None,
            growth: None,
            packing: None,
            seed: 1,
        }
    }
}
