//! What can be said about a fleet and its goals: as a flag, and as a key of a file.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Faults;
use super::quantity::{self, Aggregate, Align};
use super::sheet::Table;
use crate::{
    Class, Devices, Factor, Goals, Growth, Outage, Placement, Readers, Reporting, Restore, Sizes,
};

/// Structs of which each field is a flag and a key of the same name, read by the same function, and
/// absent where nothing is written.
macro_rules! written {
    ($($(#[$about:meta])* struct $name:ident {
        $($(#[$doc:meta])* $key:ident: $type:ty = $check:expr, $shown:literal;)*
    })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Default, clap::Args)]
        pub(super) struct $name {
            $($(#[$doc])* #[arg(long, value_name = $shown, value_parser = $check)]
            pub(super) $key: Option<$type>,)*
        }

        impl $name {
            /// As written in a table of a file.
            pub(super) fn read(table: &mut Table<'_>) -> Self {
                Self { $($key: table.take(stringify!($key), $check),)* }
            }

            /// This, and of `other` what this does not say.
            pub(super) fn or(self, other: Self) -> Self {
                Self { $($key: self.$key.or(other.$key),)* }
            }
        }
    )*};
}

written! {
    /// Devices that are alike.
    struct ClassKeys {
        /// What people call the devices.
        name: String = text, "NAME";
        /// How many devices there are.
        devices: u32 = quantity::count, "N";
        /// Instead: a file with the partition key of each, one on a line. Their shards are then known
        /// and not only likely.
        ids: PathBuf = path, "FILE";
        /// Each device sends a record in so long.
        period: Duration = quantity::time, "TIME";
        /// Mean size of a record, without its key.
        record_bytes: u32 = quantity::bytes, "SIZE";
        /// Better: sizes with how many records are of each, such as "512:9, 5 KiB:1".
        sizes: Sizes = quantity::sizes, "SIZE:N,…";
        /// Bytes of a partition key; 16 when not said.
        key_bytes: u32 = quantity::bytes, "SIZE";
        /// Whether the devices report together: spread (when not said) or aligned.
        align: Align = quantity::align, "HOW";
        /// Aligned devices report within so long.
        jitter: Duration = quantity::time, "TIME";
        /// Records that each device keeps while it cannot send.
        device_buffer: u32 = quantity::count, "N";
    }

    /// What is asked of the stream.
    struct GoalKeys {
        /// Part of its limits that the hottest shard may be used at [default: 0.8].
        target_util: Factor = quantity::factor, "PART";
        /// Part of its limits that a shard is sent at most [default: 0.9].
        limiter: Factor = quantity::factor, "PART";
        /// Risk that hashing loads a shard more than planned [default: 1%].
        skew_risk: f64 = quantity::part, "PART";
        /// Which shard a device loads: md5, golden or even [default: md5].
        placement: Placement = quantity::placement, "HOW";
        /// How long a record may wait in the gateway for others [default: 100ms].
        linger: Duration = quantity::time, "TIME";
        /// How long 99 of 100 records of aligned devices may wait, or large ones [default: 2s].
        p99: Duration = quantity::time, "TIME";
        /// Largest record that the stream takes [default: 1 MiB].
        record_bytes_max: u32 = quantity::bytes, "SIZE";
        /// Consumers that share the reads of each shard [default: 1].
        consumers: u32 = quantity::count, "N";
        /// How often each of them polls each shard [default: 1/s].
        polls: f64 = quantity::per_s, "N/s";
        /// Consumers with enhanced fan-out [default: 0].
        efo: u32 = quantity::count, "N";
        /// How long the stream keeps records [default: 24h].
        retention: Duration = quantity::time, "TIME";
        /// How long the stream may be away.
        outage: Duration = quantity::time, "TIME";
        /// How long catching up after it may take [default: 4h].
        drain: Duration = quantity::time, "TIME";
        /// All devices come back within so long, and send what they kept.
        restore: Duration = quantity::time, "TIME";
        /// How long 99 of 100 of those records may wait [default: as --p99].
        restore_p99: Duration = quantity::time, "TIME";
        /// Growth of the fleet in a month.
        growth: f64 = quantity::growth, "PART/mo";
        /// For how many months the shards must suffice [default: 12mo].
        horizon: u32 = quantity::months, "MONTHS";
        /// Largest packed record, or off [default: off].
        aggregate: Aggregate = quantity::aggregate, "SIZE";
        /// Gateways that share the stream [default: 1].
        gateways: NonZeroU32 = quantity::gateways, "N";
        /// Shards that the stream has today.
        current_shards: NonZeroU32 = quantity::shards, "N";
        /// Most bytes of a second in the last 30 days, to judge a move to on-demand.
        on_demand_peak: u32 = quantity::bytes, "SIZE";
        /// Region whose prices count [default: us-east-1].
        region: String = text, "NAME";
        /// A file of prices, instead of those that came with the program.
        prices: PathBuf = path, "FILE";
        /// Seed of what is played by chance [default: 1].
        seed: u64 = quantity::seed, "N";
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as every check of a value")]
fn text(text: &str) -> quantity::Checked<String> {
    Ok(text.to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "as every check of a value")]
fn path(text: &str) -> quantity::Checked<PathBuf> {
    Ok(PathBuf::from(text))
}

const KEY_BYTES_DEFAULT: u32 = 16;
const DRAIN_DEFAULT: Duration = Duration::from_secs(4 * 3600);
const HORIZON_DEFAULT: u32 = 12;

impl ClassKeys {
    /// Whether nothing is said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The class, with every default filled in.
    pub(super) fn class(self) -> Result<Class, Faults> {
        let missing = || "period is missing: each device sends a record in so long".to_owned();
        let period = self.period.ok_or_else(missing);
        let (devices, reporting, buffered) = (self.who(), self.reporting(), self.device_buffer);
        let name = self.name.unwrap_or_else(|| "devices".to_owned());
        match (devices, period, sizes(self.record_bytes, self.sizes), reporting) {
            (Ok(devices), Ok(period), Ok(sizes), Ok(reporting)) => {
                let buffered = buffered.unwrap_or(0);
                Ok(Class { name, devices, period, sizes, reporting, buffered })
            }
            (devices, period, sizes, reporting) => {
                let faults = [devices.err(), period.err(), sizes.err(), reporting.err()];
                let faults = faults.into_iter().flatten();
                Err(Faults(faults.map(|fault| format!("class {name:?}: {fault}")).collect()))
            }
        }
    }

    fn who(&self) -> Result<Devices, String> {
        match (self.devices, &self.ids, self.key_bytes) {
            (Some(devices), None, key_bytes) => {
                let key_bytes = key_bytes.unwrap_or(KEY_BYTES_DEFAULT);
                Ok(Devices::Counted { devices, key_bytes })
            }
            (None, Some(file), None) => ids(file),
            (None, Some(_), Some(_)) => {
                Err("ids and key_bytes are both given: the ids are the keys".to_owned())
            }
            (Some(_), Some(_), _) => {
                Err("devices and ids are both given: give one of them".to_owned())
            }
            (None, None, _) => {
                Err("devices is missing: how many there are, or ids, a file".to_owned())
            }
        }
    }

    fn reporting(&self) -> Result<Reporting, String> {
        match (self.align, self.jitter) {
            (None | Some(Align::Spread), None) => Ok(Reporting::Spread),
            (Some(Align::Spread), Some(_)) => {
                Err("jitter is of aligned devices, and these are spread".to_owned())
            }
            (None | Some(Align::Aligned), jitter) => {
                Ok(Reporting::Aligned { jitter: jitter.unwrap_or_default() })
            }
        }
    }
}

fn sizes(mean_bytes: Option<u32>, sizes: Option<Sizes>) -> Result<Sizes, String> {
    match (mean_bytes, sizes) {
        (Some(bytes), None) => Ok(Sizes::mean(bytes)),
        (None, Some(sizes)) => Ok(sizes),
        (Some(_), Some(_)) => {
            Err("record_bytes and sizes are both given: give one of them".to_owned())
        }
        (None, None) => Err("record_bytes is missing: the mean size, or sizes".to_owned()),
    }
}

/// The keys in a file, one on a line; empty lines do not count.
fn ids(file: &Path) -> Result<Devices, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("ids: cannot read {}: {error}", file.display()))?;
    let keys: Vec<_> =
        text.lines().map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
    if keys.is_empty() {
        Err(format!("ids: {} is empty", file.display()))
    } else {
        Ok(Devices::Known(keys))
    }
}

impl GoalKeys {
    /// The goals, with every default filled in.
    pub(super) fn goals(&self) -> Result<Goals, Faults> {
        let defaults = Goals::default();
        let alone = |key: &Option<_>, of: bool, fault: &str| {
            (key.is_some() && !of).then(|| fault.to_owned())
        };
        let outage = self.outage.is_some();
        let faults: Vec<_> = [
            alone(&self.drain, outage, "drain is given, but no outage to catch up after"),
            alone(
                &self.restore_p99,
                self.restore.is_some(),
                "restore_p99 is given, but no restore",
            ),
            (self.horizon.is_some() && self.growth.is_none())
                .then(|| "horizon is given, but no growth".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !faults.is_empty() {
            return Err(Faults(faults));
        }
        let p99 = self.p99.unwrap_or(defaults.p99);
        let Readers { sharing, polls_per_s, fan_out } = defaults.readers;
        Ok(Goals {
            target: self.target_util.unwrap_or(defaults.target),
            fraction: self.limiter.unwrap_or(defaults.fraction),
            risk: self.skew_risk.unwrap_or(defaults.risk),
            placement: self.placement.unwrap_or(defaults.placement),
            linger: self.linger.unwrap_or(defaults.linger),
            p99,
            record_bytes_max: self.record_bytes_max.unwrap_or(defaults.record_bytes_max),
            readers: Readers {
                sharing: self.consumers.unwrap_or(sharing),
                polls_per_s: self.polls.unwrap_or(polls_per_s),
                fan_out: self.efo.unwrap_or(fan_out),
            },
            retention: self.retention.unwrap_or(defaults.retention),
            outage: self
                .outage
                .map(|lasts| Outage { lasts, drained_within: self.drain.unwrap_or(DRAIN_DEFAULT) }),
            restore: self
                .restore
                .map(|jitter| Restore { jitter, p99: self.restore_p99.unwrap_or(p99) }),
            growth: self.growth.map(|per_month| Growth {
                per_month,
                horizon_months: self.horizon.unwrap_or(HORIZON_DEFAULT),
            }),
            packing: match self.aggregate {
                Some(Aggregate::Into(packing)) => Some(packing),
                Some(Aggregate::Off) | None => None,
            },
            seed: self.seed.unwrap_or(defaults.seed),
        })
    }
}
