//! What an account is asked, and what is heard.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use futures_util::future::{OptionFuture, join4};
use serde_json::json;
use tokio::time::sleep;

use crate::check::Wishes;
use crate::check::deadline::{CALL_MAX, Deadline};
use crate::check::judgement::{Canary, Heard};
use crate::clock::unix_ms;
use crate::config::{self, Config, StreamTarget};
use crate::credentials::Key;
use crate::credentials::keys::Keys;
use crate::deliver::kinesis::{
    Cause, Identity, Kinesis, Outcome, Probe, Probed, Refusal, identity,
};

/// The pause before a second try: a shard's quota is that of a second.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Who asks, and for what.
pub(super) struct Asking<'c> {
    /// The stream, of which time-outs are short.
    pub(super) stream: &'c config::Stream,
    /// The stream of the dead letters, if it is asked with the same key.
    pub(super) letters: Option<&'c StreamTarget>,
    /// What signs.
    pub(super) key: &'c Key,
    /// How it is asked whether records are taken.
    pub(super) probe: Probe,
    /// Until when.
    pub(super) deadline: Deadline,
}

impl<'c> Asking<'c> {
    /// Everything that is heard when the record `data` is offered, and by how many seconds this
    /// machine is behind, if that was told.
    ///
    /// # Errors
    /// When nothing can be asked: a file has gone meanwhile.
    pub(super) async fn hear(
        &self,
        data: &Bytes,
        wishes: Wishes,
    ) -> Result<(Heard<'c>, Option<i64>)> {
        let Self { stream, deadline, .. } = *self;
        let kinesis = Kinesis::connect(stream, Keys::fixed(self.key.clone())).await?;
        let beside = self.letters.map(|target| kinesis.beside(target));
        let letters = beside.as_ref().map(|letters| self.put(letters, data));
        let (put, summary, letters, identity) = join4(
            self.put(&kinesis, data),
            deadline.within(CALL_MAX, kinesis.summary()),
            OptionFuture::from(letters),
            self.identity(),
        )
        .await;
        // Who is only busy may have room by now.
        let may_fly = match &put.answer {
            Ok(_) => true,
            Err(refusal) => refusal.cause == Cause::Throttled,
        };
        let canary = (wishes.canary && may_fly).then(|| self.fly(&kinesis, data));
        let heard = Heard {
            stream,
            probe: self.probe,
            identity,
            canary: OptionFuture::from(canary).await,
            put: put.answer,
            summary: summary.unwrap_or_else(unheard).answer,
            letters: self.letters.zip(letters.map(|put| put.answer)),
        };
        Ok((heard, put.behind_s))
    }

    /// Whose key it is; `None` when nobody is asked.
    async fn identity(&self) -> Option<Result<Identity, Refusal>> {
        let asked = Box::pin(identity(self.stream, self.key));
        match self.deadline.within(CALL_MAX, asked).await {
            Some(Ok(told)) => told.map(|told| told.answer),
            Some(Err(why)) => {
                Some(Err(Refusal { cause: Cause::NotAllowed, said: why.to_string() }))
            }
            None => Some(Err(Refusal::unheard(CALL_MAX))),
        }
    }

    /// Asks whether a stream takes a record. A clock that is wrong is corrected by the first answer.
    async fn put(&self, kinesis: &Kinesis, data: &Bytes) -> Timed {
        let first = self.attempt(kinesis, data).await;
        match &first.answer {
            Err(refusal) if refusal.cause == Cause::WrongTime => {
                let second = self.attempt(kinesis, data).await;
                Timed { behind_s: first.behind_s, ..second }
            }
            Ok(_) | Err(_) => first,
        }
    }

    async fn attempt(&self, kinesis: &Kinesis, data: &Bytes) -> Timed {
        let Probed { answer, date } = self.offer(kinesis, data, self.probe).await;
        let behind_s = date.map(|date| date.as_second() - unix_ms().div_euclid(1_000));
        Timed { answer, behind_s }
    }

    /// Offers a record, and once more if the service fails or is too busy: either passes, and the
    /// gateway would try again, too.
    async fn offer(&self, kinesis: &Kinesis, data: &Bytes, probe: Probe) -> Probed<Outcome> {
        let offered = async {
            let first = kinesis.probe(data.clone(), probe).await;
            let passes =
                |refusal: &Refusal| matches!(refusal.cause, Cause::Down | Cause::Throttled);
            if !first.answer.as_ref().is_err_and(passes) {
                return first;
            }
            sleep(RETRY_AFTER).await;
            kinesis.probe(data.clone(), probe).await
        };
        self.deadline.within(CALL_MAX, offered).await.unwrap_or_else(unheard)
    }

    /// Stores a record, and looks for it.
    async fn fly(&self, kinesis: &Kinesis, data: &Bytes) -> Result<Canary, Refusal> {
        let stored = self.offer(kinesis, data, Probe::Canary).await;
        let place = match stored.answer? {
            Outcome::Stored(place) => place,
            Outcome::Possible => return Err(Refusal::unheard(CALL_MAX)),
        };
        let read = self.deadline.within(CALL_MAX, kinesis.read_back(&place)).await;
        let read = read.unwrap_or(Ok(None)).map(|read| read.map(|read| read == *data));
        Ok(Canary { place, read })
    }
}

/// An answer to a put, and by how many seconds this machine was behind when it came.
struct Timed {
    answer: Result<Outcome, Refusal>,
    behind_s: Option<i64>,
}

fn unheard<T>() -> Probed<T> {
    Probed::refused(Refusal::unheard(CALL_MAX))
}

/// A record that nobody takes for a reading.
pub(super) fn marked(config: &Config) -> Bytes {
    let id = format!("{:016x}", fastrand::u64(..));
    let canary = json!({ "client_id": config.mqtt.client_id, "id": id, "ts_ms": unix_ms() });
    let newline = if config.records.newline { "\n" } else { "" };
    format!("{}{newline}", json!({ "tidegate_canary": canary })).into()
}
