//! What is shown of a running gateway, as of one moment.

use std::time::Duration;

use shard_estimator::{Flow, SizeCounts};

use super::{Beside, Conservation, Delays, StreamCounts};
use crate::config::Partitioning;

/// Everything that is shown, as of one moment: the ledger balances in every answer.
#[derive(Debug, Clone)]
pub struct Shown {
    /// How long the gateway runs.
    pub uptime: Duration,
    /// The conservation ledger.
    pub ledger: Conservation,
    /// What lies beside it.
    pub beside: Beside,
    /// See [`super::Counters::adopted`].
    pub adopted: u64,
    /// What is held in memory.
    pub memory: MemoryShown,
    /// What is shown of each stream. At least one.
    pub streams: Vec<StreamShown>,
}

/// What is shown of one stream.
#[derive(Debug, Clone)]
pub struct StreamShown {
    /// What tells its series apart, if there may be others.
    pub label: Option<String>,
    /// What is counted.
    pub counts: StreamCounts,
    /// Segments of its spool, in bytes.
    pub spool_bytes: u64,
    /// What they may come to.
    pub spool_bytes_max: u64,
    /// From a publish to the acceptance of its records.
    pub delays: Delays,
    /// Data of the records received, and bytes of their keys.
    pub sizes: SizeCounts,
    /// See [`Self::sizes`].
    pub key_bytes: u64,
    /// What the plan is held against.
    pub plan: PlanShown,
    /// What the stream is used for.
    pub load: StreamLoad,
    /// The hottest keys of the last window, the hottest first.
    pub hottest_keys: Vec<HotKeyShown>,
}

/// A partition key that loads its shard.
#[derive(Debug, Clone, PartialEq)]
pub struct HotKeyShown {
    /// What it is called, if keys may be named.
    pub name: Option<String>,
    /// What there was to send of it in the window, at least.
    pub flow: Flow,
}

/// What is held in memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryShown {
    /// Records that are not safe.
    pub exposed_bytes: usize,
    /// What these may come to at most before nothing more is taken in.
    pub exposed_bytes_max: usize,
}

/// What was planned for, and whether it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanShown {
    /// See [`crate::config::Plan::target`].
    pub target: f64,
    /// See [`crate::config::Pace::fraction`].
    pub fraction: f64,
    /// See [`crate::config::Pace::instances`].
    pub instances: Option<u32>,
    /// As far as was told.
    pub holds: bool,
    /// About how many partition keys are in use.
    pub keys: f64,
    /// What places them.
    pub partitioning: Partitioning,
    /// What there was to send in the last full window, of which the hottest keys are.
    pub window: Option<Flow>,
}

/// What a stream is used for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StreamLoad {
    /// How many shards there are, if they are told apart.
    pub shards: Option<ShardsShown>,
    /// The part of its limits that there is to send to the hottest of them, as a mean over some minutes.
    pub hottest_used: Option<f64>,
    /// What there is to send, all shards together.
    pub offered: Flow,
    /// The same as a mean over some minutes.
    pub offered_mean: Flow,
    /// The part of attempts that the stream refused for their rate.
    pub throttled: f64,
    /// The hottest shards, the hottest first.
    pub hottest: Vec<ShardLoad>,
}

/// How many shards a stream has, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardsShown {
    /// So many, one at least.
    pub count: u32,
    /// By whom that is known.
    pub known: Known,
}

/// How a number of shards is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The operator stated it, and nothing contradicts it.
    Stated,
    /// The service listed them.
    Listed,
    /// So many were seen in answers, at least.
    Learned,
}

/// What one shard is used for: averages over some ten seconds unless said otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct ShardLoad {
    /// Its id, or its place among the ranges when the operator stated how many there are; `any` for
    /// a stream whose shards are not told apart.
    pub name: String,
    /// What there is to send.
    pub offered: Flow,
    /// What the shard accepted.
    pub sent: Flow,
    /// The part of its limits that the busiest second of the last minute took.
    pub peak_used: f64,
    /// The part of its limits that may be sent at present, if it is paced by them.
    pub factor: Option<f64>,
    /// The part of attempts that it refused.
    pub throttled: f64,
}
