//! MQTT 3.1.1.

use rumqttc::{
    AsyncClient, ConnectReturnCode, ConnectionError, EventLoop, LastWill, MqttOptions,
    NetworkOptions, Outgoing, Packet, Publish, QoS, SubscribeFilter, SubscribeReasonCode,
    Transport,
};

use crate::config::{Mqtt, Qos, Subscription};
use crate::limits::{MQTT_PUBLISHES_IN_FLIGHT_MAX, MQTT_REQUESTS_MAX};
use crate::telemetry::causes;

use super::{Connection, Delivery, Event, Fault, Fresh, OFFLINE, Requests, overflow, transport};

pub(super) const BAD_LOGIN: &str = "the broker refuses user name or password: check \
     mqtt.username and mqtt.password_file or mqtt.password_env";
pub(super) const NOT_AUTHORISED: &str = "the broker does not authorise this client: check \
     mqtt.username and its password, and the broker's access list for mqtt.client_id";
pub(super) const TAKEN_OVER: &str = "another client connected with our client id: give each \
     gateway its own mqtt.client_id";

/// A connection of protocol version 3.1.1.
pub(super) struct V3(EventLoop);

/// Its request queue.
pub(super) struct V3Requests {
    client: AsyncClient,
    /// The packet to acknowledge: only its identifier is looked at.
    acknowledged: Publish,
}

pub(super) fn open(mqtt: &Mqtt, client_id: &str, status_topic: Option<&str>) -> (V3, V3Requests) {
    let (address, port) = transport::address(&mqtt.broker);
    let bytes_max = usize::try_from(mqtt.packet_bytes_max).unwrap_or(usize::MAX);
    let mut options = MqttOptions::new(client_id, address, port);
    options
        .set_transport(transport::plain(&mqtt.broker))
        .set_keep_alive(mqtt.keep_alive)
        .set_clean_session(false)
        .set_max_packet_size(bytes_max, bytes_max)
        .set_inflight(MQTT_PUBLISHES_IN_FLIGHT_MAX)
        .set_manual_acks(true);
    if let Some(topic) = status_topic {
        options.set_last_will(LastWill::new(topic, OFFLINE, QoS::AtLeastOnce, true));
    }
    let (client, mut event_loop) = AsyncClient::new(options, MQTT_REQUESTS_MAX);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(mqtt.connect_timeout.as_secs());
    event_loop.set_network_options(network);
    let acknowledged = Publish::new("", QoS::AtLeastOnce, Vec::new());
    (V3(event_loop), V3Requests { client, acknowledged })
}

impl Connection for V3 {
    type Requests = V3Requests;

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
            self.0.mqtt_options.set_credentials(username, password);
        }
        if let Some(tls) = fresh.tls {
            let current = self.0.mqtt_options.transport();
            let websocket = matches!(current, Transport::Ws | Transport::Wss(_));
            self.0.mqtt_options.set_transport(transport::encrypted(websocket, tls));
        }
    }
}

impl Requests for V3Requests {
    fn acknowledge(&mut self, packet_id: u16) {
        self.acknowledged.pkid = packet_id;
        if self.client.try_ack(&self.acknowledged).is_err() {
            overflow("PUBACK");
        }
    }

    fn subscribe(&self, filters: &[Subscription]) {
        let filters = filters.iter().map(|subscription| {
            SubscribeFilter::new(subscription.filter.clone(), qos(subscription.qos))
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

fn event(event: rumqttc::Event) -> Event {
    let packet = match event {
        rumqttc::Event::Incoming(packet) => packet,
        rumqttc::Event::Outgoing(Outgoing::PubAck(_)) => return Event::AckWritten,
        rumqttc::Event::Outgoing(_) => return Event::Other,
    };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library deals with the other packets")]
    match packet {
        Packet::Publish(publish) => Event::Publish(Delivery {
            topic: publish.topic.into(),
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
    match code {
        SubscribeReasonCode::Success(QoS::AtMostOnce) => Ok(Qos::AtMostOnce),
        SubscribeReasonCode::Success(_) => Ok(Qos::AtLeastOnce),
        SubscribeReasonCode::Failure => Err("refused".to_owned()),
    }
}

fn fault(error: &ConnectionError) -> Fault {
    let ConnectionError::ConnectionRefused(code) = error else {
        return Fault { refused: false, detail: causes(error) };
    };
    let detail = match code {
        ConnectReturnCode::BadUserNamePassword => BAD_LOGIN.to_owned(),
        ConnectReturnCode::NotAuthorized => NOT_AUTHORISED.to_owned(),
        ConnectReturnCode::BadClientId => {
            "the broker does not accept mqtt.client_id as a client id".to_owned()
        }
        ConnectReturnCode::RefusedProtocolVersion => {
            "the broker does not speak MQTT 3.1.1: set mqtt.version = 5".to_owned()
        }
        ConnectReturnCode::ServiceUnavailable | ConnectReturnCode::Success => {
            format!("the broker refuses the connection: {code:?}")
        }
    };
    Fault { refused: true, detail }
}
