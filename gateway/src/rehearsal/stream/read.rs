//! The actions that only look: the stream's description, its shards, and the records in them.

mod answer;
mod cursor;

use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{Encryption, StreamStatus};
use super::names::{ACCOUNT, SequenceNumber, ShardId, StreamName};
use super::refusal::Refusal;
use super::request::{StreamFields, Text, Violations};
use super::shards::{Placement, Shard, Shards};
use super::store::{Moment, StoredRecord};
use answer::{ChildShard, ListedShard, Page, ShardList};
use cursor::Cursor;

/// Records in one answer.
const ANSWER_RECORDS_MAX: usize = 10_000;
/// Bytes of records in one answer: 10 MiB.
const ANSWER_BYTES_MAX: usize = 10 << 20;

/// The parameters of `ListShards`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListShards<'a> {
    #[serde(borrow)]
    next_token: Option<Text<'a>>,
    #[serde(borrow)]
    exclusive_start_shard_id: Option<Text<'a>>,
    max_results: Option<usize>,
    #[serde(borrow)]
    shard_filter: Option<ShardFilter<'a>>,
}

#[derive(Debug, Deserialize)]
struct ShardFilter<'a> {
    #[serde(borrow, rename = "Type")]
    kind: Text<'a>,
}

/// The parameters of `GetShardIterator`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetShardIterator<'a> {
    #[serde(borrow)]
    shard_id: Option<Text<'a>>,
    #[serde(borrow)]
    shard_iterator_type: Option<Text<'a>>,
    #[serde(borrow)]
    starting_sequence_number: Option<Text<'a>>,
}

/// The parameters of `GetRecords`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetRecords<'a> {
    #[serde(borrow)]
    shard_iterator: Option<Text<'a>>,
    limit: Option<usize>,
}

/// A stream as its readers see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// Its name.
    pub(super) name: &'a StreamName,
    /// Its shards.
    pub(super) shards: &'a Shards,
    /// When it was created, in milliseconds since 1970-01-01 UTC.
    pub(super) created_ms: i64,
    /// Largest record that it takes, in bytes.
    pub(super) record_bytes_max: u32,
    /// Whether it is ready.
    pub(super) status: StreamStatus,
    /// Whether it encrypts.
    pub(super) encryption: Encryption,
}

impl View<'_> {
    /// Passes a request that means this stream.
    pub(super) fn is_meant(&self, by: &StreamFields<'_>) -> Result<(), Refusal> {
        let (name, arn) = (&by.stream_name, &by.stream_arn);
        if name.is_none() && arn.is_none() {
            return Err(Refusal::no_stream_named());
        }
        for (asked, ours) in [(name, &self.name.name), (arn, &self.name.arn)] {
            if let Some(Text(asked)) = asked
                && asked != ours
            {
                return Err(Refusal::stream_not_found(asked));
            }
        }
        Ok(())
    }

    /// Passes a request for the records of this stream, unless it is being created: then it is not
    /// found.
    pub(super) fn is_ready(&self) -> Result<(), Refusal> {
        match self.status {
            StreamStatus::Creating => Err(Refusal::stream_not_found(&self.name.name)),
            StreamStatus::Active | StreamStatus::Updating => Ok(()),
        }
    }

    /// Answers `DescribeStreamSummary`.
    pub(super) fn summary(&self) -> Value {
        let (mode, strategy) = match self.shards.placement() {
            Placement::ByKey => ("PROVISIONED", "USER_PARTITION_KEY"),
            // Only on-demand streams place records themselves.
            Placement::Auto => ("ON_DEMAND", "AUTO"),
        };
        let open = if self.is_ready().is_ok() { self.shards.open().count() } else { 0 };
        let (encryption, key) = match self.encryption {
            Encryption::None => ("NONE", None),
            Encryption::Kms | Encryption::Refused(_) => ("KMS", Some(self.name.kms_key())),
        };
        let mut summary = json!({
            "StreamName": self.name.name,
            "StreamARN": self.name.arn,
            "StreamStatus": self.status.name(),
            "StreamModeDetails": { "StreamMode": mode },
            "RetentionPeriodHours": 24,
            "StreamCreationTimestamp": answer::seconds(self.created_ms),
            "EnhancedMonitoring": [{ "ShardLevelMetrics": [] }],
            "EncryptionType": encryption,
            "OpenShardCount": open,
            "ConsumerCount": 0,
            "MaxRecordSizeInKiB": self.record_bytes_max / 1024,
            "RecordDistributionStrategy": strategy,
        });
        if let (Some(key), Some(fields)) = (key, summary.as_object_mut()) {
            fields.insert("KeyId".to_owned(), key.into());
        }
        json!({ "StreamDescriptionSummary": summary })
    }

    /// Answers `ListShards`. Its token is the last shard listed.
    pub(super) fn list(
        &self,
        stream: &StreamFields<'_>,
        asked: &ListShards<'_>,
    ) -> Result<Value, Refusal> {
        if self.is_ready().is_err() {
            return Err(Refusal::stream_in_use(self.name, self.status.name()));
        }
        let after = match (&asked.next_token, &asked.exclusive_start_shard_id) {
            (Some(_), _) if stream.stream_name.is_some() => {
                let text = "NextToken and StreamName cannot be provided together.";
                return Err(Refusal::invalid_argument(text));
            }
            (Some(Text(token)), _) => Some(
                ShardId::parse(token)
                    .ok_or_else(|| Refusal::invalid_argument("Invalid NextToken."))?,
            ),
            (None, start) => {
                self.is_meant(stream)?;
                start.as_ref().and_then(|Text(id)| ShardId::parse(id))
            }
        };
        let limit = limit("maxResults", asked.max_results)?;
        let open_only =
            asked.shard_filter.as_ref().is_some_and(|filter| filter.kind.0 == "AT_LATEST");
        let listed: Vec<&Shard> = self
            .shards
            .all()
            .iter()
            .filter(|shard| after.is_none_or(|after| shard.id > after))
            .filter(|shard| shard.open || !open_only)
            .collect();
        let page = || listed.iter().copied().take(limit);
        let more = listed.len() > limit;
        let next_token = page().next_back().filter(|_| more).map(|last| last.id.to_string());
        Ok(json!(ShardList { shards: page().map(ListedShard::from).collect(), next_token }))
    }

    /// Answers `GetShardIterator`.
    pub(super) fn iterator(
        &self,
        asked: &GetShardIterator<'_>,
        now: Moment,
    ) -> Result<Value, Refusal> {
        let (Some(Text(id)), Some(Text(kind))) = (&asked.shard_id, &asked.shard_iterator_type)
        else {
            let field = if asked.shard_id.is_none() { "shardId" } else { "shardIteratorType" };
            return Err(Violations::null(field));
        };
        let shard = ShardId::parse(id)
            .and_then(|id| self.shards.shard(id))
            .ok_or_else(|| Refusal::shard_not_found(id, self.name))?;
        let start = asked.starting_sequence_number.as_ref().map(|text| &*text.0);
        let position = match (&**kind, start) {
            ("TRIM_HORIZON", None) => 0,
            ("LATEST", None) => shard.next_position,
            ("AT_SEQUENCE_NUMBER", Some(start)) => self.position(shard.id, start)?,
            ("AFTER_SEQUENCE_NUMBER", Some(start)) => {
                self.position(shard.id, start)?.saturating_add(1)
            }
            (kind, start) => return Err(mismatch(kind, start)),
        };
        let next = SequenceNumber { shard: shard.id, position };
        Ok(json!({ "ShardIterator": Cursor { next, made_ms: now.epoch_ms }.encode() }))
    }

    /// The place of a record of `shard`.
    fn position(&self, shard: ShardId, sequence_number: &str) -> Result<u64, Refusal> {
        let number = SequenceNumber::parse(sequence_number).ok_or_else(|| {
            let stream = &self.name.name;
            Refusal::invalid_argument(format!(
                "StartingSequenceNumber {sequence_number} used in GetShardIterator on shard \
                 {shard} in stream {stream} under account {ACCOUNT} is invalid."
            ))
        })?;
        if number.shard == shard {
            return Ok(number.position);
        }
        Err(Refusal::invalid_argument(format!(
            "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a \
             shard with {shard}",
            number.shard
        )))
    }

    /// Answers `GetRecords`.
    pub(super) fn records(&self, asked: &GetRecords<'_>, now: Moment) -> Result<Value, Refusal> {
        let cursor = asked.shard_iterator.as_ref().and_then(|Text(text)| Cursor::decode(text));
        let shard = cursor.and_then(|cursor| self.shards.shard(cursor.next.shard));
        let (Some(cursor), Some(shard)) = (cursor, shard) else {
            return Err(Refusal::invalid_argument("Invalid ShardIterator."));
        };
        cursor.is_fresh(now)?;
        let limit = limit("limit", asked.limit)?;
        let mut bytes = 0;
        // The first always fits, or its reader would never get past it.
        let fits = |record: &&StoredRecord| {
            let first = bytes == 0;
            bytes += record.data.len() + record.partition_key.len();
            first || bytes <= ANSWER_BYTES_MAX
        };
        let store = self.shards.store();
        let from = cursor.next.position;
        let page: Vec<_> = store.read(shard.id, from).take(limit).take_while(fits).collect();
        let next = page.last().map_or(from, |last| last.sequence_number.position + 1);
        let waiting = store.read(shard.id, next).next();
        // A closed shard ends with its last record.
        let more = shard.open || next < shard.next_position;
        let cursor = Cursor {
            next: SequenceNumber { position: next, ..cursor.next },
            made_ms: now.epoch_ms,
        };
        let children =
            self.shards.all().iter().filter(|child| child.is_child_of(shard.id) && !more);
        Ok(json!(Page {
            records: page.into_iter().map(Into::into).collect(),
            millis_behind_latest: waiting
                .map_or(0, |record| now.epoch_ms.saturating_sub(record.arrival.epoch_ms).max(0)),
            next_shard_iterator: more.then(|| cursor.encode()),
            child_shards: children.map(ChildShard::from).collect(),
        }))
    }
}

/// How many to put into one answer: what was asked for, or all that is allowed.
fn limit(field: &str, asked: Option<usize>) -> Result<usize, Refusal> {
    let limit = asked.unwrap_or(ANSWER_RECORDS_MAX);
    let mut violations = Violations::default();
    if limit < 1 {
        let rule = "Member must have value greater than or equal to 1";
        violations.note(&format!("'{limit}'"), field, rule);
    }
    if limit > ANSWER_RECORDS_MAX {
        let rule = format!("Member must have value less than or equal to {ANSWER_RECORDS_MAX}");
        violations.note(&format!("'{limit}'"), field, &rule);
    }
    violations.none().map(|()| limit)
}

fn mismatch(kind: &str, start: Option<&str>) -> Refusal {
    let start = if start.is_some() { "also a" } else { "no" };
    Refusal::invalid_argument(format!(
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and \
         StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. \
         Request specified {kind} and {start} StartingSequenceNumber."
    ))
}
