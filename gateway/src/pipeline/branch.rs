//! One stream, with all that is before it: a branch of the flow. What troubles one branch holds back
//! no other.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tracing::{Instrument, Span};

use crate::ack::Receipt;
use crate::addressee::Addressee;
use crate::config::{self, Config};
use crate::custody::{Custody, Situation, Striping};
use crate::dead_letter::{Letter, Origin, Payload, REFUSED_BY_STREAM};
use crate::deliver::{Answer, Stream, deliver};
use crate::dispatch::{Dispatcher, Next};
use crate::limits::SPOOL_CLOSE_MAX;
use crate::metrics::{Delays, StreamCounts};
use crate::queue::Incoming;
use crate::record::{Record, RecordSlot};
use crate::route::{Routed, Router};
use crate::telemetry::of_stream;

use super::clock;
use super::ends::{Address, Ends};
use super::forecast::Observer;
use super::news::{News, Told};
use super::numbering::{Numbering, Written};
use super::opened::OnDisk;
use super::settlement::Settlement;
use super::spooling::{Done, Spooling, say_corrupted};
use super::watching::Watching;

mod telling;

/// A stream, and the records on their way to it.
pub(super) struct Branch<'a, S> {
    /// Its place among the branches.
    index: usize,
    router: Router,
    numbering: Numbering,
    custody: Custody,
    striping: Striping,
    dispatcher: Dispatcher,
    stream: &'a S,
    /// Calls under way, with the instant at which each began.
    requests: FuturesUnordered<LocalBoxFuture<'a, (Instant, Answer)>>,
    news: News<'a, S>,
    spooling: Spooling,
    counts: StreamCounts,
    observer: Observer,
    watching: Watching,
    delays: Delays,
    spool_bytes_max: u64,
    /// What tells its metrics apart, if there may be others.
    label: Option<String>,
    addressee: Addressee,
    /// What tells its lines in the log apart, if there may be others.
    span: Span,
}

/// Where a branch leads.
pub(super) struct Destination<'a, S> {
    /// Its place among the streams.
    pub(super) index: usize,
    pub(super) settings: &'a config::Stream,
    pub(super) stream: &'a S,
}

/// How the publish of a record arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived<'p> {
    pub(super) topic: &'p str,
    pub(super) rx_ts_ms: i64,
    pub(super) receipt: Receipt,
}

/// What happened on a branch.
pub(super) enum Event {
    Answered(Instant, Answer),
    Told(Told),
    Spooled(Box<Done>),
    Numbered(Written),
}

/// Waits for what happens next on one of `branches`, at least one, and says on which. Of several
/// things at once that of branch `first`, counted round, or of the next one after it, comes first.
/// Dropped before, it loses none.
pub(super) async fn next_of<S: Stream>(
    branches: &mut [Branch<'_, S>],
    first: usize,
) -> (usize, Event) {
    // Each time anew, since what waits is the branch's and not the future's: nothing is allocated.
    poll_fn(|context| {
        let (later, sooner) = branches.split_at_mut(first % branches.len().max(1));
        let mut events =
            sooner.iter_mut().chain(later).map(|branch| pin!(branch.event()).poll(context));
        events.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

impl<'a, S: Stream> Branch<'a, S> {
    /// A branch that goes on with what is on the disk.
    pub(super) fn new(
        config: &Config,
        destination: &Destination<'a, S>,
        on_disk: OnDisk,
        now: Instant,
    ) -> Self {
        let Destination { index, settings, stream } = *destination;
        let OnDisk { spooling, found, numbering, counts } = on_disk;
        let striping = Striping::new(settings.shards);
        Self {
            index,
            router: Router::new(settings.partition_key.as_deref()),
            numbering,
            custody: Custody::new(config, striping.count(), found, now),
            striping,
            dispatcher: Dispatcher::new(config, settings, now),
            stream,
            requests: FuturesUnordered::new(),
            news: News::of(stream),
            spooling,
            counts,
            observer: Observer::new(now, found.unsettled),
            watching: Watching::new(config, settings, now),
            delays: Delays::default(),
            spool_bytes_max: config.spool_of(settings).bytes_max,
            label: settings.is_apart.then(|| settings.label.clone()),
            addressee: Addressee::of(settings),
            span: of_stream(settings),
        }
    }

    /// What happens next. Dropped before, it loses nothing.
    async fn event(&mut self) -> (usize, Event) {
        let event = tokio::select! {
            biased;
            Some((began, answer)) = self.requests.next(), if !self.requests.is_empty() => {
                Event::Answered(began, answer)
            }
            told = self.news.next() => Event::Told(told),
            done = self.spooling.done() => Event::Spooled(Box::new(done)),
            written = self.numbering.written() => Event::Numbered(written),
        };
        (self.index, event)
    }

    /// Takes what happened.
    pub(super) fn take(&mut self, event: Event, ends: &mut Ends) {
        let _within = self.span.clone().entered();
        match event {
            Event::Answered(began, answer) => self.answered(began, answer, ends),
            Event::Told(Told::Shards(list)) => self.dispatcher.listed(list, clock::now()),
            Event::Told(Told::KeyChanged) => self.dispatcher.key_changed(clock::now()),
            Event::Spooled(done) => self.disk_did(*done, &mut ends.settlement),
            Event::Numbered(written) => self.numbered(written),
        }
    }

    /// Takes a record in that goes to this stream.
    pub(super) fn take_in(&mut self, record: Record, arrived: Arrived<'_>, now: Instant) {
        let Arrived { topic, rx_ts_ms, receipt } = arrived;
        let key = self.numbering.key(self.router.text(&record, topic));
        let stripe = self.striping.of(&key);
        self.watching.count(&key, record.data.len());
        self.dispatcher.offered(&key, key.as_str().len() + record.data.len(), now);
        let routed = Routed { key, data: record.data, rx_ts_ms, receipt };
        let incoming = self.custody.receive(routed, stripe, now);
        self.queue(incoming);
    }

    /// Takes a publish of which no record could be made, until its letter is durable.
    pub(super) fn reject(&mut self, receipt: Receipt, now: Instant) -> Address {
        Address { branch: self.index, slot: self.custody.reject(receipt, now) }
    }

    /// Notes that nothing could come for so long, and that the broker may have kept it.
    pub(super) fn away(&mut self, away: Duration, now: Instant) {
        self.watching.away(away, now);
    }

    /// Notes the last receipt so far of its connection.
    pub(super) fn received_up_to(&mut self, receipt: Receipt) {
        self.custody.received_up_to(receipt);
    }

    /// Notes that a connection's broker sends nothing more until something is settled.
    pub(super) fn window_exhausted(&mut self) {
        self.custody.window_exhausted();
        self.dispatcher.hurry();
    }

    /// Lets what waits leave without lingering.
    pub(super) fn hurry(&mut self) {
        self.dispatcher.hurry();
    }

    /// Whether the broker answers for nothing of it any more, and nothing is under way.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.spooling.is_busy() && self.requests.is_empty() && self.custody.at_risk() == 0
    }

    fn queue(&mut self, incoming: impl IntoIterator<Item = Incoming>) {
        for incoming in incoming {
            if let Some(incoming) = self.numbering.admit(incoming) {
                self.dispatcher.push(incoming);
            }
        }
    }

    /// Sends what may go now, to the stream and to the disk; says when to look again.
    pub(super) fn send(
        &mut self,
        now: Instant,
        stopping: bool,
        settlement: &mut Settlement,
    ) -> Option<Instant> {
        let _within = self.span.clone().entered();
        self.numbering.start(now);
        let expired = self.dispatcher.take_expired(now);
        self.counts.dropped_age += expired.len() as u64;
        let spooled = self.custody.spooled();
        self.end(expired, settlement);
        self.observer.lose(spooled.saturating_sub(self.custody.spooled()));
        let open = self.dispatcher.is_open();
        // Something must probe a stream that is closed.
        let reading = !stopping && (open || self.dispatcher.held() == 0);
        let situation = Situation { open, reading, stopping };
        let caught_up = self.custody.turn(now, situation);
        self.queue(caught_up);
        if self.spooling.is_free()
            && let Some(job) = self.custody.next_job(now, situation)
        {
            self.spooling.start(job);
        }
        if self.dispatcher.asks_for_shards(now) {
            self.news.ask_for_shards();
        }
        let sent = self.dispatch(now, stopping);
        [self.custody.wake_at(), sent, self.numbering.retry_at()].into_iter().flatten().min()
    }

    fn dispatch(&mut self, now: Instant, stopping: bool) -> Option<Instant> {
        // What is safe on the disk waits there for the next start.
        if stopping && self.custody.at_risk() == 0 {
            return None;
        }
        loop {
            match self.dispatcher.next(now) {
                Next::Send(batch) => {
                    let call = deliver(self.stream, batch).instrument(self.span.clone());
                    self.requests.push(Box::pin(async move { (now, call.await) }));
                }
                Next::WaitUntil(at) => return Some(at),
                Next::Wait => return None,
            }
        }
    }

    fn answered(&mut self, began: Instant, answer: Answer, ends: &mut Ends) {
        let now = clock::now();
        if answer.trouble.is_none() {
            self.custody.heard(now - began, now);
        }
        self.counts.calls += u64::from(answer.calls);
        let outcome = self.dispatcher.answered(answer, now, fastrand::f64());
        self.counts.delivered += outcome.accepted.len() as u64;
        self.counts.retried += outcome.retried as u64;
        self.counts.reordered += outcome.reordered as u64;
        self.counts.unheard += outcome.unheard as u64;
        self.counts.repeated += outcome.repeated as u64;
        self.end(outcome.accepted, &mut ends.settlement);
        self.count_delays(&outcome.accepted_rx_ts_ms);
        for (key, record, reason) in outcome.refused {
            let letter = Letter {
                at_ms: record.rx_ts_ms,
                reason: REFUSED_BY_STREAM.into(),
                detail: reason,
                origin: Origin::Record {
                    key,
                    stream: self.label.clone(),
                    target: Some(self.addressee.clone()),
                },
                payload: Payload::Whole(record.data),
            };
            self.custody.refused(record.slot);
            ends.letters.push(letter, Address { branch: self.index, slot: record.slot });
        }
    }

    /// Takes what the disk did.
    fn disk_did(&mut self, done: Done, settlement: &mut Settlement) {
        let mut outcome = self.spooling.finish(done);
        self.numbering.place(&mut outcome);
        let gone = outcome.dropped.iter().chain(&outcome.lost);
        self.observer.lose(gone.map(|seqs| seqs.end.0.saturating_sub(seqs.start.0)).sum());
        let at = (clock::now(), clock::unix_ms());
        let progress = self.custody.finished(outcome, at, |key| self.striping.of(key));
        self.counts.dropped_spool += progress.dropped as u64;
        say_corrupted(progress.corrupted as u64);
        self.counts.corrupted += progress.corrupted as u64;
        self.counts.replayed += progress.replayed as u64;
        for receipt in progress.receipts {
            settlement.settle(receipt);
        }
        self.queue(progress.incoming);
    }

    /// Takes the numbers of new devices that were written, or not.
    fn numbered(&mut self, written: Written) {
        for incoming in self.numbering.finish(written, clock::now()) {
            self.dispatcher.push(incoming);
        }
    }

    /// Takes records that ended: accepted, dead-lettered or dropped.
    pub(super) fn end(
        &mut self,
        slots: impl IntoIterator<Item = RecordSlot>,
        settlement: &mut Settlement,
    ) {
        let now = clock::now();
        for slot in slots {
            if let Some(receipt) = self.custody.end(slot, now) {
                settlement.settle(receipt);
            }
        }
    }

    /// Waits for what the disk does, if it does anything, and not for ever.
    pub(super) async fn last_job(&mut self) -> Result<Option<Done>, Elapsed> {
        timeout(SPOOL_CLOSE_MAX, self.spooling.last()).await
    }

    /// Takes what the disk did last. What is held from then on is held no more.
    pub(super) fn take_last(&mut self, job: Result<Option<Done>, Elapsed>, ends: &mut Ends) {
        let _within = self.span.clone().entered();
        match job {
            Ok(done) => done.into_iter().for_each(|done| self.disk_did(done, &mut ends.settlement)),
            Err(_) => tracing::warn!("the disk does not answer: some records may be sent twice"),
        }
        // Nobody sends these again.
        self.counts.dropped_spool += self.custody.take_adrift() as u64;
    }

    /// Closes the spool.
    pub(super) async fn close(mut self) {
        let closing = self.spooling.close(self.custody.take_ended());
        let closed = timeout(SPOOL_CLOSE_MAX, closing).instrument(self.span.clone()).await;
        if closed.is_err() {
            let _within = self.span.entered();
            tracing::warn!("the disk does not answer: some records may be sent twice");
        }
    }
}
