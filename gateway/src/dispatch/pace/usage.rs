//! What a shard is used for. Pure.

use std::time::Duration;

use shard_estimator::{Flow, Meter};

use crate::metrics::ShardLoad;

/// What there was to send to one shard, what it took and what it refused. Time is the time since the
/// pace began.
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) offered: Meter,
    pub(super) sent: Meter,
    pub(super) refused: Meter,
}

impl Usage {
    pub(super) fn new(now: Duration) -> Self {
        Self { offered: Meter::new(now), sent: Meter::new(now), refused: Meter::new(now) }
    }

    pub(super) fn load(&self, name: String, factor: Option<f64>, now: Duration) -> ShardLoad {
        let sent = self.sent.flow(now);
        ShardLoad {
            name,
            offered: self.offered.flow(now),
            sent,
            peak_used: self.sent.peak_used(now),
            factor,
            throttled: throttled(sent, self.refused.flow(now)),
        }
    }
}

/// The part of attempts that were refused, of those and what was accepted.
pub(super) fn throttled(sent: Flow, refused: Flow) -> f64 {
    let attempts = sent.records_per_s + refused.records_per_s;
    // An average never comes down to nothing; what is rarer than one in minutes says nothing.
    if attempts > ATTEMPTS_MIN { refused.records_per_s / attempts } else { 0.0 }
}

/// Attempts a second of which a part means something.
const ATTEMPTS_MIN: f64 = 0.01;
