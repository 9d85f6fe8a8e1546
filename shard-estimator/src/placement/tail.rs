use std::num::NonZeroU32;

use super::bound::likelihood_ln;
use crate::number::{count_down, count_up};

/// Steps in which the heaviest shards are told apart, at least, where weights differ.
const STEPS: f64 = 4_096.0;

/// A count that is less likely matters for no risk that is asked about.
const NEGLIGIBLE: f64 = 1e-18;

/// How likely it is that hashed devices of several classes weigh more than this or that on one
/// shard: the binomial likelihoods of each class, folded into each other.
///
/// Exact where all weigh the same, or multiples of the least few enough to be counted. Otherwise
/// weights are rounded up to steps, the least weight or a power of two of it: so that what is said is
/// never too little, and never less of more devices, whose steps are these or coarser.
#[derive(Debug)]
pub(super) struct Tail {
    /// Weights are counted in steps of so much.
    step: f64,
    /// The fewest steps that matter.
    first: usize,
    /// From those on, the probability to be above.
    above: Vec<f64>,
    /// What all devices weigh together: no shard has more.
    all: f64,
}

impl Tail {
    /// Of so many devices of each class, the last of them in part, each with the weight of its class.
    pub(super) fn of(counts: &[f64], weights: &[f64], shards: NonZeroU32) -> Self {
        let kinds = kinds(counts, weights);
        let least = kinds.iter().map(|kind| kind.weight).fold(f64::MAX, f64::min);
        let is_multiple = |kind: &Kind| {
            let times = kind.weight / least;
            (times - times.round()).abs() < 1e-9
        };
        let finest = if kinds.iter().all(is_multiple) { 0.0 } else { f64::NEG_INFINITY };
        let are_alike = kinds.len() < 2;
        let likely: Vec<_> = kinds
            .iter()
            .map(|&Kind { devices, weight }| {
                // Of one kind, the part of a device is a device.
                let devices = if are_alike { f64::from(count_up(devices)) } else { devices };
                (Likely::of(devices, shards), weight)
            })
            .collect();
        let most: f64 = likely.iter().map(|(likely, weight)| likely.most() * weight).sum();
        let doubled = if are_alike { 0.0 } else { (most / STEPS / least).log2().ceil() };
        let step = least * doubled.max(finest).exp2();
        let mut folded: Vec<_> =
            likely.iter().map(|(likely, weight)| likely.in_steps(weight / step)).collect();
        // The few before the many: each fold costs the counts of one times those of the other.
        folded.sort_by_key(|folded| folded.chances.len());
        let first = folded.iter().map(|folded| folded.first).sum();
        let together = |sums: Vec<f64>, folded: &Folded| fold(&sums, &folded.chances);
        let chances = folded.iter().fold(vec![1.0], together);
        let all = likely.iter().map(|(likely, weight)| likely.devices * weight).sum();
        Self { step, first, above: sums_above(chances), all }
    }

    /// The least weight of which the probability to be above it on one shard is little enough.
    pub(super) fn least(&self, is_little: impl Fn(f64) -> bool) -> f64 {
        let steps = self.above.partition_point(|above| !is_little(*above));
        (self.step * crate::number::real((self.first + steps) as u64)).min(self.all)
    }

    /// The least weight that any of the shards, each with what is `known` to be on it, exceeds with a
    /// probability of at most `risk`.
    pub(super) fn least_beside(&self, mut known: Vec<f64>, risk: f64) -> f64 {
        /// Finer than what is forgiven when needs and limits meet.
        const PRECISION: f64 = 1e-8;
        // Of many shards most are alike: those without a known device.
        known.sort_unstable_by(f64::total_cmp);
        let alike = known.chunk_by(|one, other| one >= other);
        let alike: Vec<_> = alike
            .filter_map(|of| Some((*of.first()?, crate::number::real(of.len() as u64))))
            .collect();
        let exceeds = |most: f64| {
            alike.iter().map(|(known, shards)| shards * self.above(most - known)).sum::<f64>()
        };
        let mut too_little = known.last().copied().unwrap_or(0.0);
        if exceeds(too_little) <= risk {
            return too_little;
        }
        let mut enough = too_little + self.least(|above| above <= 0.0);
        while enough - too_little > PRECISION * enough {
            let middle = f64::midpoint(too_little, enough);
            if exceeds(middle) <= risk { enough = middle } else { too_little = middle }
        }
        enough
    }

    fn above(&self, weight: f64) -> f64 {
        if weight < 0.0 {
            return 1.0;
        }
        let steps = count_down(weight / self.step) as usize;
        let beyond_first = steps.checked_sub(self.first);
        beyond_first.map_or(1.0, |steps| self.above.get(steps).copied().unwrap_or(0.0))
    }
}

/// Devices that weigh the same, the last of them in part.
struct Kind {
    devices: f64,
    weight: f64,
}

/// Classes that weigh the same are one.
fn kinds(counts: &[f64], weights: &[f64]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for (&devices, &weight) in counts.iter().zip(weights) {
        if devices <= 0.0 || weight <= 0.0 {
            continue;
        }
        match kinds.iter_mut().find(|kind| kind.weight.total_cmp(&weight).is_eq()) {
            Some(kind) => kind.devices += devices,
            None => kinds.push(Kind { devices, weight }),
        }
    }
    kinds
}

/// The counts of one class on a shard that matter, and how likely each is.
struct Likely {
    /// On all shards.
    devices: f64,
    first: u32,
    /// Of whole devices.
    chances: Vec<f64>,
    /// What there is of one device more, and how likely it is on the shard.
    part: f64,
    part_chance: f64,
}

/// The same in steps of weight.
struct Folded {
    first: usize,
    chances: Vec<f64>,
}

impl Likely {
    fn of(devices: f64, shards: NonZeroU32) -> Self {
        let whole = count_down(devices);
        let n = f64::from(whole);
        let rest = devices - n;
        let part = if rest > 1e-9 * devices { rest } else { 0.0 };
        let p = f64::from(shards.get()).recip();
        if shards == NonZeroU32::MIN || whole == 0 {
            return Self { devices, first: whole, chances: vec![1.0], part, part_chance: p };
        }
        let odds = p / (1.0 - p);
        let most_likely = ((n + 1.0) * p).floor().min(n);
        let at_most_likely = likelihood_ln(n, p, most_likely).exp();
        let matters = |(_, chance): &(f64, f64)| *chance > NEGLIGIBLE;
        let down = |&(k, chance): &(f64, f64)| Some((k - 1.0, chance * k / ((n - k + 1.0) * odds)));
        let up = |&(k, chance): &(f64, f64)| Some((k + 1.0, chance * (n - k) / (k + 1.0) * odds));
        let start = Some((most_likely, at_most_likely));
        let below: Vec<_> =
            std::iter::successors(start, down).skip(1).take_while(matters).collect();
        let from = std::iter::successors(start, up).take_while(matters);
        let first = below.last().map_or(most_likely, |(k, _)| *k);
        let chances = below.iter().rev().map(|(_, chance)| *chance).chain(from.map(|(_, c)| c));
        let (first, chances) = (count_down(first), chances.collect());
        Self { devices, first, chances, part, part_chance: p }
    }

    fn most(&self) -> f64 {
        let counts = self.chances.len().saturating_sub(1);
        f64::from(self.first) + crate::number::real(counts as u64) + self.part.ceil()
    }

    /// Each device being so many steps, and what there is of the last a part of them: together they are
    /// rounded up, so that a part which grows to a device becomes one.
    fn in_steps(&self, steps: f64) -> Folded {
        let at = |devices: f64| count_up(devices * steps) as usize;
        let first = at(f64::from(self.first));
        let mut chances = Vec::new();
        let mut add = |devices: f64, chance: f64| {
            let place = at(devices) - first;
            chances.resize(chances.len().max(place + 1), 0.0);
            if let Some(sum) = chances.get_mut(place) {
                *sum += chance;
            }
        };
        for (count, chance) in (self.first..).zip(&self.chances) {
            let count = f64::from(count);
            if self.part > 0.0 {
                add(count, chance * (1.0 - self.part_chance));
                add(count + self.part, chance * self.part_chance);
            } else {
                add(count, *chance);
            }
        }
        Folded { first, chances }
    }
}

/// How likely the sums of two counts are that have nothing to do with each other.
fn fold(one: &[f64], other: &[f64]) -> Vec<f64> {
    let (rows, row) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let mut sums = vec![0.0; (rows.len() + row.len()).saturating_sub(1)];
    for (place, chance) in rows.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
        for (sum, other) in sums.iter_mut().skip(place).zip(row) {
            *sum += chance * other;
        }
    }
    sums
}

/// Of each, the sum of those behind it, smallest terms first.
fn sums_above(mut chances: Vec<f64>) -> Vec<f64> {
    let mut above = 0.0;
    for chance in chances.iter_mut().rev() {
        above += std::mem::replace(chance, above);
    }
    chances
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hottest_devices;

    fn shards(n: u32) -> NonZeroU32 {
        NonZeroU32::new(n).expect("tests count from one")
    }

    fn hottest(counts: &[u32], weights: &[f64], n: u32, risk: f64) -> f64 {
        let counts: Vec<_> = counts.iter().copied().map(f64::from).collect();
        Tail::of(&counts, weights, shards(n)).least(|above| f64::from(n) * above <= risk)
    }

    #[test]
    fn one_class_in_one_piece_or_in_three_has_the_tail_of_a_binomial() {
        for (devices, n) in [(1, 1), (1, 7), (60, 4), (600, 9), (20_000, 29), (20_000, 1)] {
            for risk in [0.3, 0.01, 1e-6] {
                let bound = f64::from(hottest_devices(devices, shards(n), risk));
                let at = format!("{devices} on {n} at {risk}: {bound}");
                for counts in [
                    vec![devices],
                    vec![devices / 3, devices / 2, devices - devices / 3 - devices / 2],
                ] {
                    let weights = vec![2.5; counts.len()];
                    let found = hottest(&counts, &weights, n, risk) / 2.5;
                    assert!((found - bound).abs() < 1e-6, "{at}, and {found} of {counts:?}");
                }
            }
        }
    }

    #[test]
    fn what_weighs_nothing_is_nothing_on_every_shard() {
        let nothing = Tail::of(&[5.0, 7.0], &[0.0, 0.0], shards(3)).least(|above| above <= 0.01);
        assert!(nothing.abs() < 1e-9, "{nothing}");
    }

    /// One in a hundred is on the shard with the heavy one, and another hundredth of the others are
    /// more than so many.
    #[test]
    fn a_heavy_device_among_light_ones_is_counted_once() {
        let light = f64::from(hottest_devices(1_000, shards(10), 0.1));
        let both = hottest(&[1_000, 1], &[1.0, 500.0], 10, 0.01);
        assert!(both > 500.0 + 100.0 && both <= 500.0 + light, "{both}, the light ones {light}");
    }

    #[test]
    fn weights_that_are_no_multiples_are_hardly_too_much_and_never_too_little() {
        let counts = [3_000, 500, 40];
        let exact = hottest(&counts, &[1.0, 4.0, 50.0], 8, 0.01);
        let found = hottest(&counts, &[1.0 + 1e-7, 4.0 - 1e-7, 50.0], 8, 0.01);
        assert!(found > exact * (1.0 - 1e-6) && found < 1.003 * exact, "{found} and {exact}");
    }

    /// What a device more, or a part of it, could save by another rounding would be a shard less for
    /// a larger fleet.
    #[test]
    fn more_devices_or_a_part_of_one_weigh_no_less_on_no_more_shards() {
        let weighings = [[1.0, 50.0, 7.0], [1.0, 50.3, 6.9], [0.001, 1.0 / 3.0, 900.0]];
        for weights in weighings {
            let heaviest = |counts: &[f64; 3], n: u32| {
                Tail::of(counts, &weights, shards(n)).least(|above| f64::from(n) * above <= 0.01)
            };
            let mut of_fewer = [0.0; 3];
            for counts in (1..80).map(|n| f64::from(n) * 5.35) {
                let counts = [counts * 40.0, counts * 0.3, counts * 0.02];
                let now = [30, 8, 3].map(|n| heaviest(&counts, n));
                assert!(now.is_sorted(), "{counts:?} of {weights:?}: {now:?}");
                let falls = now.iter().zip(of_fewer).any(|(now, of_fewer)| *now < of_fewer);
                assert!(!falls, "{counts:?} of {weights:?}: {now:?} after {of_fewer:?}");
                of_fewer = now;
            }
        }
    }

    #[test]
    fn beside_nothing_is_as_alone_and_what_is_known_comes_on_top() {
        let tail = Tail::of(&[600.0], &[1.0], shards(9));
        let alone = tail.least(|above| 9.0 * above <= 0.01);
        let near = |one: f64, other: f64| (one - other).abs() < 1e-4;
        assert!(near(tail.least_beside(vec![0.0; 9], 0.01), alone));
        assert!(near(tail.least_beside(vec![70.0; 9], 0.01), alone + 70.0));
        let one_full = [1_000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let on_it = tail.least(|above| above <= 0.01);
        assert!(near(tail.least_beside(one_full.to_vec(), 0.01), 1_000.0 + on_it));
        let nobody = Tail::of(&[0.0], &[1.0], shards(9));
        assert!(near(nobody.least_beside(one_full.to_vec(), 0.01), 1_000.0));
    }
}
