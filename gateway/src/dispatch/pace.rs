//! How fast: a limiter for each shard, sized by `shard-estimator`, that reacts to refusals. The
//! only place that knows governor.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use shard_estimator::{Aimd, Budget, Factor, HashKey, Limiter, ShardRanges, Verdicts};

use crate::config::{Config, Order, PaceMode};
use crate::deliver::Verdict;
use crate::limits::{CALM_AFTER, LIMITER_LIFE_MIN};
use crate::queue::{Admission, Gate, ShardIndex, Taken};
use crate::record::PartitionKey;

mod feedback;
#[cfg(test)]
mod tests;

use feedback::Feedback;

/// The pace of one stream.
#[derive(Debug)]
pub struct Pace {
    order: Order,
    ranges: Option<ShardRanges>,
    shards: Vec<Shard>,
    /// A key that was held back is asked again after this long at the earliest, so that a paced
    /// stream is sent batches, not single records.
    linger: Duration,
    started: Instant,
}

/// One shard, or the whole stream while its shards are not known.
#[derive(Debug)]
struct Shard {
    limit: Limit,
    refused_at: Option<Instant>,
    /// Until when nothing is drawn, because a draw was refused.
    closed_until: Option<Instant>,
}

#[derive(Debug)]
enum Limit {
    None,
    Sized(Box<ShardLimit>),
    Learned(Feedback),
}

impl Pace {
    /// Limiters start empty at `now`: a restart never adds a burst.
    #[must_use]
    pub fn new(config: &Config, now: Instant) -> Self {
        let pace = &config.pace;
        let shards = config.stream.shards.and_then(NonZeroU32::new);
        let ranges = shards.map(ShardRanges::equal);
        let count = shards.map_or(1, |count| usize::try_from(count.get()).unwrap_or(usize::MAX));
        let fraction = Factor::new(pace.fraction).unwrap_or(Factor::WHOLE);
        let instances = pace.instances.and_then(NonZeroU32::new);
        let limit = || match (pace.mode, ranges) {
            (PaceMode::Off, _) => Limit::None,
            (PaceMode::Shards, Some(_)) => Limit::Sized(Box::new(ShardLimit::new(
                Aimd::new(instances, fraction, Duration::ZERO),
                now,
            ))),
            (PaceMode::Shards | PaceMode::Feedback, _) => Limit::Learned(Feedback::new(now)),
        };
        Self {
            order: config.order,
            ranges,
            shards: (0..count)
                .map(|_| Shard { limit: limit(), refused_at: None, closed_until: None })
                .collect(),
            linger: config.batch.linger,
            started: now,
        }
    }

    /// The shard that `key` is thought to belong to.
    #[must_use]
    pub fn locate(&self, key: &PartitionKey) -> ShardIndex {
        let shard = self.ranges.map_or(0, |ranges| ranges.shard_of(HashKey::of(key.as_str())));
        ShardIndex(usize::try_from(shard).unwrap_or(usize::MAX))
    }

    /// How many shards are told apart.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Learns from the verdicts of one request.
    pub fn observe(&mut self, records: &[(Taken, Verdict)], now: Instant) {
        let mut heard: HashMap<ShardIndex, Heard> = HashMap::new();
        for (taken, verdict) in records {
            let heard = heard.entry(taken.shard).or_default();
            match verdict {
                Verdict::Accepted => heard.accepted += 1,
                Verdict::Throttled => heard.throttled += 1,
                Verdict::Unavailable => heard.failed += 1,
                Verdict::Unheard | Verdict::Refused(_) => {}
            }
        }
        let since_start = now.saturating_duration_since(self.started);
        for (ShardIndex(index), Heard { accepted, throttled, failed }) in heard {
            let Some(shard) = self.shards.get_mut(index) else { continue };
            // A record that failed while others were accepted is overtaken like a throttled one.
            if throttled > 0 || (failed > 0 && accepted > 0) {
                shard.refused_at = Some(now);
            }
            let verdicts = Verdicts { accepted, throttled };
            match &mut shard.limit {
                Limit::None => {}
                Limit::Sized(limit) => limit.observe(verdicts, since_start),
                Limit::Learned(feedback) => feedback.observe(verdicts, now),
            }
        }
    }
}

/// What one request was told of one shard, in records.
#[derive(Debug, Default)]
struct Heard {
    accepted: u32,
    throttled: u32,
    failed: u32,
}

impl Gate for Pace {
    fn draw(&mut self, ShardIndex(index): ShardIndex, bytes: usize, now: Instant) -> Admission {
        let Some(shard) = self.shards.get_mut(index) else { return Admission::Granted };
        // Whoever was held back first is asked first when the shard opens again: a small record
        // that came between would take what a large one has drawn so far.
        if let Some(at) = shard.closed_until.filter(|at| *at > now) {
            return Admission::RetryAt(at);
        }
        let admission = match &mut shard.limit {
            Limit::None => Admission::Granted,
            Limit::Sized(limit) => limit.draw(bytes, now),
            Limit::Learned(feedback) => feedback.draw(now),
        };
        match admission {
            Admission::Granted => Admission::Granted,
            Admission::RetryAt(at) => {
                let at = at.max(now + self.linger);
                shard.closed_until = Some(at);
                Admission::RetryAt(at)
            }
        }
    }

    fn records_per_key(&self, ShardIndex(index): ShardIndex, now: Instant) -> usize {
        let refused_at = self.shards.get(index).and_then(|shard| shard.refused_at);
        let calm = refused_at.is_none_or(|at| now.saturating_duration_since(at) > CALM_AFTER);
        match self.order {
            Order::Strict => 1,
            Order::Device if !calm => 1,
            Order::Device | Order::None => usize::MAX,
        }
    }
}

/// The limits of a shard: records and KiB a second, moved by refusals.
#[derive(Debug)]
struct ShardLimit {
    aimd: Aimd,
    /// Whether a draw was refused since the verdicts last counted.
    bound: bool,
    applied: Factor,
    limiters: Limiters,
    built_at: Instant,
    /// Drawn and not used yet: for a record that is not complete, and what remained of the last KiB
    /// of those before. Rounding each record up would halve what a shard is sent of 1,025 bytes each.
    paid_record: bool,
    paid_bytes: usize,
}

impl ShardLimit {
    fn new(aimd: Aimd, now: Instant) -> Self {
        let applied = aimd.factor();
        Self {
            aimd,
            bound: false,
            applied,
            limiters: Limiters::empty(applied, now),
            built_at: now,
            paid_record: false,
            paid_bytes: 0,
        }
    }

    fn observe(&mut self, verdicts: Verdicts, since_start: Duration) {
        let limiter = if self.bound { Limiter::Binding } else { Limiter::Slack };
        self.aimd.observe(verdicts, limiter, since_start);
        self.bound = false;
    }

    /// Draws one record token and its size in KiB, in pieces no larger than a burst: what was
    /// drawn is kept until the record is complete, so nothing starves and nothing is wasted.
    fn draw(&mut self, bytes: usize, now: Instant) -> Admission {
        let factor = self.aimd.factor();
        if factor != self.applied
            && now.saturating_duration_since(self.built_at) >= LIMITER_LIFE_MIN
        {
            (self.applied, self.built_at) = (factor, now);
            self.limiters = Limiters::empty(factor, now);
        }
        if let Err(at) = self.pay(bytes, now) {
            self.bound = true;
            return Admission::RetryAt(at);
        }
        (self.paid_record, self.paid_bytes) = (false, self.paid_bytes - bytes);
        Admission::Granted
    }

    fn pay(&mut self, bytes: usize, now: Instant) -> Result<(), Instant> {
        if !self.paid_record {
            self.limiters.records.draw(NonZeroU32::MIN, now)?;
            self.paid_record = true;
        }
        while let Some(rest) = bytes.checked_sub(self.paid_bytes).filter(|rest| *rest > 0) {
            let kib = u32::try_from(rest.div_ceil(1024)).unwrap_or(u32::MAX);
            let piece = NonZeroU32::new(kib)
                .map_or(NonZeroU32::MIN, |kib| kib.min(self.limiters.kib.burst));
            self.limiters.kib.draw(piece, now)?;
            self.paid_bytes += usize::try_from(piece.get()).unwrap_or(usize::MAX) * 1024;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Limiters {
    records: Bucket,
    kib: Bucket,
}

impl Limiters {
    fn empty(factor: Factor, now: Instant) -> Self {
        let budget = Budget::of_shard(factor);
        Self {
            records: Bucket::empty(budget.records_per_s, budget.records_burst, now),
            kib: Bucket::empty(budget.kib_per_s, budget.kib_burst, now),
        }
    }
}

/// A governor limiter whose time is an argument.
struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, HandClock, NoOpMiddleware<Duration>>,
    clock: HandClock,
    started: Instant,
    burst: NonZeroU32,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("burst", &self.burst).finish_non_exhaustive()
    }
}

impl Bucket {
    fn empty(per_s: NonZeroU32, burst: NonZeroU32, now: Instant) -> Self {
        let clock = HandClock::default();
        let quota = Quota::per_second(per_s).allow_burst(burst);
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        let bucket = Self { limiter, clock, started: now, burst };
        let full = bucket.draw(burst, now);
        debug_assert!(full.is_ok(), "a new limiter grants its burst");
        bucket
    }

    /// Draws `tokens`, at most the burst, or says when to ask again.
    fn draw(&self, tokens: NonZeroU32, now: Instant) -> Result<(), Instant> {
        self.clock.set(now.saturating_duration_since(self.started));
        match self.limiter.check_n(tokens) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(not_until)) => Err(now + not_until.wait_time_from(self.clock.now())),
            // More than the burst would wait for ever; callers draw in pieces.
            Err(_) => Err(now + LIMITER_LIFE_MIN),
        }
    }
}

/// A clock that stands where it was put.
#[derive(Debug, Clone, Default)]
struct HandClock(Arc<AtomicU64>);

impl HandClock {
    fn set(&self, since_start: Duration) {
        let nanos = u64::try_from(since_start.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}
