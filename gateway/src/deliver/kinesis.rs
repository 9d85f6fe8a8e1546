//! Kinesis Data Streams through the AWS SDK: one attempt a call, every refusal told apart.

use anyhow::Result;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::StalledStreamProtectionConfig;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::operation::put_records::builders::PutRecordsFluentBuilder;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use shard_estimator::{OpenShard, ShardId};

use crate::clock::now;
use crate::config::{self, StreamTarget};
use crate::credentials::keeper::Generation;
use crate::credentials::keys::Keys;
use crate::queue::Taken;

use super::{Stream, Trouble, TroubleKind, Verdict};
use signing::{Current, Signed};

mod http;
mod list;
mod probe;
mod refusal;
mod shared;
mod signing;
mod sources;

pub use probe::{Outcome, Place, Probe, Probed, Summary};
pub use refusal::{Cause, Kms, Refusal};
pub use sources::{Identity, KeySources, identity};

/// Calls for one batch that are refused for how they were signed: by a clock that is wrong until the
/// answer, with a key that is replaced meanwhile, with one that is not known everywhere yet.
const SIGNED_MAX: usize = 4;

/// Whether a stream is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// It is not.
    Missing,
    /// The service would not say, or was not reached.
    Unknown(String),
}

/// One stream of one account.
#[derive(Debug, Clone)]
pub struct Kinesis {
    client: Client,
    keys: Keys,
    target: StreamTarget,
    /// Whether the keys are there for this stream, and not for one that it is beside.
    has_own_keys: bool,
}

impl Kinesis {
    /// A client whose calls are signed with `keys`. Nothing is sent yet.
    ///
    /// The clock may be wrong: the SDK learns its skew from the `Date` of every answer and signs
    /// the next call with it.
    ///
    /// # Errors
    /// When the authorities to trust, or the proxy's password, cannot be read.
    pub async fn connect(config: &config::Stream, keys: Keys) -> Result<Self> {
        let http = http::client(&config.network, config.requests_in_flight)?;
        let shared = shared::settings(&config.region, &config.network, http)
            .credentials_provider(Current(keys.clone()))
            .load()
            .await;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(config.connect_timeout)
            .operation_attempt_timeout(config.request_timeout)
            .build();
        let mut settings = aws_sdk_kinesis::config::Builder::from(&shared)
            // Whether and when to try again is ours to decide: a partial refusal answers 200.
            .retry_config(RetryConfig::standard().with_max_attempts(1))
            .timeout_config(timeouts)
            // It kills slow links that work; the attempt's time-out bounds the wait instead.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(endpoint) = &config.network.endpoint {
            settings = settings.endpoint_url(endpoint);
        }
        let client = Client::from_conf(settings.build());
        Ok(Self { client, keys, target: config.target.clone(), has_own_keys: true })
    }

    /// Another stream, through the same client and with the same keys. What is not permitted to it is no
    /// reason to look for another key.
    #[must_use]
    pub fn beside(&self, target: &StreamTarget) -> Self {
        Self { target: target.clone(), has_own_keys: false, ..self.clone() }
    }

    /// Which stream it is.
    #[must_use]
    pub fn target(&self) -> &StreamTarget {
        &self.target
    }

    /// Asks whether the stream is there. A key that may only put cannot know.
    pub async fn presence(&self) -> Presence {
        if let Err(why) = self.generation().await {
            return Presence::Unknown(why.detail);
        }
        match self.summary().await.answer {
            Ok(_) => Presence::There,
            Err(refusal) if refusal.cause == Cause::NoStream => Presence::Missing,
            Err(refusal) => Presence::Unknown(refusal.said),
        }
    }
}

impl Stream for Kinesis {
    async fn shards(&self) -> Result<Vec<OpenShard>, Trouble> {
        self.generation().await?;
        list::open_shards(&self.client, &self.target).await
    }

    async fn key_changed(&self) {
        self.keys.changed().await;
    }

    async fn put(&self, records: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        for _ in 1..SIGNED_MAX {
            let attempt = self.attempt(records).await;
            if attempt.again {
                continue;
            }
            return attempt.answer;
        }
        self.attempt(records).await.answer
    }
}

/// One call.
struct Attempt {
    answer: Result<Vec<Verdict>, Trouble>,
    /// It was refused for how it was signed, and the next one is signed otherwise.
    again: bool,
}

impl Kinesis {
    /// Which key is in use, once it is known whether there is one.
    async fn generation(&self) -> Result<Generation, Trouble> {
        self.keys.ready().await.map_err(|why| {
            let detail = format!("there is no key to sign with: {why}");
            Trouble { kind: TroubleKind::NotAllowed, detail }
        })
    }

    async fn attempt(&self, records: &[Taken]) -> Attempt {
        let generation = match self.generation().await {
            Ok(generation) => generation,
            Err(trouble) => return Attempt { answer: Err(trouble), again: false },
        };
        let answer = match self.call(records) {
            Ok(call) => call.send().await,
            Err(trouble) => return Attempt { answer: Err(trouble), again: false },
        };
        let error = match answer {
            Ok(output) => {
                self.keys.accepted(generation, now());
                return Attempt { answer: verdicts(&output, records.len()), again: false };
            }
            Err(error) => error,
        };
        let refusal = Refusal::of(&error);
        let again = match Signed::of(&refusal.cause, self.has_own_keys) {
            Signed::Well => false,
            Signed::AtTheWrongTime => true,
            Signed::WithABadKey => {
                self.keys.refused(generation, now());
                self.keys.are_past(generation)
            }
        };
        Attempt { answer: Err(refusal.into()), again }
    }

    fn call(&self, records: &[Taken]) -> Result<PutRecordsFluentBuilder, Trouble> {
        let entries = records
            .iter()
            .map(|taken| {
                PutRecordsRequestEntry::builder()
                    .data(Blob::from_maybe_shared(taken.record.data.clone()))
                    .partition_key(taken.key.as_str())
                    .set_explicit_hash_key(taken.key.explicit_hash_key().map(|key| key.to_string()))
                    .build()
                    .map_err(|error| invalid(error.to_string()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self
            .client
            .put_records()
            .set_stream_name(self.target.only_name())
            .set_stream_arn(self.target.arn())
            .set_records(Some(entries)))
    }
}

fn invalid(detail: String) -> Trouble {
    Trouble { kind: TroubleKind::Invalid, detail }
}

fn verdicts(output: &PutRecordsOutput, sent: usize) -> Result<Vec<Verdict>, Trouble> {
    let answers = output.records();
    if answers.len() != sent {
        let detail = format!("{} verdicts for {sent} records", answers.len());
        return Err(Trouble { kind: TroubleKind::Unheard, detail });
    }
    Ok(answers.iter().map(verdict).collect())
}

fn verdict(answer: &PutRecordsResultEntry) -> Verdict {
    match answer.error_code() {
        None => Verdict::Accepted(answer.shard_id().and_then(ShardId::parse)),
        Some("ProvisionedThroughputExceededException") => Verdict::Throttled,
        // A code we do not know is sent again: a duplicate costs less than a lost record.
        Some(_) => Verdict::Unavailable,
    }
}
