use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use self::carry::Carry;
use self::search::fewest_of_falling;
use crate::limits::SHARDS_MAX;
use crate::loads::{Loads, Scale};
use crate::number::{count_down, count_up};
use crate::placement::Draws;
use crate::{
    Check, Class, Constraint, Fleet, GoalFault, Goals, Growth, Hottest, Outage, Outlook, Placement,
    Sent, longest_outage,
};

mod carry;
mod faults;
mod pieces;
mod search;

/// A fleet and what is asked of its stream: answers how many shards that takes, and what any number
/// of them means.
#[derive(Debug, Clone)]
pub struct Estimator {
    fleet: Fleet,
    goals: Goals,
}

/// How many shards to buy, and why not one less or more.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The fewest shards that hold every goal.
    pub shards: NonZeroU32,
    /// What one shard less would break; nothing for a single shard.
    pub binding: Vec<Constraint>,
    /// One shard less.
    pub less: Option<Outlook>,
    /// The shards of the plan.
    pub chosen: Outlook,
    /// One shard more.
    pub more: Outlook,
}

/// What a number of shards can carry of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Carried {
    /// How many times as many devices: below 1, the shards are too few for the fleet.
    pub times: f64,
    /// Devices, in the same proportions.
    pub devices: u32,
    /// Records a second, before packing.
    pub records_per_s: f64,
    /// The longest outage that the fleet as it is catches up with in the time allowed, if there is
    /// one to catch up with. In JSON: seconds.
    #[serde(serialize_with = "crate::seconds::serialize_some")]
    pub outage: Option<Duration>,
}

impl Estimator {
    /// What `goals` ask of a stream for `fleet`.
    ///
    /// # Errors
    /// Everything that is wrong with the goals, at once.
    pub fn new(fleet: Fleet, goals: Goals) -> Result<Self, Vec<GoalFault>> {
        let faults = faults::of(&fleet, &goals);
        if faults.is_empty() { Ok(Self { fleet, goals }) } else { Err(faults) }
    }

    /// The same with golden-ratio keys instead of hashed ones; `None` if others than hashed ones are asked
    /// about, and if nobody can know, because the devices are not alike.
    #[must_use]
    pub fn golden(&self) -> Option<Self> {
        (self.goals.placement == Placement::Md5).then_some(())?;
        let goals = Goals { placement: Placement::Golden, ..self.goals.clone() };
        Self::new(self.fleet.clone(), goals).ok()
    }

    /// The fleet.
    #[must_use]
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// What is asked of the stream.
    #[must_use]
    pub fn goals(&self) -> &Goals {
        &self.goals
    }

    /// The fewest shards that hold every goal.
    ///
    /// Every number of shards is tried, from the least that fair shares would need: where devices
    /// are known, 30 shards can be worse than 29.
    ///
    /// # Errors
    /// [`GoalFault::NoShards`] when a stream cannot have so many.
    pub fn plan(&self) -> Result<Plan, GoalFault> {
        let scale = self.scale();
        let shards = self
            .fewest(&scale, NonZeroU32::MIN, self.planned(), Check::holds)
            .ok_or_else(|| {
                let most = self.outlook_at(&scale, MOST_SHARDS);
                GoalFault::NoShards {
                    constraints: most.broken().iter().map(Constraint::to_string).collect(),
                }
            })?;
        let less = NonZeroU32::new(shards.get() - 1).map(|less| self.outlook_at(&scale, less));
        Ok(Plan {
            shards,
            binding: less.as_ref().map(Outlook::broken).unwrap_or_default(),
            less,
            chosen: self.outlook_at(&scale, shards),
            more: self.outlook_at(&scale, shards.saturating_add(1)),
        })
    }

    /// The fewest shards that each constraint needs by itself, in the order of [`Constraint`];
    /// `None` where a stream cannot have so many. Growth needs what all others need at its horizon.
    #[must_use]
    pub fn needs(&self) -> Vec<(Constraint, Option<NonZeroU32>)> {
        let scale = self.scale();
        let asked = self.carry().checks(&scale.fair(NonZeroU32::MIN, 1.0));
        let mut needs: Vec<_> = asked
            .iter()
            .map(Check::constraint)
            .map(|one| {
                let holds = |check: &Check| check.constraint() != one || check.holds();
                (one, self.fewest(&scale, NonZeroU32::MIN, 1.0, holds))
            })
            .collect();
        needs.extend(self.goals.growth.map(|growth| {
            let shards = self.fewest(&scale, NonZeroU32::MIN, growth.most(), Check::holds);
            (Constraint::Growth, shards)
        }));
        needs
    }

    /// What so many shards mean for the fleet; above [`SHARDS_MAX`] it is that of `SHARDS_MAX`.
    #[must_use]
    pub fn outlook(&self, shards: NonZeroU32) -> Outlook {
        self.outlook_at(&self.scale(), shards.min(MOST_SHARDS))
    }

    /// What each of so many shards is sent, as a part of its nearer limit, records or bytes, in the order
    /// of their ranges: a picture, where keys are not known, of one play of hashing. Of [`SHARDS_MAX`] at
    /// most.
    #[must_use]
    pub fn used_by_shard(&self, shards: NonZeroU32) -> Vec<f64> {
        let shards = shards.min(MOST_SHARDS);
        let (scale, carry, seed) = (self.scale(), self.carry(), self.goals.seed);
        let bytes_per_s = |class: &Class| class.device_records_per_s() * class.record_bytes();
        let records = scale.by_shard(shards, seed, Class::device_records_per_s);
        let bytes = scale.by_shard(shards, seed, bytes_per_s);
        let used = |(records, bytes)| carry.flow(records, bytes).used();
        records.into_iter().zip(bytes).map(used).collect()
    }

    /// What so many shards, [`SHARDS_MAX`] at most, can carry without breaking a goal, growth left aside.
    #[must_use]
    pub fn carried(&self, shards: NonZeroU32) -> Carried {
        let scale = self.scale();
        let shards = shards.min(MOST_SHARDS);
        let now = scale.at(shards, 1.0);
        let times = self.carries(&scale, shards, &now);
        let drains =
            |outage: Outage| longest_outage(outage.drained_within, self.carry().used_by(&now));
        Carried {
            times,
            devices: count_down(self.fleet.devices() * times),
            records_per_s: self.fleet.records_per_s() * times,
            outage: self.goals.outage.map(drains),
        }
    }

    /// The fewest shards after each of so many months, which ascend; `None` where no stream has as
    /// many. Without growth it is the same in all.
    ///
    /// A fleet grows by devices that are like those of today, class by class in the same proportions: its
    /// skew falls as it does. Where the devices of today are known, those to come are not, and are hashed
    /// beside them with the risk that is allowed.
    #[must_use]
    pub fn shards_by_month(&self, months: &[u32]) -> Vec<Option<NonZeroU32>> {
        let scale = self.scale();
        // A larger fleet breaks whatever the smaller one broke: the search goes on from there.
        let mut from = Some(NonZeroU32::MIN);
        let mut needed = |months: &u32| {
            let times = self.goals.growth.map_or(1.0, |growth| growth.after(f64::from(*months)));
            if times < 1.0 {
                return self.fewest(&scale, NonZeroU32::MIN, times, Check::holds);
            }
            from = from.and_then(|from| self.fewest(&scale, from, times, Check::holds));
            from
        };
        months.iter().map(&mut needed).collect()
    }

    /// What hashing all devices onto so many shards, `plays` times from the goals' seed on, shows of the
    /// hottest shard: what all plays but the risk that is allowed do not exceed. The same seed shows the
    /// same. It knows nothing of the tails that [`outlook`](Self::outlook) reckons with, and can be held
    /// against them. `None` where keys are known or numbered: those are counted.
    #[must_use]
    pub fn played(&self, shards: NonZeroU32, plays: u32) -> Option<Hottest> {
        let shards = shards.min(MOST_SHARDS);
        let Goals { risk, seed, .. } = self.goals;
        let draws = Draws { draws: plays, quantile: 1.0 - risk, seed };
        let loads = self.scale().played(shards, &draws)?;
        Some(self.carry().hottest(&loads, self.fleet.devices() / f64::from(shards.get())))
    }

    /// What the stream is sent in a second by a shard's part of the fleet, if all shards had the
    /// same.
    #[must_use]
    pub fn sent_by_shard(&self, shards: NonZeroU32) -> Sent {
        self.carry().sent(self.fleet.records_per_s() / f64::from(shards.get()))
    }

    /// Those of the numbers of shards `among`, which ascend, that break a goal.
    #[must_use]
    pub fn too_few(&self, among: &[NonZeroU32]) -> Vec<NonZeroU32> {
        let (scale, carry) = (self.scale(), self.carry());
        let suffice =
            |shards| self.suffice(&scale, shards, self.planned(), |loads| carry.holds(loads));
        let breaks = |shards: &NonZeroU32| !suffice(*shards);
        if scale.falls_with_shards() {
            let fewer = among.partition_point(breaks);
            among.iter().copied().take(fewer).collect()
        } else {
            among.iter().copied().filter(breaks).collect()
        }
    }

    /// The fewest shards, `from` or more, with which what `holds` asks is held by a fleet of
    /// `times` as many devices.
    fn fewest(
        &self,
        scale: &Scale<'_>,
        from: NonZeroU32,
        times: f64,
        holds: impl Fn(&Check) -> bool,
    ) -> Option<NonZeroU32> {
        let carry = self.carry();
        let holds = |loads: &Loads| carry.checks(loads).iter().all(&holds);
        let from = fewest_of_falling(from, |shards| holds(&scale.fair(shards, times)))?;
        let suffices = |shards| self.suffice(scale, shards, times, holds);
        if scale.falls_with_shards() {
            fewest_of_falling(from, suffices)
        } else {
            let mut candidates = (from.get()..=SHARDS_MAX).filter_map(NonZeroU32::new);
            candidates.find(|shards| suffices(*shards))
        }
    }

    fn outlook_at(&self, scale: &Scale<'_>, shards: NonZeroU32) -> Outlook {
        let carry = self.carry();
        let loads = scale.at(shards, 1.0);
        let mut checks = carry.checks(&loads);
        checks.extend(self.goals.growth.map(|growth| {
            let carries = self.carries(scale, shards, &loads);
            Check::Growth {
                carries,
                per_month: growth.per_month,
                months: growth.outgrows_after(carries),
                horizon_months: growth.horizon_months,
            }
        }));
        let fair_share = self.fleet.devices() / f64::from(shards.get());
        Outlook { shards, hottest: carry.hottest(&loads, fair_share), checks }
    }

    /// How many times as many devices hold all goals but growth; 0 if not even one device does.
    /// `now` are the loads of the fleet as it is.
    fn carries(&self, scale: &Scale<'_>, shards: NonZeroU32, now: &Loads) -> f64 {
        let carry = self.carry();
        let holds = |loads: &Loads| carry.holds(loads);
        let suffices = |times: f64| self.suffice(scale, shards, times, holds);
        let devices = self.fleet.devices();
        // First of what is planned for: what is found must agree with the plan.
        let (mut enough, mut too_many) =
            if holds(now) { (1.0, self.planned()) } else { (0.0, 1.0) };
        while enough > 0.0 && suffices(too_many) {
            (enough, too_many) = (too_many, 2.0 * too_many);
            if devices * too_many > f64::from(u32::MAX) {
                return enough;
            }
        }
        // Until it is known to a small part of a device.
        while devices * (too_many - enough) > 0.01 && devices * too_many >= 1.0 {
            let middle = f64::midpoint(enough, too_many);
            if suffices(middle) { enough = middle } else { too_many = middle }
        }
        let whole = f64::from(count_up(devices * enough)) / devices;
        if whole <= too_many && suffices(whole) { whole } else { enough }
    }

    /// Whether so many shards do what `holds` asks for a fleet of `times` as many devices, the least work
    /// first.
    fn suffice(
        &self,
        scale: &Scale<'_>,
        shards: NonZeroU32,
        times: f64,
        holds: impl Fn(&Loads) -> bool,
    ) -> bool {
        holds(&scale.fair(shards, times)) && holds(&scale.at(shards, times))
    }

    /// How many times its present size the fleet is planned for.
    fn planned(&self) -> f64 {
        self.goals.growth.map_or(1.0, Growth::most)
    }

    fn carry(&self) -> Carry<'_> {
        Carry::new(&self.fleet, &self.goals)
    }

    fn scale(&self) -> Scale<'_> {
        Scale::new(&self.fleet, &self.goals)
    }
}

const MOST_SHARDS: NonZeroU32 = NonZeroU32::new(SHARDS_MAX).expect("not zero");
