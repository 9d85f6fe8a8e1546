//! Who shares the stream, when, and with how much to send.

use fastrand::Rng;
use shard_estimator::limits::SHARD_RECORDS_PER_S;

/// From the return of an uplink to the first call: the longest pause after failed calls.
const BACKOFF_MS_MAX: u64 = 5_000;

/// A story about a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene {
    pub(crate) gateways: u32,
    pub(crate) instances: Instances,
    /// What all gateways together want to send, as a part of what the stream takes.
    pub(crate) load: f64,
    pub(crate) change: Change,
    pub(crate) seconds: u32,
}

/// Whether the gateways were told how many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instances {
    Given,
    Unknown,
}

/// What happens meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// All are there from the beginning.
    None,
    /// Of four gateways one comes at the end of the first third, another goes at the end of the
    /// second.
    Crowd,
    /// All uplinks are down from `from_s` to `to_s`.
    Outage { from_s: u32, to_s: u32 },
}

/// When a gateway is there, and when its uplink is down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Presence {
    pub(crate) from_ms: u64,
    pub(crate) to_ms: u64,
    pub(crate) down_from_ms: u64,
    pub(crate) down_to_ms: u64,
}

impl Presence {
    /// Until when nothing can be sent, if nothing can.
    pub(crate) fn silent_until_ms(&self, now_ms: u64) -> Option<u64> {
        if now_ms < self.from_ms {
            Some(self.from_ms)
        } else if now_ms >= self.to_ms {
            Some(u64::MAX)
        } else {
            (self.down_from_ms..self.down_to_ms).contains(&now_ms).then_some(self.down_to_ms)
        }
    }

    pub(crate) fn is_there(&self, now_ms: u64) -> bool {
        (self.from_ms..self.to_ms).contains(&now_ms)
    }

    /// How long it has been there.
    pub(crate) fn present_ms(&self, now_ms: u64) -> f64 {
        let present_ms = now_ms.clamp(self.from_ms, self.to_ms) - self.from_ms;
        f64::from(u32::try_from(present_ms).expect("a short story"))
    }
}

impl Scene {
    pub(crate) fn end_ms(&self) -> u64 {
        u64::from(self.seconds) * 1_000
    }

    /// Whether the last change was more than a minute ago.
    pub(crate) fn is_settled(&self, now_ms: u64) -> bool {
        let third_ms = self.end_ms() / 3;
        let changed_ms = match self.change {
            Change::None => 0,
            Change::Crowd => now_ms / third_ms * third_ms,
            Change::Outage { to_s, .. } => u64::from(to_s) * 1_000,
        };
        now_ms >= changed_ms + 60_000
    }

    /// Whether gateways come or go now.
    pub(crate) fn changes_at(&self, now_ms: u64) -> bool {
        let third_ms = self.end_ms() / 3;
        now_ms == 0
            || (self.change == Change::Crowd && (now_ms == third_ms || now_ms == 2 * third_ms))
    }

    /// Whether uplinks work.
    pub(crate) fn is_up(&self, now_ms: u64) -> bool {
        match self.change {
            Change::None | Change::Crowd => true,
            Change::Outage { from_s, to_s } => {
                !(from_s..to_s).contains(&u32::try_from(now_ms / 1_000).expect("a short story"))
            }
        }
    }

    /// Records a second of one gateway for one shard: a tenth of the gateways has seven tenths of
    /// the load, and keys fall unevenly on shards.
    pub(crate) fn load_per_s(&self, gateway: u32, random: &mut Rng) -> f64 {
        let busy = self.gateways.div_ceil(10);
        let idle = self.gateways - busy;
        let part = match (gateway < busy, idle) {
            (true, 0) => 1.0 / f64::from(busy),
            (true, _) => 0.7 / f64::from(busy),
            (false, _) => 0.3 / f64::from(idle),
        };
        let skew = 0.75 + random.f64() / 2.0;
        self.load * f64::from(SHARD_RECORDS_PER_S) * part * skew
    }

    pub(crate) fn presence(&self, gateway: u32) -> Presence {
        let end_ms = self.end_ms();
        let always =
            Presence { from_ms: 0, to_ms: end_ms, down_from_ms: end_ms, down_to_ms: end_ms };
        match self.change {
            Change::None => always,
            Change::Crowd => match gateway % 4 {
                1 => Presence { from_ms: end_ms / 3, ..always },
                2 => Presence { to_ms: end_ms / 3 * 2, ..always },
                _ => always,
            },
            Change::Outage { from_s, to_s } => Presence {
                down_from_ms: u64::from(from_s) * 1_000,
                // Each finds out when it tries again, with full jitter.
                down_to_ms: u64::from(to_s) * 1_000
                    + Rng::with_seed(gateway.into()).u64(BACKOFF_MS_MAX / 8..=BACKOFF_MS_MAX),
                ..always
            },
        }
    }
}
