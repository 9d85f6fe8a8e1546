use std::num::NonZeroU32;
use std::time::Duration;

use crate::number::count_up;
use crate::{Arrivals, Constraint, Estimator, Factor, Goals};

/// How many shards it would take to send what comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// So many; `None` if no number would do.
    pub shards: Option<NonZeroU32>,
    /// What one shard less would break, where the estimator says so.
    pub binding: Vec<Constraint>,
}

impl Advice {
    /// Plans for what came in a window. `present` is how many shards there are, and the part of its limits
    /// that there is to send to the hottest of them: hashing may have been less kind than a plan
    /// assumes, and then the shards that there are tell more than the estimate.
    ///
    /// Takes milliseconds for equal devices and up to seconds where there are hot keys among
    /// thousands of others: not for a thread that has better to do.
    #[must_use]
    pub fn of<K>(
        arrivals: &Arrivals<K>,
        goals: &Goals,
        present: Option<(NonZeroU32, f64)>,
    ) -> Self {
        let nothing_helps = Self { shards: None, binding: Vec::new() };
        if arrivals.hottest_key_used() > goals.target.get() {
            return nothing_helps;
        }
        let planned = arrivals.fleet().and_then(|fleet| {
            let placement = goals.placement.of_classes(fleet.classes().len());
            // How long records wait is another matter: more shards do not make large ones faster.
            let goals = Goals { placement, p99: Duration::MAX, ..goals.clone() };
            let plan = Estimator::new(fleet, goals).ok()?.plan().ok()?;
            Some((plan.shards, plan.binding))
        });
        let Some((shards, binding)) = planned else { return nothing_helps };
        let measured = present.map(|(present, used)| measured(present, used, goals.target));
        match measured.filter(|measured| *measured > shards) {
            Some(measured) => Self { shards: Some(measured), binding: Vec::new() },
            None => Self { shards: Some(shards), binding },
        }
    }
}

/// The shards that take the hottest to `target`, where there are so many at `present` and it has the part
/// `used` of its limits to send.
pub(crate) fn measured(present: NonZeroU32, used: f64, target: Factor) -> NonZeroU32 {
    let shards = count_up(f64::from(present.get()) * used / target.get());
    NonZeroU32::new(shards).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HashKey, Placement, Traffic};

    /// What is seen of a second in which devices sent records of 320 bytes, a hundred each.
    fn seen(devices: u32, hot_records: u32) -> Arrivals<u32> {
        let second = Duration::from_secs(1);
        let mut traffic = Traffic::new(second, Duration::ZERO);
        for record in 0..devices * 100 {
            let device = record % devices;
            traffic.add(HashKey::of(&device.to_string()), &device, 20, 300);
        }
        for _ in 0..hot_records {
            traffic.add(HashKey::of("hot"), &u32::MAX, 20, 300);
        }
        traffic.pass(second);
        traffic.arrivals().cloned().unwrap()
    }

    fn shards(n: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(n)
    }

    #[test]
    fn the_advice_is_the_plan_for_what_was_seen() {
        let seen = seen(40, 0);
        let plan = Estimator::new(seen.fleet().unwrap(), Goals::default()).unwrap().plan().unwrap();
        let advice = Advice::of(&seen, &Goals::default(), None);
        assert_eq!(advice, Advice { shards: Some(plan.shards), binding: plan.binding });
        assert!(plan.shards.get() > 5, "40 keys of 100 records/s do not spread evenly");
    }

    #[test]
    fn hot_keys_among_evenly_placed_devices_are_planned_for_as_hashed() {
        let advice = |seen: &Arrivals<u32>, placement| {
            Advice::of(seen, &Goals { placement, ..Goals::default() }, None).shards
        };
        let both = |seen: &Arrivals<u32>| {
            [Placement::Golden, Placement::Md5].map(|place| advice(seen, place))
        };
        let [golden, md5] = both(&with_quiet(0));
        assert!(golden < md5, "{golden:?} and {md5:?}");
        let [golden, md5] = both(&with_quiet(700));
        assert_eq!(golden, md5);
    }

    /// What is seen of two seconds in which 1,000 devices sent ten records each, and another many.
    fn with_quiet(hot_records: u32) -> Arrivals<u32> {
        let seconds = Duration::from_secs(2);
        let mut traffic = Traffic::new(seconds, Duration::ZERO);
        for record in 0..10_000 {
            let device = record % 1_000;
            traffic.add(HashKey::of(&device.to_string()), &device, 20, 300);
        }
        for _ in 0..hot_records {
            traffic.add(HashKey::of("hot"), &u32::MAX, 20, 300);
        }
        traffic.pass(seconds);
        traffic.arrivals().cloned().unwrap()
    }

    #[test]
    fn a_shard_that_is_hotter_than_any_plan_assumes_counts_as_it_is() {
        let seen = seen(40, 0);
        let hot = Advice::of(&seen, &Goals::default(), Some((NonZeroU32::new(20).unwrap(), 1.2)));
        assert_eq!(hot.shards, shards(30));
    }

    #[test]
    fn no_number_of_shards_helps_a_key_that_is_too_much_for_one() {
        let nothing = Advice { shards: None, binding: Vec::new() };
        assert_eq!(Advice::of(&seen(40, 900), &Goals::default(), None), nothing);
        assert_eq!(Advice::of(&seen(0, 0), &Goals::default(), None), nothing);
    }

    /// With a tenth of its limits a shard takes a record of 1 MiB in more than the two seconds of a plan.
    #[test]
    fn records_that_are_sent_in_pieces_for_long_are_advised_for_like_others() {
        let minute = Duration::from_secs(60);
        let mut traffic = Traffic::new(minute, Duration::ZERO);
        for camera in 0..4 {
            let key = HashKey::of(&format!("camera-{camera}"));
            traffic.add(key, &camera, 20, 1_000_000);
        }
        traffic.pass(minute);
        let part = |part| Factor::new(part).expect("above 0, at most 1");
        let goals = Goals { target: part(0.08), fraction: part(0.1), ..Goals::default() };
        let seen = traffic.arrivals().cloned().unwrap();
        assert!(Advice::of(&seen, &goals, None).shards.is_some());
    }
}
