//! MQTT 5.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode, DisconnectReasonCode, Filter, LastWill, Packet, Publish, RetainForwardRule,
    SubscribeReasonCode,
};
use rumqttc::v5::{self, AsyncClient, ConnectionError, EventLoop, MqttOptions, StateError};
use rumqttc::{NetworkOptions, Outgoing, Transport};

use crate::config::{Mqtt, Qos, Retained, Subscription};
use crate::limits::{MQTT_PUBLISHES_IN_FLIGHT_MAX, MQTT_REQUESTS_MAX};
use crate::telemetry::causes;

use super::{
    Connection, Delivery, Event, Fault, Fresh, OFFLINE, Requests, overflow, transport, v3,
};

/// A connection of protocol version 5.
pub(super) struct V5(EventLoop);

/// Its request queue.
pub(super) struct V5Requests {
    client: AsyncClient,
    retain_rule: RetainForwardRule,
    /// The packet to acknowledge: only its identifier is looked at.
    acknowledged: Publish,
}

pub(super) fn open(mqtt: &Mqtt, client_id: &str, status_topic: Option<&str>) -> (V5, V5Requests) {
    let (address, port) = transport::address(&mqtt.broker);
    let mut options = MqttOptions::new(client_id, address, port);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    let expiry_s = u32::try_from(mqtt.session_expiry.as_secs()).unwrap_or(u32::MAX);
    options
        .set_network_options(network)
        .set_transport(transport::plain(&mqtt.broker))
        .set_keep_alive(mqtt.keep_alive)
        .set_connection_timeout(mqtt.connect_timeout.as_secs())
        .set_clean_start(false)
        .set_session_expiry_interval(Some(expiry_s))
        .set_receive_maximum(Some(mqtt.receive_maximum))
        .set_max_packet_size(Some(mqtt.packet_bytes_max))
        .set_outgoing_inflight_upper_limit(MQTT_PUBLISHES_IN_FLIGHT_MAX)
        .set_manual_acks(true);
    if let Some(topic) = status_topic {
        options.set_last_will(LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true, None));
    }
    let (client, event_loop) = AsyncClient::new(options, MQTT_REQUESTS_MAX);
    let retain_rule = match mqtt.retained {
        Retained::Deliver => RetainForwardRule::OnNewSubscribe,
        Retained::Skip => RetainForwardRule::Never,
    };
    let acknowledged = Publish { qos: QoS::AtLeastOnce, ..Publish::default() };
    (V5(event_loop), V5Requests { client, retain_rule, acknowledged })
}

impl Connection for V5 {
    type Requests = V5Requests;

    async fn poll(&mut self) -> Result<Event, Fault> {
        self.0.poll().await.map(event).map_err(|error| fault(&error))
    }

    fn buffered(&mut self) -> Option<Event> {
        self.0.state.events.pop_front().map(event)
    }

    fn hang_up(&mut self) {
        self.0.clean();
        self.0.state.events.clear();
    }

    fn prepare(&mut self, fresh: Fresh) {
        if let Some((username, password)) = fresh.login {
            self.0.options.set_credentials(username, password);
        }
        if let Some(tls) = fresh.tls {
            let websocket = matches!(self.0.options.transport(), Transport::Ws | Transport::Wss(_));
            self.0.options.set_transport(transport::encrypted(websocket, tls));
        }
    }
}

impl Requests for V5Requests {
    fn acknowledge(&mut self, packet_id: u16) {
        self.acknowledged.pkid = packet_id;
        if self.client.try_ack(&self.acknowledged).is_err() {
            overflow("PUBACK");
        }
    }

    fn subscribe(&self, filters: &[Subscription]) {
        let filters = filters.iter().map(|subscription| Filter {
            retain_forward_rule: self.retain_rule.clone(),
            ..Filter::new(&subscription.filter, qos(subscription.qos))
        });
        if self.client.try_subscribe_many(filters).is_err() {
            overflow("SUBSCRIBE");
        }
    }

    fn unsubscribe(&self, filter: &str) {
        if self.client.try_unsubscribe(filter).is_err() {
            overflow("UNSUBSCRIBE");
        }
    }

    fn publish_retained(&self, topic: &str, payload: &'static str) {
        if self.client.try_publish(topic, QoS::AtLeastOnce, true, payload).is_err() {
            overflow("PUBLISH");
        }
    }

    fn disconnect(&self) {
        if self.client.try_disconnect().is_err() {
            overflow("DISCONNECT");
        }
    }
}

fn qos(qos: Qos) -> QoS {
    match qos {
        Qos::AtMostOnce => QoS::AtMostOnce,
        Qos::AtLeastOnce => QoS::AtLeastOnce,
    }
}

fn event(event: v5::Event) -> Event {
    let packet = match event {
        v5::Event::Incoming(packet) => packet,
        v5::Event::Outgoing(Outgoing::PubAck(_)) => return Event::AckWritten,
        v5::Event::Outgoing(_) => return Event::Other,
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library deals with the other packets")]
    match packet {
        Packet::Publish(publish) => Event::Publish(Delivery {
            topic: publish.topic,
            payload: publish.payload,
            packet_id: publish.pkid,
            dup: publish.dup,
            retain: publish.retain,
        }),
        Packet::ConnAck(connack) => Event::Connected { session_present: connack.session_present },
        Packet::SubAck(suback) => {
            Event::Subscribed(suback.return_codes.iter().map(granted).collect())
        }
        Packet::UnsubAck(_) => Event::Unsubscribed,
        _ => Event::Other,
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

fn fault(error: &ConnectionError) -> Fault {
    let refused = |detail: String| Fault { refused: true, detail };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is said as it is")]
    match error {
        ConnectionError::ConnectionRefused(code) => match code {
            ConnectReturnCode::BadUserNamePassword => refused(v3::BAD_LOGIN.to_owned()),
            ConnectReturnCode::NotAuthorized => refused(v3::NOT_AUTHORISED.to_owned()),
            code => refused(format!("the broker refuses the connection: {code:?}")),
        },
        ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, .. }) => {
            let detail = match reason_code {
                DisconnectReasonCode::SessionTakenOver => v3::TAKEN_OVER.to_owned(),
                code => format!("the broker closed the connection: {code:?}"),
            };
            refused(detail)
        }
        other => Fault { refused: false, detail: causes(other) },
    }
}
