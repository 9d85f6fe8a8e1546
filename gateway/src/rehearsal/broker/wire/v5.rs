//! MQTT 5.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, ConnAckProperties, Connect, ConnectReturnCode, Disconnect, DisconnectProperties,
    DisconnectReasonCode, Filter, LastWill, LastWillProperties, Login, Packet, PingResp, PubAck,
    Publish as Wire, PublishProperties, RetainForwardRule, SubAck, Subscribe, SubscribeReasonCode,
    UnsubAck, UnsubAckReason,
};
use rumqttc::v5::mqttbytes::{Error, QoS};

use super::{Answer, Closing, Incoming, WireError};
use crate::rehearsal::broker::faults::Refusal;
use crate::rehearsal::broker::publish::{Publish, Qos};
use crate::rehearsal::broker::topics;
use crate::rehearsal::broker::vocabulary::{
    Asked, FOR_EVER, Farewell, Granted, Hello, RetainHandling,
};

/// Takes the next packet off `inbox`.
pub(super) fn read(inbox: &mut BytesMut, bytes_max: u32) -> Result<Option<Incoming>, WireError> {
    if let Some(farewell) = short_disconnect(inbox) {
        return Ok(Some(Incoming::Disconnect(farewell)));
    }
    let before = inbox.len();
    match Packet::read(inbox, Some(bytes_max)) {
        Ok(packet) => incoming(packet).map(Some),
        // The codec also says so of a whole packet whose inner lengths are wrong.
        Err(Error::InsufficientBytes(_)) if inbox.len() == before => Ok(None),
        Err(error) => Err(WireError::Malformed(error.to_string())),
    }
}

/// DISCONNECT without properties or without reason: allowed, common, and refused by the codec.
fn short_disconnect(inbox: &mut BytesMut) -> Option<Farewell> {
    let (bytes, farewell) = match **inbox {
        [0xE0, 0, ..] => (2, Farewell::Said { expiry: None }),
        [0xE0, 1, reason, ..] => (3, said(reason == 0, None)),
        _ => return None,
    };
    inbox.advance(bytes);
    Some(farewell)
}

fn incoming(packet: Packet) -> Result<Incoming, WireError> {
    match packet {
        Packet::Connect(connect, will, login) => connected(connect, will, login),
        Packet::Publish(publish) => published(publish),
        Packet::PubAck(puback) => Ok(Incoming::Puback(puback.pkid)),
        Packet::Subscribe(subscribe) => subscribed(subscribe),
        Packet::Unsubscribe(unsubscribe) => {
            Ok(Incoming::Unsubscribe { packet_id: unsubscribe.pkid, filters: unsubscribe.filters })
        }
        Packet::PingReq(_) => Ok(Incoming::Ping),
        Packet::Disconnect(disconnect) => {
            let normal = disconnect.reason_code == DisconnectReasonCode::NormalDisconnection;
            let expiry = disconnect.properties.and_then(|it| it.session_expiry_interval);
            Ok(Incoming::Disconnect(said(normal, expiry)))
        }
        Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => Err(WireError::Qos2),
        Packet::Auth(_)
        | Packet::ConnAck(_)
        | Packet::SubAck(_)
        | Packet::UnsubAck(_)
        | Packet::PingResp(_) => Err(WireError::Unexpected),
    }
}

/// Only a normal DISCONNECT keeps the will back.
fn said(normal: bool, expiry_s: Option<u32>) -> Farewell {
    if normal { Farewell::Said { expiry: expiry_s.map(expiry) } } else { Farewell::Lost }
}

fn expiry(seconds: u32) -> Duration {
    if seconds == u32::MAX { FOR_EVER } else { Duration::from_secs(seconds.into()) }
}

fn connected(
    connect: Connect,
    will: Option<LastWill>,
    login: Option<Login>,
) -> Result<Incoming, WireError> {
    let properties = connect.properties.unwrap_or_default();
    if properties.receive_maximum == Some(0) || properties.max_packet_size == Some(0) {
        return Err(WireError::Malformed("a maximum of 0 in CONNECT".to_owned()));
    }
    let hello = Hello {
        client_id: connect.client_id,
        clean_start: connect.clean_start,
        expiry: properties.session_expiry_interval.map_or(Duration::ZERO, expiry),
        receive_maximum: properties.receive_maximum,
        packet_bytes_max: properties.max_packet_size,
        will: will.map(|it| Arc::new(willed(it))),
    };
    let login = login.map(|login| (login.username, login.password));
    Ok(Incoming::Connect { hello: Box::new(hello), login, keep_alive_s: connect.keep_alive })
}

/// The will delay is taken as 0.
fn willed(will: LastWill) -> Publish {
    let handed_on = |it: LastWillProperties| PublishProperties {
        payload_format_indicator: it.payload_format_indicator,
        message_expiry_interval: it.message_expiry_interval,
        response_topic: it.response_topic,
        correlation_data: it.correlation_data,
        user_properties: it.user_properties,
        content_type: it.content_type,
        ..PublishProperties::default()
    };
    Publish {
        topic: will.topic,
        payload: will.message,
        qos: at_most_one(will.qos),
        retain: will.retain,
        properties: will.properties.map(handed_on),
    }
}

fn published(publish: Wire) -> Result<Incoming, WireError> {
    if publish.qos == QoS::ExactlyOnce {
        return Err(WireError::Qos2);
    }
    // Aliases were not offered, so an empty topic is a fault as well.
    let aliased = publish.properties.as_ref().is_some_and(|it| it.topic_alias.is_some());
    if aliased || !topics::publishable(&publish.topic) {
        return Err(WireError::Malformed(format!("topic {:?}", publish.topic)));
    }
    Ok(Incoming::Publish {
        packet_id: publish.pkid,
        publish: Publish {
            topic: publish.topic,
            payload: publish.payload,
            qos: at_most_one(publish.qos),
            retain: publish.retain,
            properties: publish.properties,
        },
    })
}

fn subscribed(subscribe: Subscribe) -> Result<Incoming, WireError> {
    if subscribe.properties.is_some_and(|it| it.id.is_some()) {
        return Err(WireError::Malformed("subscription identifiers are not offered".to_owned()));
    }
    let asked = subscribe.filters.into_iter().map(asked).collect();
    Ok(Incoming::Subscribe { packet_id: subscribe.pkid, asked })
}

fn asked(filter: Filter) -> Asked {
    Asked {
        filter: filter.path,
        qos: at_most_one(filter.qos),
        no_local: filter.nolocal,
        retain_as_published: filter.preserve_retain,
        retain_handling: match filter.retain_forward_rule {
            RetainForwardRule::OnEverySubscribe => RetainHandling::EverySubscribe,
            RetainForwardRule::OnNewSubscribe => RetainHandling::NewSubscribe,
            RetainForwardRule::Never => RetainHandling::Never,
        },
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
        Answer::Welcome { session_present, assigned_client_id } => Packet::ConnAck(ConnAck {
            session_present,
            code: ConnectReturnCode::Success,
            properties: Some(offered(assigned_client_id)),
        }),
        Answer::Refused(refusal) => {
            let code = refused(refusal);
            Packet::ConnAck(ConnAck { session_present: false, code, properties: None })
        }
        Answer::Publish(outgoing) => Packet::Publish(outgoing.to_v5()),
        Answer::Puback(packet_id) => Packet::PubAck(PubAck::new(packet_id, None)),
        Answer::Subscribed { packet_id, granted } => Packet::SubAck(SubAck {
            pkid: packet_id,
            return_codes: granted.into_iter().map(code).collect(),
            properties: None,
        }),
        Answer::Unsubscribed { packet_id, existed } => Packet::UnsubAck(UnsubAck {
            pkid: packet_id,
            reasons: existed.into_iter().map(unsubscribed).collect(),
            properties: None,
        }),
        Answer::Pong => Packet::PingResp(PingResp),
        Answer::Disconnect(closing) => Packet::Disconnect(disconnect(closing)),
    };
    match packet.write(outbox, None) {
        Ok(_) => Ok(()),
        Err(error) => Err(WireError::Malformed(error.to_string())),
    }
}

/// What this broker does not do, told to each client: QoS 2 and subscription identifiers.
fn offered(assigned_client_identifier: Option<String>) -> ConnAckProperties {
    ConnAckProperties {
        max_qos: Some(1),
        subscription_identifiers_available: Some(0),
        assigned_client_identifier,
        session_expiry_interval: None,
        receive_max: None,
        retain_available: None,
        max_packet_size: None,
        topic_alias_max: None,
        reason_string: None,
        user_properties: Vec::new(),
        wildcard_subscription_available: None,
        shared_subscription_available: None,
        server_keep_alive: None,
        response_information: None,
        server_reference: None,
        authentication_method: None,
        authentication_data: None,
    }
}

fn refused(refusal: Refusal) -> ConnectReturnCode {
    match refusal {
        Refusal::BadPassword => ConnectReturnCode::BadUserNamePassword,
        Refusal::NotAuthorised => ConnectReturnCode::NotAuthorized,
        Refusal::ServerUnavailable => ConnectReturnCode::ServerUnavailable,
        Refusal::BadClientId => ConnectReturnCode::ClientIdentifierNotValid,
    }
}

fn code(granted: Granted) -> SubscribeReasonCode {
    match granted {
        Granted::AtMost(Qos::AtMostOnce) => SubscribeReasonCode::Success(QoS::AtMostOnce),
        Granted::AtMost(Qos::AtLeastOnce) => SubscribeReasonCode::Success(QoS::AtLeastOnce),
        Granted::NotAuthorised => SubscribeReasonCode::NotAuthorized,
        Granted::Malformed => SubscribeReasonCode::TopicFilterInvalid,
    }
}

fn unsubscribed(existed: bool) -> UnsubAckReason {
    if existed { UnsubAckReason::Success } else { UnsubAckReason::NoSubscriptionExisted }
}

/// With a reason text, for without properties the codec writes a malformed DISCONNECT.
fn disconnect(closing: Closing) -> Disconnect {
    let (reason_code, text) = match closing {
        Closing::TakenOver => (DisconnectReasonCode::SessionTakenOver, "session taken over"),
        Closing::KeepAlive => (DisconnectReasonCode::KeepAliveTimeout, "nothing heard in time"),
        Closing::Violation => (DisconnectReasonCode::ProtocolError, "protocol error"),
        Closing::Qos2 => (DisconnectReasonCode::QoSNotSupported, "no QoS 2"),
    };
    let properties = DisconnectProperties {
        session_expiry_interval: None,
        reason_string: Some(text.to_owned()),
        user_properties: Vec::new(),
        server_reference: None,
    };
    Disconnect { reason_code, properties: Some(properties) }
}
