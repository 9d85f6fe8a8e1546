use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bill::Usd;

/// What AWS asks, as a file says: never older than its date, never newer either.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// When the prices were last compared with AWS's own pages.
    #[serde(serialize_with = "write_date", deserialize_with = "read_date")]
    pub as_of: Date,
    /// Where they come from.
    pub sources: Vec<String>,
    /// By name, as in `us-east-1`.
    pub regions: BTreeMap<String, Region>,
}

/// List prices of one region in US dollars. What is absent is not known, and what needs it is not
/// calculated.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Shards that a stream may have unless AWS raised it.
    pub shards_max: u32,
    /// One shard for an hour.
    pub shard_hour: Usd,
    /// A million PUT payload units of 25 KiB.
    pub put_units_million: Usd,
    /// An on-demand stream for an hour.
    pub on_demand_stream_hour: Option<Usd>,
    /// GiB into an on-demand stream, each record rounded up to whole KiB.
    pub on_demand_in_gib: Option<Usd>,
    /// GiB out of an on-demand stream.
    pub on_demand_out_gib: Option<Usd>,
    /// GiB in with On-demand Advantage, rounded likewise.
    pub advantage_in_gib: Option<Usd>,
    /// GiB out with On-demand Advantage.
    pub advantage_out_gib: Option<Usd>,
    /// One shard for an hour, for keeping records more than 24 hours and up to 7 days.
    pub extended_retention_shard_hour: Option<Usd>,
    /// GiB kept for a month beyond 7 days.
    pub long_term_gib_month: Option<Usd>,
    /// A consumer with reads of its own, for each shard and hour.
    pub fan_out_shard_hour: Option<Usd>,
    /// GiB read by such consumers.
    pub fan_out_gib: Option<Usd>,
    /// GiB into Firehose, each record rounded up to 5 KiB.
    pub firehose_gib: Option<Usd>,
}

impl Prices {
    /// The prices of a region; if there are none, the names of those there are.
    ///
    /// # Errors
    /// [`NoPrices`] names what to do.
    pub fn region(&self, name: &str) -> Result<&Region, NoPrices> {
        self.regions.get(name).ok_or_else(|| NoPrices {
            region: name.to_owned(),
            known: self.regions.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// Days from when the prices were compared to `today`; negative if that is before.
    #[must_use]
    pub fn age_days(&self, today: Date) -> i32 {
        (today - self.as_of).get_days()
    }
}

/// A region without prices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no prices for region {region:?}: name one of {known}, or give a file of prices that has it"
)]
pub struct NoPrices {
    region: String,
    known: String,
}

fn write_date<S: Serializer>(date: &Date, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(date)
}

fn read_date<'de, D: Deserializer<'de>>(from: D) -> Result<Date, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}
