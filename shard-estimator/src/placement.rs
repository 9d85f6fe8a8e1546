use std::num::NonZeroU32;

pub(crate) use self::exact::SortedKeys;
use crate::number::count_up;
use crate::{Fleet, Goals, HashKey, Placement};

mod bound;
mod drawn;
mod exact;

/// Hashings played for classes whose keys are not known.
const DRAWS: u32 = 10_000;

/// The least risk that so many plays show: ten of them exceed it.
pub(crate) const PLAYED_RISK_MIN: f64 = 0.001;

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
    /// Alike and hashed: the exact binomial tail.
    Hashed { risk: f64 },
    /// Their hash keys are known, class by class: counted.
    Known(&'a [SortedKeys]),
    /// Different and hashed: played, many times.
    Drawn { risk: f64, seed: u64 },
}

impl<'a> Heaviest<'a> {
    /// With the hash keys of each class, if they are known.
    pub(crate) fn of(fleet: &Fleet, goals: &Goals, keys: Option<&'a [SortedKeys]>) -> Self {
        match (goals.placement, keys) {
            (Placement::Even, _) => Self::Even,
            (Placement::Md5 | Placement::Golden, Some(keys)) => Self::Known(keys),
            (Placement::Md5 | Placement::Golden, None) if fleet.classes().len() == 1 => {
                Self::Hashed { risk: goals.risk }
            }
            (Placement::Md5 | Placement::Golden, None) => {
                Self::Drawn { risk: goals.risk, seed: goals.seed }
            }
        }
    }

    /// The weight of the heaviest of `shards`, for each way of weighing the devices of the classes,
    /// of which there are `counts`.
    pub(crate) fn weigh(
        &self,
        counts: &[u32],
        shards: NonZeroU32,
        weighings: &[Vec<f64>],
    ) -> Vec<f64> {
        let sums = |counts: &[u32]| weighings.iter().map(|weights| sum(counts, weights)).collect();
        match self {
            Self::Even => {
                let fair = |count: &u32| count.div_ceil(shards.get());
                sums(&counts.iter().map(fair).collect::<Vec<_>>())
            }
            Self::Hashed { risk } => {
                let most = |count: &u32| hottest_devices(*count, shards, *risk);
                sums(&counts.iter().map(most).collect::<Vec<_>>())
            }
            Self::Known(keys) => exact::heaviest(keys, shards, weighings),
            Self::Drawn { risk, seed } => {
                let draws = drawn::Draws { draws: DRAWS, quantile: 1.0 - risk, seed: *seed };
                draws.heaviest(counts, shards, weighings)
            }
        }
    }

    /// Weights that those of [`weigh`](Self::weigh) are almost certainly not below, where that is
    /// much less work: what does not hold with these needs no closer look.
    pub(crate) fn weigh_roughly(
        &self,
        counts: &[u32],
        shards: NonZeroU32,
        weighings: &[Vec<f64>],
    ) -> Option<Vec<f64>> {
        let Self::Drawn { risk, seed } = *self else { return None };
        // Four plays should exceed what `risk` allows; that sixteen do has a probability of 10^-5.
        let (draws, quantile) = (count_up(4.0 / risk), 1.0 - 4.0 * risk);
        (draws < DRAWS / 4 && quantile > 0.0)
            .then(|| drawn::Draws { draws, quantile, seed }.heaviest(counts, shards, weighings))
    }

    /// The weight of each shard. Of devices whose keys are not known, as one play of hashing has it.
    pub(crate) fn weigh_each(
        &self,
        counts: &[u32],
        shards: NonZeroU32,
        weights: &[f64],
        seed: u64,
    ) -> Vec<f64> {
        match self {
            Self::Even => {
                vec![sum(counts, weights) / f64::from(shards.get()); shards.get() as usize]
            }
            Self::Known(keys) => exact::each(keys, shards, weights),
            Self::Hashed { .. } | Self::Drawn { .. } => drawn::each(counts, shards, weights, seed),
        }
    }

    /// The weights of a shard with its fair share. No heaviest shard has less.
    pub(crate) fn fair(counts: &[u32], shards: NonZeroU32, weighings: &[Vec<f64>]) -> Vec<f64> {
        let share = f64::from(shards.get()).recip();
        weighings.iter().map(|weights| sum(counts, weights) * share).collect()
    }

    /// Whether a fleet of other numbers is weighed anew; otherwise its weights are those of the
    /// fleet as it is, multiplied.
    pub(crate) fn counts_anew(&self) -> bool {
        match self {
            Self::Even | Self::Hashed { .. } => true,
            Self::Known(_) | Self::Drawn { .. } => false,
        }
    }

    /// Whether the weights are known to fall with every shard more. Those that are counted need
    /// not: 733 of 20,000 vehicles on the hottest of 29 shards were 734 of 30.
    pub(crate) fn falls_with_shards(&self) -> bool {
        matches!(self, Self::Drawn { .. })
    }
}

fn sum(counts: &[u32], weights: &[f64]) -> f64 {
    counts.iter().zip(weights).map(|(count, weight)| f64::from(*count) * weight).sum()
}

/// Places for the devices of all classes, numbered from 1. Class after class is an order as good as
/// any, because the devices are alike.
pub(crate) fn golden_keys(counts: &[u32]) -> Vec<SortedKeys> {
    let mut next = 1;
    let of_class = |count: &u32| {
        let numbers = next..next + count;
        next += count;
        SortedKeys::new(numbers.map(HashKey::golden).collect())
    };
    counts.iter().map(of_class).collect()
}
