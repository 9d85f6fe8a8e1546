//! What one gateway has to do with one shard: its records, its limiter and its pace.

use std::time::Duration;

use fastrand::Rng;
use shard_estimator::{Aimd, Limiter, Verdicts};

use crate::bucket::{Bucket, whole};
use crate::scene::Presence;

/// How long the first record of a batch waits.
const LINGER_MS: u64 = 50;
/// Records in one request.
const BATCH_RECORDS: u32 = 500;
/// The first pause after a refusal. It doubles, twice.
const BACKOFF_MS: u64 = 50;
const BACKOFFS: u32 = 2;

/// The records of one gateway for one shard.
pub(crate) struct Lane {
    pub(crate) presence: Presence,
    aimd: Aimd,
    bucket: Bucket,
    limiter: Limiter,
    load_per_ms: f64,
    /// A part of a record, so that not all devices report at once.
    phase: f64,
    arrived: u32,
    waiting: u32,
    /// When it looks next whether anything may go.
    pub(crate) wakes_at_ms: u64,
    /// Until when nothing is drawn, because something had to wait.
    closed_until_ms: u64,
    refused_in_a_row: u32,
    pub(crate) accepted: u32,
}

impl Lane {
    pub(crate) fn new(aimd: Aimd, load_per_s: f64, presence: Presence, random: &mut Rng) -> Self {
        Self {
            bucket: Bucket::empty(aimd.factor(), presence.from_ms),
            presence,
            aimd,
            limiter: Limiter::Slack,
            load_per_ms: load_per_s / 1_000.0,
            phase: random.f64(),
            arrived: 0,
            waiting: 0,
            wakes_at_ms: 0,
            closed_until_ms: 0,
            refused_in_a_row: 0,
            accepted: 0,
        }
    }

    /// Takes the records that may go now, and settles when to look again.
    pub(crate) fn flush(&mut self, now_ms: u64) -> u32 {
        self.arrive(now_ms);
        if let Some(at_ms) = self.presence.silent_until_ms(now_ms) {
            self.wakes_at_ms = at_ms;
            return 0;
        }
        if now_ms < self.closed_until_ms {
            self.wakes_at_ms = self.closed_until_ms;
            return 0;
        }
        let wanted = self.waiting.min(BATCH_RECORDS);
        let taken =
            if wanted == 0 { 0 } else { self.bucket.draw(wanted, self.aimd.factor(), now_ms) };
        self.waiting -= taken;
        self.wakes_at_ms = if self.waiting > 0 {
            self.limiter = Limiter::Binding;
            self.closed_until_ms = self.bucket.next_at_ms().max(now_ms + LINGER_MS);
            self.closed_until_ms
        } else {
            self.next_arrival_ms() + LINGER_MS
        };
        taken
    }

    /// Learns the verdicts of one request. Says after what pause refused records may be sent again.
    pub(crate) fn hear(&mut self, verdicts: Verdicts, now_ms: u64, random: &mut Rng) -> u64 {
        self.aimd.observe(verdicts, self.limiter, Duration::from_millis(now_ms));
        self.limiter = Limiter::Slack;
        self.accepted += verdicts.accepted;
        if verdicts.throttled == 0 {
            self.refused_in_a_row = 0;
            return 0;
        }
        let pause_ms = BACKOFF_MS << self.refused_in_a_row;
        self.refused_in_a_row = (self.refused_in_a_row + 1).min(BACKOFFS);
        random.u64(pause_ms / 8..=pause_ms)
    }

    /// Takes refused records back, which need not linger again.
    pub(crate) fn take_back(&mut self, records: u32, now_ms: u64) {
        self.waiting += records;
        self.wakes_at_ms = self.wakes_at_ms.min(self.closed_until_ms.max(now_ms));
    }

    /// Records that came until `now_ms` and were not accepted, those on their way included.
    pub(crate) fn unsettled(&mut self, now_ms: u64) -> u32 {
        self.arrive(now_ms);
        self.arrived - self.accepted
    }

    /// Records a second, while it is there.
    pub(crate) fn load_per_s(&self, now_ms: u64) -> f64 {
        if self.presence.is_there(now_ms) { self.load_per_ms * 1_000.0 } else { 0.0 }
    }

    fn arrive(&mut self, now_ms: u64) {
        let arrived = self.presence.present_ms(now_ms).mul_add(self.load_per_ms, self.phase);
        let arrived = whole(arrived);
        self.waiting += arrived - self.arrived;
        self.arrived = arrived;
    }

    fn next_arrival_ms(&self) -> u64 {
        let present_ms = (f64::from(self.arrived + 1) - self.phase) / self.load_per_ms;
        self.presence.from_ms + u64::from(whole(present_ms.ceil()))
    }
}
