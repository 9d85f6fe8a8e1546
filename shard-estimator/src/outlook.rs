use std::num::NonZeroU32;

use serde::Serialize;

use crate::{Check, Constraint};

/// What a number of shards means for a fleet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// The number of shards.
    pub shards: NonZeroU32,
    /// The shard with the most to do.
    pub hottest: Hottest,
    /// Every constraint that the goals ask for, in the order of [`Constraint`].
    pub checks: Vec<Check>,
}

/// The shard with the most to do. Records and bytes may come of two different shards; classes of
/// unknown keys make each the quantile that the risk leaves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Hottest {
    /// Devices on it.
    pub devices: f64,
    /// Those devices, divided by the fair share of a shard.
    pub skew: f64,
    /// Records a second, as sent.
    pub records_per_s: f64,
    /// Bytes a second, data and keys, as sent.
    pub bytes_per_s: f64,
    /// Records as a part of the shard's limit; above 1 they cannot be sent.
    pub records_used: f64,
    /// Bytes as a part of the shard's limit.
    pub bytes_used: f64,
}

impl Outlook {
    /// Which constraints the shards are too few for; nothing if they suffice.
    #[must_use]
    pub fn broken(&self) -> Vec<Constraint> {
        self.checks.iter().filter(|check| !check.holds()).map(Check::constraint).collect()
    }

    /// The numbers of a constraint; `None` if the goals do not ask for it.
    #[must_use]
    pub fn check(&self, constraint: Constraint) -> Option<&Check> {
        self.checks.iter().find(|check| check.constraint() == constraint)
    }
}
