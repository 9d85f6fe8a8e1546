use std::num::NonZeroU32;

pub(crate) use self::exact::SortedKeys;
pub(crate) use self::played::Played;
use self::tail::Tail;
use crate::{Fleet, Goals, Placement};

mod bound;
mod drawn;
mod exact;
mod golden;
mod played;
mod tail;

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
    /// Their hash keys are known, class by class: counted. Those of devices that are still to come are
    /// not: hashed beside them.
    Known { keys: &'a [SortedKeys], risk: f64 },
    /// Alike and numbered, those to come as well: counted.
    Golden,
    /// Different and hashed: played, many times.
    Drawn { risk: f64, seed: u64, played: &'a Played },
}

/// Weights of the heaviest shard, without a play.
#[derive(Debug, Default)]
pub(crate) struct Reckoned {
    /// Plays almost certainly show no less.
    pub(crate) least: Vec<f64>,
    /// What plays show, to a small part of a hundredth.
    pub(crate) likely: Vec<f64>,
    /// Plays almost certainly show no more.
    pub(crate) most: Vec<f64>,
}

impl<'a> Heaviest<'a> {
    /// Of devices that are placed as the goals say. `played` is of this fleet and of these goals.
    pub(crate) fn of(fleet: &'a Fleet, goals: &Goals, played: &'a Played) -> Self {
        let Goals { placement, risk, seed, .. } = *goals;
        match (placement, fleet.keys()) {
            (Placement::Even, _) => Self::Even,
            (Placement::Golden, _) => Self::Golden,
            (Placement::Md5, Some(keys)) => Self::Known { keys, risk },
            (Placement::Md5, None) if fleet.classes().len() == 1 => Self::Hashed { risk },
            (Placement::Md5, None) => Self::Drawn { risk, seed, played },
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
            Self::Known { keys, risk } => {
                weigh_known(keys, *risk, counts, &Weighed { shards, weighings })
            }
            Self::Golden => {
                let heaviest =
                    golden::by_shard(total(counts), shards).into_iter().fold(0.0, f64::max);
                weighings.iter().map(|weights| heaviest * one_alike(weights)).collect()
            }
            Self::Drawn { risk, seed, played } => played.or_play(shards, counts, || {
                let draws = drawn::Draws { draws: DRAWS, quantile: 1.0 - risk, seed: *seed };
                draws.heaviest(counts, shards, weighings)
            }),
        }
    }

    /// What [`weigh`](Self::weigh) answers, more or less, where that plays and this need not.
    ///
    /// A shard has more than a weight with the probability q that the [`Tail`] says; then any of S
    /// shards has with one of at least 1 − (1 − q)^S, because the more lies on one the less on others, and
    /// of at most S × q. Plays show a risk to within four standard deviations.
    pub(crate) fn reckon(
        &self,
        counts: &[u32],
        shards: NonZeroU32,
        weighings: &[Vec<f64>],
    ) -> Option<Reckoned> {
        let Self::Drawn { risk, .. } = *self else { return None };
        let n = f64::from(shards.get());
        let strays = 4.0 / (f64::from(DRAWS) * risk).sqrt();
        let mut reckoned = Reckoned::default();
        for weights in weighings {
            let tail = Tail::of(counts, weights, shards);
            let any_at_least = |above: f64| -(n * (-above.min(1.0)).ln_1p()).exp_m1();
            let least = tail.least(|above| any_at_least(above) <= risk * (1.0 + strays));
            let most = tail.least(|above| n * above <= risk * (1.0 - strays));
            reckoned.least.push(least - tail.blur);
            reckoned.likely.push(tail.least(|above| n * above <= risk));
            reckoned.most.push(most + tail.blur);
        }
        Some(reckoned)
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
            Self::Known { keys, .. } => exact::each(keys, shards, weights),
            Self::Golden => {
                let devices = golden::by_shard(total(counts), shards);
                devices.into_iter().map(|devices| devices * one_alike(weights)).collect()
            }
            Self::Hashed { .. } | Self::Drawn { .. } => drawn::each(counts, shards, weights, seed),
        }
    }

    /// The weights of a shard with its fair share. No heaviest shard has less.
    pub(crate) fn fair(counts: &[u32], shards: NonZeroU32, weighings: &[Vec<f64>]) -> Vec<f64> {
        let share = f64::from(shards.get()).recip();
        weighings.iter().map(|weights| sum(counts, weights) * share).collect()
    }

    /// Whether plays of chance are needed.
    pub(crate) fn is_played(&self) -> bool {
        matches!(self, Self::Drawn { .. })
    }

    /// Whether the weights are known to fall with every shard more. Those that are counted need
    /// not: 733 of 20,000 vehicles on the hottest of 29 shards were 734 of 30.
    pub(crate) fn falls_with_shards(&self) -> bool {
        self.is_played()
    }
}

/// What is weighed on how many shards.
struct Weighed<'a> {
    shards: NonZeroU32,
    weighings: &'a [Vec<f64>],
}

/// Of a fleet that has grown, as many devices more hashed beside those that are known. Of one that has
/// shrunk nobody knows who is left: no more than all, and no more than as many that are hashed.
fn weigh_known(keys: &[SortedKeys], risk: f64, counts: &[u32], of: &Weighed<'_>) -> Vec<f64> {
    let Weighed { shards, weighings } = *of;
    let more: Vec<_> =
        counts.iter().zip(keys).map(|(count, keys)| count.saturating_sub(keys.count())).collect();
    if total(&more) > 0 {
        let beside = |weights: &Vec<f64>| {
            let known = exact::each(keys, shards, weights);
            let tail = Tail::of(&more, weights, shards);
            tail.least_beside(known, risk) + tail.blur
        };
        return weighings.iter().map(beside).collect();
    }
    let all = exact::heaviest(keys, shards, weighings);
    if counts.iter().zip(keys).all(|(count, keys)| *count == keys.count()) {
        return all;
    }
    let n = f64::from(shards.get());
    let hashed = |weights: &Vec<f64>| {
        let tail = Tail::of(counts, weights, shards);
        tail.least(|above| n * above <= risk) + tail.blur
    };
    all.into_iter().zip(weighings).map(|(all, weights)| all.min(hashed(weights))).collect()
}

fn sum(counts: &[u32], weights: &[f64]) -> f64 {
    counts.iter().zip(weights).map(|(count, weight)| f64::from(*count) * weight).sum()
}

fn total(counts: &[u32]) -> u32 {
    counts.iter().fold(0, |total, count| total.saturating_add(*count))
}

/// The weight of one of devices that are alike.
fn one_alike(weights: &[f64]) -> f64 {
    weights.first().copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reckoned_is_what_plays_show() {
        let fleets: [(&[u32], [Vec<f64>; 2]); 4] = [
            (&[900, 5_000], [vec![10.0, 0.5], vec![1.0, 1.0]]),
            (&[800, 60, 6], [vec![1.0 / 900.0, 1.0 / 60.0, 1.0], vec![16.0, 495.0, 408.3]]),
            (&[3_000, 1, 1], [vec![0.1, 200.0, 90.0], vec![1.0, 1.0, 1.0]]),
            (&[10, 3], [vec![50.0, 7.0], vec![1.0, 0.0]]),
        ];
        let (mut all, mut close) = (0, 0);
        for (counts, weighings) in fleets {
            for (n, risk) in [(1, 0.01), (2, 0.01), (7, 0.001), (30, 0.01), (30, 0.2), (300, 0.05)]
            {
                let shards = NonZeroU32::new(n).expect("not zero");
                let drawn = Heaviest::Drawn { risk, seed: 7, played: &Played::default() };
                let played = drawn.weigh(counts, shards, &weighings);
                let reckoned = drawn.reckon(counts, shards, &weighings).expect("it is played");
                for (measure, played) in played.into_iter().enumerate() {
                    let [least, likely, most] = [&reckoned.least, &reckoned.likely, &reckoned.most]
                        .map(|weights| weights[measure]);
                    let at = format!("{counts:?} on {n} at {risk}: {played} in {least} to {most}");
                    let rounding = 1e-9 * played;
                    assert!(least <= played + rounding && played <= most + rounding, "{at}");
                    assert!(least <= likely && likely <= most, "{at}: {likely}");
                    all += 1;
                    close += u32::from(most - least <= 0.1 * played);
                }
            }
        }
        // Where a device more on a shard has just the probability that is allowed, it is open.
        assert!(4 * close >= 3 * all, "{close} of {all}");
    }
}
