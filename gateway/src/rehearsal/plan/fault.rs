//! Why a plan cannot be rehearsed.

use std::time::Duration;

use shard_estimator::cli::words;
use shard_estimator::{FleetFault, GoalFault};

use super::acts::CYCLE_MAX;
use super::timetable::SEQUENCE_BYTES;

/// Why a plan cannot be rehearsed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Fault {
    #[error(transparent)]
    Plan(#[from] GoalFault),
    #[error("{}", lines(.0))]
    Goals(Vec<GoalFault>),
    #[error("{}", lines(.0))]
    Fleet(Vec<FleetFault>),
    #[error(
        "class {class:?}: key_bytes = {bytes}: a rehearsal numbers the devices, which takes {places} \
         bytes: say {places} or more, or name the devices with ids"
    )]
    ShortKeys { class: String, bytes: u32, places: usize },
    #[error(
        "class {class:?}: records of {bytes} bytes: a rehearsal numbers the records, which takes \
         {SEQUENCE_BYTES} bytes: say {SEQUENCE_BYTES} or more"
    )]
    SmallRecords { class: String, bytes: u32 },
    #[error(
        "the id {key:?} is no MQTT topic that is open to all: a rehearsal cannot publish as it: take \
         away + and #, and a $ that it begins with"
    )]
    KeyNoTopic { key: String },
    #[error(
        "devices that report together would do so every {} only, when the last of them were surely \
         through, and no more than {} are played: plan less jitter or a shorter p99, or take more \
         --shards",
        words::time(*.cycle),
        words::time(CYCLE_MAX)
    )]
    LongCycle { cycle: Duration },
    #[error(
        "no device reports while it is measured: each does so every {} at most: play as long with --seconds",
        words::time(*.period)
    )]
    NothingDue { period: Duration },
    #[error(
        "about {gigabytes:.1} GB would be stored and kept in memory: play less of it with a smaller \
         --scale or fewer --seconds"
    )]
    TooMuch { gigabytes: f64 },
}

fn lines(faults: &[impl ToString]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
