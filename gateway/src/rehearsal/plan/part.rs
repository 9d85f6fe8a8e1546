//! What of a plan is played: which devices, with which keys, on which shards.

use std::num::NonZeroU32;
use std::time::Duration;

use shard_estimator::number::{count_down, count_up};
use shard_estimator::{Class, Devices, Estimator, Fleet, Outlook};

use super::acts::CYCLE_MAX;
use super::busiest::{Stage, joined};
use super::timetable::SEQUENCE_BYTES;
use super::{Acts, Fault, Figures, Timetable, synopsis};

/// What two cores carry with fleet, broker and stream beside the gateway, unoptimised too.
const RECORDS_PER_S_MAX: f64 = 2_000.0;
/// The same in bytes.
const BYTES_PER_S_MAX: f64 = 4_000_000.0;
/// What was stored is kept in memory until it is compared.
const STORED_BYTES_MAX: f64 = 1_500_000_000.0;
/// What a record takes there beside its data and key, as measured (340): its name, its place in its
/// shard and its time, twice while they are compared, and which report arrived when.
const RECORD_BYTES_BESIDE: f64 = 350.0;

/// What is asked of a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Asked {
    /// Shards of the stream; those of the plan unless said.
    pub shards: Option<NonZeroU32>,
    /// The part of the shards that is played, above 0 and at most 1; what a small machine carries
    /// unless said.
    pub scale: Option<f64>,
    /// How long load and waits are measured, at least.
    pub seconds: u32,
    /// Chooses keys and times.
    pub seed: u64,
    /// How many gateways share the plan's stream. One is played.
    pub gateways: NonZeroU32,
}

/// What is played of a plan.
#[derive(Debug, Clone)]
pub struct Part {
    /// The shards of the stream.
    pub shards: NonZeroU32,
    /// How many of them get anything.
    pub played: usize,
    /// The devices that play, their keys known, with the goals for what is played.
    pub estimator: Estimator,
    /// The whole fleet at the plan's horizon, its keys not known, with the same goals and periods.
    pub planned: Estimator,
    /// What is allowed: what the goals do, and what is added by leaving out idle time.
    pub allowed: Figures,
    /// Records a second that leaving out idle time adds to the busiest shard, at most.
    pub added_per_s: f64,
    /// When what is played.
    pub acts: Acts,
    /// When it is over.
    pub end: Duration,
    /// When each device reports.
    pub timetable: Timetable,
    /// The plan that it is of, as it was given.
    plan: Estimator,
    /// The gateways of the plan.
    pub(super) gateways: NonZeroU32,
}

impl Part {
    /// What of `plan` is played.
    ///
    /// # Errors
    /// When there is no such plan, or something of it cannot be played.
    pub fn of(plan: &Estimator, asked: Asked) -> Result<Self, Fault> {
        playable(plan.fleet())?;
        let shards = match asked.shards {
            Some(shards) => shards,
            None => plan.plan()?.shards,
        };
        let grown = Stage::new(shards, plan.goals().clone()).estimator(grown(plan))?;
        let acts = Acts::new(&grown, shards, asked.seconds);
        if let Some(cycle) = acts.cycle.filter(|cycle| *cycle > CYCLE_MAX) {
            return Err(Fault::LongCycle { cycle });
        }
        let stage = Stage::new(shards, acts.goals(plan.goals()));
        let grown = grown.fleet().classes();
        let hastened: Vec<_> = grown.iter().map(|class| acts.hasten(class)).collect();
        let by_shard = stage.by_strain(&stage.unluckiest(&hastened, asked.seed)?)?;
        let played = match asked.scale {
            Some(scale) => part_of(by_shard.len(), scale),
            None => fitting(&by_shard),
        };
        let estimator = stage.estimator(joined(by_shard.into_iter().take(played)))?;
        let planned = stage.estimator(hastened)?;
        let (real, added) =
            (stage.estimator(grown.to_vec())?.outlook(shards), planned.outlook(shards));
        let added_per_s = (added.hottest.records_per_s - real.hottest.records_per_s).max(0.0);
        let goals = estimator.goals();
        let [real, added] = [real, added].map(|outlook| Figures::predicted(&outlook, goals));
        let allowed = Figures::allowed(goals).allowing(&real, &added);
        let end = acts.end(&Figures::predicted(&estimator.outlook(shards), goals), &allowed);
        let stored_bytes = end.as_secs_f64() * kept_bytes_per_s(estimator.fleet());
        if stored_bytes > STORED_BYTES_MAX {
            return Err(Fault::TooMuch { gigabytes: stored_bytes / 1e9 });
        }
        let timetable = Timetable::new(estimator.fleet(), acts.steady.start, end, asked.seed);
        if !timetable.has_any_due(&acts.steady) {
            return Err(Fault::NothingDue { period: slowest(estimator.fleet()) });
        }
        Ok(Self {
            shards,
            played,
            estimator,
            planned,
            allowed,
            added_per_s,
            acts,
            end,
            timetable,
            plan: plan.clone(),
            gateways: asked.gateways,
        })
    }

    /// What all this is, and how it differs from the plan, in sentences.
    #[must_use]
    pub fn synopsis(&self) -> Vec<String> {
        synopsis::of(self, &self.plan)
    }

    /// What should be measured.
    #[must_use]
    pub fn predicted(&self) -> Outlook {
        self.estimator.outlook(self.shards)
    }
}

/// Whether each device can publish, and number what it publishes.
fn playable(fleet: &Fleet) -> Result<(), Fault> {
    for class in fleet.classes() {
        let smallest = class.sizes.bins().first().map_or(0, |bin| bin.bytes);
        if (smallest as usize) < SEQUENCE_BYTES {
            return Err(Fault::SmallRecords { class: class.name.clone(), bytes: smallest });
        }
        if let Devices::Known(keys) = &class.devices
            && let Some(key) =
                keys.iter().find(|key| key.starts_with('$') || key.contains(['+', '#', '\0']))
        {
            return Err(Fault::KeyNoTopic { key: key.clone() });
        }
    }
    Ok(())
}

/// After how long every device has reported.
fn slowest(fleet: &Fleet) -> Duration {
    fleet.classes().iter().map(|class| class.period).max().unwrap_or_default()
}

/// The classes of a plan as large as they grow until its horizon, in whole devices, which are no more load
/// than the plan's: what lacks of a device of one class goes to those that send less. Devices that are
/// named stay as many.
fn grown(plan: &Estimator) -> Vec<Class> {
    let growth = plan.goals().growth;
    let times = growth.map_or(1.0, |growth| growth.after(growth.horizon_months.into())).max(1.0);
    let mut classes = plan.fleet().classes().to_vec();
    let mut by_load: Vec<_> = classes.iter_mut().collect();
    by_load
        .sort_by(|one, other| other.device_records_per_s().total_cmp(&one.device_records_per_s()));
    let (mut more, mut added) = (0.0, 0);
    for class in by_load {
        if let Devices::Counted { devices, .. } = &mut class.devices {
            more += f64::from(*devices) * (times - 1.0);
            let whole = count_down(more) - added;
            *devices = devices.saturating_add(whole);
            added += whole;
        }
    }
    classes
}

/// So many of the busiest shards, at least one, as a small machine carries.
fn fitting(shards: &[Vec<Class>]) -> usize {
    let (mut records_per_s, mut bytes_per_s) = (0.0, 0.0);
    let fits = |classes: &&Vec<Class>| {
        for class in *classes {
            records_per_s += class.records_per_s();
            bytes_per_s += class.records_per_s() * class.record_bytes();
        }
        records_per_s <= RECORDS_PER_S_MAX && bytes_per_s <= BYTES_PER_S_MAX
    };
    shards.iter().take_while(fits).count().max(1)
}

/// How much of memory is filled in a second with what `fleet` sends.
fn kept_bytes_per_s(fleet: &Fleet) -> f64 {
    fleet.bytes_per_s() + RECORD_BYTES_BESIDE * fleet.records_per_s()
}

/// `part` of `all`, rounded up: at least one of what there is.
fn part_of(all: usize, part: f64) -> usize {
    let all = u32::try_from(all).unwrap_or(u32::MAX);
    count_up(part * f64::from(all)).clamp(1, all.max(1)) as usize
}
