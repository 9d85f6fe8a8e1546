//! What the endpoint does with a request once it has been received: pure, with time as an argument
//! and seeded chance.

use std::io::Write;
use std::ops::AddAssign;

use super::action::Action;
use super::faults::{Encryption, Faults, RecordError};
use super::keys::Caller;
use super::names::{SequenceNumber, ShardId, StreamName, stream_arn};
use super::put::{Put, Rules};
use super::read::{GetRecords, GetShardIterator, ListShards, View};
use super::refusal::{INTERNAL_FAILURE, Refusal, THROTTLED, throttled_text};
use super::request::{self, StreamFields, Text};
use super::shards::{Entry, Shards};
use super::store::Moment;

/// What happened since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests received whole, those that met a fault included, those to the token service not.
    pub requests: u64,
    /// Requests to the token service received whole, those that met a fault included.
    pub sts_requests: u64,
    /// Requests answered with anything but 200, dry runs included.
    pub requests_refused: u64,
    /// Records stored.
    pub records: u64,
    /// Data and partition keys of the records stored, in bytes.
    pub bytes: u64,
    /// Records refused one by one: as throttled.
    pub records_throttled: u64,
    /// Records refused one by one: as internal failures.
    pub records_failed: u64,
    /// Requests whose records are stored and whose answer has not been handed to the connection:
    /// on its way at most a moment, hanging, or cut off for ever.
    pub requests_unanswered: u64,
    /// The records of those.
    pub records_unanswered: u64,
}

impl Counts {
    /// Records refused one by one, for whatever reason.
    #[must_use]
    pub fn records_refused(&self) -> u64 {
        self.records_throttled + self.records_failed
    }
}

/// The service behind the endpoint.
#[derive(Debug)]
pub(super) struct Service {
    /// The stream's name.
    pub name: StreamName,
    /// Its shards and records.
    pub shards: Shards,
    /// What goes wrong.
    pub faults: Faults,
    /// What happened.
    pub counts: Counts,
    /// When the stream was created, in milliseconds since 1970-01-01 UTC.
    pub created_ms: i64,
    /// Chance.
    pub dice: fastrand::Rng,
}

impl Service {
    /// Whether `caller` may call `action` where the request was signed for, and what its parameters
    /// are checked against.
    ///
    /// # Errors
    ///
    /// `AccessDeniedException`; in another region than the stream's `ResourceNotFoundException`.
    pub(super) fn permit(
        &self,
        action: Action,
        caller: &Caller,
        body: &[u8],
    ) -> Result<Rules, Refusal> {
        let region = caller.region.as_deref().unwrap_or(&self.name.region);
        let asked = || self.asked(region, body);
        let permitted = self.faults.permitted.contains(&action);
        if !permitted || !caller.permissions.allow(action, asked) {
            return Err(Refusal::access_denied(&caller.principal, action, &asked()));
        }
        if region != self.name.region {
            return Err(Refusal::stream_not_found(&asked()));
        }
        let record_bytes_max = self.faults.record_bytes_max;
        Ok(Rules { keep_data: self.shards.store().keeps(), record_bytes_max })
    }

    /// The ARN of the stream that a request means in that region; this one's if it names none.
    fn asked(&self, region: &str, body: &[u8]) -> String {
        let fields = request::read::<StreamFields<'_>>(body).ok();
        match fields.map(|fields| (fields.stream_arn, fields.stream_name)) {
            Some((Some(Text(arn)), _)) => arn.into_owned(),
            Some((None, Some(Text(name)))) => stream_arn(&name, region),
            Some((None, None)) | None => self.name.arn.clone(),
        }
    }

    /// Performs an admitted `PutRecords`: some records may be refused although the request succeeds.
    pub(super) fn put_records(&mut self, put: &Put<'_>, now: Moment) -> Vec<u8> {
        // The longest entry of an answer without refusals, rounded up.
        let mut answer = Vec::with_capacity(64 + 128 * put.entries.len());
        answer.extend_from_slice(br#"{"Records":["#);
        let mut refused = 0;
        for (n, entry) in put.entries.iter().enumerate() {
            if n > 0 {
                answer.push(b',');
            }
            match self.store(entry, now) {
                Ok(number) => write_accepted(&mut answer, number),
                Err(error) => {
                    refused += 1;
                    self.write_refused(&mut answer, error);
                }
            }
        }
        print(&mut answer, format_args!(r#"],"FailedRecordCount":{refused}}}"#));
        answer
    }

    /// Performs an admitted `PutRecord`.
    ///
    /// # Errors
    ///
    /// The refusal of the request; then nothing is stored.
    pub(super) fn put_record(&mut self, put: &Put<'_>, now: Moment) -> Result<Vec<u8>, Refusal> {
        let entry = put.entries.first().ok_or_else(Refusal::internal_failure)?;
        match self.store(entry, now) {
            Ok(number) => {
                let mut answer = Vec::with_capacity(128);
                write_accepted(&mut answer, number);
                Ok(answer)
            }
            Err((RecordError::Throttled, shard)) => Err(Refusal::throttled(shard, &self.name)),
            Err((RecordError::InternalFailure, _)) => Err(Refusal::internal_failure()),
        }
    }

    /// Performs an action that only looks.
    ///
    /// # Errors
    ///
    /// The refusal that the service would answer with.
    pub(super) fn look(
        &self,
        action: Action,
        caller: &Caller,
        body: &[u8],
        now: Moment,
    ) -> Result<Vec<u8>, Refusal> {
        let (stream, view) = (request::read(body)?, self.view());
        let answer = match action {
            Action::ListShards => view.list(&stream, &request::read::<ListShards<'_>>(body)?),
            Action::GetShardIterator => {
                view.is_meant(&stream)?;
                view.is_ready()?;
                view.iterator(&request::read::<GetShardIterator<'_>>(body)?, now)
            }
            // Its iterator says which stream is meant.
            Action::GetRecords => {
                self.unlocks_for(caller)?;
                view.records(&request::read::<GetRecords<'_>>(body)?, now)
            }
            Action::DescribeStreamSummary | Action::PutRecords | Action::PutRecord => {
                view.is_meant(&stream).map(|()| view.summary())
            }
        }?;
        Ok(answer.to_string().into())
    }

    /// Whether a request means this stream.
    pub(super) fn is_meant(&self, by: &StreamFields<'_>) -> bool {
        self.view().is_meant(by).is_ok()
    }

    fn view(&self) -> View<'_> {
        View {
            name: &self.name,
            shards: &self.shards,
            created_ms: self.created_ms,
            record_bytes_max: self.faults.record_bytes_max,
            status: self.faults.status,
            encryption: self.faults.encryption,
        }
    }

    /// Whether the stream's key, if it has one, can be used on behalf of `caller`.
    fn unlocks_for(&self, caller: &Caller) -> Result<(), Refusal> {
        match self.faults.encryption {
            Encryption::None | Encryption::Kms => Ok(()),
            Encryption::Refused(trouble) => {
                Err(Refusal::kms(trouble, &caller.principal, &self.name.kms_key()))
            }
        }
    }

    /// Whether a request to store may be performed as a whole.
    ///
    /// # Errors
    ///
    /// The refusal of the request. A dry run always ends with one.
    pub(super) fn admit(&self, put: &Put<'_>, caller: &Caller) -> Result<(), Refusal> {
        self.view().is_meant(&put.stream)?;
        self.view().is_ready()?;
        self.unlocks_for(caller)?;
        if put.dry_run {
            let text = "Request would have succeeded, but DryRun flag is set.";
            return Err(Refusal::new("DryRunOperationException", text));
        }
        Ok(())
    }

    fn store(
        &mut self,
        entry: &Entry<'_>,
        now: Moment,
    ) -> Result<SequenceNumber, (RecordError, ShardId)> {
        let shard = self.shards.place(entry.hash_key);
        let outcome = match self.faults.refuse(shard, &mut self.dice) {
            Some(error) => Err((error, shard)),
            None => self.shards.store_in(shard, entry, now).ok_or((RecordError::Throttled, shard)),
        };
        let counted = match outcome {
            Ok(_) => &mut self.counts.records,
            Err((RecordError::Throttled, _)) => &mut self.counts.records_throttled,
            Err((RecordError::InternalFailure, _)) => &mut self.counts.records_failed,
        };
        counted.add_assign(1);
        if outcome.is_ok() {
            self.counts.bytes += u64::from(entry.bytes);
        }
        outcome
    }

    fn write_refused(&self, answer: &mut Vec<u8>, (error, shard): (RecordError, ShardId)) {
        let (code, message) = match error {
            RecordError::Throttled => (THROTTLED, throttled_text(shard, &self.name)),
            RecordError::InternalFailure => ("InternalFailure", INTERNAL_FAILURE.to_owned()),
        };
        let entry = serde_json::json!({ "ErrorCode": code, "ErrorMessage": message });
        print(answer, format_args!("{entry}"));
    }
}

fn write_accepted(answer: &mut Vec<u8>, number: SequenceNumber) {
    let shard = number.shard;
    print(answer, format_args!(r#"{{"SequenceNumber":"{number}","ShardId":"{shard}"}}"#));
}

fn print(answer: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    answer.write_fmt(text).expect("a Vec takes every write");
}
