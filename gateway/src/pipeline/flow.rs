//! The flow: everything between the connections and the stream, on one task.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::books::Stop;
use crate::config::Config;
use crate::custody::{Custody, Situation, Striping};
use crate::dead_letter::{Letter, Origin, Payload, REFUSED_BY_STREAM};
use crate::deliver::{Answer, Stream, deliver};
use crate::dispatch::{Dispatcher, Next};
use crate::limits::SPOOL_CLOSE_MAX;
use crate::metrics::{Counters, Delays};
use crate::normalise::Normaliser;
use crate::queue::Incoming;
use crate::record::RecordSlot;
use crate::route::{Routed, Router};
use crate::source::{Intake, Publish};

use super::bookkeeping::Bookkeeping;
use super::clock;
use super::forecast::Observer;
use super::letters::{Commit, Letters};
use super::news::{News, Told};
use super::numbering::{self, Numbering};
use super::opened::Opened;
use super::settlement::Settlement;
use super::spooling::{Done, Spooling, count_corrupted};
use super::watching::Watching;
use super::{Drained, Ended};

mod telling;
#[cfg(test)]
mod tests;

pub(super) use telling::Occasions;

/// The stages between the connections and the stream.
pub(super) struct Flow<'a, S> {
    normaliser: Normaliser,
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
    letters: Letters,
    settlement: Settlement,
    counters: Arc<Counters>,
    books: Bookkeeping,
    /// What the books must make room for before it is taken in.
    waiting: Option<Intake>,
    observer: Observer,
    watching: Watching,
    delays: Delays,
    reports: u32,
    spool_bytes_max: u64,
    drain_max: Duration,
    /// When a stop is over at the latest, once there is one.
    deadline: Option<Instant>,
}

impl<'a, S: Stream> Flow<'a, S> {
    /// A flow that goes on with what is on the disk.
    ///
    /// # Errors
    /// When a topic template is wrong.
    pub(super) fn new(
        config: &Config,
        stream: &'a S,
        opened: Opened,
        settlement: Settlement,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let now = clock::now();
        let Opened { store, spooling, found, numbering, books } = opened;
        let striping = Striping::new(config.stream.shards);
        Ok(Self {
            normaliser: Normaliser::new(&config.records)?,
            router: Router::new(config.stream.partition_key.as_deref()),
            numbering,
            custody: Custody::new(config, striping.count(), found, now),
            striping,
            dispatcher: Dispatcher::new(config, now),
            stream,
            requests: FuturesUnordered::new(),
            news: News::of(stream),
            spooling,
            letters: Letters::new(store),
            settlement,
            counters,
            books,
            waiting: None,
            observer: Observer::new(now, found.unsettled),
            watching: Watching::new(config, now),
            delays: Delays::default(),
            reports: 0,
            spool_bytes_max: config.spool.bytes_max,
            drain_max: config.drain_max,
            deadline: None,
        })
    }

    /// For how long no gateway ran before this one, if one did.
    pub(super) fn away(&self) -> Duration {
        self.books.away()
    }

    /// Runs until `stop` is ready and everything is safe, or the drain takes too long.
    pub(super) async fn run(
        mut self,
        mut intake: mpsc::Receiver<Intake>,
        mut occasions: Occasions,
        stopping: watch::Sender<bool>,
        stop: impl Future<Output = ()>,
    ) -> Ended {
        let mut stop = pin!(stop);
        let mut taking_in = true;
        let drained = loop {
            let now = clock::now();
            self.settlement.hand_on();
            if let Some(drained) = self.drained(taking_in, now) {
                break drained;
            }
            let wake = self.send(now);
            tokio::select! {
                biased;
                Some((began, answer)) = self.requests.next(), if !self.requests.is_empty() => {
                    self.answered(began, answer);
                }
                told = self.news.next() => self.told(told, clock::now()),
                commit = self.letters.committed() => self.committed(commit),
                done = self.spooling.done() => self.spooled(done),
                written = self.numbering.written() => self.numbered(written),
                written = self.books.written() => self.checkpointed(written),
                batch = intake.recv(), if taking_in && self.has_room() => {
                    taking_in = batch.is_some();
                    batch.into_iter().for_each(|batch| self.take_in(batch));
                }
                () = &mut stop, if self.deadline.is_none() => self.stop(&stopping, clock::now()),
                occasion = occasions.next() => self.tell(occasion, clock::now()),
                () = due(&self.settlement, wake) => {}
            }
        };
        self.end(drained).await
    }

    fn told(&mut self, told: Told, now: Instant) {
        match told {
            Told::Shards(list) => self.dispatcher.listed(list, now),
            Told::KeyChanged => self.dispatcher.key_changed(now),
        }
    }

    fn stop(&mut self, stopping: &watch::Sender<bool>, now: Instant) {
        tracing::info!(held = self.custody.exposed(), "stopping: settling what is held");
        stopping.send_replace(true);
        self.deadline = Some(now + self.drain_max);
    }

    async fn end(mut self, drained: Drained) -> Ended {
        if let Ok(commit) = timeout(SPOOL_CLOSE_MAX, self.letters.last()).await {
            commit.into_iter().for_each(|commit| self.committed(commit));
        } else {
            tracing::warn!("the disk does not answer: dead letters may be kept and not counted");
        }
        if let Ok(done) = timeout(SPOOL_CLOSE_MAX, self.spooling.last()).await {
            done.into_iter().for_each(|done| self.spooled(done));
        } else {
            tracing::warn!("the disk does not answer: some records may be sent twice");
        }
        // Nobody sends these again.
        self.counters.dropped_spool.add(self.custody.take_adrift());
        let ledger = self.conservation();
        self.counters.log(&ledger);
        let last = self.moment();
        let closing = self.spooling.close(self.custody.take_ended());
        if timeout(SPOOL_CLOSE_MAX, closing).await.is_err() {
            tracing::warn!("the disk does not answer: some records may be sent twice");
        }
        let stop = match drained {
            Drained::Clean => Stop::Clean,
            Drained::TimedOut => Stop::TimedOut,
        };
        if timeout(SPOOL_CLOSE_MAX, self.books.close(last, stop)).await.is_err() {
            tracing::warn!("the disk does not answer: the books lack the end of this run");
        }
        self.settlement.finish().await;
        Ended { drained, ledger }
    }

    /// Whether more may be taken in. What is left when a stop begins is little.
    fn has_room(&self) -> bool {
        self.waiting.is_none() && (self.deadline.is_some() || self.custody.has_room())
    }

    /// Whether a drain is over, and how. While it is not, nothing lingers.
    fn drained(&mut self, taking_in: bool, now: Instant) -> Option<Drained> {
        if !taking_in {
            self.dispatcher.hurry();
            let disk_at_rest = self.letters.is_idle() && !self.spooling.is_busy();
            if disk_at_rest && self.requests.is_empty() && self.custody.at_risk() == 0 {
                return Some(Drained::Clean);
            }
        }
        self.deadline.is_some_and(|deadline| deadline <= now).then_some(Drained::TimedOut)
    }

    fn take_in(&mut self, intake: Intake) {
        let expected = self.counters.received.get() + intake.publishes.len() as u64;
        if !self.books.covers(expected) {
            self.waiting = Some(intake);
            return;
        }
        let now = clock::now();
        self.watching.away(intake.away, now);
        for publish in intake.publishes {
            self.take_in_one(publish, now);
        }
        if intake.window_exhausted {
            self.custody.window_exhausted();
            self.dispatcher.hurry();
        }
    }

    fn take_in_one(&mut self, publish: Publish, now: Instant) {
        let Publish { topic, payload, rx_ts_ms, receipt } = publish;
        let records = match self.normaliser.normalise(&topic, &payload, rx_ts_ms, receipt.number) {
            Ok(records) => records,
            Err(reject) => {
                self.counters.received.add(1);
                let letter = Letter {
                    at_ms: rx_ts_ms,
                    reason: reject.reason.as_str().into(),
                    detail: reject.detail,
                    origin: Origin::of_publish(&topic),
                    payload: Payload::of_publish(&payload),
                };
                return self.letters.push(letter, self.custody.reject(receipt, now));
            }
        };
        let topic = str::from_utf8(&topic).unwrap_or_default();
        let mut made = 0;
        for record in records {
            let key = self.numbering.key(self.router.text(&record, topic));
            let stripe = self.striping.of(&key);
            self.watching.count(&key, record.data.len());
            self.dispatcher.offered(&key, key.as_str().len() + record.data.len(), now);
            let routed = Routed { key, data: record.data, rx_ts_ms, receipt };
            let incoming = self.custody.receive(routed, stripe, now);
            self.queue(incoming);
            made += 1;
        }
        self.settlement.expect(receipt, made);
        self.counters.received.add(made);
        self.counters.fan_out.add(made.saturating_sub(1));
    }

    fn queue(&mut self, incoming: impl IntoIterator<Item = Incoming>) {
        for incoming in incoming {
            if let Some(incoming) = self.numbering.admit(incoming) {
                self.dispatcher.push(incoming);
            }
        }
    }

    /// Takes the numbers of new devices that were written, or not.
    fn numbered(&mut self, written: numbering::Written) {
        for incoming in self.numbering.finish(written, clock::now()) {
            self.dispatcher.push(incoming);
        }
    }

    /// Sends what may go now, to the stream and to the disk; says when to look again.
    fn send(&mut self, now: Instant) -> Option<Instant> {
        self.letters.start(now);
        self.numbering.start(now);
        self.keep_books(now);
        let expired = self.dispatcher.take_expired(now);
        self.counters.dropped_age.add(expired.len());
        let spooled = self.custody.spooled();
        self.ended(expired);
        self.observer.lose(spooled.saturating_sub(self.custody.spooled()));
        let (open, stopping) = (self.dispatcher.is_open(), self.deadline.is_some());
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
        let again = [self.letters.retry_at(), self.numbering.retry_at(), self.custody.wake_at()];
        again.into_iter().chain([self.deadline, self.dispatch(now)]).flatten().min()
    }

    fn dispatch(&mut self, now: Instant) -> Option<Instant> {
        // What is safe on the disk waits there for the next start.
        if self.deadline.is_some() && self.custody.at_risk() == 0 {
            return None;
        }
        loop {
            match self.dispatcher.next(now) {
                Next::Send(batch) => {
                    let call = deliver(self.stream, batch);
                    self.requests.push(Box::pin(async move { (now, call.await) }));
                }
                Next::WaitUntil(at) => return Some(at),
                Next::Wait => return None,
            }
        }
    }

    fn answered(&mut self, began: Instant, answer: Answer) {
        let now = clock::now();
        if answer.trouble.is_none() {
            self.custody.heard(now - began);
        }
        self.counters.calls.add(usize::try_from(answer.calls).unwrap_or(usize::MAX));
        let outcome = self.dispatcher.answered(answer, now, fastrand::f64());
        self.counters.delivered.add(outcome.accepted.len());
        self.counters.retried.add(outcome.retried);
        self.counters.reordered.add(outcome.reordered);
        self.counters.unheard.add(outcome.unheard);
        self.counters.repeated.add(outcome.repeated);
        self.ended(outcome.accepted);
        self.count_delays(&outcome.accepted_rx_ts_ms);
        for (key, record, reason) in outcome.refused {
            let letter = Letter {
                at_ms: record.rx_ts_ms,
                reason: REFUSED_BY_STREAM.into(),
                detail: reason,
                origin: Origin::Key(key),
                payload: Payload::Whole(record.data),
            };
            self.custody.refused(record.slot);
            self.letters.push(letter, record.slot);
        }
    }

    fn committed(&mut self, commit: Commit) {
        let committed = self.letters.finish(commit, clock::now());
        self.counters.dead_lettered.add(committed.kept.len());
        self.counters.dead_letters_dropped.add(committed.dropped);
        self.ended(committed.kept);
    }

    /// Takes what the disk did.
    fn spooled(&mut self, done: Done) {
        let mut outcome = self.spooling.finish(done);
        self.numbering.place(&mut outcome);
        let gone = outcome.dropped.iter().chain(&outcome.lost);
        self.observer.lose(gone.map(|seqs| seqs.end.0.saturating_sub(seqs.start.0)).sum());
        let at = (clock::now(), clock::unix_ms());
        let progress = self.custody.finished(outcome, at, |key| self.striping.of(key));
        self.counters.dropped_spool.add(progress.dropped);
        count_corrupted(progress.corrupted, &self.counters);
        self.counters.replayed.add(progress.replayed);
        for receipt in progress.receipts {
            self.settlement.settle(receipt);
        }
        self.queue(progress.incoming);
    }

    /// Records that ended: accepted, dead-lettered or dropped.
    fn ended(&mut self, slots: Vec<RecordSlot>) {
        let now = clock::now();
        for slot in slots {
            if let Some(receipt) = self.custody.end(slot, now) {
                self.settlement.settle(receipt);
            }
        }
    }
}

/// Waits until more can be settled, or until `at`.
async fn due(settlement: &Settlement, at: Option<Instant>) {
    tokio::select! {
        () = settlement.room() => {}
        () = clock::woken(at) => {}
    }
}
