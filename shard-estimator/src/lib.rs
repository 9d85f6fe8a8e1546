//! What a Kinesis data stream takes, and how much of it is ours: pure arithmetic, no clock, no I/O.
//!
//! Read in this order:
//!
//! - [`limits`]: what the service allows, each number with its source;
//! - [`HashKey`] and [`ShardRanges`]: which shard a partition key belongs to;
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

pub mod bill;
pub mod burst;
pub mod limits;

mod aimd;
mod aws;
mod budget;
mod check;
mod class;
mod estimator;
mod factor;
mod fault;
mod fleet;
mod footprint;
mod goals;
mod hash_key;
mod ladder;
mod loads;
mod number;
mod outlook;
mod packing;
mod placement;
mod prices;
mod seconds;
mod shard_ranges;
mod sizes;
mod warning;

pub use aimd::{Aimd, Limiter, Verdicts};
pub use aws::AwsFormula;
pub use budget::Budget;
pub use check::{Check, Constraint, Wait};
pub use class::{Class, Devices, Reporting};
pub use estimator::{Carried, Estimator, Plan, drain_time};
pub use factor::Factor;
pub use fault::{FleetFault, GoalFault};
pub use fleet::Fleet;
pub use footprint::Footprint;
pub use goals::{Goals, Growth, Outage, Placement, Readers, Restore};
pub use hash_key::HashKey;
pub use ladder::ladder;
pub use outlook::{Hottest, Outlook};
pub use packing::{Keys, Packed, Packing, Sent};
pub use placement::hottest_devices;
pub use prices::{NoPrices, Prices, Region};
pub use shard_ranges::ShardRanges;
pub use sizes::{Bin, Sizes};
pub use warning::Warning;
