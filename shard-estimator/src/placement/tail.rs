use std::num::NonZeroU32;

use super::bound::likelihood_ln;
use crate::number::count_down;

/// Steps in which weights are told apart, where they are not all multiples of the least.
const STEPS: f64 = 4_096.0;

/// A count that is less likely matters for no risk that is asked about.
const NEGLIGIBLE: f64 = 1e-18;

/// How likely it is that hashed devices of several classes weigh more than this or that on one
/// shard: the binomial likelihoods of each class, folded into each other.
#[derive(Debug)]
pub(super) struct Tail {
    /// Weights are counted in steps of so much.
    step: f64,
    /// The fewest steps that matter.
    first: usize,
    /// From those on, the probability to be above.
    above: Vec<f64>,
    /// A weight is off by at most this, because it was rounded to steps.
    pub(super) blur: f64,
}

impl Tail {
    /// Of `counts` devices of the classes, each with the weight of its class.
    pub(super) fn of(counts: &[u32], weights: &[f64], shards: NonZeroU32) -> Self {
        let weighing = counts.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
        let classes: Vec<_> =
            weighing.map(|(count, weight)| (Likely::of(*count, shards), *weight)).collect();
        let most: f64 = classes.iter().map(|(likely, weight)| likely.most() * weight).sum();
        let least = classes.iter().map(|(_, weight)| *weight).fold(f64::MAX, f64::min);
        let is_multiple = |weight: f64| (weight / least - (weight / least).round()).abs() < 1e-9;
        let are_multiples = classes.iter().all(|(_, weight)| is_multiple(*weight));
        let coarse = most / STEPS;
        let (step, off) =
            if are_multiples && least >= coarse { (least, 0.0) } else { (coarse, 0.5) };
        let (mut first, mut chances) = (0, vec![1.0]);
        for (likely, weight) in &classes {
            let folded = likely.in_steps(weight / step);
            first += folded.first;
            chances = fold(&chances, &folded.chances);
        }
        let blur = classes.iter().map(|_| off * step).sum();
        Self { step, first, above: sums_above(chances), blur }
    }

    /// The least weight of which the probability to be above it on one shard is little enough.
    pub(super) fn least(&self, is_little: impl Fn(f64) -> bool) -> f64 {
        let steps = self.above.partition_point(|above| !is_little(*above));
        self.step * crate::number::real((self.first + steps) as u64)
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

/// The counts of one class on a shard that matter, and how likely each is.
struct Likely {
    first: u32,
    chances: Vec<f64>,
}

/// The same in steps of weight.
struct Folded {
    first: usize,
    chances: Vec<f64>,
}

impl Likely {
    fn of(devices: u32, shards: NonZeroU32) -> Self {
        if shards == NonZeroU32::MIN || devices == 0 {
            return Self { first: devices, chances: vec![1.0] };
        }
        let n = f64::from(devices);
        let p = f64::from(shards.get()).recip();
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
        Self { first: count_down(first), chances: chances.collect() }
    }

    fn most(&self) -> f64 {
        let counts = self.chances.len().saturating_sub(1);
        f64::from(self.first) + crate::number::real(counts as u64)
    }

    /// Each device being so many steps.
    fn in_steps(&self, steps: f64) -> Folded {
        let at = |count: u32| count_down((f64::from(count) * steps).round()) as usize;
        let first = at(self.first);
        let mut chances = Vec::new();
        for (count, chance) in (self.first..).zip(&self.chances) {
            let place = at(count) - first;
            chances.resize(chances.len().max(place + 1), 0.0);
            if let Some(sum) = chances.get_mut(place) {
                *sum += chance;
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
        Tail::of(counts, weights, shards(n)).least(|above| f64::from(n) * above <= risk)
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
        let nothing = Tail::of(&[5, 7], &[0.0, 0.0], shards(3)).least(|above| above <= 0.01);
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
    fn weights_that_are_no_multiples_are_off_by_no_more_than_is_said() {
        let (counts, multiples) = ([3_000, 500, 40], [1.0, 4.0, 50.0]);
        let exact = hottest(&counts, &multiples, 8, 0.01);
        let weights = [1.0 + 1e-7, 4.0 - 1e-7, 50.0];
        let tail = Tail::of(&counts, &weights, shards(8));
        let found = tail.least(|above| 8.0 * above <= 0.01);
        assert!(tail.blur > 0.0 && tail.blur < exact / 500.0, "{}", tail.blur);
        assert!((found - exact).abs() <= tail.blur + 1e-3, "{found} and {exact}");
    }

    #[test]
    fn beside_nothing_is_as_alone_and_what_is_known_comes_on_top() {
        let tail = Tail::of(&[600], &[1.0], shards(9));
        let alone = tail.least(|above| 9.0 * above <= 0.01);
        let near = |one: f64, other: f64| (one - other).abs() < 1e-4;
        assert!(near(tail.least_beside(vec![0.0; 9], 0.01), alone));
        assert!(near(tail.least_beside(vec![70.0; 9], 0.01), alone + 70.0));
        let one_full = [1_000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let on_it = tail.least(|above| above <= 0.01);
        assert!(near(tail.least_beside(one_full.to_vec(), 0.01), 1_000.0 + on_it));
        let nobody = Tail::of(&[0], &[1.0], shards(9));
        assert!(near(nobody.least_beside(one_full.to_vec(), 0.01), 1_000.0));
    }
}
