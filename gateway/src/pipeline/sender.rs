//! Records outside the flow on the flow's own way to a stream: dispatcher, pace, batches, retries.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::config::{self, Config};
use crate::deliver::{Answer, Stream, deliver};
use crate::dispatch::{Dispatcher, Next};
use crate::queue::Incoming;
use crate::record::{PartitionKey, RecordSlot};

use super::clock::{now, woken};

/// One record to send.
#[derive(Debug, Clone)]
pub struct Unsent {
    /// Its partition key.
    pub key: PartitionKey,
    /// The bytes to send.
    pub data: Bytes,
}

/// What became of records that were sent together. Each is named by its place among them.
#[derive(Debug, Default)]
pub struct Sent {
    /// Those that the stream accepted.
    pub accepted: Vec<usize>,
    /// Those that it can never accept, each with the reason.
    pub refused: Vec<(usize, Unsent, String)>,
}

/// Sends groups of records, one after the other.
#[derive(Debug)]
pub struct Sender<'a, S> {
    dispatcher: Dispatcher,
    stream: &'a S,
    bytes_max: usize,
}

impl<'a, S: Stream> Sender<'a, S> {
    /// Sends to `stream` at the pace that `config` and its `settings` say. Nothing is ever too old:
    /// what is sent here has waited on purpose.
    pub fn new(config: &Config, mut settings: config::Stream, stream: &'a S) -> Self {
        settings.record_age_max = None;
        let bytes_max = config.batch.bytes_max;
        Self { dispatcher: Dispatcher::new(config, &settings, now()), stream, bytes_max }
    }

    /// Sends `records`, those of one key in their order, and returns when each has been accepted or
    /// can never be, one that is larger than a call may be included. Waits as long as the stream is
    /// away. Dropped before, it leaves open what became of them.
    pub async fn send(&mut self, records: Vec<Unsent>) -> Sent {
        let since = now();
        let mut sent = Sent::default();
        for (place, Unsent { key, data }) in records.into_iter().enumerate() {
            let bytes = data.len() + key.as_str().len();
            if bytes > self.bytes_max {
                let reason = format!("{bytes} bytes: a call may carry {}", self.bytes_max);
                sent.refused.push((place, Unsent { key, data }, reason));
                continue;
            }
            let slot = RecordSlot(place);
            self.dispatcher.push(Incoming { slot, key, data, rx_ts_ms: 0, since });
        }
        let mut requests: FuturesUnordered<LocalBoxFuture<'_, Answer>> = FuturesUnordered::new();
        let mut key_changed: LocalBoxFuture<'_, ()> = Box::pin(self.stream.key_changed());
        while self.dispatcher.held() > 0 {
            // They are all here: lingering would bring no more.
            self.dispatcher.hurry();
            let wake = loop {
                match self.dispatcher.next(now()) {
                    Next::Send(batch) => requests.push(Box::pin(deliver(self.stream, batch))),
                    Next::WaitUntil(at) => break Some(at),
                    Next::Wait => break None,
                }
            };
            tokio::select! {
                Some(answer) = requests.next(), if !requests.is_empty() => self.note(answer, &mut sent),
                () = &mut key_changed => {
                    key_changed = Box::pin(self.stream.key_changed());
                    self.dispatcher.key_changed(now());
                }
                () = woken(wake) => {}
            }
        }
        sent
    }

    fn note(&mut self, answer: Answer, sent: &mut Sent) {
        let place = |RecordSlot(place)| place;
        let outcome = self.dispatcher.answered(answer, now(), fastrand::f64());
        sent.accepted.extend(outcome.accepted.into_iter().map(place));
        sent.refused.extend(outcome.refused.into_iter().map(|(key, record, reason)| {
            (place(record.slot), Unsent { key, data: record.data }, reason)
        }));
    }
}
