use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::Factor;
use crate::limits::{SHARD_BYTES_PER_S, SHARD_READ_BYTES_PER_S, SHARD_RECORDS_PER_S};
use crate::number::within;

/// What can make a number of shards too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// Records a second into the hottest shard.
    Records,
    /// Bytes a second into the hottest shard, data and keys.
    Bytes,
    /// Bytes a second out of the hottest shard, for all consumers that share its reads.
    Reads,
    /// How long records of aligned devices wait, or large ones where there are none.
    Delay,
    /// How long records wait that devices kept and send together.
    Restore,
    /// How long it takes to catch up after an outage.
    Drain,
    /// Whether the shards suffice as long as they should.
    Growth,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Records => "records",
            Self::Bytes => "bytes",
            Self::Reads => "reads",
            Self::Delay => "delay",
            Self::Restore => "restore",
            Self::Drain => "drain",
            Self::Growth => "growth",
        })
    }
}

/// One constraint with its numbers, for one number of shards.
///
/// Durations are seconds in JSON, and null is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "constraint")]
pub enum Check {
    /// [`Constraint::Records`].
    Records {
        /// Records a second, as sent.
        hottest_per_s: f64,
        /// The part of the limit that may be used.
        target: Factor,
    },
    /// [`Constraint::Bytes`].
    Bytes {
        /// Data and keys in a second, as sent.
        hottest_per_s: f64,
        /// The part of the limit that may be used.
        target: Factor,
    },
    /// [`Constraint::Reads`].
    Reads {
        /// Bytes that come in in a second; each consumer reads them.
        hottest_per_s: f64,
        /// Consumers that share the reads.
        sharing: u32,
        /// The part of the limit that may be used: what the limiter lets in must be readable.
        fraction: Factor,
    },
    /// [`Constraint::Delay`].
    Delay(Wait),
    /// [`Constraint::Delay`] where no devices are aligned, but records are large.
    Pieces(Pieces),
    /// [`Constraint::Restore`].
    Restore(Wait),
    /// [`Constraint::Drain`].
    Drain {
        /// What the hottest shard is sent, as a part of what the limiter allows.
        used: f64,
        /// How long the stream was away.
        #[serde(serialize_with = "crate::seconds::serialize")]
        outage: Duration,
        /// How long it takes to catch up.
        #[serde(serialize_with = "crate::seconds::serialize_some")]
        takes: Option<Duration>,
        /// How long it may take.
        #[serde(serialize_with = "crate::seconds::serialize")]
        within: Duration,
    },
    /// [`Constraint::Growth`].
    Growth {
        /// How many times as many devices the shards carry.
        carries: f64,
        /// The part by which the fleet grows in a month.
        per_month: f64,
        /// After how many months that is too little: 0 if it is already, `None` if it never is.
        months: Option<f64>,
        /// How many it should be.
        horizon_months: u32,
    },
}

/// How long records wait that arrive together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Wait {
    /// Records that arrive at the hottest shard, as sent.
    pub records: f64,
    /// In so many waves, which all begin at once.
    pub waves: usize,
    /// They arrive within so long; of several waves the shortest.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub jitter: Duration,
    /// Records a second that the limiter lets pass, first those that came first.
    pub records_per_s: f64,
    /// Records a second that always come beside them.
    pub beside_per_s: f64,
    /// Records that pass at once.
    pub burst: u32,
    /// How long a record waits in the gateway for others.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub linger: Duration,
    /// How long all but a hundredth of them wait, linger included; whichever takes longer, their
    /// number or their bytes.
    #[serde(serialize_with = "crate::seconds::serialize_some")]
    pub p99: Option<Duration>,
    /// How long that may be.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub allowed: Duration,
}

impl Wait {
    fn holds(&self) -> bool {
        self.p99.is_some_and(|p99| within(p99.as_secs_f64(), self.allowed.as_secs_f64()))
    }

    fn explain(&self) -> String {
        let Self { records, waves, records_per_s, burst, linger, allowed, .. } = self;
        let (jitter, beside) = (self.jitter.as_secs_f64(), self.beside_per_s);
        if *waves > 1 {
            return format!(
                "linger + the wait in {waves} waves, of {records:.0} records together and what \
                 repeats until the longest has ended, beside {beside:.1}/s, at {records_per_s:.0}/s \
                 after {burst} at once; of their number or of their bytes: {}; allowed {allowed:?}",
                in_words(self.p99)
            );
        }
        format!(
            "linger + max(0, (0.99 x (records + beside x jitter) - burst) / rate - 0.99 x jitter) = \
             {linger:?} + max(0, (0.99 x ({records:.0} + {beside:.1}/s x {jitter} s) - {burst}) \
             / {records_per_s:.0}/s - 0.99 x {jitter} s), or what the same makes for bytes: {}; \
             allowed {allowed:?}",
            in_words(self.p99)
        )
    }
}

/// How long a record waits that is larger than what a shard is sent at once: it is drawn in pieces,
/// whatever the number of shards. Others before it are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pieces {
    /// Bytes, data and key, that 99 of 100 records have at most.
    pub bytes: f64,
    /// Bytes that pass at once.
    pub burst_bytes: f64,
    /// Bytes a second that the limiter lets pass.
    pub bytes_per_s: f64,
    /// How long a record waits in the gateway for others.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub linger: Duration,
    /// How long 99 of 100 records wait at least, linger included.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub p99: Duration,
    /// How long that may be.
    #[serde(serialize_with = "crate::seconds::serialize")]
    pub allowed: Duration,
}

impl Pieces {
    pub(crate) fn holds(&self) -> bool {
        within(self.p99.as_secs_f64(), self.allowed.as_secs_f64())
    }

    fn explain(&self) -> String {
        let Self { bytes, burst_bytes, bytes_per_s, linger, p99, allowed } = self;
        format!(
            "linger + (record - burst) / rate = {linger:?} + ({bytes:.0} - {burst_bytes:.0}) / \
             {bytes_per_s:.0}/s: {}; allowed {allowed:?}",
            in_words(Some(*p99))
        )
    }
}

impl Check {
    /// Which constraint it is.
    #[must_use]
    pub fn constraint(&self) -> Constraint {
        match self {
            Self::Records { .. } => Constraint::Records,
            Self::Bytes { .. } => Constraint::Bytes,
            Self::Reads { .. } => Constraint::Reads,
            Self::Delay(_) | Self::Pieces(_) => Constraint::Delay,
            Self::Restore(_) => Constraint::Restore,
            Self::Drain { .. } => Constraint::Drain,
            Self::Growth { .. } => Constraint::Growth,
        }
    }

    /// Whether the shards are enough for it.
    #[must_use]
    pub fn holds(&self) -> bool {
        match self {
            Self::Records { hottest_per_s, target } => {
                within(*hottest_per_s, target.get() * f64::from(SHARD_RECORDS_PER_S))
            }
            Self::Bytes { hottest_per_s, target } => {
                within(*hottest_per_s, target.get() * f64::from(SHARD_BYTES_PER_S))
            }
            Self::Reads { hottest_per_s, sharing, fraction } => within(
                hottest_per_s * f64::from(*sharing),
                fraction.get() * f64::from(SHARD_READ_BYTES_PER_S),
            ),
            Self::Delay(wait) | Self::Restore(wait) => wait.holds(),
            Self::Pieces(pieces) => pieces.holds(),
            Self::Drain { takes, within: allowed, .. } => {
                takes.is_some_and(|takes| within(takes.as_secs_f64(), allowed.as_secs_f64()))
            }
            Self::Growth { months, horizon_months, .. } => {
                months.is_none_or(|months| within(f64::from(*horizon_months), months))
            }
        }
    }

    /// The formula with its numbers, in one line.
    #[must_use]
    pub fn explain(&self) -> String {
        match self {
            Self::Records { hottest_per_s, target } => format!(
                "hottest shard <= target x limit: {hottest_per_s:.1} records/s <= {target} x \
                 {SHARD_RECORDS_PER_S}"
            ),
            Self::Bytes { hottest_per_s, target } => format!(
                "hottest shard <= target x limit: {hottest_per_s:.0} bytes/s of data and keys <= \
                 {target} x {SHARD_BYTES_PER_S}"
            ),
            Self::Reads { hottest_per_s, sharing, fraction } => format!(
                "hottest shard x consumers <= fraction x limit: {hottest_per_s:.0} bytes/s x \
                 {sharing} <= {fraction} x {SHARD_READ_BYTES_PER_S}"
            ),
            Self::Delay(wait) | Self::Restore(wait) => wait.explain(),
            Self::Pieces(pieces) => pieces.explain(),
            Self::Drain { used, outage, takes, within } => format!(
                "outage x rho / (1 - rho) = {outage:?} x {used:.4} / (1 - {used:.4}): {}; allowed \
                 {within:?}",
                in_words(*takes)
            ),
            Self::Growth { carries, per_month, months, horizon_months } => format!(
                "ln(carries / now) / ln(1 + growth) = ln({carries:.3}) / ln(1 + {per_month}): {}; \
                 asked for {horizon_months} months",
                months.map_or("for ever".to_owned(), |months| format!("{months:.1} months"))
            ),
        }
    }
}

fn in_words(time: Option<Duration>) -> String {
    time.map_or("never ends".to_owned(), |time| format!("{time:.3?}"))
}
