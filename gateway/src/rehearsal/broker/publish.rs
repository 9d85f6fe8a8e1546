//! What is published, and what a session hands to its connection.

use std::sync::Arc;

use bytes::Bytes;
use rumqttc::v5::mqttbytes::{QoS, v5};

/// How often a publish arrives: at most once (QoS 0) or at least once (QoS 1). The broker has no
/// QoS 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce,
}

/// One PUBLISH as its publisher sent it. Shared by all the sessions it waits in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The topic name. Not necessarily UTF-8.
    pub topic: Bytes,
    /// The payload, untouched.
    pub payload: Bytes,
    /// The publisher's choice; a subscription may lower it.
    pub qos: Qos,
    /// Whether later subscribers are to get it too.
    pub retain: bool,
    /// MQTT 5 properties, handed on to MQTT 5 subscribers.
    pub properties: Option<v5::PublishProperties>,
}

impl Publish {
    /// A plain QoS 1 publish.
    #[must_use]
    pub fn new(topic: impl Into<Bytes>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain: false,
            properties: None,
        }
    }

    /// The same, kept for those who subscribe later.
    #[must_use]
    pub fn retained(self) -> Self {
        Self { retain: true, ..self }
    }
}

/// A publish on its way to one subscriber.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    /// 1 to 65,535, or 0 at QoS 0.
    pub(super) packet_id: u16,
    /// Sent before, under this packet identifier.
    pub(super) dup: bool,
    /// The flag the subscriber is to see.
    pub(super) retain: bool,
    /// What was published.
    pub(super) publish: Arc<Publish>,
}

impl Outgoing {
    /// The packet as rumqttc's MQTT 5 codec knows it.
    pub(super) fn to_v5(&self) -> v5::Publish {
        let qos = if self.packet_id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        v5::Publish {
            dup: self.dup,
            qos,
            retain: self.retain,
            topic: self.publish.topic.clone(),
            pkid: self.packet_id,
            payload: self.publish.payload.clone(),
            properties: self.publish.properties.clone(),
        }
    }
}
