//! When a record is late: its stripe, or the stream, is slower than it was.

use std::time::{Duration, Instant};

use super::Situation;

/// A record is never late before this: noise is no outage.
const LATE_MIN: Duration = Duration::from_millis(250);
/// Nor before this, when the broker sends nothing more until something is settled: the window times
/// this is the throughput that waiting would cost.
const LATE_WHEN_EXHAUSTED: Duration = Duration::from_millis(100);
/// A round trip takes three times as long now and then.
const ROUND_TRIPS: u32 = 3;
/// What a first call may take, which makes the connection.
const FIRST_CALL: Duration = Duration::from_secs(1);
/// The weight of a new round trip, as in TCP's estimator (RFC 6298).
const SMOOTHING: f64 = 0.125;

/// Knows how long a verdict takes.
#[derive(Debug)]
pub(super) struct Lateness {
    linger: Duration,
    /// None before the first answer.
    round_trip: Option<Duration>,
    /// When an answer came last.
    heard_at: Option<Instant>,
}

impl Lateness {
    pub(super) fn new(linger: Duration) -> Self {
        Self { linger, round_trip: None, heard_at: None }
    }

    /// Learns from the round trip of a call that was answered now.
    pub(super) fn heard(&mut self, round_trip: Duration, now: Instant) {
        self.heard_at = Some(now);
        self.round_trip = Some(self.round_trip.map_or(round_trip, |smoothed| {
            smoothed.mul_f64(1.0 - SMOOTHING) + round_trip.mul_f64(SMOOTHING)
        }));
    }

    /// Whether the stream has answered nothing since then: it is not a shard that is slow.
    pub(super) fn is_silent_since(&self, then: Instant) -> bool {
        self.heard_at.is_none_or(|at| at < then)
    }

    /// From which age on a record is late.
    pub(super) fn limit(&self, window_exhausted: bool, situation: Situation) -> Duration {
        match situation {
            Situation { stopping: true, open: false, .. } => Duration::ZERO,
            Situation { stopping: true, .. } => LATE_MIN,
            Situation { .. } if window_exhausted => LATE_WHEN_EXHAUSTED,
            Situation { .. } => self.usual(),
        }
    }

    /// The same, as long as nothing is out of the ordinary.
    pub(super) fn usual(&self) -> Duration {
        match self.round_trip {
            Some(round_trip) => LATE_MIN.max(self.linger + ROUND_TRIPS * round_trip),
            None => self.linger + FIRST_CALL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn far_stream_is_given_three_round_trips_and_an_exhausted_window_is_not() {
        let well = Situation { open: true, reading: true, stopping: false };
        let mut lateness = Lateness::new(50 * MS);
        assert_eq!(lateness.limit(false, well), 1_050 * MS, "nothing is known of it yet");
        let now = start();
        lateness.heard(300 * MS, now);
        assert_eq!(lateness.limit(false, well), 950 * MS);
        for _ in 0..100 {
            lateness.heard(10 * MS, now);
        }
        assert_eq!(lateness.limit(false, well), 250 * MS, "what was far is forgotten");
        lateness.heard(8_000 * MS, now);
        assert_eq!(lateness.limit(true, well), 100 * MS);
    }

    #[test]
    fn at_a_stop_little_is_waited_for_and_nothing_if_the_stream_is_away() {
        let mut lateness = Lateness::new(50 * MS);
        lateness.heard(8_000 * MS, start());
        let stop = |open| Situation { open, reading: false, stopping: true };
        assert_eq!(lateness.limit(false, stop(true)), 250 * MS);
        assert_eq!(lateness.limit(false, stop(false)), Duration::ZERO);
    }
}
