//! The flow: everything between the connections and the streams, on one task.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::ack::Receipt;
use crate::books::Stop;
use crate::config::Config;
use crate::dead_letter::{Letter, NO_STREAM, Origin, Payload};
use crate::deliver::Stream;
use crate::limits::{DEAD_LETTER_PAYLOAD_BYTES_MAX, SPOOL_CLOSE_MAX};
use crate::metrics::Counters;
use crate::normalise::Normaliser;
use crate::record::Record;
use crate::route::{Router, Routes};
use crate::source::{Intake, Publish};

use super::bookkeeping::Bookkeeping;
use super::branch::{Arrived, Branch, Destination, next_of};
use super::clock;
use super::ends::Ends;
use super::letters::{Commit, Letters};
use super::opened::Opened;
use super::settlement::Settlement;
use super::{Drained, Ended};

mod telling;
#[cfg(test)]
mod tests;

pub(super) use telling::Occasions;

/// The stages between the connections and the streams.
pub(super) struct Flow<'a, S> {
    normaliser: Normaliser,
    routes: Routes,
    /// One for each stream, in their order.
    branches: Vec<Branch<'a, S>>,
    /// The branch whose events come first this time.
    turn: usize,
    ends: Ends,
    /// What is neither safe nor at its end may come to so many bytes.
    exposed_bytes_max: usize,
    counters: Arc<Counters>,
    books: Bookkeeping,
    /// What the books must make room for before it is taken in.
    waiting: Option<Intake>,
    started: Instant,
    reports: u32,
    drain_max: Duration,
    /// When a stop is over at the latest, once there is one.
    deadline: Option<Instant>,
}

impl<'a, S: Stream> Flow<'a, S> {
    /// A flow that goes on with what is on the disk.
    ///
    /// # Errors
    /// When a topic template is wrong, or streams are missing.
    pub(super) fn new(
        config: &'a Config,
        streams: &'a [S],
        opened: Opened,
        settlement: Settlement,
        counters: Arc<Counters>,
    ) -> Result<Self> {
        let now = clock::now();
        let Opened { store, streams: on_disk, books } = opened;
        let settings = config.streams.iter();
        ensure!(streams.len() == config.streams.count(), "not as many streams as are configured");
        let branches = settings.zip(streams).zip(on_disk).enumerate();
        let branches = branches.map(|(index, ((settings, stream), on_disk))| {
            Branch::new(config, &Destination { index, settings, stream }, on_disk, now)
        });
        Ok(Self {
            normaliser: Normaliser::new(&config.records)?,
            routes: Routes::new(&config.streams),
            branches: branches.collect(),
            turn: 0,
            ends: Ends { settlement, letters: Letters::new(store) },
            exposed_bytes_max: config.intake_bytes_max() * config.mqtt.lanes.len(),
            counters,
            books,
            waiting: None,
            started: now,
            reports: 0,
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
            self.ends.settlement.hand_on();
            if let Some(drained) = self.drained(taking_in, now) {
                break drained;
            }
            let wake = self.send(now);
            self.turn = self.turn.wrapping_add(1);
            tokio::select! {
                biased;
                (index, event) = next_of(&mut self.branches, self.turn) => {
                    if let Some(branch) = self.branches.get_mut(index) {
                        branch.take(event, &mut self.ends);
                    }
                }
                commit = self.ends.letters.committed() => self.committed(commit),
                written = self.books.written() => self.checkpointed(written),
                batch = intake.recv(), if taking_in && self.has_room() => {
                    taking_in = batch.is_some();
                    batch.into_iter().for_each(|batch| self.take_in(batch));
                }
                () = &mut stop, if self.deadline.is_none() => self.stop(&stopping, clock::now()),
                occasion = occasions.next() => self.tell(occasion, clock::now()),
                () = due(&self.ends.settlement, wake) => {}
            }
        };
        self.end(drained).await
    }

    fn stop(&mut self, stopping: &watch::Sender<bool>, now: Instant) {
        let held = self.counts().in_flight;
        tracing::info!(held, "stopping: settling what is held");
        stopping.send_replace(true);
        self.deadline = Some(now + self.drain_max);
    }

    async fn end(mut self, drained: Drained) -> Ended {
        if let Ok(commit) = timeout(SPOOL_CLOSE_MAX, self.ends.letters.last()).await {
            commit.into_iter().for_each(|commit| self.committed(commit));
        } else {
            tracing::warn!("the disk does not answer: dead letters may be kept and not counted");
        }
        let jobs = join_all(self.branches.iter_mut().map(Branch::last_job)).await;
        for (branch, job) in self.branches.iter_mut().zip(jobs) {
            branch.take_last(job, &mut self.ends);
        }
        let ledger = self.conservation();
        self.counters.log(&self.counts());
        let last = self.moment();
        join_all(self.branches.into_iter().map(Branch::close)).await;
        let stop = match drained {
            Drained::Clean => Stop::Clean,
            Drained::TimedOut => Stop::TimedOut,
        };
        if timeout(SPOOL_CLOSE_MAX, self.books.close(last, stop)).await.is_err() {
            tracing::warn!("the disk does not answer: the books lack the end of this run");
        }
        self.ends.settlement.finish().await;
        Ended { drained, ledger }
    }

    /// Whether more may be taken in: what is not safe has its part of the memory. What is left when a
    /// stop begins is little.
    fn has_room(&self) -> bool {
        let has_memory = || self.exposed_bytes() < self.exposed_bytes_max;
        self.waiting.is_none() && (self.deadline.is_some() || has_memory())
    }

    /// Bytes of what is not safe, as far as it takes room.
    fn exposed_bytes(&self) -> usize {
        self.branches.iter().map(Branch::exposed_bytes).sum()
    }

    /// Whether a drain is over, and how. While it is not, nothing lingers.
    fn drained(&mut self, taking_in: bool, now: Instant) -> Option<Drained> {
        if !taking_in {
            self.branches.iter_mut().for_each(Branch::hurry);
            if self.ends.letters.is_idle() && self.branches.iter().all(Branch::is_at_rest) {
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
        let last = intake.publishes.last().map(|publish| publish.receipt);
        for branch in &mut self.branches {
            branch.away(intake.away, now);
            last.into_iter().for_each(|receipt| branch.received_up_to(receipt));
        }
        for publish in intake.publishes {
            self.take_in_one(&publish, now);
        }
        if intake.window_exhausted {
            self.branches.iter_mut().for_each(Branch::window_exhausted);
        }
    }

    fn take_in_one(&mut self, publish: &Publish, now: Instant) {
        let Publish { topic, payload, rx_ts_ms, receipt } = publish;
        let records = match self.normaliser.normalise(topic, payload, *rx_ts_ms, receipt.number) {
            Ok(records) => records,
            Err(reject) => {
                return self.reject(publish, (reject.reason.as_str(), reject.detail), now);
            }
        };
        let topic = str::from_utf8(topic).unwrap_or_default();
        let by_type = self.routes.ask_for_types();
        let kind = if by_type { self.normaliser.kind(topic) } else { Default::default() };
        let arrived = Arrived { topic, rx_ts_ms: *rx_ts_ms, receipt: *receipt };
        let (mut made, mut astray) = (0, Vec::new());
        for record in records {
            let stream = self.routes.of(&record, topic, kind);
            match stream.and_then(|stream| self.branches.get_mut(stream)) {
                Some(branch) => branch.take_in(record, arrived, now),
                None => astray.push(record),
            }
            made += 1;
        }
        if astray.len() == made && payload.len() <= DEAD_LETTER_PAYLOAD_BYTES_MAX {
            // As it came, so that it can be sent again once there is a stream for it.
            let why = (NO_STREAM, "no stream takes what is made of this".to_owned());
            return self.reject(publish, why, now);
        }
        astray.into_iter().for_each(|record| self.stray(record, arrived, now));
        self.ends.settlement.expect(*receipt, made);
        self.counters.received.add(made);
        self.counters.fan_out.add(made.saturating_sub(1));
    }

    /// Dead-letters a publish of which no record could be made, or none that goes anywhere.
    fn reject(&mut self, publish: &Publish, why: (&'static str, String), now: Instant) {
        self.counters.received.add(1);
        let origin = Origin::of_publish(&publish.topic);
        let letter = Letter {
            at_ms: publish.rx_ts_ms,
            reason: why.0.into(),
            detail: why.1,
            origin,
            payload: Payload::of_publish(&publish.payload),
        };
        self.give_up(letter, publish.receipt, now);
    }

    /// Dead-letters a record that no stream takes, unlike others of its publish.
    fn stray(&mut self, record: Record, arrived: Arrived<'_>, now: Instant) {
        let key = Router::new(None).key(&record, arrived.topic);
        let letter = Letter {
            at_ms: arrived.rx_ts_ms,
            reason: NO_STREAM.into(),
            detail: format!("no stream takes this record of a publish to {}", arrived.topic),
            origin: Origin::Record { key, stream: None, target: None },
            payload: Payload::Whole(record.data),
        };
        self.give_up(letter, arrived.receipt, now);
    }

    /// Keeps `letter`, which is of no stream: the first answers for it meanwhile.
    fn give_up(&mut self, letter: Letter, receipt: Receipt, now: Instant) {
        if let Some(first) = self.branches.first_mut() {
            self.ends.letters.push(letter, first.reject(receipt, now));
        }
    }

    /// Sends what may go now, to the streams and to the disk; says when to look again.
    fn send(&mut self, now: Instant) -> Option<Instant> {
        self.ends.letters.start(now);
        self.keep_books(now);
        let (stopping, settlement) = (self.deadline.is_some(), &mut self.ends.settlement);
        let sent = self.branches.iter_mut().map(|branch| branch.send(now, stopping, settlement));
        let branches = sent.flatten().min();
        [branches, self.deadline, self.ends.letters.retry_at()].into_iter().flatten().min()
    }

    fn committed(&mut self, commit: Commit) {
        let committed = self.ends.letters.finish(commit, clock::now());
        self.counters.dead_lettered.add(committed.kept.len());
        self.counters.dead_letters_dropped.add(committed.dropped);
        for address in committed.kept {
            if let Some(branch) = self.branches.get_mut(address.branch) {
                branch.end([address.slot], &mut self.ends.settlement);
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
