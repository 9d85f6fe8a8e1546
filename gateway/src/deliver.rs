//! Batches to the stream, and what became of each record. `kinesis` is the only place that knows
//! the AWS SDK.

use std::fmt;
use std::future::Future;

use shard_estimator::{OpenShard, ShardId};

use crate::queue::Taken;

pub mod kinesis;
#[cfg(test)]
mod tests;

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is in the stream, in this shard if the answer told.
    Accepted(Option<ShardId>),
    /// The service refused it for rate.
    Throttled,
    /// The service failed, or was not reached; the record is not in the stream as far as is known.
    Unavailable,
    /// No answer came: it may be in the stream. Sending it again may store it twice.
    Unheard,
    /// The service can never accept it, for this reason.
    Refused(String),
}

/// Why a call as a whole was not answered with verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What to do about it.
    pub kind: TroubleKind,
    /// What the service or the network said, without secrets.
    pub detail: String,
}

/// What to do about a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TroubleKind {
    /// Too fast: pace, then again.
    Throttled,
    /// Down: again after a pause.
    Unavailable,
    /// Sent, and no answer: again after a pause, at the risk of a duplicate.
    Unheard,
    /// Something in the call can never be accepted: find it.
    Invalid,
    /// Not allowed, or not there: keep everything, retry slowly, tell the operator.
    NotAllowed,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// The stream, as seen from here.
pub trait Stream {
    /// Lists the shards that take records. Nothing depends on it: a key that may only put is
    /// refused, and they are learned.
    fn shards(&self) -> impl Future<Output = Result<Vec<OpenShard>, Trouble>> + Send {
        let detail = "the shards of this stream cannot be listed".to_owned();
        std::future::ready(Err(Trouble { kind: TroubleKind::NotAllowed, detail }))
    }

    /// Waits until calls are signed with another key: what was not allowed may be now.
    fn key_changed(&self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Sends `records` in one call and answers one verdict for each, in the order given.
    fn put(&self, records: &[Taken]) -> impl Future<Output = Result<Vec<Verdict>, Trouble>> + Send;
}

/// What became of a batch.
#[derive(Debug)]
pub struct Answer {
    /// Its records, in the order given, each with its verdict.
    pub records: Vec<(Taken, Verdict)>,
    /// Why the call, or the last part of it, was not answered with verdicts.
    pub trouble: Option<Trouble>,
    /// How many calls it took.
    pub calls: u32,
}

/// So many records refused for good, and none accepted, are no matter of records: the call itself
/// is wrong, or what it is sent to.
const REFUSED_TOGETHER: usize = 10;

/// Sends a batch. A call that is refused as invalid is halved, in order, until the record at fault
/// is alone: only that one is [`Verdict::Refused`].
pub async fn deliver(stream: &impl Stream, batch: Vec<Taken>) -> Answer {
    let mut verdicts = vec![Verdict::Unavailable; batch.len()];
    let (mut parts, mut trouble, mut calls) = (Vec::new(), None, 0);
    parts.push(0..batch.len());
    while let Some(part) = parts.pop() {
        let (Some(records), Some(places)) =
            (batch.get(part.clone()), verdicts.get_mut(part.clone()))
        else {
            break;
        };
        calls += 1;
        match stream.put(records).await {
            Ok(answers) => {
                for (place, answer) in places.iter_mut().zip(answers) {
                    *place = answer;
                }
            }
            Err(Trouble { kind: TroubleKind::Invalid, .. }) if records.len() > 1 => {
                let middle = part.start + records.len() / 2;
                parts.push(middle..part.end);
                parts.push(part.start..middle);
            }
            Err(failure) => {
                places.fill(match failure.kind {
                    TroubleKind::Invalid => Verdict::Refused(failure.detail.clone()),
                    TroubleKind::Throttled => Verdict::Throttled,
                    TroubleKind::Unheard => Verdict::Unheard,
                    TroubleKind::Unavailable | TroubleKind::NotAllowed => Verdict::Unavailable,
                });
                if failure.kind != TroubleKind::Invalid {
                    trouble = Some(failure);
                    break;
                }
                if all_refused(&verdicts) {
                    verdicts.fill(Verdict::Unavailable);
                    trouble = Some(Trouble { kind: TroubleKind::NotAllowed, ..failure });
                    break;
                }
            }
        }
    }
    Answer { records: batch.into_iter().zip(verdicts).collect(), trouble, calls }
}

fn all_refused(verdicts: &[Verdict]) -> bool {
    let refused = |verdict: &&Verdict| matches!(verdict, Verdict::Refused(_));
    let accepted = |verdict: &Verdict| matches!(verdict, Verdict::Accepted(_));
    !verdicts.iter().any(accepted) && verdicts.iter().filter(refused).count() >= REFUSED_TOGETHER
}
