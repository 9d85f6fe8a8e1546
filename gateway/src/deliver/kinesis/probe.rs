//! What `check` asks of the service. Nothing is stored unless that was wanted.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_kinesis::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::operation::put_records::builders::PutRecordsFluentBuilder;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    EncryptionType, PutRecordsRequestEntry, RecordDistributionStrategy, ShardIteratorType,
    StreamDescriptionSummary, StreamMode, StreamModeDetails,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::sleep;

use super::Kinesis;
use super::refusal::{Cause, Refusal};

/// Where the record of a probe goes, if it goes anywhere.
const PARTITION_KEY: &str = "tidegate-check";

/// One beyond the last hash key, 2^128 - 1: no shard can take it, however large it is.
const IMPOSSIBLE_HASH_KEY: &str = "340282366920938463463374607431768211456";

/// So often a record that was stored is looked for. It may take a moment to show.
const LOOKS_MAX: u32 = 10;
/// Between two looks: a shard may be read five times a second, by all its readers.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// How seriously a record is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// As a dry run: everything is checked and nothing stored. An endpoint that does not know dry runs
    /// stores it.
    DryRun,
    /// As a record that no shard can take: whoever would take another refuses it as invalid. For
    /// endpoints that may not know dry runs.
    Impossible,
    /// Really.
    Canary,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was stored, and a record like it would have been.
    Possible,
    /// It is in the stream.
    Stored(Place),
}

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its shard.
    pub shard: String,
    /// Its number there.
    pub sequence_number: String,
}

/// A stream, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its ARN.
    pub arn: String,
    /// `ACTIVE`, `CREATING`, …
    pub status: String,
    /// Whether capacity follows demand.
    pub is_on_demand: bool,
    /// Shards that take records.
    pub open_shards: u32,
    /// The KMS key that it is encrypted with, if it is.
    pub kms_key: Option<String>,
    /// The largest record that it takes, in KiB, if it says so.
    pub record_kib_max: Option<u32>,
    /// Whether it places records itself, whatever their keys (`AUTO`).
    pub places_records: bool,
}

impl Kinesis {
    /// Where the calls go, as a URL: found out by preparing one that is never sent. `None` if none
    /// can be prepared.
    pub async fn address(&self) -> Option<String> {
        let address = Arc::new(OnceLock::new());
        let stop = Stop(Arc::clone(&address));
        let call = self.put_of(Bytes::new(), Probe::Impossible)?.customize().interceptor(stop);
        // It fails, as it must.
        drop(call.send().await);
        address.get().cloned()
    }

    /// Puts `data` as one record.
    pub async fn probe(&self, data: Bytes, probe: Probe) -> Probed<Outcome> {
        let Some(call) = self.put_of(data, probe) else {
            let said = "no request can be made of a record".to_owned();
            return Probed::refused(Refusal { cause: Cause::Invalid, said });
        };
        match call.send().await {
            Ok(output) => Probed { answer: outcome(&output), date: None },
            Err(error) => {
                let probed = Probed::of(&error);
                let is_invalid = |refusal: &Refusal| refusal.cause == Cause::Invalid;
                let is_possible = match probe {
                    Probe::DryRun => error.code() == Some("DryRunOperationException"),
                    Probe::Impossible => probed.answer.as_ref().is_err_and(is_invalid),
                    Probe::Canary => false,
                };
                if is_possible {
                    Probed { answer: Ok(Outcome::Possible), ..probed }
                } else {
                    probed
                }
            }
        }
    }

    /// Reads what is stored there; nothing if it does not show in time.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub async fn read_back(&self, place: &Place) -> Result<Option<Bytes>, Refusal> {
        let call = self
            .client
            .get_shard_iterator()
            .set_stream_name(self.target.only_name())
            .set_stream_arn(self.target.arn())
            .shard_id(&place.shard)
            .shard_iterator_type(ShardIteratorType::AtSequenceNumber)
            .starting_sequence_number(&place.sequence_number);
        let begun = call.send().await.map_err(|error| Refusal::of(&error))?;
        let mut next = begun.shard_iterator;
        for look in 0..LOOKS_MAX {
            if look > 0 {
                sleep(LOOK_EVERY).await;
            }
            let Some(iterator) = next else { break };
            let call = self.client.get_records().shard_iterator(iterator).limit(1);
            let page = call.send().await.map_err(|error| Refusal::of(&error))?;
            if let Some(record) = page.records().first() {
                return Ok(Some(Bytes::copy_from_slice(record.data().as_ref())));
            }
            next = page.next_shard_iterator;
        }
        Ok(None)
    }

    /// Describes the stream, to a key that may ask.
    pub async fn summary(&self) -> Probed<Summary> {
        let call = self
            .client
            .describe_stream_summary()
            .set_stream_name(self.target.only_name())
            .set_stream_arn(self.target.arn());
        match call.send().await {
            Ok(output) => {
                let said = "the description is empty".to_owned();
                let empty = Refusal { cause: Cause::Down, said };
                let answer = output.stream_description_summary().map(summary).ok_or(empty);
                Probed { answer, date: None }
            }
            Err(error) => Probed::of(&error),
        }
    }

    /// A call that puts one record; `None` if it cannot be made.
    fn put_of(&self, data: Bytes, probe: Probe) -> Option<PutRecordsFluentBuilder> {
        let impossible = (probe == Probe::Impossible).then(|| IMPOSSIBLE_HASH_KEY.to_owned());
        let record = PutRecordsRequestEntry::builder()
            .data(Blob::from_maybe_shared(data))
            .partition_key(PARTITION_KEY)
            .set_explicit_hash_key(impossible)
            .build()
            .ok()?;
        let call = self
            .client
            .put_records()
            .set_stream_name(self.target.only_name())
            .set_stream_arn(self.target.arn())
            .records(record);
        Some(if probe == Probe::Canary { call } else { call.dry_run(true) })
    }
}

/// What the service answered, and what time it was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed<T> {
    /// The answer.
    pub answer: Result<T, Refusal>,
    /// The service's time, to the second, where it was told.
    pub date: Option<Timestamp>,
}

impl<T> Probed<T> {
    /// Refused, by whoever.
    #[must_use]
    pub fn refused(refusal: Refusal) -> Self {
        Self { answer: Err(refusal), date: None }
    }

    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let date = error.raw_response().and_then(|response| response.headers().get("date"));
        let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
        Self { answer: Err(Refusal::of(error)), date: date.map(|date| date.timestamp()) }
    }
}

/// Ends a call before it is sent, and keeps where it would have gone.
#[derive(Debug)]
struct Stop(Arc<OnceLock<String>>);

impl Intercept for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    fn read_before_signing(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.get_or_init(|| context.request().uri().to_owned());
        Err("not to be sent".into())
    }
}

fn outcome(output: &PutRecordsOutput) -> Result<Outcome, Refusal> {
    let refused = |cause, said: &str| Err(Refusal { cause, said: said.to_owned() });
    let [record] = output.records() else {
        return refused(Cause::Unheard, "the answer is about another number of records");
    };
    match (record.error_code(), record.shard_id(), record.sequence_number()) {
        (None, Some(shard), Some(number)) => Ok(Outcome::Stored(Place {
            shard: shard.to_owned(),
            sequence_number: number.to_owned(),
        })),
        (None, _, _) => refused(Cause::Unheard, "the answer does not say where the record is"),
        (Some(code @ "ProvisionedThroughputExceededException"), _, _) => {
            refused(Cause::Throttled, code)
        }
        (Some(code), _, _) => refused(Cause::Down, code),
    }
}

fn summary(said: &StreamDescriptionSummary) -> Summary {
    let is_encrypted = said.encryption_type() == Some(&EncryptionType::Kms);
    let mode = said.stream_mode_details().map(StreamModeDetails::stream_mode);
    let number = |value: i32| u32::try_from(value).ok();
    Summary {
        arn: said.stream_arn().to_owned(),
        status: said.stream_status().as_str().to_owned(),
        is_on_demand: mode == Some(&StreamMode::OnDemand),
        open_shards: number(said.open_shard_count()).unwrap_or_default(),
        kms_key: is_encrypted.then(|| said.key_id().unwrap_or_default().to_owned()),
        record_kib_max: said.max_record_size_in_kib().and_then(number),
        places_records: said.record_distribution_strategy()
            == Some(&RecordDistributionStrategy::Auto),
    }
}
