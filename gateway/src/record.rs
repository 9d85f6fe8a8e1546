//! What travels: who sent it, where it goes, and the bytes.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use shard_estimator::HashKey;
use twox_hash::XxHash3_128;

use crate::limits::PARTITION_KEY_CHARS_MAX;

/// The name of a sensor, as the normaliser found it. Never empty, free of control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceId(Arc<str>);

impl DeviceId {
    /// Longest accepted name, in bytes: an MQTT topic, by default the name, is at most 65,535.
    pub const BYTES_MAX: usize = 65_535;

    /// Takes `name` if it can be told apart in a log line and in a partition key: not empty, no
    /// control characters, at most [`Self::BYTES_MAX`] bytes.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        Self::accepts(name).then(|| Self(name.into()))
    }

    /// Tells whether [`Self::new`] takes `name`. The same is asked of a tenant.
    #[must_use]
    pub fn accepts(name: &str) -> bool {
        !name.is_empty() && name.len() <= Self::BYTES_MAX && !name.chars().any(char::is_control)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What Kinesis hashes to choose the shard, unless the device has a number that places it: 1 to 256
/// characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartitionKey {
    text: Arc<str>,
    hash_key: HashKey,
    number: Option<NonZeroU32>,
}

impl PartitionKey {
    /// Takes `text`; over 256 characters its end is replaced by a hash of the whole, so that two
    /// long keys stay two. Empty text becomes `-`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::placed(text, |_| None)
    }

    /// The same, placed by its number. `number` is asked with the key's final text; a key that has
    /// none is placed by its hash.
    #[must_use]
    pub fn placed(text: &str, number: impl FnOnce(&str) -> Option<NonZeroU32>) -> Self {
        // At most 256 bytes are at most 256 characters: no need to count.
        if text.len() <= PARTITION_KEY_CHARS_MAX || text.chars().count() <= PARTITION_KEY_CHARS_MAX
        {
            return Self::numbered(if text.is_empty() { "-" } else { text }.into(), number);
        }
        let hash = format!("~{:032x}", XxHash3_128::oneshot(text.as_bytes()));
        let kept: String = text.chars().take(PARTITION_KEY_CHARS_MAX - hash.len()).collect();
        Self::numbered((kept + &hash).into(), number)
    }

    fn numbered(text: Arc<str>, number: impl FnOnce(&str) -> Option<NonZeroU32>) -> Self {
        let number = number(&text);
        let hash_key =
            number.map_or_else(|| HashKey::of(&text), |number| HashKey::golden(number.get()));
        Self { text, hash_key, number }
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where the stream places it, unless the stream places records itself.
    #[must_use]
    pub fn hash_key(&self) -> HashKey {
        self.hash_key
    }

    /// The number that places it.
    #[must_use]
    pub fn number(&self) -> Option<NonZeroU32> {
        self.number
    }

    /// Where the stream is to place it: what is sent as `ExplicitHashKey`. `None` where the hash of
    /// the key places it.
    #[must_use]
    pub fn explicit_hash_key(&self) -> Option<HashKey> {
        self.number.map(|_| self.hash_key)
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The type of a record where its topic does not say another.
pub const TYPE: &str = "telemetry";

/// One normalised sensor reading: what becomes one Kinesis entry.
#[derive(Debug, Clone)]
pub struct Record {
    /// Who measured.
    pub device: DeviceId,
    /// Whose device it is, where the topic or the payload tells.
    pub tenant: Option<Arc<str>>,
    /// The bytes to send: a canonical record, or the payload as it came when the format is `raw`.
    pub data: Bytes,
}

/// Names a record while the gateway holds it in memory. Another record may get it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordSlot(pub usize);
