//! The answers' JSON.

use data_encoding::BASE64;
use serde::Serialize;
use serde_json::Number;

use super::super::hash::HashRange;
use super::super::names::{SequenceNumber, ShardId};
use super::super::shards::Shard;
use super::super::store::StoredRecord;

/// The answer of `ListShards`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ShardList {
    pub(super) shards: Vec<ListedShard>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<String>,
}

/// A shard in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListedShard {
    shard_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_shard_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjacent_parent_shard_id: Option<String>,
    hash_key_range: HashKeyRange,
    sequence_number_range: SequenceNumberRange,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct HashKeyRange {
    starting_hash_key: String,
    ending_hash_key: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SequenceNumberRange {
    starting_sequence_number: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ending_sequence_number: Option<String>,
}

/// The answer of `GetRecords`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    pub(super) records: Vec<ReadRecord>,
    pub(super) millis_behind_latest: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_shard_iterator: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) child_shards: Vec<ChildShard>,
}

/// A record in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReadRecord {
    sequence_number: String,
    approximate_arrival_timestamp: Number,
    data: String,
    partition_key: String,
}

/// Where the reader of a closed shard goes on.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChildShard {
    shard_id: String,
    parent_shards: Vec<String>,
    hash_key_range: HashKeyRange,
}

impl From<&Shard> for ListedShard {
    fn from(shard: &Shard) -> Self {
        let number = |position| SequenceNumber { shard: shard.id, position }.to_string();
        let [parent, adjacent] =
            shard.parents.map(|parent| parent.as_ref().map(ShardId::to_string));
        Self {
            shard_id: shard.id.to_string(),
            parent_shard_id: parent,
            adjacent_parent_shard_id: adjacent,
            hash_key_range: shard.range.into(),
            sequence_number_range: SequenceNumberRange {
                starting_sequence_number: number(0),
                ending_sequence_number: (!shard.open).then(|| number(shard.next_position)),
            },
        }
    }
}

impl From<&Shard> for ChildShard {
    fn from(shard: &Shard) -> Self {
        Self {
            shard_id: shard.id.to_string(),
            parent_shards: shard.parents.iter().flatten().map(ShardId::to_string).collect(),
            hash_key_range: shard.range.into(),
        }
    }
}

impl From<HashRange> for HashKeyRange {
    fn from(range: HashRange) -> Self {
        Self {
            starting_hash_key: range.start.0.to_string(),
            ending_hash_key: range.end.0.to_string(),
        }
    }
}

impl From<&StoredRecord> for ReadRecord {
    fn from(record: &StoredRecord) -> Self {
        Self {
            sequence_number: record.sequence_number.to_string(),
            approximate_arrival_timestamp: seconds(record.arrival.epoch_ms),
            data: BASE64.encode(&record.data),
            partition_key: record.partition_key.as_ref().to_owned(),
        }
    }
}

/// Seconds with milliseconds behind the point, as the service writes times.
pub(super) fn seconds(epoch_ms: i64) -> Number {
    // Whole milliseconds of any year that will be seen are exact in 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "times stay below 2^53 ms")]
    let seconds = epoch_ms as f64 / 1000.0;
    Number::from_f64(seconds).unwrap_or_else(|| Number::from(0))
}
