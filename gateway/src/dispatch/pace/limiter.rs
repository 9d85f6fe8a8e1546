//! The limits of one shard, drawn upon. The only place that knows governor.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use shard_estimator::{Aimd, Budget, Factor, Limiter, Verdicts};

use crate::limits::LIMITER_LIFE_MIN;
use crate::queue::Admission;

/// The controller wants to be asked as often while a limit binds, answers or not.
const SILENCE: Duration = Duration::from_secs(1);

/// The limits of a shard: records and KiB a second, moved by refusals.
#[derive(Debug)]
pub(super) struct ShardLimit {
    aimd: Aimd,
    /// Whether a draw was refused since the verdicts last counted.
    bound: bool,
    /// When they last counted, since the pace began.
    heard_at: Duration,
    /// Whether the last answer told nothing: then silence tells nothing either.
    fails: bool,
    applied: Factor,
    limiters: Limiters,
    built_at: Instant,
    /// Drawn and not used yet: for a record that is not complete, and what remained of the last KiB
    /// of those before. Rounding each record up would halve what a shard is sent of 1,025 bytes each.
    paid_record: bool,
    paid_bytes: usize,
}

impl ShardLimit {
    pub(super) fn new(aimd: Aimd, now: Instant) -> Self {
        let applied = aimd.factor();
        Self {
            aimd,
            bound: false,
            heard_at: Duration::ZERO,
            fails: false,
            applied,
            limiters: Limiters::empty(applied, now),
            built_at: now,
            paid_record: false,
            paid_bytes: 0,
        }
    }

    pub(super) fn aimd(&self) -> &Aimd {
        &self.aimd
    }

    /// Learns from what was heard: at least one record accepted or throttled.
    pub(super) fn observe(&mut self, verdicts: Verdicts, since_start: Duration) {
        self.fails = false;
        self.count(verdicts, since_start);
    }

    /// Notes an answer that says nothing of the pace.
    pub(super) fn told_nothing(&mut self) {
        self.fails = true;
    }

    fn count(&mut self, verdicts: Verdicts, since_start: Duration) {
        let limiter = if self.bound { Limiter::Binding } else { Limiter::Slack };
        self.aimd.observe(verdicts, limiter, since_start);
        (self.bound, self.heard_at) = (false, since_start);
    }

    /// The part of the shard's limits that may be used now.
    pub(super) fn factor(&self) -> Factor {
        self.aimd.factor()
    }

    /// The longest that it may go without being drawn upon and lose nothing.
    pub(super) fn pause_max(&self) -> Duration {
        self.limiters.pause_max
    }

    /// Draws one record token and its size in KiB, in pieces no larger than a burst: what was
    /// drawn is kept until the record is complete, so nothing starves and nothing is wasted.
    ///
    /// A second in which nothing was answered counts as well if it held something back: a record that
    /// is drawn for over minutes must not be all that the pace rises by. Not while the stream fails:
    /// a pace that rises by that is one that nobody ever tried.
    pub(super) fn draw(&mut self, bytes: usize, now: Instant, since_start: Duration) -> Admission {
        let factor = self.aimd.factor();
        if factor != self.applied
            && now.saturating_duration_since(self.built_at) >= LIMITER_LIFE_MIN
        {
            (self.applied, self.built_at) = (factor, now);
            self.limiters = self.limiters.at(factor, now);
        }
        if let Err(at) = self.pay(bytes, now) {
            self.bound = true;
            if !self.fails && since_start.saturating_sub(self.heard_at) >= SILENCE {
                self.count(Verdicts { accepted: 0, throttled: 0 }, since_start);
            }
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
    pause_max: Duration,
}

impl Limiters {
    fn empty(factor: Factor, now: Instant) -> Self {
        let budget = Budget::of_shard(factor);
        Self {
            records: Bucket::empty(budget.record_every, budget.records_burst, now),
            kib: Bucket::empty(budget.kib_every, budget.kib_burst, now),
            pause_max: budget.pause_max(),
        }
    }

    /// The same at another pace. What was earned stays: where a token takes seconds and the pace moves
    /// every second, none would ever be complete.
    fn at(&self, factor: Factor, now: Instant) -> Self {
        let budget = Budget::of_shard(factor);
        Self {
            records: self.records.at(budget.record_every, budget.records_burst, now),
            kib: self.kib.at(budget.kib_every, budget.kib_burst, now),
            pause_max: budget.pause_max(),
        }
    }
}

/// A governor limiter whose time is an argument.
struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, HandClock, NoOpMiddleware<Duration>>,
    clock: HandClock,
    started: Instant,
    every: Duration,
    burst: NonZeroU32,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bucket").field("burst", &self.burst).finish_non_exhaustive()
    }
}

impl Bucket {
    /// One token in `every`, and no more than `burst` at once.
    fn empty(every: Duration, burst: NonZeroU32, now: Instant) -> Self {
        let clock = HandClock::default();
        // `None` only for no time at all, which no factor gives.
        let quota = Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN));
        let limiter = RateLimiter::direct_with_clock(quota.allow_burst(burst), clock.clone());
        let bucket = Self { limiter, clock, started: now, every, burst };
        let full = bucket.draw(burst, now);
        debug_assert!(full.is_ok(), "a new limiter grants its burst");
        bucket
    }

    /// One in another time and with another burst, but with the tokens of this as far as it holds them.
    fn at(&self, every: Duration, burst: NonZeroU32, now: Instant) -> Self {
        let earned = every.mul_f64(self.tokens(now));
        Self::empty(every, burst, now.checked_sub(earned).unwrap_or(now))
    }

    /// Takes all that there is, and says how many tokens that was, with the part of the next.
    fn tokens(&self, now: Instant) -> f64 {
        let missing = self.draw(self.burst, now).map_or_else(
            |full_at| full_at.saturating_duration_since(now).div_duration_f64(self.every),
            |()| 0.0,
        );
        (f64::from(self.burst.get()) - missing).max(0.0)
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
