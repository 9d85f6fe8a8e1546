//! Reading and checking what a client wants to store. This and the writing of the answer are the
//! hot path: fields are borrowed from the request's body, and nothing is decoded that is not kept.

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Deserialize;

use super::hash::HashKey;
use super::refusal::Refusal;
use super::request::{StreamFields, Text, Violations, read};
use super::shards::Entry;

/// Records that one `PutRecords` may carry.
const REQUEST_RECORDS_MAX: usize = 500;
/// Data and partition keys that one `PutRecords` may carry, in bytes: 10 MiB.
const REQUEST_BYTES_MAX: u64 = 10 << 20;
/// Longest partition key, in characters.
const PARTITION_KEY_CHARS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRecordsFields<'a> {
    #[serde(borrow)]
    stream_name: Option<Text<'a>>,
    #[serde(borrow, rename = "StreamARN")]
    stream_arn: Option<Text<'a>>,
    #[serde(default)]
    dry_run: Option<bool>,
    #[serde(borrow)]
    records: Option<Vec<EntryFields<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntryFields<'a> {
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    partition_key: Option<Text<'a>>,
    #[serde(borrow)]
    explicit_hash_key: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DryRunField {
    #[serde(default)]
    dry_run: Option<bool>,
}

/// What the checks depend on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Whether the records' bytes are wanted; otherwise only their length is found out.
    pub keep_data: bool,
    /// Largest record, partition key included, in bytes.
    pub record_bytes_max: u32,
}

/// A checked request to store records.
#[derive(Debug)]
pub(super) struct Put<'a> {
    /// The stream it means.
    pub stream: StreamFields<'a>,
    /// Whether it only asks if it would succeed.
    pub dry_run: bool,
    /// What to store, in order. Exactly one for `PutRecord`.
    pub entries: Vec<Entry<'a>>,
}

impl<'a> Put<'a> {
    /// Reads the body of `PutRecords`.
    ///
    /// # Errors
    ///
    /// The refusal that the service would answer with.
    pub(super) fn records(body: &'a [u8], rules: Rules) -> Result<Self, Refusal> {
        let fields: PutRecordsFields<'a> = read(body)?;
        let mut violations = Violations::default();
        let records = fields.records.unwrap_or_else(|| {
            violations.note("null", "records", "Member must not be null");
            Vec::new()
        });
        if records.is_empty() {
            violations.note(
                "'[]'",
                "records",
                "Member must have length greater than or equal to 1",
            );
        }
        if records.len() > REQUEST_RECORDS_MAX {
            let rule =
                format!("Member must have length less than or equal to {REQUEST_RECORDS_MAX}");
            violations.note("'[...]'", "records", &rule);
        }
        let mut entries = Vec::with_capacity(records.len());
        for (record, number) in records.into_iter().zip(1..) {
            let path = Path::Member(number);
            entries.extend(record.check(&path, rules, &mut violations)?);
        }
        violations.none()?;
        if entries.iter().map(|entry| u64::from(entry.bytes)).sum::<u64>() > REQUEST_BYTES_MAX {
            return Err(Refusal::invalid_argument("Records size exceeds 10 MB limit"));
        }
        let stream =
            StreamFields { stream_name: fields.stream_name, stream_arn: fields.stream_arn };
        Ok(Self { stream, dry_run: fields.dry_run.unwrap_or(false), entries })
    }

    /// Reads the body of `PutRecord`.
    ///
    /// # Errors
    ///
    /// The refusal that the service would answer with.
    pub(super) fn record(body: &'a [u8], rules: Rules) -> Result<Self, Refusal> {
        let mut violations = Violations::default();
        let record: EntryFields<'a> = read(body)?;
        let entry = record.check(&Path::Top, rules, &mut violations)?;
        violations.none()?;
        let dry_run = read::<DryRunField>(body)?.dry_run.unwrap_or(false);
        Ok(Self { stream: read(body)?, dry_run, entries: entry.into_iter().collect() })
    }
}

impl<'a> EntryFields<'a> {
    /// Makes an entry of a record's fields; `None` when something was noted in `violations`.
    fn check(
        self,
        path: &Path,
        rules: Rules,
        violations: &mut Violations,
    ) -> Result<Option<Entry<'a>>, Refusal> {
        let (Some(Text(data)), Some(Text(partition_key))) = (&self.data, self.partition_key) else {
            let field = if self.data.is_none() { "data" } else { "partitionKey" };
            violations.note("null", &path.to(field), "Member must not be null");
            return Ok(None);
        };
        let (data, size) = decode(data, rules.keep_data)?;
        let bytes = u32::try_from(size + partition_key.len()).unwrap_or(u32::MAX);
        if bytes > rules.record_bytes_max {
            let value = format!("'java.nio.HeapByteBuffer[pos=0 lim={size} cap={size}]'");
            violations.too_long(&value, &path.to("data"), rules.record_bytes_max);
        }
        if partition_key.is_empty() {
            let rule = "Member must have length greater than or equal to 1";
            violations.note("''", &path.to("partitionKey"), rule);
        }
        // As many bytes as characters at least, so most keys need no counting.
        if partition_key.len() > PARTITION_KEY_CHARS_MAX
            && partition_key.chars().count() > PARTITION_KEY_CHARS_MAX
        {
            let value = format!("'{partition_key}'");
            violations.too_long(&value, &path.to("partitionKey"), PARTITION_KEY_CHARS_MAX);
        }
        let hash_key = match self.explicit_hash_key {
            Some(Text(explicit)) => explicit_hash_key(&explicit, path, violations)?,
            None => HashKey::of(&partition_key),
        };
        Ok(Some(Entry { partition_key, hash_key, data, bytes }))
    }
}

fn explicit_hash_key(
    text: &str,
    path: &Path,
    violations: &mut Violations,
) -> Result<HashKey, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || text.len() > 39 || (text.starts_with('0') && text != "0") {
        let rule = r"Member must satisfy regular expression pattern: 0|([1-9]\d{0,38})";
        violations.note(&format!("'{text}'"), &path.to("explicitHashKey"), rule);
        return Ok(HashKey::of(text));
    }
    text.parse().ok().map(HashKey).ok_or_else(|| {
        Refusal::invalid_argument(format!(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. \
             Specified value was {text}"
        ))
    })
}

/// The bytes of a blob if they are wanted, and their number. Without them the letters go unchecked.
fn decode(base64: &str, keep: bool) -> Result<(Bytes, usize), Refusal> {
    if keep {
        let data = BASE64.decode(base64.as_bytes()).map_err(|error| {
            Refusal::serialization(format!("'{base64}' can not be converted to a Blob: {error}"))
        })?;
        let size = data.len();
        return Ok((data.into(), size));
    }
    let padding = base64.bytes().rev().take(2).take_while(|byte| *byte == b'=').count();
    let length = BASE64.decode_len(base64.len()).map_err(|error| {
        Refusal::serialization(format!("'{base64}' can not be converted to a Blob: {error}"))
    })?;
    Ok((Bytes::new(), length - padding))
}

/// Where in a request a value is.
enum Path {
    Top,
    /// In a record of the list, counted from 1.
    Member(usize),
}

impl Path {
    fn to(&self, field: &str) -> String {
        match self {
            Self::Top => field.to_owned(),
            Self::Member(number) => format!("records.{number}.member.{field}"),
        }
    }
}
