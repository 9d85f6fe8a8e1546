//! What a running gateway shows of itself, on its page of metrics; and whether the shards of its
//! stream are still enough.

use std::cmp::Reverse;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use self::page::Page;
use super::observed::Known;
use super::report::SCHEMA_VERSION;
use super::words::per_cent;
use crate::advice::measured;
use crate::limits::SHARDS_MAX;
use crate::number::{count_up, real, whole};
use crate::{Arrivals, Factor, Flow, GoalFault, HotKey, Placement, Plan, SIZE_EDGES, SizeCounts};

mod page;

/// What a running gateway shows.
#[derive(Debug, Clone)]
pub struct Running {
    arrivals: Arrivals<String>,
    pub(super) stream: Stream,
}

/// What it shows of its stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    /// How many shards there are, if they are told apart.
    pub(super) shards: Option<NonZeroU32>,
    /// The part of its limits that there is to send to the hottest, if they are told apart and the
    /// gateway has run for long enough to say.
    hottest_used: Option<f64>,
    /// The part of attempts that are refused.
    throttled: f64,
    /// Whether the gateway itself says that the plan holds.
    holds: bool,
    /// What a shard is planned for, and what it is sent at most, as parts of its limits.
    pub(super) target: Option<Factor>,
    pub(super) fraction: Option<Factor>,
    /// How many gateways share it, if that was stated: then what is shown is the part of one.
    pub(super) instances: Option<NonZeroU32>,
    /// What places keys on shards.
    pub(super) placement: Option<Placement>,
}

impl Running {
    /// Reads a page of metrics: what came for `stream`, by its label, or for the only one, since the
    /// gateway started.
    ///
    /// # Errors
    /// When it is no page of a gateway, or which stream is meant is not clear, and why.
    pub fn read(page: &str, stream: Option<&str>) -> Result<Self, String> {
        let page = Page::read(page, stream)?;
        let value = |name| page.value(name);
        let lasted_s = value("uptime_seconds")?;
        let lasted = Duration::try_from_secs_f64(lasted_s).map_err(|error| error.to_string())?;
        let sizes = sizes(&page)?;
        // Absent until one is full.
        let window = value("window_records_per_second").ok();
        let arrivals = Arrivals {
            lasted,
            sizes,
            key_bytes: whole(value("partition_key_bytes_total")?),
            hottest: window.map_or_else(Vec::new, |window| hottest(&page, sizes.records(), window)),
            keys: value("partition_keys")?,
        };
        let stream = Stream {
            shards: shards(&page),
            hottest_used: window.and_then(|_| value("hottest_shard_offered_ratio").ok()),
            throttled: value("throttled_ratio")?,
            holds: value("plan_holds")? > 0.5,
            target: Factor::new(value("plan_target_ratio")?),
            fraction: Factor::new(value("pace_fraction_ratio")?),
            instances: value("pace_instances").ok().and_then(|n| NonZeroU32::new(count_up(n))),
            placement: placement(&page),
        };
        Ok(Self { arrivals, stream })
    }

    /// What came since `earlier`, as a page that was read before this one shows it.
    ///
    /// # Errors
    /// When the gateway was restarted between the two.
    pub fn since(mut self, earlier: &Self) -> Result<Self, String> {
        let restarted = || "the gateway was restarted meanwhile: ask again".to_owned();
        let (now, then) = (&mut self.arrivals, &earlier.arrivals);
        now.lasted = now.lasted.checked_sub(then.lasted).ok_or_else(restarted)?;
        let records = now.sizes.records();
        for (count, then) in now.sizes.counts.iter_mut().zip(then.sizes.counts) {
            *count = count.checked_sub(then).ok_or_else(restarted)?;
        }
        now.sizes.bytes = now.sizes.bytes.checked_sub(then.sizes.bytes).ok_or_else(restarted)?;
        now.key_bytes = now.key_bytes.checked_sub(then.key_bytes).ok_or_else(restarted)?;
        // What was of all records is of those that came since.
        let part = real(now.sizes.records()) / real(records.max(1));
        for key in &mut now.hottest {
            key.records = whole(real(key.records) * part);
            key.bytes = whole(real(key.bytes) * part);
        }
        now.hottest.retain(|key| key.records > 0);
        Ok(self)
    }

    /// The classes of devices that it shows.
    pub(super) fn known(&self) -> Result<Known, String> {
        let fleet = self.arrivals.fleet_named(|_, name| name.clone()).ok_or_else(|| {
            "the gateway has received no record in that time: ask again when there is traffic"
                .to_owned()
        })?;
        Ok(Known { classes: fleet.classes().to_vec(), doubts: Vec::new() })
    }
}

/// The histogram of sizes. Its edges are ours, or else it is that of another version.
fn sizes(page: &Page) -> Result<SizeCounts, String> {
    let mut sizes = SizeCounts::default();
    let mut below = 0;
    for (count, edge) in sizes.counts.iter_mut().zip(SIZE_EDGES) {
        let up_to = page.value(&format!("record_data_bytes_bucket{{le=\"{edge}.0\"}}"))?;
        *count = whole(up_to).saturating_sub(below);
        below = whole(up_to);
    }
    sizes.bytes = whole(page.value("record_data_bytes_sum")?);
    Ok(sizes)
}

/// The hottest keys, each with its part of `records`: the part that it was of the last full window, in
/// which there were `window_per_s` in a second. A key that may not be named has a rank.
fn hottest(page: &Page, records: u64, window_per_s: f64) -> Vec<HotKey<String>> {
    let by = |label: &'static str| {
        let bytes_per_s: Vec<_> = page.labels("hot_key_bytes_per_second", label).collect();
        page.labels("hot_key_records_per_second", label).filter_map(move |(key, per_s)| {
            let (_, bytes_per_s) = bytes_per_s.iter().find(|(other, _)| *other == key)?;
            let count = real(records) * (per_s / window_per_s).min(1.0);
            let bytes = whole(count * bytes_per_s / per_s);
            // It may hold anything, and goes to a terminal.
            let key = format!("hot key {}", key.escape_debug());
            Some(HotKey { key, records: whole(count), bytes })
        })
    };
    let mut hottest: Vec<_> = by("key").chain(by("rank")).filter(|key| key.records > 0).collect();
    hottest.sort_by_key(|key| Reverse((key.bytes, key.records)));
    hottest
}

/// However it is known how many they are; not shown while they are not told apart.
fn shards(page: &Page) -> Option<NonZeroU32> {
    let (_known, count) = page.labels("stream_shards", "known").next()?;
    NonZeroU32::new(count_up(count).min(SHARDS_MAX))
}

fn placement(page: &Page) -> Option<Placement> {
    let (how, _) = page.labels("stream_partitioning", "how").next()?;
    match how.as_str() {
        "md5" => Some(Placement::Md5),
        "golden" => Some(Placement::Golden),
        _ => None,
    }
}

/// Whether the shards that there are are enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Holding {
    /// Whether they are; `None` if nobody knows how many there are, and if they are for the part of one
    /// gateway: nobody knows what the others send.
    pub(super) holds: Option<bool>,
    /// Gateways that share them, this one included.
    pub(super) gateways: NonZeroU32,
    /// How many there are.
    pub(super) shards: Option<NonZeroU32>,
    /// How many are needed, by what the hottest is found to have; by the plan where nobody knows that.
    /// `None` if no number would do.
    pub(super) needed: Option<NonZeroU32>,
    /// How many a new plan would take: it leaves room for hashing that is less kind.
    pub(super) planned: Option<NonZeroU32>,
    /// The part of its limits that there is to send to the hottest, if that is known.
    pub(super) hottest_used: Option<f64>,
    /// The part of attempts that the stream refuses.
    pub(super) throttled: f64,
    /// Whether the gateway itself has warned, and not taken it back.
    pub(super) warned: bool,
}

impl Holding {
    /// For a stream that has so many `shards`.
    pub(super) fn of(
        stream: &Stream,
        shards: Option<NonZeroU32>,
        plan: &Plan,
        target: Factor,
        gateways: NonZeroU32,
    ) -> Self {
        let Stream { hottest_used, throttled, holds: warned_not, .. } = *stream;
        let found = stream.shards.zip(hottest_used);
        let needed = found.map_or(plan.shards, |(shards, used)| measured(shards, used, target));
        let holds = shards.map(|shards| needed <= shards && warned_not);
        let holds = holds.filter(|holds| !holds || gateways == NonZeroU32::MIN);
        let (needed, planned) = (Some(needed), Some(plan.shards));
        let warned = !warned_not;
        Self { holds, gateways, shards, needed, planned, hottest_used, throttled, warned }
    }

    /// For a stream that no number of shards can mend.
    fn hopeless(stream: &Stream) -> Self {
        let Stream { shards, hottest_used, throttled, holds, instances, .. } = *stream;
        let (needed, planned) = (None, None);
        Self {
            holds: Some(false),
            gateways: instances.unwrap_or(NonZeroU32::MIN),
            shards,
            needed,
            planned,
            hottest_used,
            throttled,
            warned: !holds,
        }
    }
}

/// A gateway for which there is no plan, because one key alone is more than a shard should carry.
#[derive(Debug, Serialize)]
pub(super) struct Hopeless {
    schema_version: u32,
    holding: Holding,
    /// What it is called, or its rank.
    key: String,
    /// The part of a shard's limits that it takes.
    key_used: f64,
    /// Why there is no plan.
    faults: Vec<String>,
}

impl Hopeless {
    /// What `faults` of a plan for this stream say; `None` if no key is too much for a shard.
    pub(super) fn of(stream: &Stream, faults: &[GoalFault]) -> Option<Self> {
        let too_hot = faults.iter().filter_map(too_hot);
        let (key, key_used) = too_hot.max_by(|(_, one), (_, other)| one.total_cmp(other))?;
        Some(Self {
            schema_version: SCHEMA_VERSION,
            holding: Holding::hopeless(stream),
            key: key.to_owned(),
            key_used,
            faults: faults.iter().map(GoalFault::to_string).collect(),
        })
    }

    /// In words.
    pub(super) fn says(&self) -> String {
        format!(
            "THE PLAN NO LONGER HOLDS: {} alone is {} of a shard's limits, and lives on one shard: more \
             shards cannot help. Let its device send less or larger records, or spread it over several \
             keys (stream.partition_key).\n{}\n",
            self.key,
            per_cent(self.key_used),
            self.faults.join("\n"),
        )
    }
}

/// The class of which one device is more than a shard should carry, and the part of a shard's limits
/// that it takes.
fn too_hot(fault: &GoalFault) -> Option<(&str, f64)> {
    if let GoalFault::DeviceAboveShard { class, records_per_s, bytes_per_s } = fault {
        let (records_per_s, bytes_per_s) = (*records_per_s, *bytes_per_s);
        Some((class, Flow { records_per_s, bytes_per_s }.used()))
    } else if let GoalFault::DeviceAboveTarget { class, used, .. } = fault {
        Some((class, used / 100.0))
    } else {
        None
    }
}
