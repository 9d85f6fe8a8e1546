//! Partition keys for devices of which a plan says only how many they are.

use fastrand::Rng;
use shard_estimator::{Class, Devices};

use super::Fault;

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// `classes` with a key for each device: the same seed gives the same keys. Keys that are known stay.
///
/// A key ends in the number of its device in the fleet. What it begins with is the same for all and
/// comes of the seed, as far as there is room for it.
pub(super) fn known(classes: &[Class], seed: u64) -> Result<Vec<Class>, Fault> {
    let mut chance = Rng::with_seed(seed);
    let beginning: Vec<u8> = (0..64).filter_map(|_| chance.choice(DIGITS).copied()).collect();
    let places = places(classes);
    let mut number = 0;
    let mut class = |class: &Class| {
        let Devices::Counted { devices, key_bytes } = class.devices else {
            return Ok(class.clone());
        };
        let beginning_bytes = (key_bytes as usize).checked_sub(places).ok_or_else(|| {
            Fault::ShortKeys { class: class.name.clone(), bytes: key_bytes, places }
        })?;
        let key = |number| {
            let beginning = beginning.iter().cycle().take(beginning_bytes).copied();
            beginning.chain(digits(number, places)).map(char::from).collect()
        };
        let keys = (number..number + u64::from(devices)).map(key).collect();
        number += u64::from(devices);
        Ok(Class { devices: Devices::Known(keys), ..class.clone() })
    };
    classes.iter().map(&mut class).collect()
}

/// Digits that number all devices.
fn places(classes: &[Class]) -> usize {
    let counted = classes.iter().filter_map(|class| match class.devices {
        Devices::Counted { devices, .. } => Some(u64::from(devices)),
        Devices::Known(_) => None,
    });
    let last = counted.sum::<u64>().saturating_sub(1);
    last.checked_ilog(BASE).map_or(1, |more| more as usize + 1)
}

const BASE: u64 = DIGITS.len() as u64;

/// The last `places` digits of `number`.
fn digits(number: u64, places: usize) -> impl Iterator<Item = u8> {
    let places = (0..u32::try_from(places).unwrap_or(u32::MAX)).rev();
    places.filter_map(move |place| {
        let digit = number / BASE.checked_pow(place)? % BASE;
        DIGITS.get(usize::try_from(digit).ok()?).copied()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::time::Duration;

    use shard_estimator::{Reporting, Sizes};

    use super::*;

    fn class(devices: Devices) -> Class {
        Class {
            name: "pumps".to_owned(),
            devices,
            period: Duration::from_secs(1),
            sizes: Sizes::mean(100),
            reporting: Reporting::Spread,
            buffered: 0,
        }
    }

    fn keys(classes: &[Class], seed: u64) -> Vec<String> {
        let known = known(classes, seed).unwrap();
        let keys = known.into_iter().map(|class| match class.devices {
            Devices::Known(keys) => keys,
            Devices::Counted { .. } => panic!("not known"),
        });
        keys.flatten().collect()
    }

    #[test]
    fn keys_differ_have_their_length_and_come_of_the_seed() {
        let counted = |devices, key_bytes| class(Devices::Counted { devices, key_bytes });
        let classes = [counted(40_000, 8), counted(6_000, 8), counted(1, 200)];
        let made = keys(&classes, 1);
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 46_001);
        assert!(made[..46_000].iter().all(|key| key.len() == 8));
        assert_eq!(made[46_000].len(), 200);
        assert_eq!(made, keys(&classes, 1));
        assert!(made.iter().zip(keys(&classes, 2)).all(|(one, other)| *one != other));
    }

    #[test]
    fn keys_that_are_given_stay_and_those_too_short_to_number_are_refused() {
        let given = class(Devices::Known(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(keys(&[given], 1), ["a", "b"]);
        let room_for = |devices| class(Devices::Counted { devices, key_bytes: 1 });
        assert_eq!(keys(&[room_for(36)], 1).len(), 36);
        let fault = known(&[room_for(37)], 1).unwrap_err();
        assert!(fault.to_string().contains("key_bytes"), "{fault}");
    }
}
