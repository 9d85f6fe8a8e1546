//! Kinesis Data Streams through the AWS SDK: one attempt a call, every refusal told apart.

use anyhow::Result;
use aws_config::BehaviorVersion;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::config::{Region, SharedCredentialsProvider, StalledStreamProtectionConfig};
use aws_sdk_kinesis::error::ProvideErrorMetadata;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use shard_estimator::{OpenShard, ShardId};

use crate::config::{self, StreamTarget};
use crate::queue::Taken;
use crate::telemetry::causes;

use super::{Stream, Trouble, TroubleKind, Verdict};

mod http;
mod identity;
mod list;
mod probe;
mod refusal;

pub use identity::{Identity, identity};
pub use probe::{Attempt, Outcome, Place, Probed, Summary};
pub use refusal::{Cause, Kms, Refusal};
use refusal::trouble;

/// Whose key signs the calls.
#[derive(Debug)]
pub enum Credentials {
    /// Whatever the SDK finds: environment, profile files, web identity, container, instance.
    Environment,
    /// This key.
    Fixed(SharedCredentialsProvider),
}

impl Credentials {
    /// A key that is known, as for a local stream.
    #[must_use]
    pub fn fixed(key_id: &str, secret: &str) -> Self {
        let key = aws_sdk_kinesis::config::Credentials::new(key_id, secret, None, None, "fixed");
        Self::Fixed(SharedCredentialsProvider::new(key))
    }
}

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
    target: StreamTarget,
}

impl Kinesis {
    /// A client. Nothing is sent yet.
    ///
    /// The clock may be wrong: the SDK learns its skew from the `Date` of every answer and signs
    /// the next call with it.
    ///
    /// # Errors
    /// When the authorities to trust, or the proxy's password, cannot be read.
    pub async fn connect(config: &config::Stream, credentials: Credentials) -> Result<Self> {
        let http = http::client(&config.network, config.requests_in_flight)?;
        let mut shared = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new(config.region.clone()))
            .use_fips(config.network.fips)
            .use_dual_stack(config.network.dual_stack)
            .http_client(http.clone());
        if let Credentials::Fixed(key) = credentials {
            shared = shared.credentials_provider(key);
        }
        let shared = shared.load().await;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(config.connect_timeout)
            .operation_attempt_timeout(config.request_timeout)
            .build();
        let mut settings = aws_sdk_kinesis::config::Builder::from(&shared)
            .http_client(http)
            // Whether and when to try again is ours to decide: a partial refusal answers 200.
            .retry_config(RetryConfig::standard().with_max_attempts(1))
            .timeout_config(timeouts)
            // It kills slow links that work; the attempt's time-out bounds the wait instead.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(endpoint) = &config.network.endpoint {
            settings = settings.endpoint_url(endpoint);
        }
        Ok(Self { client: Client::from_conf(settings.build()), target: config.target.clone() })
    }

    /// Another stream, through the same client.
    #[must_use]
    pub fn beside(&self, target: &StreamTarget) -> Self {
        Self { client: self.client.clone(), target: target.clone() }
    }

    /// Which stream it is.
    #[must_use]
    pub fn target(&self) -> &StreamTarget {
        &self.target
    }

    /// Asks whether the stream is there. A key that may only put cannot know.
    pub async fn presence(&self) -> Presence {
        let call = self.client.describe_stream_summary();
        let call = match &self.target {
            StreamTarget::Name(name) => call.stream_name(name),
            StreamTarget::Arn(arn) => call.stream_arn(arn),
        };
        match call.send().await {
            Ok(_) => Presence::There,
            Err(error) if error.code() == Some("ResourceNotFoundException") => Presence::Missing,
            Err(error) => Presence::Unknown(causes(&error)),
        }
    }
}

impl Stream for Kinesis {
    async fn shards(&self) -> Result<Vec<OpenShard>, Trouble> {
        list::open_shards(&self.client, &self.target).await
    }

    async fn put(&self, records: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
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
        let call = self.client.put_records().set_records(Some(entries));
        let call = match &self.target {
            StreamTarget::Name(name) => call.stream_name(name),
            StreamTarget::Arn(arn) => call.stream_arn(arn),
        };
        match call.send().await {
            Ok(output) => verdicts(&output, records.len()),
            Err(error) => Err(trouble(&error)),
        }
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
