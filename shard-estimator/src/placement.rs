use std::num::NonZeroU32;

pub(crate) use self::drawn::Draws;
pub(crate) use self::exact::SortedKeys;
use self::tail::Tail;
use crate::number::count_up;
use crate::{Fleet, Goals, Placement};

mod bound;
mod drawn;
mod exact;
mod golden;
mod tail;

/// Most of `devices` on one of `shards` when keys are hashed: more than this on any shard has a
/// probability of at most `risk`.
///
/// The least m with `shards` × P(Binomial(`devices`, 1 ÷ `shards`) > m) ≤ `risk`, the tail summed
/// exactly: at least the quantile that it stands for, and at most 5 % or one device more.
#[must_use]
pub fn hottest_devices(devices: u32, shards: NonZeroU32, risk: f64) -> u32 {
    bound::hottest(devices, shards, risk)
}

/// How the heaviest shard is found.
#[derive(Debug)]
pub(crate) enum Heaviest<'a> {
    /// The devices are divided evenly.
    Even,
    /// Hashed: the exact binomial tails of the classes, folded into each other.
    Hashed { risk: f64 },
    /// Their hash keys are known, class by class: counted. Those of devices that are still to come are
    /// not: hashed beside them.
    Known { keys: &'a [SortedKeys], risk: f64 },
    /// Alike and numbered, those to come as well: counted.
    Golden,
}

impl<'a> Heaviest<'a> {
    /// Of devices that are placed as the goals say.
    pub(crate) fn of(fleet: &'a Fleet, goals: &Goals) -> Self {
        let Goals { placement, risk, .. } = *goals;
        match (placement, fleet.keys()) {
            (Placement::Even, _) => Self::Even,
            (Placement::Golden, _) => Self::Golden,
            (Placement::Md5, Some(keys)) => Self::Known { keys, risk },
            (Placement::Md5, None) => Self::Hashed { risk },
        }
    }

    /// The weight of the heaviest of `shards`, for each way of weighing the devices of the classes,
    /// of which there are `counts`. Never less of more devices.
    pub(crate) fn weigh(
        &self,
        counts: &[f64],
        shards: NonZeroU32,
        weighings: &[Vec<f64>],
    ) -> Vec<f64> {
        match self {
            Self::Even => {
                let fair = |count: &f64| f64::from(count_up(count / f64::from(shards.get())));
                let fair: Vec<_> = counts.iter().map(fair).collect();
                weighings.iter().map(|weights| sum(&fair, weights)).collect()
            }
            Self::Hashed { risk } => {
                let hashed = |weights: &Vec<f64>| hashed(counts, weights, shards, *risk);
                weighings.iter().map(hashed).collect()
            }
            Self::Known { keys, risk } => {
                weigh_known(keys, *risk, counts, &Weighed { shards, weighings })
            }
            Self::Golden => {
                let heaviest =
                    golden::by_shard(total(counts), shards).into_iter().fold(0.0, f64::max);
                weighings.iter().map(|weights| heaviest * one_alike(weights)).collect()
            }
        }
    }

    /// The weight of each shard. Of devices whose keys are not known, as one play of hashing has it.
    pub(crate) fn weigh_each(
        &self,
        counts: &[f64],
        shards: NonZeroU32,
        weights: &[f64],
        seed: u64,
    ) -> Vec<f64> {
        match self {
            Self::Even => {
                vec![sum(counts, weights) / f64::from(shards.get()); shards.get() as usize]
            }
            Self::Known { keys, .. } => {
                exact::each(keys, shards, [weights]).next().unwrap_or_default()
            }
            Self::Golden => {
                let devices = golden::by_shard(total(counts), shards);
                devices.into_iter().map(|devices| devices * one_alike(weights)).collect()
            }
            Self::Hashed { .. } => drawn::each(&whole(counts), shards, weights, seed),
        }
    }

    /// The weights of a shard with its fair share. No heaviest shard has less.
    pub(crate) fn fair(counts: &[f64], shards: NonZeroU32, weighings: &[Vec<f64>]) -> Vec<f64> {
        let share = f64::from(shards.get()).recip();
        weighings.iter().map(|weights| sum(counts, weights) * share).collect()
    }

    /// Whether the weights are known to fall with every shard more. Those that are counted need
    /// not: 733 of 20,000 vehicles on the hottest of 29 shards were 734 of 30.
    pub(crate) fn falls_with_shards(&self) -> bool {
        matches!(self, Self::Hashed { .. })
    }
}

/// The least weight that any of the shards exceeds with a probability of at most `risk`: S shards times
/// the probability that one does, which with a risk of a hundredth is at most half a hundredth of it too
/// much.
fn hashed(counts: &[f64], weights: &[f64], shards: NonZeroU32, risk: f64) -> f64 {
    let n = f64::from(shards.get());
    Tail::of(counts, weights, shards).least(|above| n * above <= risk)
}

/// What is weighed on how many shards.
struct Weighed<'a> {
    shards: NonZeroU32,
    weighings: &'a [Vec<f64>],
}

/// Of a fleet that has grown, as many devices more hashed beside those that are known. Of one that has
/// shrunk nobody knows who is left: no more than all, and no more than as many that are hashed.
fn weigh_known(keys: &[SortedKeys], risk: f64, counts: &[f64], of: &Weighed<'_>) -> Vec<f64> {
    let Weighed { shards, weighings } = *of;
    let differ: Vec<_> =
        counts.iter().zip(keys).map(|(count, keys)| count - f64::from(keys.count())).collect();
    if differ.iter().any(|more| *more > 0.0) {
        let known = exact::each(keys, shards, weighings.iter().map(Vec::as_slice));
        let beside = |(known, weights): (Vec<f64>, &Vec<f64>)| {
            Tail::of(&differ, weights, shards).least_beside(known, risk)
        };
        return known.zip(weighings).map(beside).collect();
    }
    let all = exact::heaviest(keys, shards, weighings);
    if differ.iter().all(|less| *less >= 0.0) {
        return all;
    }
    let hashed = |weights: &Vec<f64>| hashed(counts, weights, shards, risk);
    all.into_iter().zip(weighings).map(|(all, weights)| all.min(hashed(weights))).collect()
}

fn sum(counts: &[f64], weights: &[f64]) -> f64 {
    counts.iter().zip(weights).map(|(count, weight)| count * weight).sum()
}

fn whole(counts: &[f64]) -> Vec<u32> {
    counts.iter().map(|count| count_up(*count)).collect()
}

fn total(counts: &[f64]) -> u32 {
    count_up(counts.iter().sum())
}

/// The weight of one of devices that are alike.
fn one_alike(weights: &[f64]) -> f64 {
    weights.first().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a device more on a shard has just the probability that is allowed, plays of chance may show
    /// the one or the other: four standard deviations of their rank say how far they stray.
    #[test]
    fn what_is_reckoned_is_what_plays_show() {
        const DRAWS: u32 = 10_000;
        let fleets: [(&[u32], [Vec<f64>; 2]); 5] = [
            (&[900, 5_000], [vec![10.0, 0.5], vec![1.0, 1.0]]),
            (&[800, 60, 6], [vec![1.0 / 900.0, 1.0 / 60.0, 1.0], vec![16.0, 495.0, 408.3]]),
            (&[3_000, 1, 1], [vec![0.1, 200.0, 90.0], vec![1.0, 1.0, 1.0]]),
            (&[10, 3], [vec![50.0, 7.0], vec![1.0, 0.0]]),
            (&[400, 4], [vec![10.0, 500.0], vec![2_000.0, 200_000.3]]),
        ];
        for (counts, weighings) in fleets {
            for (n, risk) in [(1, 0.01), (2, 0.01), (7, 0.001), (30, 0.01), (30, 0.2), (300, 0.05)]
            {
                let shards = NonZeroU32::new(n).expect("not zero");
                let strays = 4.0 / (f64::from(DRAWS) * risk).sqrt();
                let at_risk = |risk| {
                    let draws = Draws { draws: DRAWS, quantile: 1.0 - risk, seed: 7 };
                    draws.heaviest(counts, shards, &weighings)
                };
                let few = at_risk(risk * (1.0 + strays));
                // S x q is the more above the risk of any shard, the larger the risk.
                let many = at_risk(risk * (1.0 - strays) * (1.0 - risk));
                let counts: Vec<_> = counts.iter().copied().map(f64::from).collect();
                let reckoned = Heaviest::Hashed { risk }.weigh(&counts, shards, &weighings);
                for ((reckoned, few), many) in reckoned.into_iter().zip(few).zip(many) {
                    let at = format!("{counts:?} on {n} at {risk}: {reckoned}, {few} to {many}");
                    assert!(reckoned >= few * (1.0 - 1e-9), "{at}");
                    assert!(reckoned <= many * 1.005 + 1e-9, "{at}");
                }
            }
        }
    }
}
