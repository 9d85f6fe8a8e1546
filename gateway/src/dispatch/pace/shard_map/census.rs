//! How many shards there are, for the log.

use std::time::Duration;

use tracing::info;

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
    pub(super) fn count(&mut self, shards: usize, now: Duration) {
        if shards != self.counted {
            (self.counted, self.since) = (shards, now);
        }
        let steady = now.saturating_sub(self.since) >= STEADY_AFTER;
        if shards != self.said && steady {
            info!(shards, "the shards of the stream are known");
            self.said = shards;
        }
    }
}
