//! MQTT 3.1.1.

use std::time::Duration;

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Login, Packet, PubAck, Publish, Subscribe,
    SubscribeFilter, SubscribeReasonCode, Unsubscribe,
};
use rumqttc::mqttbytes::{Error, QoS};

use crate::config::{Mqtt, Qos};
use crate::telemetry::causes;

use super::{Delivery, Dialect, Event, Fault, OFFLINE, Request, Welcome};

/// What happened, and what to do.
pub(super) type Advised = (&'static str, Option<&'static str>);

pub(super) const BAD_LOGIN: Advised = (
    "the broker refuses user name or password",
    Some("check mqtt.username and mqtt.password_file or mqtt.password_env"),
);
pub(super) const NOT_AUTHORISED: Advised = (
    "the broker does not authorise this client",
    Some("check mqtt.username and its password, and the broker's access list for mqtt.client_id"),
);
pub(super) const TAKEN_OVER: Advised = (
    "another client connected with our client id",
    Some("give each gateway its own mqtt.client_id"),
);

/// Protocol version 3.1.1.
pub(super) struct V3 {
    client_id: String,
    /// Whether the broker forgets us with the connection.
    clean_session: bool,
    will: Option<LastWill>,
    packet_bytes_max: usize,
}

impl V3 {
    pub(super) fn new(mqtt: &Mqtt, client_id: &str, status_topic: Option<&str>) -> Self {
        Self {
            client_id: client_id.to_owned(),
            clean_session: mqtt.session_expiry.is_zero(),
            will: status_topic.map(|topic| LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true)),
            packet_bytes_max: usize::try_from(mqtt.packet_bytes_max).unwrap_or(usize::MAX),
        }
    }
}

impl Dialect for V3 {
    fn hello(&self, login: Option<(String, String)>, keep_alive: Duration, out: &mut BytesMut) {
        let mut connect = Connect::new(&self.client_id);
        connect.keep_alive = u16::try_from(keep_alive.as_secs()).unwrap_or(u16::MAX);
        connect.clean_session = self.clean_session;
        connect.last_will.clone_from(&self.will);
        connect.login = login.map(|(username, password)| Login::new(username, password));
        put(&Packet::Connect(connect), out);
    }

    fn next(&self, inbox: &mut BytesMut) -> Result<Option<Event>, Fault> {
        match Packet::read(inbox, self.packet_bytes_max) {
            Ok(packet) => event(packet).map(Some),
            Err(Error::InsufficientBytes(_)) => Ok(None),
            Err(Error::PayloadSizeLimitExceeded(bytes)) => Err(too_large(bytes)),
            Err(error) => Err(Fault::passing(causes(&error))),
        }
    }

    fn write(&self, request: Request<'_>, out: &mut BytesMut) {
        let packet = match request {
            Request::Acknowledge(packet_id) => Packet::PubAck(PubAck::new(packet_id)),
            Request::Subscribe { packet_id, filters } => {
                let filters = filters.iter().map(|subscription| {
                    SubscribeFilter::new(subscription.filter.clone(), qos(subscription.qos))
                });
                Packet::Subscribe(Subscribe { pkid: packet_id, ..Subscribe::new_many(filters) })
            }
            Request::Unsubscribe { packet_id, filter } => {
                Packet::Unsubscribe(Unsubscribe { pkid: packet_id, ..Unsubscribe::new(filter) })
            }
            Request::PublishRetained { packet_id, topic, payload } => Packet::Publish(Publish {
                pkid: packet_id,
                retain: true,
                ..Publish::new(topic, QoS::AtLeastOnce, payload)
            }),
            Request::Ping => Packet::PingReq,
            Request::Disconnect | Request::Leave => Packet::Disconnect,
        };
        put(&packet, out);
    }
}

/// A packet over our limit. In 3.1.1 the broker does not know the limit and will send it again.
pub(super) fn too_large(bytes: usize) -> Fault {
    let said = format!(
        "a packet of {bytes} bytes is over mqtt.packet_bytes_max and holds up what follows"
    );
    Fault::refusal(said, Some("raise the limit, and it becomes a dead letter at most"))
}

fn put(packet: &Packet, out: &mut BytesMut) {
    if let Err(error) = packet.write(out, usize::MAX) {
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
            topic: publish.topic.into(),
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
        _ => Event::Other,
    })
}

fn granted(code: &SubscribeReasonCode) -> Result<Qos, String> {
    match code {
        SubscribeReasonCode::Success(QoS::AtMostOnce) => Ok(Qos::AtMostOnce),
        SubscribeReasonCode::Success(_) => Ok(Qos::AtLeastOnce),
        SubscribeReasonCode::Failure => Err("refused".to_owned()),
    }
}

fn connected(connack: &ConnAck) -> Result<Event, Fault> {
    let (said, fix) = match connack.code {
        ConnectReturnCode::Success => {
            return Ok(Event::Connected(Welcome::plain(connack.session_present)));
        }
        ConnectReturnCode::BadUserNamePassword => BAD_LOGIN,
        ConnectReturnCode::NotAuthorized => NOT_AUTHORISED,
        ConnectReturnCode::BadClientId => {
            ("the broker does not accept mqtt.client_id as a client id", None)
        }
        ConnectReturnCode::RefusedProtocolVersion => {
            ("the broker does not speak MQTT 3.1.1", Some("set mqtt.version = 5"))
        }
        ConnectReturnCode::ServiceUnavailable => {
            ("the broker refuses the connection: ServiceUnavailable", None)
        }
    };
    Err(Fault::refusal(said, fix))
}
