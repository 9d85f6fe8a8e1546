use std::time::Duration;

/// How long it takes to catch up after an outage, when `used` of what the limiter allows comes in
/// meanwhile: H × ρ ÷ (1 − ρ). `None` for ever.
///
/// An event simulation of 640 records/s against 800/s needs 14,400 s for an hour, as this says.
#[must_use]
pub fn drain_time(outage: Duration, used: f64) -> Option<Duration> {
    if used < 1.0 { times(outage, used / (1.0 - used)) } else { None }
}

/// The longest outage that is caught up with in `within`, the same turned round: T × (1 − ρ) ÷ ρ.
#[must_use]
pub fn longest_outage(within: Duration, used: f64) -> Duration {
    if used < 1.0 {
        times(within, (1.0 - used) / used).unwrap_or(Duration::MAX)
    } else {
        Duration::ZERO
    }
}

/// `None` if there is no such duration.
fn times(duration: Duration, factor: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn an_hour_takes_as_long_as_was_simulated_and_a_full_shard_for_ever() {
        let drained = drain_time(HOUR, 640.0 / 800.0).expect("it ends");
        assert!(drained.abs_diff(4 * HOUR) < Duration::from_micros(1), "{drained:?}");
        assert_eq!(drain_time(HOUR, 1.0), None);
        assert_eq!(drain_time(HOUR, f64::NAN), None);
        assert_eq!(drain_time(HOUR, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn the_longest_outage_is_drained_just_in_time() {
        for used in [0.001, 0.3, 0.9, 0.999] {
            let outage = longest_outage(HOUR, used);
            let drained = drain_time(outage, used).expect("it ends");
            assert!(drained.abs_diff(HOUR) < Duration::from_millis(1), "{used}: {drained:?}");
        }
        assert_eq!(longest_outage(HOUR, 1.0), Duration::ZERO);
        assert_eq!(longest_outage(HOUR, 0.0), Duration::MAX);
    }
}
