//! What travels: who sent it, where it goes, and the bytes.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

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
