//! The flow: everything between the connections and the stream, on one task.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, sleep_until};

use crate::ack::Receipt;
use crate::config::Config;
use crate::dead_letter::{Letter, Origin, Payload, REFUSED_BY_STREAM, Store};
use crate::deliver::{Answer, Stream, deliver};
use crate::dispatch::{Dispatcher, Next};
use crate::metrics::Counters;
use crate::normalise::Normaliser;
use crate::route::{Routed, Router};
use crate::source::{Intake, Publish};

use super::letters::{Commit, Letters};
use super::settlement::Settlement;
use super::{Drained, Ended, LEDGER_EVERY};

/// The stages between the connections and the stream.
pub(super) struct Flow<'a, S> {
    normaliser: Normaliser,
    router: Router,
    dispatcher: Dispatcher,
    stream: &'a S,
    requests: FuturesUnordered<LocalBoxFuture<'a, Answer>>,
    letters: Letters,
    settlement: Settlement,
    counters: Arc<Counters>,
    drain_max: Duration,
}

impl<'a, S: Stream> Flow<'a, S> {
    pub(super) fn new(
        config: &Config,
        stream: &'a S,
        store: Store,
        normaliser: Normaliser,
        settlement: Settlement,
    ) -> Self {
        Self {
            normaliser,
            router: Router::new(config.stream.partition_key.as_deref()),
            dispatcher: Dispatcher::new(config, now()),
            stream,
            requests: FuturesUnordered::new(),
            letters: Letters::new(store),
            settlement,
            counters: Arc::default(),
            drain_max: config.drain_max,
        }
    }

    /// Counts in `counters`.
    pub(super) fn counting(mut self, counters: Arc<Counters>) -> Self {
        self.counters = counters;
        self
    }

    /// Runs until `stop` is ready and everything is settled, or the drain takes too long.
    pub(super) async fn run(
        mut self,
        mut intake: mpsc::Receiver<Intake>,
        stopping: watch::Sender<bool>,
        stop: impl Future<Output = ()>,
    ) -> Ended {
        let mut stop = pin!(stop);
        let mut ledger_due = interval(LEDGER_EVERY);
        ledger_due.reset();
        let mut taking_in = true;
        let mut deadline = None;
        let drained = loop {
            let now = now();
            self.settlement.hand_on();
            if let Some(drained) = self.drained(taking_in, deadline, now) {
                break drained;
            }
            let wake = self.send(now);
            let wake = [wake, self.letters.retry_at(), deadline].into_iter().flatten().min();
            tokio::select! {
                biased;
                Some(answer) = self.requests.next(), if !self.requests.is_empty() => {
                    self.answered(answer);
                }
                commit = self.letters.committed() => self.committed(commit),
                batch = intake.recv(), if taking_in => match batch {
                    Some(batch) => self.take_in(batch),
                    None => taking_in = false,
                },
                () = &mut stop, if deadline.is_none() => {
                    tracing::info!(held = self.held(), "stopping: settling what is held");
                    stopping.send_replace(true);
                    deadline = Some(now + self.drain_max);
                }
                () = self.settlement.room() => {}
                _ = ledger_due.tick() => self.counters.conservation(self.held()).log(),
                () = woken(wake) => {}
            }
        };
        let ledger = self.counters.conservation(self.held());
        ledger.log();
        self.settlement.finish().await;
        Ended { drained, ledger }
    }

    /// Whether a drain is over, and how. While it is not, nothing lingers.
    fn drained(
        &mut self,
        taking_in: bool,
        deadline: Option<Instant>,
        now: Instant,
    ) -> Option<Drained> {
        if !taking_in {
            self.dispatcher.hurry();
            if self.held() == 0 {
                return Some(Drained::Clean);
            }
        }
        deadline.is_some_and(|deadline| deadline <= now).then_some(Drained::TimedOut)
    }

    /// How many records are neither delivered nor dead-lettered nor dropped.
    fn held(&self) -> usize {
        self.dispatcher.held() + self.letters.held()
    }

    fn take_in(&mut self, intake: Intake) {
        let now = now();
        for publish in intake.publishes {
            self.take_in_one(publish, now);
        }
        if intake.window_exhausted {
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
                    origin: Origin::Topic(topic),
                    payload: Payload::Whole(payload),
                };
                return self.letters.push(letter, receipt);
            }
        };
        let topic = str::from_utf8(&topic).unwrap_or_default();
        let mut made = 0;
        for record in records {
            let key = self.router.key(&record, topic);
            self.dispatcher.push(Routed { key, data: record.data, rx_ts_ms, receipt }, now);
            made += 1;
        }
        self.settlement.expect(receipt, made);
        self.counters.received.add(made);
    }

    /// Sends what may go now; says when to look again.
    fn send(&mut self, now: Instant) -> Option<Instant> {
        self.letters.start(now);
        let expired = self.dispatcher.take_expired(now);
        self.counters.dropped_age.add(expired.len());
        self.settle(expired);
        loop {
            match self.dispatcher.next(now) {
                Next::Send(batch) => self.requests.push(Box::pin(deliver(self.stream, batch))),
                Next::WaitUntil(at) => return Some(at),
                Next::Wait => return None,
            }
        }
    }

    fn answered(&mut self, answer: Answer) {
        let now = now();
        self.counters.calls.add(usize::try_from(answer.calls).unwrap_or(usize::MAX));
        let outcome = self.dispatcher.answered(answer, now, fastrand::f64());
        self.counters.delivered.add(outcome.accepted.len());
        self.counters.retried.add(outcome.retried);
        self.counters.reordered.add(outcome.reordered);
        self.counters.unheard.add(outcome.unheard);
        self.settle(outcome.accepted);
        for (key, record, reason) in outcome.refused {
            let letter = Letter {
                at_ms: record.rx_ts_ms,
                reason: REFUSED_BY_STREAM.into(),
                detail: reason,
                origin: Origin::Key(key),
                payload: Payload::Whole(record.data),
            };
            self.letters.push(letter, record.receipt);
        }
    }

    fn committed(&mut self, commit: Commit) {
        let committed = self.letters.finish(commit, now());
        self.counters.dead_lettered.add(committed.settled.len());
        self.counters.dead_letters_dropped.add(committed.dropped);
        self.settle(committed.settled);
    }

    fn settle(&mut self, receipts: Vec<Receipt>) {
        for receipt in receipts {
            self.settlement.settle(receipt);
        }
    }
}

/// Waits until `at`; for ever if there is none.
pub(super) async fn woken(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the flow is where the machines are told the time")]
fn now() -> Instant {
    Instant::now()
}
