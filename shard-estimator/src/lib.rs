//! What a Kinesis data stream takes, and how much of it is ours: pure arithmetic, no clock, no I/O.
//!
//! Read in this order:
//!
//! - [`limits`]: what the service allows, each number with its source;
//! - [`HashKey`] and [`ShardRanges`]: which shard a partition key belongs to;
//! - [`ShardId`] and [`LearnedMap`]: the same of a stream of which nothing is known, learned from
//!   where its records went;
//! - [`Factor`] and [`Budget`]: a part of one shard's limits, as rates and bursts for a limiter;
//! - [`Aimd`]: which part that is, learned from what the stream accepts and refuses, so that
//!   several gateways share a shard without talking to each other.
//!
//! ```
//! use shard_estimator::{Aimd, Budget, Factor, HashKey, ShardRanges};
//! use std::time::Duration;
//!
//! let shards = ShardRanges::equal(4.try_into()?);
//! assert_eq!(shards.shard_of(HashKey::of("dev-7")), 1);
//!
//! let fraction = Factor::new(0.9).expect("above 0, at most 1");
//! let pace = Aimd::new(None, fraction, Duration::ZERO);
//! assert_eq!(Budget::of_shard(pace.factor()).records_per_s.get(), 900);
//! # Ok::<(), std::num::TryFromIntError>(())
//! ```

pub mod limits;

mod aimd;
mod budget;
mod factor;
mod hash_key;
mod learned_map;
mod shard_id;
mod shard_ranges;

pub use aimd::{Aimd, Limiter, Verdicts};
pub use budget::Budget;
pub use factor::Factor;
pub use hash_key::HashKey;
pub use learned_map::{LearnedMap, Lesson, OpenShard, Sighting};
pub use shard_id::ShardId;
pub use shard_ranges::ShardRanges;
