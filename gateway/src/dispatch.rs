//! One scheduler: which records leave now, in one request, at what pace; and what their verdicts
//! mean for what leaves next. Time is an argument; the requests themselves are somebody else's.

use std::iter::Peekable;
use std::time::{Duration, Instant};

use shard_estimator::OpenShard;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::config::{self, Batch, Config};
use crate::deliver::{Answer, Trouble, TroubleKind, Verdict};
use crate::limits::{NEW_KEY_FOR, NEW_KEY_PAUSE_MAX, NOT_ALLOWED_PAUSE_MAX};
use crate::metrics::StreamLoad;
use crate::queue::{Incoming, Queued, Queues, Room, Taken};
use crate::record::{PartitionKey, RecordSlot};

pub mod pace;
#[cfg(test)]
mod tests;

use pace::Pace;

/// What to do now.
#[derive(Debug)]
pub enum Next {
    /// Send this batch. Its answer goes to [`Dispatcher::answered`].
    Send(Vec<Taken>),
    /// Ask again at this instant, or when something changes.
    WaitUntil(Instant),
    /// Ask again when something changes.
    Wait,
}

/// What an answer settles.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Records that the stream accepted.
    pub accepted: Vec<RecordSlot>,
    /// When the publish of each of them arrived, in milliseconds since 1970-01-01 UTC.
    pub accepted_rx_ts_ms: Vec<i64>,
    /// Records that can never be accepted, each with the reason.
    pub refused: Vec<(PartitionKey, Queued, String)>,
    /// How many records were refused for now and wait for their next attempt.
    pub retried: usize,
    /// How many records overtook an earlier one of their key inside this request.
    pub reordered: usize,
    /// How many records were sent and not heard of.
    pub unheard: usize,
    /// How many of the accepted ones were not heard of before: they may be in the stream twice.
    pub repeated: usize,
}

/// The scheduler.
#[derive(Debug)]
pub struct Dispatcher {
    queues: Queues,
    pace: Pace,
    batch: Batch,
    requests_in_flight_max: usize,
    record_age_max: Option<Duration>,
    /// Bits a second that the uplink may carry, and when it is free again.
    uplink: Option<(f64, Instant)>,
    backoff: Backoff,
    not_allowed_backoff: Backoff,
    /// Records and requests whose verdicts are not known.
    in_flight: usize,
    requests_in_flight: usize,
    /// How many calls failed in a row; nothing is sent before `closed_until`.
    failures: u32,
    closed_until: Instant,
    /// Until when the key that signs may be too new to be known.
    key_is_new_until: Option<Instant>,
    /// The trouble that the log speaks of.
    said: Option<TroubleKind>,
    /// Everything that is ready leaves without lingering.
    hurried: bool,
    /// When to look for records over their age again.
    expiry_at: Instant,
}

/// What a record costs on the wire beside its data in base64: JSON keys and quotes, in bytes.
const RECORD_WIRE_BYTES: usize = 40;
/// What an explicit hash key adds to that.
const HASH_KEY_WIRE_BYTES: usize = 60;
/// What a call costs on the wire beside its records: request line, headers, signature, and TCP's
/// share, in bytes.
const CALL_WIRE_BYTES: usize = 1_500;

/// How often records over their age are looked for.
const EXPIRY_EVERY: Duration = Duration::from_secs(1);
/// The pause of a key grows with this many attempts of its record and no further: how fast the shard
/// is tried is a matter of pace, and acknowledgements go in order, so that a record which waits a
/// second holds back all that came behind it.
const KEY_PAUSES: u32 = 3;
/// So many failures in a row are worth a line in the log; fewer are counted.
const FAILURES_SAID: u32 = 3;

impl Dispatcher {
    /// Nothing waits for `stream`, nothing is in flight. `now` starts the pace.
    #[must_use]
    pub fn new(config: &Config, stream: &config::Stream, now: Instant) -> Self {
        Self {
            queues: Queues::new(config.order),
            pace: Pace::new(config, stream, now),
            batch: config.batch.clone(),
            requests_in_flight_max: stream.requests_in_flight,
            record_age_max: stream.record_age_max,
            uplink: stream.uplink_kbit_s_max.map(|kbit| (f64::from(kbit) * 1000.0, now)),
            backoff: Backoff::new(stream.backoff),
            not_allowed_backoff: Backoff::new((stream.backoff.0, NOT_ALLOWED_PAUSE_MAX)),
            in_flight: 0,
            requests_in_flight: 0,
            failures: 0,
            closed_until: now,
            key_is_new_until: None,
            said: None,
            hurried: false,
            expiry_at: now,
        }
    }

    /// Queues a record.
    pub fn push(&mut self, incoming: Incoming) {
        self.queues.push(incoming);
    }

    /// Notes that there is a record more to send, of `bytes`, data and key; once for each record,
    /// wherever it waits until it is pushed.
    pub fn offered(&mut self, key: &PartitionKey, bytes: usize, now: Instant) {
        self.pace.offered(key, bytes, now);
    }

    /// What the stream is used for, with its hottest shards, at most `most`.
    #[must_use]
    pub fn load(&self, most: usize, now: Instant) -> StreamLoad {
        self.pace.load(most, now)
    }

    /// Whether the stream should be asked for its shards now: not while it takes no calls. The answer
    /// goes to [`Self::listed`].
    pub fn asks_for_shards(&mut self, now: Instant) -> bool {
        self.is_open() && self.pace.asks_for_shards(now)
    }

    /// Takes over the shards as listed; a refusal is no failure.
    pub fn listed(&mut self, list: Result<Vec<OpenShard>, Trouble>, now: Instant) {
        self.pace.listed(list, now);
    }

    /// Whether the stream takes calls, as far as is known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.failures == 0
    }

    /// Another key signs from now on. If the one before was refused, that is no reason to wait any
    /// more, nor to wait long for the new one to be known.
    pub fn key_changed(&mut self, now: Instant) {
        self.key_is_new_until = Some(now + NEW_KEY_FOR);
        if self.said == Some(TroubleKind::NotAllowed) {
            self.failures = self.failures.min(1);
            self.closed_until = self.closed_until.min(now);
        }
    }

    /// Lets what waits leave without lingering: the broker sends nothing more until it is
    /// acknowledged, or the program stops.
    pub fn hurry(&mut self) {
        self.hurried = true;
    }

    /// How many records wait or are in flight.
    #[must_use]
    pub fn held(&self) -> usize {
        self.queues.len() + self.in_flight
    }

    /// Takes the records that grew older than the operator allows while they waited. Looks for them
    /// once a second.
    pub fn take_expired(&mut self, now: Instant) -> Vec<RecordSlot> {
        let Some(age_max) = self.record_age_max else { return Vec::new() };
        if now < self.expiry_at {
            return Vec::new();
        }
        self.expiry_at = now + EXPIRY_EVERY;
        now.checked_sub(age_max).map_or_else(Vec::new, |oldest| self.queues.expire(oldest))
    }

    /// Says what to do at `now`.
    pub fn next(&mut self, now: Instant) -> Next {
        match self.next_batch(now) {
            Next::WaitUntil(at) if self.record_age_max.is_some() => {
                Next::WaitUntil(at.min(self.expiry_at))
            }
            next @ (Next::Send(_) | Next::WaitUntil(_) | Next::Wait) => next,
        }
    }

    fn next_batch(&mut self, now: Instant) -> Next {
        self.queues.wake(now);
        // After a failure one request at a time probes whether the stream is back.
        let slots = if self.failures > 0 { 1 } else { self.requests_in_flight_max };
        if self.queues.is_empty() {
            self.hurried = false;
            return Next::Wait;
        }
        if self.requests_in_flight >= slots {
            return Next::Wait;
        }
        let open_at = self.closed_until.max(self.uplink.map_or(now, |(_, free_at)| free_at));
        if open_at > now {
            return Next::WaitUntil(open_at);
        }
        let room = Room { records: self.batch.records_max, bytes: self.batch.bytes_max };
        if let Some(since) = self.queues.oldest_ready() {
            let due = since + self.batch.linger;
            if !self.hurried && due > now && !self.queues.fills(room) {
                return Next::WaitUntil(self.queues.next_wake().map_or(due, |at| at.min(due)));
            }
            let batch = self.queues.take(room, &mut self.pace, now);
            if !batch.is_empty() {
                // What is left lingers again until the broker falls silent again.
                self.hurried = false;
                self.sent(&batch, now);
                return Next::Send(batch);
            }
        }
        self.queues.next_wake().map_or(Next::Wait, Next::WaitUntil)
    }

    fn sent(&mut self, batch: &[Taken], now: Instant) {
        self.in_flight += batch.len();
        self.requests_in_flight += 1;
        if let Some((bits_per_s, free_at)) = &mut self.uplink {
            let bytes: usize = batch.iter().map(Taken::bytes).sum();
            let placed = batch.iter().filter(|taken| taken.key.explicit_hash_key().is_some());
            let wire_bytes = bytes / 3 * 4
                + batch.len() * RECORD_WIRE_BYTES
                + placed.count() * HASH_KEY_WIRE_BYTES
                + CALL_WIRE_BYTES;
            let bits = f64::from(u32::try_from(wire_bytes).unwrap_or(u32::MAX)) * 8.0;
            *free_at = now.max(*free_at) + Duration::from_secs_f64(bits / *bits_per_s);
        }
    }

    /// Takes the answer to a batch: what it settles, and what must be sent again. `random`, in
    /// `0.0..1.0`, spreads the pauses.
    pub fn answered(&mut self, answer: Answer, now: Instant, random: f64) -> Outcome {
        self.requests_in_flight -= 1;
        self.in_flight -= answer.records.len();
        self.note(answer.trouble.as_ref(), now, random);
        self.pace.observe(&answer.records, now);
        let mut outcome = Outcome::default();
        let mut records = answer.records.into_iter().peekable();
        while records.peek().is_some() {
            self.key_answered(&mut records, now, random, &mut outcome);
        }
        outcome
    }

    /// The verdicts of the next key, in order.
    fn key_answered(
        &mut self,
        records: &mut Peekable<impl Iterator<Item = (Taken, Verdict)>>,
        now: Instant,
        random: f64,
        outcome: &mut Outcome,
    ) {
        let mut again = Vec::new();
        let Some(slot) = records.peek().map(|(taken, _)| taken.slot) else { return };
        while let Some((taken, verdict)) = records.next_if(|(taken, _)| taken.slot == slot) {
            let mut record = taken.record;
            match verdict {
                Verdict::Accepted(_) => {
                    outcome.accepted.push(record.slot);
                    outcome.accepted_rx_ts_ms.push(record.rx_ts_ms);
                    outcome.repeated += usize::from(record.unheard);
                    outcome.reordered += usize::from(!again.is_empty());
                }
                Verdict::Refused(reason) => outcome.refused.push((taken.key, record, reason)),
                Verdict::Throttled | Verdict::Unavailable | Verdict::Unheard => {
                    outcome.unheard += usize::from(verdict == Verdict::Unheard);
                    record.unheard |= verdict == Verdict::Unheard;
                    // An outage is not the record's fault: it pauses the stream, not the key.
                    record.attempts += u32::from(self.failures == 0);
                    again.push(record);
                }
            }
        }
        outcome.retried += again.len();
        let attempts = again.iter().map(|record| record.attempts).max().unwrap_or(1);
        // A call that failed as a whole closes the stream for a while; its keys need no pause more.
        let pause = if self.failures > 0 {
            Duration::ZERO
        } else {
            self.backoff.pause(attempts.min(KEY_PAUSES), random)
        };
        self.queues.answered(slot, again.into_iter(), now + pause);
    }

    /// Notes whether the stream as a whole works, and says so when that changes.
    fn note(&mut self, trouble: Option<&Trouble>, now: Instant, random: f64) {
        // Too fast is an answer like any other: a matter of pace.
        let Some(trouble) = trouble.filter(|trouble| trouble.kind != TroubleKind::Throttled) else {
            if self.said.take().is_some() {
                info!(failures = self.failures, "the stream is back");
            }
            self.failures = 0;
            return;
        };
        // Requests that were in flight together and failed together are one failure.
        let not_allowed = trouble.kind == TroubleKind::NotAllowed;
        if now >= self.closed_until {
            self.failures = self.failures.saturating_add(1);
            let backoff = if not_allowed { self.not_allowed_backoff } else { self.backoff };
            let mut pause = backoff.pause(self.failures, random);
            if not_allowed && self.key_is_new_until.is_some_and(|until| now < until) {
                pause = pause.min(NEW_KEY_PAUSE_MAX);
            }
            self.closed_until = now + pause;
        }
        // A single failure now and then is no change of state.
        let brief = trouble.kind == TroubleKind::Unavailable && self.failures < FAILURES_SAID;
        if self.said == Some(trouble.kind) || brief {
            return;
        }
        let what = if not_allowed {
            "the stream refuses us: records are kept and tried slowly"
        } else {
            "the stream is unavailable: records are kept and tried again"
        };
        warn!(kind = ?trouble.kind, detail = %trouble, "{what}");
        self.said = Some(trouble.kind);
    }
}
