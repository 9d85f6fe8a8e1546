//! When the spool will be empty, judged by how fast it shrank. Pure.
//!
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
    /// As much comes in as goes out, or more.
    Never,
}

/// Looks at the spool now and then.
#[derive(Debug)]
pub(super) struct Observer {
    at: Instant,
    spooled: u64,
}

impl Observer {
    pub(super) fn new(now: Instant, spooled: u64) -> Self {
        Self { at: now, spooled }
    }

    /// Sees `spooled` records at `now`. Nothing is to be expected of a spool that stays empty.
    pub(super) fn see(&mut self, now: Instant, spooled: u64) -> Option<Forecast> {
        let before = std::mem::replace(self, Self::new(now, spooled));
        if spooled == 0 {
            return (before.spooled > 0).then_some(Forecast::Empty);
        }
        let elapsed_ms = u64::try_from(now.saturating_duration_since(before.at).as_millis());
        let gone = before.spooled.saturating_sub(spooled);
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
                "the spool does not drain: as much comes in as goes out"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_is_expected_by_how_fast_the_spool_shrinks() {
        #[expect(clippy::disallowed_methods, reason = "where the made-up time begins")]
        let start = Instant::now();
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
