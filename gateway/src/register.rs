//! Numbers for devices, in the order of first sight and for ever: they place the devices on the
//! stream by the golden ratio ([`HashKey::golden`](shard_estimator::HashKey::golden)), more evenly
//! than hashing.
//!
//! A number that was ever used must stay, or its device would move to another shard and consumers
//! would see its records out of order. So it is on the disk before the first record of its device
//! is sent. Until then nobody has seen it: that a record waits, or lies in the spool, binds nothing.
//!
//! Of a key only a hash is kept, 8 bytes on the disk and at most 36 in memory. Two keys of one hash
//! share a number, and so a place, which does no harm; among a million keys it happens in one of 37
//! million registers.
//!
//! Numbers begin anywhere, drawn once for each register: the points of any stretch of numbers are as
//! even, and several gateways on one stream do not all begin with the same shard.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroU32;

use twox_hash::XxHash3_64;

use crate::limits::REGISTER_KEYS_MAX;

mod codec;
mod file;
#[cfg(test)]
mod tests;

pub use file::{OpenError, RegisterFile};

/// What is kept of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

impl Fingerprint {
    fn of(key: &str) -> Self {
        Self(XxHash3_64::oneshot(key.as_bytes()))
    }
}

/// Most that may precede the first number: there is room behind it for all others.
const BEFORE_MAX: u32 = u32::MAX - REGISTER_KEYS_MAX;

/// The numbers of all keys, without a gap.
#[derive(Debug, Default)]
pub struct Register {
    numbers: HashMap<Fingerprint, NonZeroU32, BuildHasherDefault<AsItIs>>,
    /// What precedes the first number.
    before: u32,
    /// The last number; at first what precedes all.
    last: u32,
    /// Those with the last numbers, which are not on the disk yet, in order.
    fresh: Vec<Fingerprint>,
}

impl Register {
    /// What is on the disk, in the order of the numbers, of which the first follows `before`: at most
    /// 2^32 − 1 − [`REGISTER_KEYS_MAX`].
    #[must_use]
    pub fn new(before: u32, durable: impl IntoIterator<Item = Fingerprint>) -> Self {
        let mut register = Self { before, last: before, ..Self::default() };
        for fingerprint in durable {
            register.last += 1;
            if let Some(number) = NonZeroU32::new(register.last) {
                register.numbers.entry(fingerprint).or_insert(number);
            }
        }
        register
    }

    /// The number of `key`: the one that it has, or else the next. `None` once there are
    /// [`REGISTER_KEYS_MAX`], for a key that has none.
    pub fn number(&mut self, key: &str) -> Option<NonZeroU32> {
        let fingerprint = Fingerprint::of(key);
        match self.numbers.entry(fingerprint) {
            Entry::Occupied(known) => Some(*known.get()),
            Entry::Vacant(_) if self.last - self.before >= REGISTER_KEYS_MAX => None,
            Entry::Vacant(unknown) => {
                self.last += 1;
                self.fresh.push(fingerprint);
                NonZeroU32::new(self.last).map(|number| *unknown.insert(number))
            }
        }
    }

    /// Whether a record that is placed by `number` may be sent: the number is on the disk.
    #[must_use]
    pub fn is_durable(&self, number: NonZeroU32) -> bool {
        usize::try_from(self.last - number.get()).is_ok_and(|after| after >= self.fresh.len())
    }

    /// What is not on the disk yet, in the order of the numbers.
    #[must_use]
    pub fn fresh(&self) -> &[Fingerprint] {
        &self.fresh
    }

    /// Notes that the first `count` of [`Self::fresh`] are on the disk.
    pub fn written(&mut self, count: usize) {
        self.fresh.drain(..count.min(self.fresh.len()));
    }

    /// What precedes the first number.
    #[must_use]
    pub fn before(&self) -> u32 {
        self.before
    }

    /// How many numbers there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.last - self.before
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A fingerprint is a hash already.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = fingerprint;
    }
}
