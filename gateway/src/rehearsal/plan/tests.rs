use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shard_estimator::{
    Class, Devices, Estimator, Fleet, Goals, Growth, HashKey, Outage, Reporting, ShardRanges, Sizes,
};

use super::*;
use crate::rehearsal::fleet::{Script, Turn};
use crate::rehearsal::stream::{Moment, SequenceNumber, ShardId, StoredRecord};

mod acts;
mod measured;
mod part;
mod timetable;

const S: Duration = Duration::from_secs(1);

/// Devices that report once in `period`, each in its own time.
fn class(name: &str, devices: u32, period: Duration) -> Class {
    Class {
        name: name.to_owned(),
        devices: Devices::Counted { devices, key_bytes: 12 },
        period,
        sizes: Sizes::mean(500),
        reporting: Reporting::Spread,
        buffered: 0,
    }
}

fn aligned(name: &str, devices: u32, period: Duration, jitter: Duration) -> Class {
    Class { reporting: Reporting::Aligned { jitter }, ..class(name, devices, period) }
}

/// The same class of so many devices whose keys are known.
fn named(class: Class, devices: u32) -> Class {
    let keys = (0..devices).map(|n| format!("{}-{n}", class.name)).collect();
    Class { devices: Devices::Known(keys), ..class }
}

fn plan(classes: Vec<Class>, goals: Goals) -> Estimator {
    Estimator::new(Fleet::new(classes).unwrap(), goals).unwrap()
}

fn asked(shards: u32, scale: f64) -> Asked {
    Asked {
        shards: NonZeroU32::new(shards),
        scale: Some(scale),
        seconds: 9,
        seed: 1,
        gateways: NonZeroU32::MIN,
    }
}

fn hour_in_eight() -> Option<Outage> {
    Some(Outage { lasts: 3_600 * S, drained_within: 8 * 3_600 * S })
}
