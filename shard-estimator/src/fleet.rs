use std::collections::HashSet;
use std::sync::Arc;

use crate::limits::{PARTITION_KEY_CHARS_MAX, RECORD_BYTES_CEILING};
use crate::placement::SortedKeys;
use crate::{Class, Devices, FleetFault, HashKey, Reporting};

/// The classes of devices that one stream is planned for: at least one, each with devices that
/// send records which a stream can take. Copies share what they hold: each device may have a name.
#[derive(Debug, Clone)]
pub struct Fleet {
    classes: Arc<[Class]>,
    /// Of each class, if those of all classes are known.
    keys: Option<Arc<[SortedKeys]>>,
}

impl Fleet {
    /// The fleet of these classes.
    ///
    /// # Errors
    /// Everything that is wrong with them, at once.
    pub fn new(classes: Vec<Class>) -> Result<Self, Vec<FleetFault>> {
        let mut faults = Vec::new();
        if classes.is_empty() {
            faults.push(FleetFault::NoClass);
        }
        if classes.iter().map(Class::count).sum::<f64>() > f64::from(u32::MAX) {
            faults.push(FleetFault::TooManyDevices);
        }
        let mut names = HashSet::new();
        for class in &classes {
            if !names.insert(&class.name) {
                faults.push(FleetFault::SameName { name: class.name.clone() });
            }
            faults_of(class, &mut faults);
        }
        faults.extend(repeated_key(&classes));
        if !faults.is_empty() {
            return Err(faults);
        }
        let keys = classes.iter().map(sorted_keys).collect();
        Ok(Self { classes: classes.into(), keys })
    }

    /// The classes, in the order given.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// How many devices there are.
    #[must_use]
    pub fn devices(&self) -> f64 {
        self.sum(Class::count)
    }

    /// Records in a second, on average.
    #[must_use]
    pub fn records_per_s(&self) -> f64 {
        self.sum(Class::records_per_s)
    }

    /// Bytes in a second as shards count them, data and keys, on average.
    #[must_use]
    pub fn bytes_per_s(&self) -> f64 {
        self.per_record(Class::record_bytes) * self.records_per_s()
    }

    /// What `of` is for a record, on average over all records that are sent.
    #[must_use]
    pub fn per_record(&self, of: impl Fn(&Class) -> f64) -> f64 {
        self.sum(|class| class.records_per_s() * of(class)) / self.records_per_s()
    }

    /// The hash keys of each class, if all devices are known.
    pub(crate) fn keys(&self) -> Option<&[SortedKeys]> {
        self.keys.as_deref()
    }

    /// The devices of each class, if there were `times` as many: whole ones, and of the last a part.
    /// Rounded up class by class, 60 classes of one device would be twice as many devices at once.
    pub(crate) fn counts(&self, times: f64) -> Vec<f64> {
        self.classes.iter().map(|class| class.count() * times).collect()
    }

    fn sum(&self, of: impl Fn(&Class) -> f64) -> f64 {
        self.classes.iter().map(of).sum()
    }
}

fn faults_of(class: &Class, faults: &mut Vec<FleetFault>) {
    let name = || class.name.clone();
    if class.count() < 1.0 {
        faults.push(FleetFault::NoDevices { class: name() });
    }
    if class.sizes.bins().first().is_none_or(|smallest| smallest.bytes == 0) {
        faults.push(FleetFault::NoBytes { class: name() });
    }
    let bytes = class.largest_record_bytes();
    if bytes > RECORD_BYTES_CEILING as u64 {
        faults.push(FleetFault::TooManyBytes { class: name(), bytes });
    }
    faults.extend(key_fault(class));
    if class.period.is_zero() {
        faults.push(FleetFault::NoPeriod { class: name() });
    } else if let Reporting::Aligned { jitter } = class.reporting
        && jitter > class.period
    {
        let period = class.period;
        faults.push(FleetFault::JitterBeyondPeriod { class: name(), jitter, period });
    }
}

fn key_fault(class: &Class) -> Option<FleetFault> {
    let name = || class.name.clone();
    match &class.devices {
        Devices::Counted { key_bytes, .. } => {
            let bytes = *key_bytes;
            let can_be = 1..=4 * PARTITION_KEY_CHARS_MAX;
            let fits = can_be.contains(&(bytes as usize));
            (!fits).then(|| FleetFault::KeyBytes { class: name(), bytes })
        }
        Devices::Known(keys) => keys.iter().find_map(|key| {
            let chars = key.chars().count();
            let fits = (1..=PARTITION_KEY_CHARS_MAX).contains(&chars);
            let key = || key.chars().take(40).collect();
            (!fits).then(|| FleetFault::KeyLength { class: name(), key: key(), chars })
        }),
    }
}

/// The first key that has been there before, in any class.
fn repeated_key(classes: &[Class]) -> Option<FleetFault> {
    let mut seen = HashSet::new();
    classes.iter().find_map(|class| {
        let Devices::Known(keys) = &class.devices else { return None };
        let again = keys.iter().find(|key| !seen.insert(key.as_str()))?;
        Some(FleetFault::SameKey { class: class.name.clone(), key: again.clone() })
    })
}

fn sorted_keys(class: &Class) -> Option<SortedKeys> {
    match &class.devices {
        Devices::Known(keys) => {
            Some(SortedKeys::new(keys.iter().map(|key| HashKey::of(key)).collect()))
        }
        Devices::Counted { .. } => None,
    }
}
