//! What a running gateway shows of itself, on its page of metrics; and whether the shards of its
//! stream are still enough.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use self::page::Page;
use super::observed::Known;
use crate::number::{count_up, real, whole};
use crate::{Arrivals, Factor, HotKey, Plan, SIZE_EDGES, SizeCounts};

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
    /// The part of its limits that there is to send to the hottest.
    hottest_used: f64,
    /// The part of attempts that are refused.
    throttled: f64,
    /// Whether the gateway itself says that the plan holds.
    holds: bool,
    /// What a shard is planned for, and what it is sent at most, as parts of its limits.
    pub(super) target: Option<Factor>,
    pub(super) fraction: Option<Factor>,
}

impl Running {
    /// Reads a page of metrics: what came since the gateway started.
    ///
    /// # Errors
    /// When it is no page of a gateway, and why.
    pub fn read(page: &str) -> Result<Self, String> {
        let page = Page::read(page)?;
        let value = |name| page.value(name);
        let lasted_s = value("uptime_seconds")?;
        let lasted = Duration::try_from_secs_f64(lasted_s).map_err(|error| error.to_string())?;
        let sizes = sizes(&page)?;
        let arrivals = Arrivals {
            lasted,
            sizes,
            key_bytes: whole(value("partition_key_bytes_total")?),
            hottest: hottest(&page, sizes.records())?,
            keys: value("partition_keys")?,
        };
        let stream = Stream {
            shards: NonZeroU32::new(count_up(value("stream_shards")?)),
            hottest_used: value("hottest_shard_offered_ratio")?,
            throttled: value("throttled_ratio")?,
            holds: value("plan_holds")? > 0.5,
            target: Factor::new(value("plan_target_ratio")?),
            fraction: Factor::new(value("pace_fraction_ratio")?),
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
        let fleet = self.arrivals.fleet().ok_or_else(|| {
            "the gateway has received no record in that time: ask again when there is traffic"
                .to_owned()
        })?;
        Ok(Known { classes: fleet.classes().to_vec(), doubts: Vec::new() })
    }
}

/// The histogram of sizes. Its edges are ours, or else it is that of another version.
fn sizes(page: &Page<'_>) -> Result<SizeCounts, String> {
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

/// The hottest keys, each with its part of `records`: their rates are those of the last minute.
fn hottest(page: &Page<'_>, records: u64) -> Result<Vec<HotKey<String>>, String> {
    let offered_per_s = page.value("offered_records_per_second")?;
    let bytes_per_s = page.labels("hot_key_bytes_per_second", "key").collect::<Vec<_>>();
    let hot = page.labels("hot_key_records_per_second", "key").filter_map(|(key, per_s)| {
        let (_, bytes_per_s) = bytes_per_s.iter().find(|(other, _)| *other == key)?;
        let share = if offered_per_s > per_s { per_s / offered_per_s } else { 1.0 };
        let count = real(records) * share;
        let bytes = whole(count * bytes_per_s / per_s);
        Some(HotKey { key, records: whole(count), bytes })
    });
    Ok(hot.filter(|key| key.records > 0).collect())
}

/// Whether the shards that there are are enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Holding {
    /// Whether they are; `None` if nobody knows how many there are.
    pub(super) holds: Option<bool>,
    /// How many there are.
    pub(super) shards: Option<NonZeroU32>,
    /// How many are needed: by the plan, or by what the hottest is found to have, whichever is more.
    pub(super) needed: NonZeroU32,
    /// The part of its limits that there is to send to the hottest.
    pub(super) hottest_used: f64,
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
    ) -> Self {
        let Stream { hottest_used, throttled, holds: warned_not, .. } = *stream;
        let measured = shards.and_then(|shards| {
            NonZeroU32::new(count_up(f64::from(shards.get()) * hottest_used / target.get()))
        });
        let needed = measured.map_or(plan.shards, |measured| measured.max(plan.shards));
        let holds = shards.map(|shards| needed <= shards && warned_not);
        Self { holds, shards, needed, hottest_used, throttled, warned: !warned_not }
    }
}
