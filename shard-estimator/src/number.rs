//! The few ways in which counts and measures meet: what rounding leaves behind is forgiven alike
//! wherever a plan is made, measured or compared.

/// A count as a measure. Exact up to 2^53, which no fleet and no process reaches.
#[must_use]
pub fn real(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
    let real = count as f64;
    real
}

/// The least count that is not below `measure`: nothing for what is negative or not a number, the
/// most that fits for what is larger. A billionth above a count is rounding, not one more.
#[must_use]
pub fn count_up(measure: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, as promised"
    )]
    let count = (measure * (1.0 - 1e-9)).ceil() as u32;
    count
}

/// The largest count that is not above `measure`; saturates like [`count_up`].
#[must_use]
pub fn count_down(measure: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, as promised"
    )]
    let count = (measure * (1.0 + 1e-9)).floor() as u32;
    count
}

/// The whole number next to `measure`; saturates like [`count_up`].
#[cfg(feature = "cli")]
pub(crate) fn whole(measure: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, as promised"
    )]
    let whole = measure.round() as u64;
    whole
}

/// Whether `need` is at most `room`, a millionth forgiven: neither sums of tenths nor periods in whole
/// nanoseconds must cost a shard. Both in the same unit, whichever it is.
#[must_use]
pub fn within(need: f64, room: f64) -> bool {
    need <= room * (1.0 + 1e-6)
}

/// Digits with a comma after every third from the end.
pub(crate) fn thousands(digits: &str) -> String {
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8_lossy(&groups.join(&b',')).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounding_left_behind_does_not_count() {
        assert_eq!((1.1 * 1.1 * 100.0 > 121.0, count_up(1.1 * 1.1 * 100.0)), (true, 121));
        assert_eq!(count_down(0.1 * 3.0 * 10.0), 3);
        assert!(within(0.1 + 0.2, 0.3));
        assert!(!within(0.300_01, 0.3));
    }

    #[test]
    fn what_is_no_count_saturates() {
        assert_eq!((count_up(f64::NAN), count_up(-1.0), count_up(1e99)), (0, 0, u32::MAX));
        assert_eq!((count_down(f64::NAN), count_down(-1.0), count_down(1e99)), (0, 0, u32::MAX));
    }
}
