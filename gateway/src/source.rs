//! MQTT in: connections that subscribe, hand on publishes and acknowledge what is safe.

use bytes::Bytes;

use crate::ack::Receipt;

/// One MQTT PUBLISH as received.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The topic it was published to. Bytes, because MQTT 5 hands it over unchecked.
    pub topic: Bytes,
    /// The payload, untouched.
    pub payload: Bytes,
    /// When it arrived, in milliseconds since 1970-01-01 UTC.
    pub rx_ts_ms: i64,
    /// What to settle once every record made of it is safe.
    pub receipt: Receipt,
}
