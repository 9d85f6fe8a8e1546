//! When the spool will be empty, judged by how fast it shrank. Pure.
//!
//! What left it undelivered, dropped or unreadable, is no part of that: it says nothing of the pace.
//! What comes in while it drains is part of that: a backlog of `H` seconds at a load of ρ of the
//! pace ends after `H × ρ ÷ (1 − ρ)`, and at ρ = 1 it never does.

use std::time::{Duration, Instant};

/// What is to be expected of the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forecast {
    /// Empty, which it was not before.
    Empty,
    /// Empty after this.
    In(Duration),
    /// As much comes in as is delivered, or more.
    Never,
}

/// Looks at the spool now and then.
#[derive(Debug)]
pub(super) struct Observer {
    at: Instant,
    spooled: u64,
    /// How many left it undelivered since.
    lost: u64,
}

impl Observer {
    pub(super) fn new(now: Instant, spooled: u64) -> Self {
        Self { at: now, spooled, lost: 0 }
    }

    /// Notes that so many records left the spool undelivered.
    pub(super) fn lose(&mut self, records: u64) {
        self.lost += records;
    }

    /// Sees `spooled` records at `now`. Nothing is to be expected of a spool that stays empty.
    pub(super) fn see(&mut self, now: Instant, spooled: u64) -> Option<Forecast> {
        let before = std::mem::replace(self, Self::new(now, spooled));
        if spooled == 0 {
            return (before.spooled > 0).then_some(Forecast::Empty);
        }
        let elapsed_ms = u64::try_from(now.saturating_duration_since(before.at).as_millis());
        let gone = before.spooled.saturating_sub(before.lost).saturating_sub(spooled);
        let left_ms = elapsed_ms.ok().and_then(|ms| (spooled * ms).checked_div(gone));
        Some(left_ms.map_or(Forecast::Never, |ms| Forecast::In(Duration::from_millis(ms))))
    }

    /// Says what is to be expected, if anything.
    pub(super) fn say(&mut self, now: Instant, spooled: u64, bytes: u64) {
        match self.see(now, spooled) {
            None => {}
            Some(Forecast::Empty) => tracing::info!("the spool is empty"),
            Some(Forecast::In(time)) => {
                let empty_in_s = time.as_secs();
                tracing::info!(records = spooled, bytes, empty_in_s, "the spool drains");
            }
            Some(Forecast::Never) => tracing::info!(
                records = spooled,
                bytes,
                "the spool does not drain: as much comes in as is delivered"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "where the made-up time begins")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn what_left_undelivered_is_no_sign_of_a_drain() {
        let start = start();
        let at = |s| start + Duration::from_secs(s);
        let mut observer = Observer::new(start, 1_000);
        // At the ceiling, with the stream away: a file goes, and its room fills again.
        observer.lose(300);
        assert_eq!(observer.see(at(10), 700), Some(Forecast::Never));
        observer.lose(400);
        assert_eq!(observer.see(at(20), 1_000), Some(Forecast::Never));
        // 200 were dropped and 100 more were delivered than came in.
        observer.lose(200);
        assert_eq!(observer.see(at(30), 700), Some(Forecast::In(Duration::from_secs(70))));
        // What was lost then is not held against what comes after.
        assert_eq!(observer.see(at(40), 600), Some(Forecast::In(Duration::from_secs(60))));
        observer.lose(600);
        assert_eq!(observer.see(at(50), 0), Some(Forecast::Empty));
    }

    #[test]
    fn end_is_expected_by_how_fast_the_spool_shrinks() {
        let start = start();
        let at = |s| start + Duration::from_secs(s);
        let mut observer = Observer::new(start, 0);
        assert_eq!(observer.see(at(10), 0), None);
        assert_eq!(observer.see(at(20), 1_000), Some(Forecast::Never));
        assert_eq!(observer.see(at(30), 1_000), Some(Forecast::Never));
        assert_eq!(observer.see(at(40), 800), Some(Forecast::In(Duration::from_secs(40))));
        assert_eq!(observer.see(at(50), 0), Some(Forecast::Empty));
        assert_eq!(observer.see(at(60), 0), None);
    }
}
