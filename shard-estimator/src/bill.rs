//! What a stream costs in a month, by mode.
//!
//! A month is 730 hours and a GiB is 2^30 bytes, as in AWS's own calculator. Whether the partition
//! key is billed is not documented; the texts say "data", so it is left out here.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

pub use self::usd::Usd;
use crate::{Estimator, Region};

mod usd;

/// A PUT payload unit: provisioned streams are billed by these, each record rounded up. "25 KB" in
/// the price list.
pub const PUT_UNIT_BYTES: u32 = 25 * 1024;

/// On-demand streams bill every record rounded up to this.
pub const ON_DEMAND_UNIT_BYTES: u32 = 1024;

/// Firehose bills every record rounded up to this, not every call.
pub const FIREHOSE_UNIT_BYTES: u32 = 5 * 1024;

/// On-demand Advantage bills at least this much in a second, in as well as out.
pub const ADVANTAGE_FLOOR_BYTES_PER_S: u32 = 25 << 20;

const HOURS: f64 = 730.0;
const SECONDS: f64 = HOURS * 3600.0;
const GIB: f64 = (1_u32 << 30) as f64;

const DAY: Duration = Duration::from_secs(86_400);
/// Kept without charge.
pub const FREE_RETENTION: Duration = DAY;
/// Kept for the price of extended retention.
const EXTENDED_RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// How a stream is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// By the shard.
    Provisioned,
    /// By the GiB.
    OnDemand,
    /// By the GiB at lower prices and with a floor, for all streams of an account and region.
    Advantage,
}

/// What a month costs in one mode.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Cost {
    /// Shards, or the stream itself.
    pub capacity: Usd,
    /// PUT payload units, or GiB in.
    pub ingest: Usd,
    /// GiB out for the consumers that share reads.
    pub reads: Usd,
    /// Consumers with reads of their own.
    pub fan_out: Usd,
    /// Keeping records beyond 24 hours.
    pub retention: Usd,
    /// Whether the mode's floor is billed and not what is used.
    pub at_floor: bool,
}

impl Cost {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> Usd {
        self.capacity + self.ingest + self.reads + self.fan_out + self.retention
    }
}

/// What a month costs, by mode. A mode is absent when a price that it needs is not known; on-demand
/// prices of fan-out and of retention are not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bill {
    /// For how many shards, which only the provisioned mode asks.
    pub shards: NonZeroU32,
    /// Bought by the shard.
    pub provisioned: Option<Cost>,
    /// Bought by the GiB.
    pub on_demand: Option<Cost>,
    /// Bought by the GiB with a floor.
    pub advantage: Option<Cost>,
    /// What Firehose would cost in addition, if it delivered the stream.
    pub firehose: Option<Usd>,
}

/// What is billed in a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Billed {
    /// PUT payload units.
    pub put_units: f64,
    /// Bytes of data, each record rounded up for on-demand.
    pub on_demand_bytes: f64,
    /// Bytes of data, each record rounded up for Firehose.
    pub firehose_bytes: f64,
    /// Bytes of data, not rounded.
    pub data_bytes: f64,
}

impl Billed {
    /// What is billed for the stream of so many shards, on which only packing depends.
    #[must_use]
    pub fn of(estimator: &Estimator, shards: NonZeroU32) -> Self {
        let fleet = estimator.fleet();
        let sent = estimator.sent_by_shard(shards);
        let each = |unit_bytes: u32| match estimator.goals().packing {
            None => fleet.per_record(|class| class.sizes.units(unit_bytes)),
            Some(_) => (sent.data_bytes / f64::from(unit_bytes)).ceil(),
        };
        let records_per_s = sent.records_per_s * f64::from(shards.get());
        let rounded = |unit_bytes| records_per_s * each(unit_bytes) * f64::from(unit_bytes);
        Self {
            put_units: records_per_s * each(PUT_UNIT_BYTES),
            on_demand_bytes: rounded(ON_DEMAND_UNIT_BYTES),
            firehose_bytes: rounded(FIREHOSE_UNIT_BYTES),
            data_bytes: records_per_s * sent.data_bytes,
        }
    }
}

impl Bill {
    /// What a month of `shards` shards, and of the other modes, costs in a region.
    #[must_use]
    pub fn of(estimator: &Estimator, shards: NonZeroU32, region: &Region) -> Self {
        let month = Month { billed: Billed::of(estimator, shards), estimator, region };
        Self {
            shards,
            provisioned: month.provisioned(shards),
            on_demand: month.on_demand(),
            advantage: month.advantage(),
            firehose: region.firehose_gib.map(|price| of_gib(month.billed.firehose_bytes, price)),
        }
    }

    /// The modes whose prices are known, in the order of [`Mode`].
    pub fn modes(&self) -> impl Iterator<Item = (Mode, Cost)> {
        let of = |mode, cost: Option<Cost>| cost.map(|cost| (mode, cost));
        [
            of(Mode::Provisioned, self.provisioned),
            of(Mode::OnDemand, self.on_demand),
            of(Mode::Advantage, self.advantage),
        ]
        .into_iter()
        .flatten()
    }
}

/// One month of a fleet at the prices of a region.
struct Month<'a> {
    billed: Billed,
    estimator: &'a Estimator,
    region: &'a Region,
}

impl Month<'_> {
    fn provisioned(&self, shards: NonZeroU32) -> Option<Cost> {
        let shard_hours = HOURS * f64::from(shards.get());
        Some(Cost {
            capacity: self.region.shard_hour * shard_hours,
            ingest: self.region.put_units_million * (self.billed.put_units * SECONDS / 1e6),
            reads: Usd(0.0),
            fan_out: self.fan_out(shard_hours)?,
            retention: self.retention(shard_hours)?,
            at_floor: false,
        })
    }

    fn on_demand(&self) -> Option<Cost> {
        self.is_plain().then_some(())?;
        Some(Cost {
            capacity: self.region.on_demand_stream_hour? * HOURS,
            ingest: of_gib(self.billed.on_demand_bytes, self.region.on_demand_in_gib?),
            reads: of_gib(self.read_bytes(), self.region.on_demand_out_gib?),
            ..Cost::default()
        })
    }

    fn advantage(&self) -> Option<Cost> {
        self.is_plain().then_some(())?;
        let floor = f64::from(ADVANTAGE_FLOOR_BYTES_PER_S);
        let (bytes_in, bytes_out) = (self.billed.on_demand_bytes, self.read_bytes());
        Some(Cost {
            ingest: of_gib(bytes_in.max(floor), self.region.advantage_in_gib?),
            reads: of_gib(bytes_out.max(floor), self.region.advantage_out_gib?),
            at_floor: bytes_in < floor || bytes_out < floor,
            ..Cost::default()
        })
    }

    /// Whether nothing is asked for that has a known price only by the shard.
    fn is_plain(&self) -> bool {
        let goals = self.estimator.goals();
        goals.readers.fan_out == 0 && goals.retention <= FREE_RETENTION
    }

    fn read_bytes(&self) -> f64 {
        self.billed.data_bytes * f64::from(self.estimator.goals().readers.sharing)
    }

    fn fan_out(&self, shard_hours: f64) -> Option<Usd> {
        let consumers = f64::from(self.estimator.goals().readers.fan_out);
        if self.estimator.goals().readers.fan_out == 0 {
            return Some(Usd(0.0));
        }
        let hours = self.region.fan_out_shard_hour? * (consumers * shard_hours);
        Some(hours + of_gib(consumers * self.billed.data_bytes, self.region.fan_out_gib?))
    }

    /// Extended retention by the shard up to 7 days, and what is older by the GiB that lie there.
    fn retention(&self, shard_hours: f64) -> Option<Usd> {
        let retention = self.estimator.goals().retention;
        if retention <= FREE_RETENTION {
            return Some(Usd(0.0));
        }
        let extended = self.region.extended_retention_shard_hour? * shard_hours;
        let beyond_s = retention.saturating_sub(EXTENDED_RETENTION).as_secs_f64();
        if beyond_s <= 0.0 {
            return Some(extended);
        }
        let lying_gib = self.billed.data_bytes * beyond_s / GIB;
        Some(extended + self.region.long_term_gib_month? * lying_gib)
    }
}

/// What a month of so many bytes a second costs.
fn of_gib(bytes_per_s: f64, each: Usd) -> Usd {
    each * (bytes_per_s * SECONDS / GIB)
}
