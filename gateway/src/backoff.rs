//! The growing pause between attempts, with full jitter. Pure: the random part is an argument.

use std::time::Duration;

/// A pause that doubles with every failure in a row, up to a ceiling.
///
/// Full jitter, so that a fleet of gateways that failed together does not return together: see
/// "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Duration,
    ceiling: Duration,
}

impl Backoff {
    /// Pauses of up to `first` after the first failure, never more than `ceiling`.
    #[must_use]
    pub fn new((first, ceiling): (Duration, Duration)) -> Self {
        Self { first, ceiling }
    }

    /// The pause after `failures` failures in a row (at least 1), with `random` in `0.0..1.0`:
    /// from an eighth of the full pause, so that nothing spins, up to all of it.
    #[must_use]
    pub fn pause(&self, failures: u32, random: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1).min(20));
        let full = self.first.saturating_mul(doubled).min(self.ceiling);
        full.mul_f64(0.125 + 0.875 * random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pause_never_exceeds_its_ceiling_and_never_spins(failures in 1..100_u32, random in 0.0..1.0) {
            let backoff = Backoff::new((Duration::from_millis(50), Duration::from_secs(5)));
            let pause = backoff.pause(failures, random);
            prop_assert!(pause <= Duration::from_secs(5));
            prop_assert!(pause >= Duration::from_millis(6));
        }
    }

    #[test]
    fn full_pause_doubles_with_every_failure() {
        let backoff = Backoff::new((Duration::from_millis(50), Duration::from_secs(5)));
        let pauses: Vec<_> = (1..=9).map(|n| backoff.pause(n, 1.0).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    }
}
