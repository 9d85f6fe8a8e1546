use std::time::Duration;

use thiserror::Error;

use crate::Factor;
use crate::limits::{
    FAN_OUT_ADVANTAGE_MAX, PARTITION_KEY_CHARS_MAX, RECORD_BYTES_CEILING, SHARD_BYTES_PER_S,
    SHARD_READS_PER_S, SHARD_RECORDS_PER_S, SHARDS_MAX,
};

/// What is wrong with a fleet, and what to do about it.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum FleetFault {
    /// Nothing to plan for.
    #[error("no device class: describe at least one")]
    NoClass,
    /// Two classes that cannot be told apart.
    #[error("two classes are called {name:?}: rename one")]
    SameName {
        /// Their name.
        name: String,
    },
    /// A class without devices.
    #[error("class {class:?} has no devices: give their number or a list of their ids")]
    NoDevices {
        /// Its name.
        class: String,
    },
    /// More devices than can be counted.
    #[error("there are more than {} devices: plan a stream for each part of them", u32::MAX)]
    TooManyDevices,
    /// A period of nothing.
    #[error("class {class:?}: period is 0: say how long a device waits between two records")]
    NoPeriod {
        /// Name of the class.
        class: String,
    },
    /// Records without a byte.
    #[error("class {class:?}: records of 0 bytes: give the bytes of their data, at least 1")]
    NoBytes {
        /// Name of the class.
        class: String,
    },
    /// Records that no stream takes.
    #[error(
        "class {class:?}: a record of {bytes} bytes: no stream takes more than \
         {RECORD_BYTES_CEILING}: split it, or store it elsewhere and send its address"
    )]
    TooManyBytes {
        /// Name of the class.
        class: String,
        /// Bytes of its largest record, data and key.
        bytes: u64,
    },
    /// A partition key that is none.
    #[error(
        "class {class:?}: the partition key {key:?} has {chars} characters: it must have 1 to \
         {PARTITION_KEY_CHARS_MAX}: shorten it, for example with a hash"
    )]
    KeyLength {
        /// Name of the class.
        class: String,
        /// The key, or its beginning.
        key: String,
        /// Its characters.
        chars: usize,
    },
    /// A length of keys that none has.
    #[error(
        "class {class:?}: keys of {bytes} bytes: {PARTITION_KEY_CHARS_MAX} characters are 1 to \
         {} bytes: shorten them, for example with a hash",
        4 * PARTITION_KEY_CHARS_MAX
    )]
    KeyBytes {
        /// Name of the class.
        class: String,
        /// Bytes of a key.
        bytes: u32,
    },
    /// A device listed twice.
    #[error("class {class:?}: the key {key:?} is there twice: list every device once")]
    SameKey {
        /// Name of the class in which it was seen again.
        class: String,
        /// The key.
        key: String,
    },
    /// Devices that report later than within their period.
    #[error(
        "class {class:?}: a jitter of {jitter:?} is longer than the period of {period:?}: make it \
         shorter, or say that they report spread"
    )]
    JitterBeyondPeriod {
        /// Name of the class.
        class: String,
        /// The jitter.
        jitter: Duration,
        /// The period.
        period: Duration,
    },
}

/// What is wrong with the goals of a plan, and what to do about it.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GoalFault {
    /// A plan that counts on more than will be sent.
    #[error(
        "target utilisation {target} is above the limiter's fraction {fraction}: the shards would \
         be planned for more than they are sent: lower the target or raise the fraction"
    )]
    TargetAboveFraction {
        /// The goal's target.
        target: Factor,
        /// The goal's fraction.
        fraction: Factor,
    },
    /// A risk that is none.
    #[error("a skew risk of {risk}: it must be above 0 and below 1, 0.01 for 1 %")]
    Risk {
        /// What was given.
        risk: f64,
    },
    /// Places in an order that nobody knows.
    #[error(
        "golden placement of classes that differ: a gateway numbers devices as it first sees them, \
         so the heavy ones can meet on one shard, and it is not known how many: plan with placement \
         md5"
    )]
    GoldenUnlike,
    /// A limiter that waits too long.
    #[error(
        "with a linger of {linger:?} a burst of {burst} records cannot reach the limiter's own rate \
         of {per_s} records/s: shorten the linger to {} ms or lower the fraction",
        1000 * burst / (*per_s).max(1)
    )]
    LingerAboveBurst {
        /// The goal's linger.
        linger: Duration,
        /// Records that a shard is sent at once.
        burst: u32,
        /// Records that it is sent in a second.
        per_s: u32,
    },
    /// A delay that nothing can hold.
    #[error("a p99 of {p99:?} cannot be held with a linger of {linger:?}: shorten the linger")]
    LingerAboveP99 {
        /// The goal.
        p99: Duration,
        /// The goal's linger.
        linger: Duration,
    },
    /// Records that take longer than that by themselves.
    #[error(
        "a p99 of {p99:?} cannot be held: a record of {bytes:.0} bytes is sent to its shard in pieces, \
         and takes {takes:.3?} with its linger: more shards cannot help: send smaller records, or allow \
         a longer p99"
    )]
    RecordAboveP99 {
        /// Bytes that 99 of 100 records have at most, data and key.
        bytes: f64,
        /// How long such a record waits, linger included.
        takes: Duration,
        /// The goal.
        p99: Duration,
    },
    /// An outage that can never be drained.
    #[error(
        "the outage of {lasts:?} cannot be drained within {within:?}: one device of class {class:?} \
         alone fills {used:.0} % of what its shard is sent: allow more time, or aggregate on the \
         device"
    )]
    DrainUnreachable {
        /// How long the outage lasts.
        lasts: Duration,
        /// The goal.
        within: Duration,
        /// The class with the heaviest device.
        class: String,
        /// Per cent of the limiter's rate.
        used: f64,
    },
    /// A device that no shard can carry.
    #[error(
        "class {class:?}: one device sends {records_per_s:.1} records/s and {bytes_per_s:.0} \
         bytes/s; a shard takes {SHARD_RECORDS_PER_S} and {SHARD_BYTES_PER_S}: more shards cannot \
         help, one key lives on one shard: aggregate on the device, or split its key"
    )]
    DeviceAboveShard {
        /// Name of the class.
        class: String,
        /// Records of one device.
        records_per_s: f64,
        /// Their bytes, keys included.
        bytes_per_s: f64,
    },
    /// A device that leaves its shard no room.
    #[error(
        "one device of class {class:?} alone uses {used:.0} % of a shard, above the target of \
         {target}: more shards cannot help, one key lives on one shard: aggregate on the device, \
         split its key, or raise the target"
    )]
    DeviceAboveTarget {
        /// Its class.
        class: String,
        /// Per cent of the nearer limit of a shard.
        used: f64,
        /// The goal's target.
        target: Factor,
    },
    /// A record that the stream refuses.
    #[error(
        "class {class:?}: a record of {bytes} bytes is larger than the {max} that the stream takes: \
         raise the stream's largest record (UpdateMaxRecordSize, at most {RECORD_BYTES_CEILING}) \
         and record_bytes_max, or split it"
    )]
    RecordTooLarge {
        /// Name of the class.
        class: String,
        /// Its largest record, data and key.
        bytes: u64,
        /// The goal's largest record.
        max: u32,
    },
    /// A largest record that no stream takes.
    #[error("record_bytes_max is {max}: a stream takes 1 to {RECORD_BYTES_CEILING} bytes")]
    RecordMax {
        /// What was given.
        max: u32,
    },
    /// Consumers that ask too often.
    #[error(
        "{sharing} consumers that poll each shard {polls_per_s} times a second: a shard answers \
         {SHARD_READS_PER_S}: poll less often, or give some of them enhanced fan-out"
    )]
    TooManyPolls {
        /// Consumers that share reads.
        sharing: u32,
        /// Polls of each.
        polls_per_s: f64,
    },
    /// A rate that is none.
    #[error("polls_per_s is {polls_per_s}: give the polls of a second, 0 or more")]
    Polls {
        /// What was given.
        polls_per_s: f64,
    },
    /// More consumers with reads of their own than a stream can have.
    #[error(
        "{fan_out} consumers with enhanced fan-out: a stream can have {}, and \
         {FAN_OUT_ADVANTAGE_MAX} with On-demand Advantage: let some share reads",
        crate::limits::FAN_OUT_MAX
    )]
    TooMuchFanOut {
        /// What was given.
        fan_out: u32,
    },
    /// Longer than a stream keeps anything.
    #[error("a retention of {retention:?}: a stream keeps records for 24 hours to 365 days")]
    Retention {
        /// What was given.
        retention: Duration,
    },
    /// Growth that is no number, or that leaves nothing.
    #[error("growth of {per_month} a month: it must be above -1 and finite, 0.03 for 3 %")]
    Growth {
        /// What was given.
        per_month: f64,
    },
    /// More devices at the end of the growth than can be counted.
    #[error(
        "growth makes {devices:.0} devices of the fleet, more than {}: look less far ahead, or plan a \
         stream for each part of it",
        u32::MAX
    )]
    TooManyDevices {
        /// At the horizon.
        devices: f64,
    },
    /// A packed record that the stream refuses.
    #[error("packed records of {bytes} bytes: give 1 to {max}, the largest that the stream takes")]
    Packing {
        /// What was given.
        bytes: u32,
        /// The goal's largest record.
        max: u32,
    },
    /// No number of shards holds the goals.
    #[error(
        "no number of shards up to {SHARDS_MAX} holds {}: {}",
        constraints.join(", "),
        "relax it, spread the devices' reports, or divide them among streams"
    )]
    NoShards {
        /// What is not held with the most shards.
        constraints: Vec<String>,
    },
}
