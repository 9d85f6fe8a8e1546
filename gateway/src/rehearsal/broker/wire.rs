//! Packets to and from bytes, by rumqttc's codecs, in one vocabulary for both protocol levels.

mod v3;
mod v5;

use bytes::BytesMut;

use super::faults::Refusal;
use super::publish::{Outgoing, Publish};
use super::vocabulary::{Asked, Farewell, Granted, Hello};

/// Which MQTT a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// MQTT 3.1.1.
    V3,
    /// MQTT 5.
    V5,
}

/// Why bytes are not a packet that this broker takes. The connection is closed.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The first packet is not a CONNECT of a protocol level known here.
    #[error("not a CONNECT of MQTT 3.1.1 or 5")]
    NotConnect,
    /// A codec refused it.
    #[error("malformed packet: {0}")]
    Malformed(String),
    /// A packet that only a server sends, or a second CONNECT.
    #[error("a client may not send this packet now")]
    Unexpected,
    /// QoS 2.
    #[error("QoS 2 is not offered")]
    Qos2,
}

/// A packet from a client.
#[derive(Debug)]
pub(super) enum Incoming {
    /// CONNECT: the client, its user name and password, and its keep-alive in seconds.
    Connect { hello: Box<Hello>, login: Option<(String, String)>, keep_alive_s: u16 },
    /// PUBLISH; the packet identifier is 0 at QoS 0.
    Publish { packet_id: u16, publish: Publish },
    /// PUBACK.
    Puback(u16),
    /// SUBSCRIBE.
    Subscribe { packet_id: u16, asked: Vec<Asked> },
    /// UNSUBSCRIBE.
    Unsubscribe { packet_id: u16, filters: Vec<String> },
    /// PINGREQ.
    Ping,
    /// DISCONNECT.
    Disconnect(Farewell),
}

/// A packet to a client.
#[derive(Debug)]
pub(super) enum Answer {
    /// CONNACK of success, with the identifier chosen for a client that had none.
    Welcome { session_present: bool, assigned_client_id: Option<String> },
    /// CONNACK of refusal.
    Refused(Refusal),
    /// PUBLISH.
    Publish(Outgoing),
    /// PUBACK.
    Puback(u16),
    /// SUBACK.
    Subscribed { packet_id: u16, granted: Vec<Granted> },
    /// UNSUBACK: whether each subscription existed.
    Unsubscribed { packet_id: u16, existed: Vec<bool> },
    /// PINGRESP.
    Pong,
    /// DISCONNECT. MQTT 3.1.1 has none from a server: nothing is written.
    Disconnect(Closing),
}

/// Why the broker closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// Another connection took the session.
    TakenOver,
    /// Nothing heard for one and a half keep-alives.
    KeepAlive,
    /// The client broke the protocol.
    Violation,
    /// The client published at QoS 2.
    Qos2,
}

/// Which MQTT the CONNECT at the start of `inbox` speaks. `None` while too little of it is there.
///
/// # Errors
/// [`WireError::NotConnect`].
pub(super) fn level(inbox: &[u8]) -> Result<Option<Level>, WireError> {
    let Some((kind, rest)) = inbox.split_first() else { return Ok(None) };
    // The remaining length takes up to four bytes, the last of them below 0x80.
    let length_end = rest.iter().take(4).position(|byte| byte & 0x80 == 0);
    let level = match length_end {
        // After the remaining length: 0, 4, "MQTT", and the level.
        Some(end) => rest.get(end + 7).copied(),
        None => rest.get(3).map(|_| 0),
    };
    match (kind, level) {
        (0x10, None) => Ok(None),
        (0x10, Some(4)) => Ok(Some(Level::V3)),
        (0x10, Some(5)) => Ok(Some(Level::V5)),
        _ => Err(WireError::NotConnect),
    }
}

/// Takes the next packet off `inbox`. `None` while too little of it is there.
///
/// # Errors
/// Whatever the codec refuses, packets of more than `bytes_max` bytes among it, and QoS 2.
pub(super) fn read(
    level: Level,
    inbox: &mut BytesMut,
    bytes_max: u32,
) -> Result<Option<Incoming>, WireError> {
    match level {
        Level::V3 => v3::read(inbox, bytes_max),
        Level::V5 => v5::read(inbox, bytes_max),
    }
}

/// Appends a packet to `outbox`.
///
/// # Errors
/// What the codec cannot write: a payload of more than 256 MiB.
pub(super) fn write(level: Level, answer: Answer, outbox: &mut BytesMut) -> Result<(), WireError> {
    match level {
        Level::V3 => v3::write(answer, outbox),
        Level::V5 => v5::write(answer, outbox),
    }
}

#[cfg(test)]
mod tests;
