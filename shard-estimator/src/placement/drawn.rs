use std::num::NonZeroU32;

use fastrand::Rng;

use super::bound::likelihood_ln;
use crate::number::{count_down, count_up, real};

/// Plays hashings of all devices, and answers for each way of weighing them which weight of the
/// heaviest shard `quantile` of the plays did not exceed. The same seed gives the same answer.
pub(crate) struct Draws {
    pub(crate) draws: u32,
    pub(crate) quantile: f64,
    pub(crate) seed: u64,
}

impl Draws {
    pub(crate) fn heaviest(
        &self,
        devices: &[u32],
        shards: NonZeroU32,
        weighings: &[Vec<f64>],
    ) -> Vec<f64> {
        let mut chance = Rng::with_seed(self.seed);
        let mut plays = vec![Vec::with_capacity(self.draws as usize); weighings.len()];
        let mut tally = Tally::new(shards, weighings);
        for _ in 0..self.draws {
            tally.clear();
            for (class, devices) in devices.iter().enumerate() {
                scatter(*devices, 0, shards.get(), &mut chance, &mut |shard, count| {
                    tally.add(shard, class, count);
                });
            }
            for (plays, heaviest) in plays.iter_mut().zip(tally.heaviest()) {
                plays.push(heaviest);
            }
        }
        plays.into_iter().map(|plays| self.quantile_of(plays)).collect()
    }

    fn quantile_of(&self, mut plays: Vec<f64>) -> f64 {
        let rank = count_up(real(plays.len() as u64) * self.quantile) as usize;
        let last = plays.len().saturating_sub(1);
        if plays.is_empty() {
            return 0.0;
        }
        *plays.select_nth_unstable_by(rank.saturating_sub(1).min(last), f64::total_cmp).1
    }
}

/// The weight of each shard in one play.
pub(crate) fn each(devices: &[u32], shards: NonZeroU32, weights: &[f64], seed: u64) -> Vec<f64> {
    let mut chance = Rng::with_seed(seed);
    let mut each = vec![0.0; shards.get() as usize];
    for (devices, weight) in devices.iter().zip(weights) {
        scatter(*devices, 0, shards.get(), &mut chance, &mut |shard, count| {
            if let Some(on_shard) = each.get_mut(shard as usize) {
                *on_shard += weight * f64::from(count);
            }
        });
    }
    each
}

/// The weights of all shards in one play. What a play did not touch is not cleared after it, so
/// that few devices on many shards are quick.
struct Tally<'a> {
    measures: Vec<Measure<'a>>,
    touched: Vec<u32>,
}

/// One way of weighing.
struct Measure<'a> {
    /// What a device of each class weighs.
    weights: &'a [f64],
    by_shard: Vec<f64>,
    heaviest: f64,
}

impl<'a> Tally<'a> {
    fn new(shards: NonZeroU32, weighings: &'a [Vec<f64>]) -> Self {
        let measure = |weights: &'a Vec<f64>| Measure {
            weights,
            by_shard: vec![0.0; shards.get() as usize],
            heaviest: 0.0,
        };
        Self { measures: weighings.iter().map(measure).collect(), touched: Vec::new() }
    }

    fn add(&mut self, shard: u32, class: usize, count: u32) {
        self.touched.push(shard);
        for Measure { weights, by_shard, heaviest } in &mut self.measures {
            let weight = weights.get(class).copied().unwrap_or(0.0);
            if let Some(on_shard) = by_shard.get_mut(shard as usize) {
                *on_shard += weight * f64::from(count);
                *heaviest = heaviest.max(*on_shard);
            }
        }
    }

    fn heaviest(&self) -> impl Iterator<Item = f64> {
        self.measures.iter().map(|measure| measure.heaviest)
    }

    fn clear(&mut self) {
        for Measure { by_shard, heaviest, .. } in &mut self.measures {
            *heaviest = 0.0;
            for shard in &self.touched {
                if let Some(on_shard) = by_shard.get_mut(*shard as usize) {
                    *on_shard = 0.0;
                }
            }
        }
        self.touched.clear();
    }
}

/// Hashes `devices` onto the shards from `first`, `shards` of them, and tells how many fell on each
/// that got any: divides shards and devices in two, again and again, so that the work grows with
/// the shards and only a little with the devices.
fn scatter(
    devices: u32,
    first: u32,
    shards: u32,
    chance: &mut Rng,
    tell: &mut impl FnMut(u32, u32),
) {
    if devices == 0 {
        return;
    }
    if shards <= 1 {
        tell(first, devices);
        return;
    }
    // A power of two on one side: within it each division is even, and one toss decides a device.
    let lower_shards = 1 << (shards - 1).ilog2();
    let lower = successes(devices, lower_shards, shards, chance);
    scatter(lower, first, lower_shards, chance, tell);
    scatter(devices - lower, first + lower_shards, shards - lower_shards, chance, tell);
}

/// How many of `trials` succeed that each do so with a probability of `part` ÷ `whole`.
fn successes(trials: u32, part: u32, whole: u32, chance: &mut Rng) -> u32 {
    /// Above this, rejection is less work than a bit for each trial.
    const VARIANCE_OF_MANY: f64 = 1_000.0;
    let part_of_rarer = part.min(whole - part);
    let p = f64::from(part_of_rarer) / f64::from(whole);
    if f64::from(trials) * p * (1.0 - p) < VARIANCE_OF_MANY {
        return successes_of_few(trials, part, whole, chance);
    }
    let rarer = successes_of_many(trials, p, chance);
    if part == part_of_rarer { rarer } else { trials - rarer }
}

/// The same of trials with a variance of 10 or more and a probability of at most a half: points below
/// a hat over the likelihoods, until one is below these too (BTRS, Hörmann 1993).
fn successes_of_many(trials: u32, p: f64, chance: &mut Rng) -> u32 {
    let n = f64::from(trials);
    let deviation = (n * p * (1.0 - p)).sqrt();
    let b = 1.15 + 2.53 * deviation;
    let a = -0.0873 + 0.0248 * b + 0.01 * p;
    let alpha = (2.83 + 5.1 / b) * deviation;
    let most_likely = ((n + 1.0) * p).floor();
    loop {
        let (across, up) = (chance.f64() - 0.5, chance.f64());
        let from_edge = 0.5 - across.abs();
        let count = ((2.0 * a / from_edge + b) * across + n * p + 0.5).floor();
        // Most points are in a box that lies below all likelihoods.
        let is_in_box = from_edge >= 0.07 && up <= 0.92 - 4.2 / b;
        let is_below = || {
            let height = up * alpha / (a / from_edge.powi(2) + b);
            let likelihood_ln = |k| likelihood_ln(n, p, k);
            height.ln() <= likelihood_ln(count) - likelihood_ln(most_likely)
        };
        if is_in_box || (0.0..=n).contains(&count) && is_below() {
            return count_down(count).min(trials);
        }
    }
}

/// The same of any trials.
///
/// Each trial compares random bits with those of the probability until one differs: half of the
/// trials are decided by each bit, 64 of them by one random number.
fn successes_of_few(trials: u32, part: u32, whole: u32, chance: &mut Rng) -> u32 {
    let (mut rest, whole) = (u64::from(part), u64::from(whole));
    let (mut undecided, mut succeeded) = (trials, 0);
    while undecided > 0 && rest > 0 {
        rest *= 2;
        let tails = undecided - heads(undecided, chance);
        if rest >= whole {
            // This bit of the probability is 1: a 0 is below it, a 1 goes on.
            rest -= whole;
            succeeded += tails;
            undecided -= tails;
        } else {
            undecided = tails;
        }
    }
    succeeded
}

/// Heads of `tosses` of a fair coin.
fn heads(tosses: u32, chance: &mut Rng) -> u32 {
    let words: u32 = (0..tosses / 64).map(|_| chance.u64(..).count_ones()).sum();
    let rest = (1_u64 << (tosses % 64)) - 1;
    words + if rest == 0 { 0 } else { (chance.u64(..) & rest).count_ones() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_falls_on_one_shard_and_all_shards_are_alike() {
        let mut chance = Rng::with_seed(7);
        let mut by_shard = [0_u32; 7];
        for _ in 0..1_000 {
            let mut devices = 0;
            scatter(130, 0, 7, &mut chance, &mut |shard, count| {
                by_shard[shard as usize] += count;
                devices += count;
            });
            assert_eq!(devices, 130);
        }
        // 18,571 each; the standard deviation is 126.
        assert!(by_shard.iter().all(|n| n.abs_diff(18_571) < 600), "{by_shard:?}");
    }

    #[test]
    fn a_percentile_of_a_hundred_plays_leaves_one_above_it() {
        let draws = |quantile| Draws { draws: 100, quantile, seed: 1 };
        let plays: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        for (quantile, play) in [(0.99, 99.0), (1.0, 100.0), (0.5, 50.0), (0.0, 1.0)] {
            let found = draws(quantile).quantile_of(plays.clone());
            assert!((found - play).abs() < 1e-9, "{quantile}: {found}");
        }
    }

    /// The parts of `PLAYS` with at most each of some counts, against the sums of the likelihoods.
    #[test]
    fn successes_of_few_and_of_many_are_distributed_as_a_binomial() {
        const PLAYS: u32 = 200_000;
        let mut chance = Rng::with_seed(1);
        for (trials, part, whole) in
            [(100, 3, 10), (4_100, 1, 2), (100_000, 1, 2), (100_000, 64, 65), (50_000, 4, 7)]
        {
            let mut plays: Vec<_> =
                (0..PLAYS).map(|_| successes(trials, part, whole, &mut chance)).collect();
            plays.sort_unstable();
            let (n, p) = (f64::from(trials), f64::from(part) / f64::from(whole));
            let deviation = (n * p * (1.0 - p)).sqrt();
            let mut below = 0.0;
            let mut farthest = 0.0_f64;
            for count in 0..=trials {
                below += likelihood_ln(n, p, f64::from(count)).exp();
                if (f64::from(count) - n * p).abs() < 5.0 * deviation {
                    let played = real(plays.partition_point(|play| *play <= count) as u64);
                    farthest = farthest.max((played / f64::from(PLAYS) - below).abs());
                }
            }
            // Kolmogorov and Smirnov: farther in one of 100,000 tests.
            assert!(
                farthest < 2.47 / f64::from(PLAYS).sqrt(),
                "{part}/{whole} of {trials}: {farthest}"
            );
        }
    }
}
