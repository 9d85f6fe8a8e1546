use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::civil::Date;
use serde::Serialize;

use crate::bill::{Bill, Cost, Usd};
use crate::limits::{FAN_OUT_MAX, RECORD_BYTES_MAX, RESHARDS_PER_DAY};
use crate::number::within;
use crate::{Check, Class, Constraint, Estimator, Factor, Outlook, Pieces, Prices, Region, ladder};

/// What speaks against a plan that holds, each with advice.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "warning")]
pub enum Warning {
    /// The region's quota is smaller.
    ShardQuota {
        /// Shards of the plan.
        shards: NonZeroU32,
        /// Shards that a stream may have.
        quota: u32,
    },
    /// The stream cannot be brought there in one step.
    ReshardSteps {
        /// The steps.
        steps: Vec<NonZeroU32>,
    },
    /// A few bytes more cost a KiB more.
    KibEdge {
        /// The class.
        class: String,
        /// The part of its records just below a whole KiB.
        share: f64,
    },
    /// Billing rounds each record up, which a mean hides.
    MeanOnly {
        /// The class.
        class: String,
    },
    /// They wait for each other, for how long depends on when each comes.
    LargeRecordsWait {
        /// Bytes that 99 of 100 have at most.
        bytes: f64,
        /// How long they wait at least. In JSON: seconds.
        #[serde(serialize_with = "crate::seconds::serialize")]
        p99: Duration,
    },
    /// Prices that may have changed.
    OldPrices {
        /// When they were compared.
        as_of: String,
        /// How long ago.
        days: i32,
    },
    /// More than an on-demand stream takes at once.
    OnDemandJump {
        /// Bytes a second of the fleet.
        bytes_per_s: f64,
        /// The highest of the last 30 days.
        peak_bytes_per_s: f64,
    },
    /// More large records, of all that the fleet sends, than shards are made for.
    LargeRecords {
        /// The class.
        class: String,
        /// The part of its records above 1 MiB.
        share: f64,
    },
    /// Consumers of their own cost more than the stream.
    FanOutCost {
        /// What they cost in a month.
        fan_out: Usd,
        /// What all else costs.
        base: Usd,
    },
    /// More consumers of their own than without Advantage.
    FanOutCount {
        /// How many.
        fan_out: u32,
    },
    /// Hashing wastes shards.
    Skew {
        /// Devices on the hottest shard, divided by the fair share.
        skew: f64,
        /// Shards that golden places would do with.
        golden: NonZeroU32,
    },
    /// Golden places were asked for, and hashed ones are planned.
    GoldenShared {
        /// Gateways that share the stream.
        gateways: NonZeroU32,
    },
    /// Small records cost more than the shards.
    PutCost {
        /// PUT payload units in a month.
        ingest: Usd,
        /// Shards in a month.
        capacity: Usd,
    },
    /// A plan without room.
    TargetHigh {
        /// The goal's target.
        target: Factor,
    },
}

/// Bytes below a whole KiB that a new field or a longer name soon fills.
const KIB_EDGE_BYTES: u32 = 300;
/// Of evenly spread sizes 29 % are that near.
const KIB_EDGE_SHARE: f64 = 0.5;
const PRICES_DAYS_MAX: i32 = 180;
const LARGE_RECORDS_SHARE_MAX: f64 = 0.02;
const SKEW_MAX: f64 = 1.2;
const TARGET_MAX: f64 = 0.9;

impl Warning {
    /// Of hashing over so many shards, where golden places would do with `golden`.
    #[must_use]
    pub fn of_hashing(outlook: &Outlook, golden: NonZeroU32) -> Option<Self> {
        let skew = outlook.hottest.skew;
        (skew > SKEW_MAX && golden < outlook.shards).then_some(Self::Skew { skew, golden })
    }

    /// Of a fleet on so many shards, whose stream has `current` of them today, if there is one.
    #[must_use]
    pub fn of_outlook(
        estimator: &Estimator,
        outlook: &Outlook,
        current: Option<NonZeroU32>,
    ) -> Vec<Self> {
        let goals = estimator.goals();
        let mut warnings = Vec::new();
        if !within(goals.target.get(), TARGET_MAX) {
            warnings.push(Self::TargetHigh { target: goals.target });
        }
        if goals.readers.fan_out > FAN_OUT_MAX {
            warnings.push(Self::FanOutCount { fan_out: goals.readers.fan_out });
        }
        if let Some(Check::Pieces(Pieces { bytes, p99, .. })) = outlook.check(Constraint::Delay) {
            warnings.push(Self::LargeRecordsWait { bytes: *bytes, p99: *p99 });
        }
        let steps = current.map(|current| ladder(current, outlook.shards)).unwrap_or_default();
        if steps.len() > 1 {
            warnings.push(Self::ReshardSteps { steps });
        }
        // A shard has devices of all classes.
        let large =
            |class: &Class| class.sizes.share_where(|bytes| bytes as usize > RECORD_BYTES_MAX);
        let are_too_many = estimator.fleet().per_record(large) > LARGE_RECORDS_SHARE_MAX;
        warnings.extend(
            estimator
                .fleet()
                .classes()
                .iter()
                .flat_map(|class| {
                    let (sizes, name) = (&class.sizes, || class.name.clone());
                    let at_edge = sizes
                        .share_where(|bytes| bytes.next_multiple_of(1024) - bytes < KIB_EDGE_BYTES);
                    let large = large(class);
                    [
                        sizes.is_mean().then(|| Self::MeanOnly { class: name() }),
                        (at_edge > KIB_EDGE_SHARE)
                            .then(|| Self::KibEdge { class: name(), share: at_edge }),
                        (large > 0.0 && are_too_many)
                            .then(|| Self::LargeRecords { class: name(), share: large }),
                    ]
                })
                .flatten(),
        );
        warnings
    }

    /// Of a bill in a region.
    #[must_use]
    pub fn of_bill(bill: &Bill, region: &Region) -> Vec<Self> {
        let mut warnings = Vec::new();
        if bill.shards.get() > region.shards_max {
            warnings.push(Self::ShardQuota { shards: bill.shards, quota: region.shards_max });
        }
        let Some(Cost { capacity, ingest, fan_out, .. }) = bill.provisioned else {
            return warnings;
        };
        let base = bill.provisioned.map_or(Usd(0.0), |cost| cost.total() - fan_out);
        if fan_out > base {
            warnings.push(Self::FanOutCost { fan_out, base });
        }
        if ingest > capacity + capacity {
            warnings.push(Self::PutCost { ingest, capacity });
        }
        warnings
    }

    /// Of a file of prices.
    #[must_use]
    pub fn of_prices(prices: &Prices, today: Date) -> Option<Self> {
        let days = prices.age_days(today);
        (days > PRICES_DAYS_MAX).then(|| Self::OldPrices { as_of: prices.as_of.to_string(), days })
    }

    /// Of moving the fleet to an on-demand stream that took at most `peak_bytes_per_s` in the last
    /// 30 days: it takes twice that at once, and more only after minutes.
    #[must_use]
    pub fn of_on_demand(estimator: &Estimator, peak_bytes_per_s: f64) -> Option<Self> {
        let bytes_per_s = estimator.fleet().bytes_per_s();
        (bytes_per_s > 2.0 * peak_bytes_per_s)
            .then_some(Self::OnDemandJump { bytes_per_s, peak_bytes_per_s })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShardQuota { shards, quota } => write!(
                f,
                "{shards} shards are above the region's quota of {quota}: ask AWS to raise it \
                 before you need them"
            ),
            Self::ReshardSteps { steps } => write!(
                f,
                "the stream gets there in {} steps ({}), of which a day allows {RESHARDS_PER_DAY}: \
                 begin early",
                steps.len(),
                steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            Self::KibEdge { class, share } => write!(
                f,
                "class {class:?}: {:.0} % of the records are less than {KIB_EDGE_BYTES} bytes \
                 below a whole KiB: on demand a few bytes more, or a billed key, cost a KiB each: \
                 keep records short",
                100.0 * share
            ),
            Self::MeanOnly { class } => write!(
                f,
                "class {class:?}: only the mean size is known: billing rounds every record up, so \
                 the true cost can be half as much again: give a histogram"
            ),
            Self::LargeRecordsWait { bytes, p99 } => large_records_wait(f, *bytes, *p99),
            Self::OldPrices { as_of, days } => write!(
                f,
                "the prices are of {as_of}, {days} days old: compare them with AWS's pages and \
                 give a newer file"
            ),
            Self::OnDemandJump { bytes_per_s, peak_bytes_per_s } => write!(
                f,
                "{bytes_per_s:.0} bytes/s are more than twice the peak of the last 30 days \
                 ({peak_bytes_per_s:.0}): an on-demand stream throttles them for up to 15 minutes: \
                 move the devices in steps"
            ),
            Self::LargeRecords { class, share } => write!(
                f,
                "class {class:?}: {:.1} % of the records are above 1 MiB, and a shard bears 1 to 2 \
                 %: store them elsewhere and send their address",
                100.0 * share
            ),
            Self::FanOutCost { fan_out, base } => write!(
                f,
                "enhanced fan-out costs {fan_out} a month on top of {base}: let consumers share \
                 reads where a second of delay does no harm"
            ),
            Self::FanOutCount { fan_out } => write!(
                f,
                "{fan_out} consumers with enhanced fan-out: more than {FAN_OUT_MAX} need On-demand \
                 Advantage"
            ),
            Self::Skew { skew, golden } => write!(
                f,
                "hashing loads the hottest shard {skew:.2} times as much as the fair share: with \
                 golden-ratio hash keys {golden} would be enough"
            ),
            Self::GoldenShared { gateways } => golden_shared(f, *gateways),
            Self::PutCost { ingest, capacity } => write!(
                f,
                "PUT units cost {ingest} a month, shards {capacity}: packing small records into \
                 one would save most of it"
            ),
            Self::TargetHigh { target } => target_high(f, *target),
        }
    }
}

fn large_records_wait(f: &mut fmt::Formatter<'_>, bytes: f64, p99: Duration) -> fmt::Result {
    write!(
        f,
        "records of {bytes:.0} bytes take a shard {p99:.1?} each, and those that meet on one wait for each \
         other beyond that: measure it with tidegate rehearse --plan, or store them elsewhere and send \
         their address"
    )
}

fn target_high(f: &mut fmt::Formatter<'_>, target: Factor) -> fmt::Result {
    write!(
        f,
        "a target of {target} leaves a shard almost no room: after an outage catching up takes more than \
         {:.0} times as long as it lasted: plan for 0.8",
        target.get() / (1.0 - target.get()).max(0.01)
    )
}

fn golden_shared(f: &mut fmt::Formatter<'_>, gateways: NonZeroU32) -> fmt::Result {
    write!(
        f,
        "each of {gateways} gateways numbers only the devices that it sees, and begins anywhere: all \
         together are little more even than if they were hashed, so this is planned with placement md5: \
         golden places are for one gateway"
    )
}
