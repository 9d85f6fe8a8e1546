//! MQTT 3.1.1.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish as Wire, SubAck,
    SubscribeFilter, SubscribeReasonCode, UnsubAck,
};
use rumqttc::mqttbytes::{Error, QoS};

use super::{Answer, Incoming, WireError};
use crate::rehearsal::broker::faults::Refusal;
use crate::rehearsal::broker::publish::{Outgoing, Publish, Qos};
use crate::rehearsal::broker::topics;
use crate::rehearsal::broker::vocabulary::{
    Asked, FOR_EVER, Farewell, Granted, Hello, RetainHandling,
};

/// Takes the next packet off `inbox`.
pub(super) fn read(inbox: &mut BytesMut, bytes_max: u32) -> Result<Option<Incoming>, WireError> {
    let before = inbox.len();
    let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    match Packet::read(inbox, bytes_max) {
        Ok(packet) => incoming(packet).map(Some),
        // The codec also says so of a whole packet whose inner lengths are wrong.
        Err(Error::InsufficientBytes(_)) if inbox.len() == before => Ok(None),
        Err(error) => Err(WireError::Malformed(error.to_string())),
    }
}

fn incoming(packet: Packet) -> Result<Incoming, WireError> {
    match packet {
        Packet::Connect(connect) => Ok(connected(connect)),
        Packet::Publish(publish) => published(publish),
        Packet::PubAck(puback) => Ok(Incoming::Puback(puback.pkid)),
        Packet::Subscribe(subscribe) => Ok(Incoming::Subscribe {
            packet_id: subscribe.pkid,
            asked: subscribe.filters.into_iter().map(asked).collect(),
        }),
        Packet::Unsubscribe(unsubscribe) => {
            Ok(Incoming::Unsubscribe { packet_id: unsubscribe.pkid, filters: unsubscribe.topics })
        }
        Packet::PingReq => Ok(Incoming::Ping),
        Packet::Disconnect => Ok(Incoming::Disconnect(Farewell::Said { expiry: None })),
        Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => Err(WireError::Qos2),
        Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
            Err(WireError::Unexpected)
        }
    }
}

fn connected(connect: Connect) -> Incoming {
    let hello = Hello {
        client_id: connect.client_id,
        clean_start: connect.clean_session,
        expiry: if connect.clean_session { Duration::ZERO } else { FOR_EVER },
        receive_maximum: None,
        packet_bytes_max: None,
        will: connect.last_will.map(|it| Arc::new(will(it))),
    };
    let login = connect.login.map(|login| (login.username, login.password));
    Incoming::Connect { hello: Box::new(hello), login, keep_alive_s: connect.keep_alive }
}

fn will(will: LastWill) -> Publish {
    Publish {
        topic: Bytes::from(will.topic),
        payload: will.message,
        qos: at_most_one(will.qos),
        retain: will.retain,
        properties: None,
    }
}

fn published(publish: Wire) -> Result<Incoming, WireError> {
    if publish.qos == QoS::ExactlyOnce {
        return Err(WireError::Qos2);
    }
    if !topics::publishable(publish.topic.as_bytes()) {
        return Err(WireError::Malformed(format!("topic {:?}", publish.topic)));
    }
    Ok(Incoming::Publish {
        packet_id: publish.pkid,
        publish: Publish {
            topic: Bytes::from(publish.topic),
            payload: publish.payload,
            qos: at_most_one(publish.qos),
            retain: publish.retain,
            properties: None,
        },
    })
}

fn asked(filter: SubscribeFilter) -> Asked {
    Asked {
        filter: filter.path,
        qos: at_most_one(filter.qos),
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::EverySubscribe,
    }
}

/// QoS 2 is granted, and willed, as 1.
fn at_most_one(qos: QoS) -> Qos {
    match qos {
        QoS::AtMostOnce => Qos::AtMostOnce,
        QoS::AtLeastOnce | QoS::ExactlyOnce => Qos::AtLeastOnce,
    }
}

/// Appends a packet to `outbox`.
pub(super) fn write(answer: Answer, outbox: &mut BytesMut) -> Result<(), WireError> {
    let packet = match answer {
        Answer::Welcome { session_present, .. } => {
            Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, session_present))
        }
        Answer::Refused(refusal) => Packet::ConnAck(ConnAck::new(refused(refusal), false)),
        Answer::Publish(outgoing) => Packet::Publish(publish(&outgoing)),
        Answer::Puback(packet_id) => Packet::PubAck(PubAck::new(packet_id)),
        Answer::Subscribed { packet_id, granted } => {
            Packet::SubAck(SubAck::new(packet_id, granted.into_iter().map(code).collect()))
        }
        Answer::Unsubscribed { packet_id, .. } => Packet::UnsubAck(UnsubAck::new(packet_id)),
        Answer::Pong => Packet::PingResp,
        Answer::Disconnect(_) => return Ok(()),
    };
    match packet.write(outbox, usize::MAX) {
        Ok(_) => Ok(()),
        Err(error) => Err(WireError::Malformed(error.to_string())),
    }
}

/// The codec holds topics as text: what is not UTF-8 arrives with replacement characters.
fn publish(outgoing: &Outgoing) -> Wire {
    let qos = if outgoing.packet_id == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    Wire {
        dup: outgoing.dup,
        qos,
        retain: outgoing.retain,
        topic: String::from_utf8_lossy(&outgoing.publish.topic).into_owned(),
        pkid: outgoing.packet_id,
        payload: outgoing.publish.payload.clone(),
    }
}

fn refused(refusal: Refusal) -> ConnectReturnCode {
    match refusal {
        Refusal::BadPassword => ConnectReturnCode::BadUserNamePassword,
        Refusal::NotAuthorised => ConnectReturnCode::NotAuthorized,
        Refusal::ServerUnavailable => ConnectReturnCode::ServiceUnavailable,
        Refusal::BadClientId => ConnectReturnCode::BadClientId,
    }
}

fn code(granted: Granted) -> SubscribeReasonCode {
    match granted {
        Granted::AtMost(Qos::AtMostOnce) => SubscribeReasonCode::Success(QoS::AtMostOnce),
        Granted::AtMost(Qos::AtLeastOnce) => SubscribeReasonCode::Success(QoS::AtLeastOnce),
        Granted::NotAuthorised | Granted::Malformed => SubscribeReasonCode::Failure,
    }
}
