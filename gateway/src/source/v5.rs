//! MQTT 5.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Connect, ConnectProperties, ConnectReturnCode, Disconnect, DisconnectProperties,
    DisconnectReasonCode, Filter, LastWill, Login, Packet, PingReq, PubAck, Publish,
    RetainForwardRule, Subscribe, SubscribeReasonCode, Unsubscribe,
};
use rumqttc::v5::mqttbytes::{Error, QoS};

use crate::config::{Mqtt, Qos, Retained, Subscription};
use crate::telemetry::causes;

use super::{Delivery, Dialect, Event, Fault, OFFLINE, Request, Welcome, v3};

/// Protocol version 5.
pub(super) struct V5 {
    client_id: String,
    properties: ConnectProperties,
    will: Option<LastWill>,
    retain_rule: RetainForwardRule,
    packet_bytes_max: u32,
}

impl V5 {
    pub(super) fn new(mqtt: &Mqtt, client_id: &str, status_topic: Option<&str>) -> Self {
        let mut properties = ConnectProperties::new();
        let expiry_s = u32::try_from(mqtt.session_expiry.as_secs()).unwrap_or(u32::MAX);
        properties.session_expiry_interval = Some(expiry_s);
        properties.receive_maximum = Some(mqtt.receive_maximum);
        properties.max_packet_size = Some(mqtt.packet_bytes_max);
        Self {
            client_id: client_id.to_owned(),
            properties,
            will: status_topic
                .map(|topic| LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true, None)),
            retain_rule: match mqtt.retained {
                Retained::Deliver => RetainForwardRule::OnNewSubscribe,
                Retained::Skip => RetainForwardRule::Never,
            },
            packet_bytes_max: mqtt.packet_bytes_max,
        }
    }

    fn filter(&self, subscription: &Subscription) -> Filter {
        // What the broker says of itself is there as what it retains.
        let is_of_broker = subscription.filter.starts_with("$SYS/");
        let rule =
            if is_of_broker { &RetainForwardRule::OnNewSubscribe } else { &self.retain_rule };
        Filter {
            retain_forward_rule: rule.clone(),
            ..Filter::new(&subscription.filter, qos(subscription.qos))
        }
    }
}

impl Dialect for V5 {
    fn hello(&self, login: Option<(String, String)>, keep_alive: Duration, out: &mut BytesMut) {
        let connect = Connect {
            keep_alive: u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX),
            client_id: self.client_id.clone(),
            clean_start: false,
            properties: Some(self.properties.clone()),
        };
        let login = login.map(|(username, password)| Login::new(username, password));
        put(&Packet::Connect(connect, self.will.clone(), login), out);
    }

    fn next(&self, inbox: &mut BytesMut) -> Result<Option<Event>, Fault> {
        match Packet::read(inbox, Some(self.packet_bytes_max)) {
            Ok(packet) => event(packet).map(Some),
            Err(Error::InsufficientBytes(_)) => Ok(None),
            Err(Error::PayloadSizeLimitExceeded { pkt_size, .. }) => Err(v3::too_large(pkt_size)),
            Err(error) => Err(Fault::passing(causes(&error))),
        }
    }

    fn write(&self, request: Request<'_>, out: &mut BytesMut) {
        let packet = match request {
            Request::Acknowledge(packet_id) => Packet::PubAck(PubAck::new(packet_id, None)),
            Request::Subscribe { packet_id, filters } => {
                let filters = filters.iter().map(|subscription| self.filter(subscription));
                Packet::Subscribe(Subscribe {
                    pkid: packet_id,
                    ..Subscribe::new_many(filters, None)
                })
            }
            Request::Unsubscribe { packet_id, filter } => Packet::Unsubscribe(Unsubscribe {
                pkid: packet_id,
                ..Unsubscribe::new(filter, None)
            }),
            Request::PublishRetained { packet_id, topic, payload } => Packet::Publish(Publish {
                pkid: packet_id,
                retain: true,
                ..Publish::new(topic, QoS::AtLeastOnce, payload, None)
            }),
            Request::Ping => Packet::PingReq(PingReq),
            Request::Disconnect => {
                Packet::Disconnect(Disconnect::new(DisconnectReasonCode::NormalDisconnection))
            }
            Request::Leave => Packet::Disconnect(Disconnect {
                properties: Some(DisconnectProperties {
                    session_expiry_interval: Some(0),
                    reason_string: None,
                    user_properties: Vec::new(),
                    server_reference: None,
                }),
                ..Disconnect::new(DisconnectReasonCode::NormalDisconnection)
            }),
        };
        put(&packet, out);
    }
}

fn put(packet: &Packet, out: &mut BytesMut) {
    if let Err(error) = packet.write(out, None) {
        tracing::error!(%error, "cannot write an MQTT packet: please report this");
    }
}

fn qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

fn event(packet: Packet) -> Result<Event, Fault> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other packets need no answer")]
    Ok(match packet {
        Packet::Publish(publish) => Event::Publish(Delivery {
            topic: publish.topic,
            payload: publish.payload,
            packet_id: publish.pkid,
            dup: publish.dup,
            retain: publish.retain,
        }),
        Packet::ConnAck(connack) => connected(&connack)?,
        Packet::SubAck(suback) => {
            Event::Subscribed(suback.return_codes.iter().map(granted).collect())
        }
        Packet::UnsubAck(_) => Event::Unsubscribed,
        Packet::Disconnect(Disconnect { reason_code, .. }) => {
            use DisconnectReasonCode as Code;
            if reason_code == Code::SessionTakenOver {
                let (said, fix) = v3::TAKEN_OVER;
                return Err(Fault::refusal(said, fix));
            }
            // The others pass by themselves: a broker that shuts down, is busy, or missed us.
            let refused = matches!(
                reason_code,
                Code::NotAuthorized | Code::QuotaExceeded | Code::AdministrativeAction
            );
            let said = format!("the broker closed the connection: {reason_code:?}");
            return Err(Fault { refused, ..Fault::passing(said) });
        }
        _ => Event::Other,
    })
}

fn connected(connack: &ConnAck) -> Result<Event, Fault> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is said as it is")]
    let (said, fix) = match connack.code {
        ConnectReturnCode::Success => return Ok(Event::Connected(welcome(connack))),
        ConnectReturnCode::BadUserNamePassword => v3::BAD_LOGIN,
        ConnectReturnCode::NotAuthorized => v3::NOT_AUTHORISED,
        code => {
            let said = format!("the broker refuses the connection: {code:?}");
            return Err(Fault::refusal(said, None));
        }
    };
    Err(Fault::refusal(said, fix))
}

fn welcome(connack: &ConnAck) -> Welcome {
    let plain = Welcome::plain(connack.session_present);
    let Some(said) = &connack.properties else { return plain };
    let keep_alive = said.server_keep_alive.filter(|seconds| *seconds > 0);
    Welcome {
        keep_alive: keep_alive.map(|seconds| Duration::from_secs(seconds.into())),
        receive_maximum: said.receive_max,
        qos_max: if said.max_qos == Some(0) { Qos::AtMostOnce } else { Qos::AtLeastOnce },
        shares: said.shared_subscription_available != Some(0),
        ..plain
    }
}

fn granted(code: &SubscribeReasonCode) -> Result<Qos, String> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "every other code is a refusal")]
    match code {
        SubscribeReasonCode::Success(QoS::AtMostOnce) => Ok(Qos::AtMostOnce),
        SubscribeReasonCode::Success(_) => Ok(Qos::AtLeastOnce),
        refused => Err(format!("{refused:?}")),
    }
}
