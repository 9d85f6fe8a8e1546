//! What a Kinesis data stream takes, and how much of it is ours: pure arithmetic, no clock, no I/O,
//! but for `cli`, the command on top of it.
//!
//! Three questions are answered with the same numbers: how many shards to buy, what may be sent to
//! each of them, and whether they are still enough. For the first, read in this order:
//!
//! - [`limits`]: what the service allows, each number with its source;
//! - [`Class`] and [`Fleet`]: which devices report how much and when; [`Sizes`] of their records;
//! - [`Goals`]: what is asked of the stream, and how gateway and consumers behave;
//! - [`Estimator`]: finds the [`Plan`], and says what any number of shards means ([`Outlook`], with a
//!   [`Check`] for each [`Constraint`]), what it can carry, and what the months will need;
//! - [`hottest_devices`], [`mod@burst`], [`drain_time`], [`Packing`] and [`ladder()`]: the models in it,
//!   each of use alone, and [`AwsFormula`], for comparison;
//! - [`bill`], with [`Prices`] from a file; [`Footprint`], what the gateway needs of its machine; and
//!   [`Warning`], what speaks against a plan that holds.
//!
//! ```
//! use std::time::Duration;
//!
//! use shard_estimator::{
//!     Class, Constraint, Devices, Estimator, Fleet, Goals, Outage, Reporting, Sizes,
//! };
//!
//! let vehicles = Class {
//!     name: "vehicles".to_owned(),
//!     devices: Devices::Counted { devices: 20_000, key_bytes: 17 },
//!     period: Duration::from_secs(1),
//!     sizes: Sizes::mean(1024),
//!     reporting: Reporting::Spread,
//!     buffered: 0,
//! };
//! let hour = Duration::from_secs(3600);
//! let goals = Goals {
//!     outage: Some(Outage { lasts: hour, drained_within: 4 * hour }),
//!     ..Goals::default()
//! };
//! let estimator = Estimator::new(Fleet::new(vec![vehicles]).unwrap(), goals).unwrap();
//! let plan = estimator.plan().unwrap();
//!
//! // AWS's formula says 20. Hashing puts up to 711 vehicles on the hottest of 32 shards, and with
//! // one shard less it would not catch up in four hours.
//! assert_eq!(plan.shards.get(), 32);
//! assert_eq!(plan.binding, [Constraint::Drain]);
//! assert_eq!(plan.chosen.hottest.devices, 711.0);
//! for check in &plan.chosen.checks {
//!     println!("{}: {}", check.constraint(), check.explain());
//! }
//! // drain: outage x rho / (1 - rho) = 3600s x 0.7900 / (1 - 0.7900): 13542.857s; allowed 14400s
//! ```
//!
//! For the second question:
//!
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
//!
//! For the third, of a gateway that runs:
//!
//! - [`Meter`], [`MeanMeter`] and [`PeakMeter`]: how much flows, on average and at its peak; [`Flow::used`] of a
//!   shard's limits;
//! - [`Traffic`]: what there is to send, in bounded memory: [`SizeCounts`], [`KeyCount`], [`HotKeys`];
//!   [`Arrivals::fleet`] is a fleet to plan for;
//! - [`Watch`]: tells when the plan no longer holds, and [`Advice`] how many shards would.
//!
//! Beside them, [`size`] reads and writes sizes in bytes as people do, and in [`number`] counts and
//! measures meet.

pub mod bill;
pub mod burst;
#[cfg(feature = "cli")]
pub mod cli;
pub mod limits;
pub mod number;
pub mod size;

mod advice;
mod aimd;
mod arrivals;
mod aws;
mod budget;
mod check;
mod class;
mod drain;
mod estimator;
mod factor;
mod fault;
mod fleet;
mod flow;
mod footprint;
mod goals;
mod hash_key;
mod hot_keys;
mod key_count;
mod ladder;
mod learned_map;
mod loads;
mod meter;
mod outlook;
mod packing;
mod placement;
mod prices;
mod seconds;
mod shard_id;
mod shard_ranges;
mod size_counts;
mod sizes;
mod traffic;
mod warning;
mod watch;

pub use advice::Advice;
pub use aimd::{Aimd, Limiter, Verdicts};
pub use arrivals::Arrivals;
pub use aws::AwsFormula;
pub use budget::Budget;
pub use check::{Check, Constraint, Pieces, Wait};
pub use class::{Class, Devices, Reporting};
pub use drain::{drain_time, longest_outage};
pub use estimator::{Carried, Estimator, Plan};
pub use factor::Factor;
pub use fault::{FleetFault, GoalFault};
pub use fleet::Fleet;
pub use flow::Flow;
pub use footprint::Footprint;
pub use goals::{Goals, Growth, Outage, Placement, Readers, Restore};
pub use hash_key::HashKey;
pub use hot_keys::{HOT_KEYS, HotKey, HotKeys};
pub use key_count::KeyCount;
pub use ladder::ladder;
pub use learned_map::{LearnedMap, Lesson, OpenShard, Sighting};
pub use meter::{MeanMeter, Meter, PeakMeter};
pub use outlook::{Hottest, Outlook};
pub use packing::{Keys, Packed, Packing, Sent};
pub use placement::hottest_devices;
pub use prices::{NoPrices, Prices, Region};
pub use shard_id::ShardId;
pub use shard_ranges::ShardRanges;
pub use size_counts::{SIZE_EDGES, SizeCounts};
pub use sizes::{Bin, Sizes};
pub use traffic::Traffic;
pub use warning::Warning;
pub use watch::{News, Signs, Strain, Watch};
