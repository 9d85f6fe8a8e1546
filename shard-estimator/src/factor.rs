use std::fmt;

use serde::{Serialize, Serializer};

/// A part of a limit: more than nothing, at most the whole.
///
/// Counted in whole billionths, so that a pace comes out alike on every machine; what does not
/// divide is rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Factor(u32);

impl Factor {
    /// The whole limit.
    pub const WHOLE: Self = Self(1_000_000_000);

    /// `part` of a limit, to the nearest billionth; `None` unless it is above 0 and at most 1.
    #[must_use]
    pub fn new(part: f64) -> Option<Self> {
        if !(part > 0.0 && part <= 1.0) {
            return None;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number of 0 to 1,000,000,000: the part was checked"
        )]
        let billionths = (part * f64::from(Self::WHOLE.0)).round() as u32;
        (billionths > 0).then_some(Self(billionths))
    }

    /// The part as a number, for people and for metrics.
    #[must_use]
    pub fn get(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE.0)
    }

    /// This part of `limit`, rounded down.
    #[must_use]
    pub fn of(self, limit: u32) -> u32 {
        let part = u64::from(limit) * u64::from(self.0) / u64::from(Self::WHOLE.0);
        // Never the other case: a part of a limit is at most the limit.
        u32::try_from(part).unwrap_or(limit)
    }

    /// `numerator` ÷ `denominator` of this, but never nothing. Both above 0, the first at most the
    /// second.
    pub(crate) fn scaled(self, numerator: u32, denominator: u32) -> Self {
        debug_assert!(0 < numerator && numerator <= denominator);
        let part = u64::from(self.0) * u64::from(numerator) / u64::from(denominator);
        Self(u32::try_from(part).expect("scaled down").max(1))
    }

    /// This and `billionths` more, but never more than the whole.
    pub(crate) fn plus_billionths(self, billionths: u32) -> Self {
        Self(self.0.saturating_add(billionths)).min(Self::WHOLE)
    }

    /// Twice this, but never more than the whole.
    pub(crate) fn doubled(self) -> Self {
        self.plus_billionths(self.0)
    }
}

/// As a number.
impl Serialize for Factor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(self.get())
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_part_above_nothing_and_at_most_the_whole_is_a_factor() {
        for none in [0.0, -0.1, 1.000_000_1, 1e-10, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Factor::new(none), None, "{none}");
        }
        assert_eq!(Factor::new(1.0), Some(Factor::WHOLE));
        assert_eq!(Factor::new(1e-9).map(|least| least.of(u32::MAX)), Some(4));
    }

    #[test]
    fn a_part_is_rounded_down_and_never_more_than_the_limit() {
        let most = Factor::new(0.9999).expect("a factor");
        assert_eq!((most.of(1000), most.of(1), Factor::WHOLE.of(u32::MAX)), (999, 0, u32::MAX));
        assert_eq!(Factor::new(0.9).map(|factor| factor.of(1000)), Some(900));
    }
}
