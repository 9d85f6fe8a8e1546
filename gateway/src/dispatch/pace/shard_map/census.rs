//! How many shards there are, for the log.

use std::time::Duration;

/// It is said once there have been as many for so long.
const STEADY_AFTER: Duration = Duration::from_secs(1);

/// How many were counted last, since when, and how many the log knows of.
#[derive(Debug, Default)]
pub(super) struct Census {
    counted: usize,
    since: Duration,
    said: usize,
}

impl Census {
    /// Counts them; gives their number if the log should be told.
    pub(super) fn count(&mut self, shards: usize, now: Duration) -> Option<usize> {
        if shards != self.counted {
            (self.counted, self.since) = (shards, now);
        }
        let steady = now.saturating_sub(self.since) >= STEADY_AFTER;
        let is_news = shards != self.said && steady;
        is_news.then(|| {
            self.said = shards;
            shards
        })
    }
}
