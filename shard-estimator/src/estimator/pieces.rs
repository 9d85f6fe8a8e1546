use std::time::Duration;

use crate::limits::SHARD_BYTES_PER_S;
use crate::{Budget, Class, Fleet, Goals, Pieces, Reporting};

/// Of 100 records one may wait longer.
const ABOVE: f64 = 0.01;

/// What large records wait for that come each in its own time; `None` if 99 of 100 are drawn whole.
pub(super) fn of(fleet: &Fleet, goals: &Goals) -> Option<Pieces> {
    let bytes = all_but_a_hundredth(fleet)?;
    let burst_bytes = 1024.0 * f64::from(Budget::of_shard(goals.fraction).kib_burst.get());
    let bytes_per_s = f64::from(goals.fraction.of(SHARD_BYTES_PER_S));
    let beyond_s = (bytes - burst_bytes) / bytes_per_s;
    if beyond_s <= 0.0 {
        return None;
    }
    let drawn = Duration::try_from_secs_f64(beyond_s).unwrap_or(Duration::MAX);
    let (linger, allowed, p99) = (goals.linger, goals.p99, goals.linger.saturating_add(drawn));
    Some(Pieces { bytes, burst_bytes, bytes_per_s, linger, p99, allowed })
}

/// Bytes, data and key, that at most a hundredth of the records of spread devices is above; `None` if
/// there are no such devices.
fn all_but_a_hundredth(fleet: &Fleet) -> Option<f64> {
    let spread = || fleet.classes().iter().filter(|class| class.reporting == Reporting::Spread);
    let all_per_s: f64 = spread().map(Class::records_per_s).sum();
    let sizes = |class: &Class| {
        let (per_s, key_bytes) = (class.records_per_s(), class.key_bytes());
        let size = move |bin: &crate::Bin| (f64::from(bin.bytes) + key_bytes, per_s * bin.share);
        class.sizes.bins().iter().map(size).collect::<Vec<_>>()
    };
    let mut sizes: Vec<_> = spread().flat_map(sizes).collect();
    sizes.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let mut above_per_s = 0.0;
    let is_above = |(_, per_s): &&(f64, f64)| {
        above_per_s += per_s;
        above_per_s > ABOVE * all_per_s
    };
    sizes.iter().find(is_above).map(|(bytes, _)| *bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Devices, Sizes};

    /// Devices whose records have so many bytes, data and key.
    fn class(name: &str, devices: u32, period_s: u64, bytes: u32) -> Class {
        Class {
            name: name.to_owned(),
            devices: Devices::Counted { devices, key_bytes: 16 },
            period: Duration::from_secs(period_s),
            sizes: Sizes::mean(bytes - 16),
            reporting: Reporting::Spread,
            buffered: 0,
        }
    }

    fn waits(classes: &[Class]) -> Option<Pieces> {
        of(&Fleet::new(classes.to_vec()).expect("a fleet without fault"), &Goals::default())
    }

    /// 131,072 bytes pass at once, and then 943,718 in a second; a gateway took 523 ms.
    #[test]
    fn a_large_record_waits_for_its_pieces() {
        let pieces = waits(&[class("cameras", 8, 20, 500 << 10)]).expect("in pieces");
        let expected_s = 0.1 + (512_000.0 - 131_072.0) / 943_718.0;
        assert!((pieces.p99.as_secs_f64() - expected_s).abs() < 1e-6, "{pieces:?}");
        let whole = class("cameras", 8, 20, 128 << 10);
        assert_eq!(waits(&[whole]), None, "as much as passes at once");
        let together = Reporting::Aligned { jitter: Duration::ZERO };
        let aligned = Class { reporting: together, ..class("cameras", 8, 20, 500 << 10) };
        assert_eq!(waits(&[aligned]), None, "that is a wave");
    }

    #[test]
    fn one_record_in_a_hundred_may_wait_longer() {
        let camera = class("camera", 1, 20, 500 << 10);
        let among = |period_s| waits(&[camera.clone(), class("others", 100, period_s, 500)]);
        assert!(among(21).is_some());
        assert_eq!(among(20), None);
    }
}
