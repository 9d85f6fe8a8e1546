//! How fast: a limiter for each shard, sized by `shard-estimator`, that reacts to refusals. Which
//! shard a key belongs to is asked for every attempt: a change of the shards changes what is sent
//! from then on, and nothing else.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use shard_estimator::{Aimd, Factor, Flow, HashKey, OpenShard, Sighting, Verdicts};
use tracing::warn;

use crate::config::{self, Config, Order, PaceMode, Partitioning};
use crate::deliver::{Trouble, Verdict};
use crate::limits::{CALM_AFTER, WINDOWS_BEFORE_WARNING};
use crate::metrics::{ShardLoad, ShardsShown, StreamLoad};
use crate::queue::{Admission, Gate, Taken};
use crate::record::PartitionKey;

mod feedback;
mod limiter;
mod past;
mod shard_map;
#[cfg(test)]
mod tests;
mod usage;

use feedback::Feedback;
use limiter::ShardLimit;
use past::{Past, Pasts};
use shard_map::{Change, Predicted, ShardMap};
use usage::{Usage, throttled};

/// The pace of one stream.
#[derive(Debug)]
pub struct Pace {
    order: Order,
    settings: config::Pace,
    partitioning: Partitioning,
    map: ShardMap,
    /// In the order of the map.
    shards: Vec<Shard>,
    /// A key that was held back is asked again after this long at the earliest, so that a paced
    /// stream is sent batches, not single records; or sooner if its limit would be full by then.
    linger: Duration,
    /// Over how long what there is to send is averaged for the plan.
    mean_over: Duration,
    started: Instant,
}

/// One shard, any while none is known, or the whole stream if its shards mean nothing to a key.
#[derive(Debug)]
struct Shard {
    name: Predicted,
    /// The first key that is thought to be its own.
    first: HashKey,
    limit: Limit,
    usage: Usage,
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
    pub fn new(config: &Config, stream: &config::Stream, now: Instant) -> Self {
        let mut pace = Self {
            order: config.order,
            settings: stream.pace.clone(),
            partitioning: stream.partitioning,
            map: match stream.pace.mode {
                PaceMode::Shards => ShardMap::new(stream.shards),
                PaceMode::Feedback | PaceMode::Off => ShardMap::whole(),
            },
            shards: Vec::new(),
            linger: config.batch.linger,
            mean_over: config.plan.warn_after / WINDOWS_BEFORE_WARNING,
            started: now,
        };
        pace.align(now);
        pace
    }

    /// Begins the limiters of shards that are new in the map, with the past of their keys, and ends
    /// those of shards that are not in it any more.
    fn align(&mut self, now: Instant) {
        let pasts = Pasts::of(&self.shards);
        let mut before: HashMap<_, _> =
            self.shards.drain(..).map(|shard| (shard.name, shard)).collect();
        let mut after = self.map.shards().into_iter().peekable();
        let age = now.saturating_duration_since(self.started);
        while let Some((name, first)) = after.next() {
            let next = after.peek().map(|(_, next)| *next);
            let begun = || {
                let Past { aimd, refused_at, .. } = pasts.of_range(first, next);
                let aimd = aimd.unwrap_or_else(|| fresh(&self.settings, age));
                let limit = Limit::of(name, &self.settings, aimd, now);
                let usage = Usage::new(self.mean_over, age);
                Shard { name, first, limit, usage, refused_at, closed_until: None }
            };
            let shard = before.remove(&name).map(|shard| Shard { first, ..shard });
            self.shards.push(shard.unwrap_or_else(begun));
        }
    }

    /// Learns from the verdicts of one request.
    pub fn observe(&mut self, records: &[(Taken, Verdict)], now: Instant) {
        // What was refused was drawn from the shards as they were known then: it counts before
        // anything is learned of them.
        self.count(records, now);
        self.learn(records, now);
    }

    fn count(&mut self, records: &[(Taken, Verdict)], now: Instant) {
        let mut heard: HashMap<usize, Heard> = HashMap::new();
        for (taken, verdict) in records {
            let heard = heard.entry(self.map.predict(taken.key.hash_key())).or_default();
            match verdict {
                Verdict::Accepted(_) => {
                    heard.accepted += 1;
                    heard.bytes += taken.bytes() as u64;
                    heard.worth += feedback::worth(taken.bytes());
                }
                Verdict::Throttled => heard.throttled += 1,
                Verdict::Unavailable => heard.failed += 1,
                Verdict::Unheard | Verdict::Refused(_) => {}
            }
        }
        if heard.values().all(Heard::tells_nothing) {
            // Nor does it of the shards that none of its records were for.
            self.shards.iter_mut().for_each(|shard| shard.limit.told_nothing(now));
            return;
        }
        let since_start = now.saturating_duration_since(self.started);
        for (shard, heard) in heard {
            let Some(shard) = self.shards.get_mut(shard) else { continue };
            if heard.tells_nothing() {
                shard.limit.told_nothing(now);
                continue;
            }
            let Heard { accepted, bytes, worth, throttled, failed } = heard;
            // A record that failed while others were accepted is overtaken like a throttled one.
            if throttled > 0 || (failed > 0 && accepted > 0) {
                shard.refused_at = Some(now);
            }
            shard.usage.sent.add(accepted, bytes, since_start);
            shard.usage.refused.add(throttled, 0, since_start);
            let verdicts = Verdicts { accepted, throttled };
            match &mut shard.limit {
                Limit::None => {}
                Limit::Sized(limit) => limit.observe(verdicts, since_start),
                Limit::Learned(feedback) => feedback.observe(verdicts, worth, now),
            }
        }
    }

    /// Learns where the records of one request went.
    fn learn(&mut self, records: &[(Taken, Verdict)], now: Instant) {
        let since_start = |at: Instant| at.saturating_duration_since(self.started);
        let (mut change, was_stated) = (Change::None, self.map.is_stated());
        for (taken, verdict) in records {
            if let Verdict::Accepted(Some(shard)) = verdict {
                change = change.max(self.map.note(Sighting {
                    key: taken.key.hash_key(),
                    shard: *shard,
                    asked: since_start(taken.at),
                    heard: since_start(now),
                }));
            }
        }
        self.map.tell(since_start(now));
        if was_stated && !self.map.is_stated() && self.partitioning == Partitioning::Golden {
            warn!(
                "stream.partitioning = \"golden\" is even on shards of equal ranges only: correct \
                 stream.shards if they are, make them equal (UpdateShardCount) if not; devices stay \
                 where they are"
            );
        }
        match change {
            Change::None => {}
            Change::Borders => {
                for (shard, (_, first)) in self.shards.iter_mut().zip(self.map.shards()) {
                    shard.first = first;
                }
            }
            Change::Shards => self.align(now),
        }
    }

    /// Notes that there is a record more to send, of `bytes`, data and key.
    pub fn offered(&mut self, key: &PartitionKey, bytes: usize, now: Instant) {
        let since_start = now.saturating_duration_since(self.started);
        if let Some(shard) = self.shards.get_mut(self.map.predict(key.hash_key())) {
            shard.usage.offered.add(1, bytes as u64, since_start);
        }
    }

    /// What the stream is used for, with its hottest shards, at most `most`.
    #[must_use]
    pub fn load(&self, most: usize, now: Instant) -> StreamLoad {
        let now = now.saturating_duration_since(self.started);
        let sum = |of: &dyn Fn(&Usage) -> Flow| {
            self.shards.iter().map(|shard| of(&shard.usage)).fold(Flow::default(), plus)
        };
        let (sent, refused) =
            (sum(&|usage| usage.sent.flow(now)), sum(&|usage| usage.refused.flow(now)));
        let mut hottest: Vec<_> = self
            .shards
            .iter()
            .map(|shard| (shard.usage.offered.flow(now).used(), shard))
            .filter(|(used, shard)| self.shards.len() == 1 || shard.is_told_apart() || *used > IDLE)
            .collect();
        hottest.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let told_apart = || self.shards.iter().filter(|shard| shard.is_told_apart());
        let count = u32::try_from(told_apart().count()).ok().filter(|count| *count > 0);
        let hottest_used = told_apart().map(|shard| shard.usage.offered.mean(now).used());
        StreamLoad {
            shards: count.map(|count| ShardsShown { count, known: self.map.known() }),
            hottest_used: hottest_used.max_by(f64::total_cmp),
            offered: sum(&|usage| usage.offered.flow(now)),
            offered_mean: sum(&|usage| usage.offered.mean(now)),
            throttled: throttled(sent, refused),
            hottest: hottest.into_iter().take(most).map(|(_, shard)| shard.load(now)).collect(),
        }
    }

    /// Whether the stream should be asked for its shards now. The answer goes to [`Self::listed`].
    pub fn asks_for_shards(&mut self, now: Instant) -> bool {
        self.map.asks(now.saturating_duration_since(self.started))
    }

    /// Takes over the shards as listed; a refusal is no failure.
    pub fn listed(&mut self, list: Result<Vec<OpenShard>, Trouble>, now: Instant) {
        if self.map.listed(list, now.saturating_duration_since(self.started)) {
            self.align(now);
        }
    }
}

/// A record a second: what is used less, after it was used before shards were told apart, is on its
/// way to nothing.
const IDLE: f64 = 1e-3;

fn plus(one: Flow, other: Flow) -> Flow {
    Flow {
        records_per_s: one.records_per_s + other.records_per_s,
        bytes_per_s: one.bytes_per_s + other.bytes_per_s,
    }
}

impl Shard {
    fn is_told_apart(&self) -> bool {
        matches!(self.name, Predicted::Nth(_) | Predicted::Id(_))
    }

    fn load(&self, now: Duration) -> ShardLoad {
        let factor = match &self.limit {
            Limit::Sized(limit) => Some(limit.factor().get()),
            Limit::None | Limit::Learned(_) => None,
        };
        self.usage.load(self.name.to_string(), factor, now)
    }
}

impl Limit {
    /// Begins empty at `now`.
    fn of(shard: Predicted, settings: &config::Pace, aimd: Aimd, now: Instant) -> Self {
        match (settings.mode, shard) {
            (PaceMode::Off, _) => Self::None,
            // A stream has one shard at least, and one answer later more is known.
            (PaceMode::Shards, Predicted::Nth(_) | Predicted::Id(_) | Predicted::Any) => {
                Self::Sized(Box::new(ShardLimit::new(aimd, now)))
            }
            (PaceMode::Shards, Predicted::Whole) | (PaceMode::Feedback, _) => {
                Self::Learned(Feedback::new(instances(settings), now))
            }
        }
    }

    /// Learns nothing from an answer: whoever comes back from an outage is no faster than before, for
    /// all come back at once.
    fn told_nothing(&mut self, now: Instant) {
        match self {
            Self::None => {}
            Self::Sized(limit) => limit.told_nothing(),
            Self::Learned(feedback) => feedback.told_nothing(now),
        }
    }

    /// The longest that it may go without being drawn upon and lose nothing.
    fn pause_max(&self) -> Duration {
        match self {
            Self::None => Duration::MAX,
            Self::Sized(limit) => limit.pause_max(),
            Self::Learned(_) => feedback::PAUSE_MAX,
        }
    }
}

/// What a shard of which nothing is known begins with, `age` after the pace began.
fn fresh(settings: &config::Pace, age: Duration) -> Aimd {
    let fraction = Factor::new(settings.fraction).unwrap_or(Factor::WHOLE);
    Aimd::new(instances(settings), fraction, age)
}

fn instances(settings: &config::Pace) -> Option<NonZeroU32> {
    settings.instances.and_then(NonZeroU32::new)
}

/// What one request was told of one shard, in records.
#[derive(Debug, Default)]
struct Heard {
    accepted: u32,
    /// Of those, data and keys.
    bytes: u64,
    /// What the accepted ones take of a stream.
    worth: f64,
    throttled: u32,
    failed: u32,
}

impl Heard {
    /// Whether it says neither that more was possible nor that less was.
    fn tells_nothing(&self) -> bool {
        self.accepted == 0 && self.throttled == 0
    }
}

impl Gate for Pace {
    fn draw(&mut self, key: &PartitionKey, bytes: usize, now: Instant) -> Admission {
        let shard = self.shards.get_mut(self.map.predict(key.hash_key()));
        let Some(shard) = shard else { return Admission::Granted };
        // Whoever was held back first is asked first when the shard opens again: a small record
        // that came between would take what a large one has drawn so far.
        if let Some(at) = shard.closed_until.filter(|at| *at > now) {
            return Admission::RetryAt(at);
        }
        let since_start = now.saturating_duration_since(self.started);
        let admission = match &mut shard.limit {
            Limit::None => Admission::Granted,
            Limit::Sized(limit) => limit.draw(bytes, now, since_start),
            Limit::Learned(feedback) => feedback.draw(bytes, now),
        };
        match admission {
            Admission::Granted => Admission::Granted,
            Admission::RetryAt(at) => {
                let at = at.max(now + self.linger.min(shard.limit.pause_max()));
                shard.closed_until = Some(at);
                Admission::RetryAt(at)
            }
        }
    }

    fn records_per_key(&self, key: &PartitionKey, now: Instant) -> usize {
        let shard = self.shards.get(self.map.predict(key.hash_key()));
        let refused_at = shard.and_then(|shard| shard.refused_at);
        let calm = refused_at.is_none_or(|at| now.saturating_duration_since(at) > CALM_AFTER);
        match self.order {
            Order::Strict => 1,
            Order::Device if !calm => 1,
            Order::Device | Order::None => usize::MAX,
        }
    }
}
