use crate::HashKey;
use crate::number::real;

const REGISTER_BITS: u32 = 12;
const REGISTERS: usize = 1 << REGISTER_BITS;

/// About how many different keys were seen, in 4 KiB: HyperLogLog (Flajolet et al. 2007), on a part
/// of the hash that every key has anyway.
///
/// The standard error is 1.04 ÷ √4096 = 1.6 %; a few hundred keys are counted almost exactly.
#[derive(Debug, Clone)]
pub struct KeyCount {
    /// In each, the most zeros that a hash began with that fell on it, and one.
    registers: Box<[u8; REGISTERS]>,
}

impl KeyCount {
    /// None was seen.
    #[must_use]
    pub fn new() -> Self {
        Self { registers: Box::new([0; REGISTERS]) }
    }

    /// Sees a key.
    pub fn add(&mut self, key: HashKey) {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half of the hash")]
        let hash = key.0 as u64;
        let place = usize::try_from(hash >> (u64::BITS - REGISTER_BITS)).unwrap_or(0);
        let rest = hash << REGISTER_BITS | (1 << (REGISTER_BITS - 1));
        let zeros = u8::try_from(rest.leading_zeros() + 1).unwrap_or(u8::MAX);
        if let Some(register) = self.registers.get_mut(place) {
            *register = zeros.max(*register);
        }
    }

    /// Sees all keys that `other` saw.
    pub fn merge(&mut self, other: &Self) {
        for (register, more) in self.registers.iter_mut().zip(other.registers.iter()) {
            *register = (*register).max(*more);
        }
    }

    /// How many were seen.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let registers = real(REGISTERS as u64);
        let unseen = self.registers.iter().filter(|register| **register == 0).count();
        let alpha = 0.7213 / (1.0 + 1.079 / registers);
        let sum: f64 = self.registers.iter().map(|zeros| (-f64::from(*zeros)).exp2()).sum();
        let raw = alpha * registers * registers / sum;
        // Where many registers were never hit, how many says more.
        if raw <= 2.5 * registers && unseen > 0 {
            registers * (registers / real(unseen as u64)).ln()
        } else {
            raw
        }
    }
}

impl Default for KeyCount {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(from: u32, to: u32) -> KeyCount {
        let mut count = KeyCount::new();
        for key in (from..to).chain(from..to / 2) {
            count.add(HashKey::of(&format!("acme/devices/{key:07}")));
        }
        count
    }

    #[test]
    fn the_estimate_is_within_five_percent_however_often_a_key_is_seen() {
        for keys in [1, 10, 100, 1_000, 5_000, 10_000, 20_000, 100_000] {
            let off = seen(0, keys).estimate() / f64::from(keys) - 1.0;
            assert!(off.abs() < 0.05, "{keys} keys: {:.1} % off", 100.0 * off);
        }
        assert!(KeyCount::new().estimate() < 1e-9);
    }

    #[test]
    fn two_counts_together_see_each_key_once() {
        let mut both = seen(0, 3_000);
        both.merge(&seen(1_000, 4_000));
        assert!((both.estimate() - seen(0, 4_000).estimate()).abs() < 1e-9);
    }
}
