//! Which keys and which shards are the busiest.

use std::num::NonZeroU32;

use shard_estimator::{Class, Devices, Estimator, Fleet, Goals, HashKey, ShardRanges};

use super::{Fault, Figures, keys};

/// Sets of keys that the unluckiest is chosen of.
const KEY_SETS: u64 = 16;

/// A stream to play on, and what is asked of it.
#[derive(Debug)]
pub(super) struct Stage {
    shards: NonZeroU32,
    goals: Goals,
    allowed: Figures,
}

impl Stage {
    pub(super) fn new(shards: NonZeroU32, goals: Goals) -> Self {
        Self { shards, allowed: Figures::allowed(&goals), goals }
    }

    /// Devices of `classes` on it.
    pub(super) fn estimator(&self, classes: Vec<Class>) -> Result<Estimator, Fault> {
        let fleet = Fleet::new(classes).map_err(Fault::Fleet)?;
        Estimator::new(fleet, self.goals.clone()).map_err(Fault::Goals)
    }

    fn strain(&self, classes: &[Class]) -> Result<f64, Fault> {
        let outlook = self.estimator(classes.to_vec())?.outlook(self.shards);
        Ok(Figures::predicted(&outlook, &self.goals).strain(&self.allowed))
    }

    /// `classes` with known keys: of some sets the one that strains the stream most, but not more
    /// than is to be expected at the risk that the plan takes.
    pub(super) fn unluckiest(&self, classes: &[Class], seed: u64) -> Result<Vec<Class>, Fault> {
        if classes.iter().all(|class| matches!(class.devices, Devices::Known(_))) {
            return Ok(classes.to_vec());
        }
        let expected = self.strain(classes)?;
        let mut best: Option<(f64, Vec<Class>)> = None;
        for set in 0..KEY_SETS {
            let known = keys::known(classes, seed.wrapping_mul(KEY_SETS).wrapping_add(set))?;
            let strain = self.strain(&known)?;
            let is_better = |best: f64| match (strain <= expected, best <= expected) {
                (true, true) => strain > best,
                (false, false) => strain < best,
                (within, _) => within,
            };
            if best.as_ref().is_none_or(|(best, _)| is_better(*best)) {
                best = Some((strain, known));
            }
        }
        Ok(best.map(|(_, known)| known).unwrap_or_default())
    }

    /// The devices of each shard that has any, the most strained shard first.
    pub(super) fn by_strain(&self, known: &[Class]) -> Result<Vec<Vec<Class>>, Fault> {
        let mut shards = Vec::new();
        for classes in by_shard(known, self.shards) {
            if !classes.is_empty() {
                shards.push((self.strain(&classes)?, classes));
            }
        }
        shards.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        Ok(shards.into_iter().map(|(_, classes)| classes).collect())
    }
}

/// The devices of each shard, in the order of the shards; classes without any left out.
fn by_shard(known: &[Class], shards: NonZeroU32) -> Vec<Vec<Class>> {
    let ranges = ShardRanges::equal(shards);
    let mut all = vec![Vec::new(); shards.get() as usize];
    for class in known {
        let Devices::Known(keys) = &class.devices else { continue };
        let mut keys_of = vec![Vec::new(); all.len()];
        for key in keys {
            let shard = ranges.shard_of(HashKey::of(key)) as usize;
            keys_of.get_mut(shard).into_iter().for_each(|keys| keys.push(key.clone()));
        }
        for (classes, keys) in all.iter_mut().zip(keys_of) {
            if !keys.is_empty() {
                classes.push(Class { devices: Devices::Known(keys), ..class.clone() });
            }
        }
    }
    all
}

/// The devices of several shards, class by class.
pub(super) fn joined(shards: impl Iterator<Item = Vec<Class>>) -> Vec<Class> {
    let mut joined: Vec<Class> = Vec::new();
    for class in shards.flatten() {
        match joined.iter_mut().find(|other| other.name == class.name) {
            Some(Class { devices: Devices::Known(keys), .. }) => {
                if let Devices::Known(more) = class.devices {
                    keys.extend(more);
                }
            }
            Some(_) | None => joined.push(class),
        }
    }
    joined
}
