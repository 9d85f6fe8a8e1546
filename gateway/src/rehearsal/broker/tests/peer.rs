//! rumqttc's clients for both protocol levels behind one face.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a peer hears some packets and ignores the rest"
)]

use std::time::Duration;

use rumqttc::v5::mqttbytes::v5::{Packet as Packet5, SubscribeReasonCode as Code5};
use rumqttc::{Packet as Packet3, SubscribeReasonCode as Code3, v5};

use super::super::{Broker, Publish};
use super::within;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    V3,
    V5,
}

pub(super) const BOTH: [Speaks; 2] = [Speaks::V3, Speaks::V5];

/// How a peer connects.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) clean: bool,
    pub(super) window: Option<u16>,
    pub(super) will: Option<(&'static str, &'static str)>,
    pub(super) login: Option<(&'static str, &'static str)>,
    pub(super) keep_alive: Duration,
}

impl Default for Wish {
    fn default() -> Self {
        let keep_alive = Duration::from_secs(60);
        Self { clean: false, window: None, will: None, login: None, keep_alive }
    }
}

/// What a peer was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Connected { session_present: bool },
    Subscribed(Vec<bool>),
    Publish { topic: Vec<u8>, payload: Vec<u8>, id: u16, dup: bool, retain: bool },
    Puback,
    Unsubscribed,
    Disconnect(String),
    Closed(String),
}

pub(super) enum Peer {
    V3(rumqttc::AsyncClient, Box<rumqttc::EventLoop>),
    V5(v5::AsyncClient, Box<v5::EventLoop>),
}

impl Peer {
    /// A peer that acknowledges only when told to. It connects when first listened to.
    pub(super) fn new(speaks: Speaks, broker: &Broker, id: &str, wish: &Wish) -> Self {
        let port = broker.address().port();
        let mut network = rumqttc::NetworkOptions::new();
        network.set_tcp_nodelay(true);
        match speaks {
            Speaks::V3 => {
                let mut options = rumqttc::MqttOptions::new(id, "127.0.0.1", port);
                options.set_clean_session(wish.clean).set_manual_acks(true);
                options.set_keep_alive(wish.keep_alive);
                options.set_max_packet_size(1 << 24, 1 << 24);
                if let Some((topic, payload)) = wish.will {
                    let qos = rumqttc::QoS::AtLeastOnce;
                    options.set_last_will(rumqttc::LastWill::new(topic, payload, qos, true));
                }
                if let Some((user, password)) = wish.login {
                    options.set_credentials(user, password);
                }
                let (client, mut eventloop) = rumqttc::AsyncClient::new(options, 70_000);
                eventloop.set_network_options(network);
                Self::V3(client, Box::new(eventloop))
            }
            Speaks::V5 => {
                let mut options = v5::MqttOptions::new(id, "127.0.0.1", port);
                options.set_clean_start(wish.clean).set_manual_acks(true);
                options.set_session_expiry_interval(Some(if wish.clean { 0 } else { 3600 }));
                options.set_receive_maximum(wish.window);
                options.set_keep_alive(wish.keep_alive).set_network_options(network);
                if let Some((topic, payload)) = wish.will {
                    let qos = v5::mqttbytes::QoS::AtLeastOnce;
                    let will = v5::mqttbytes::v5::LastWill::new(topic, payload, qos, true, None);
                    options.set_last_will(will);
                }
                if let Some((user, password)) = wish.login {
                    options.set_credentials(user, password);
                }
                let (client, eventloop) = v5::AsyncClient::new(options, 70_000);
                Self::V5(client, Box::new(eventloop))
            }
        }
    }

    /// Connects and tells whether the session went on.
    pub(super) async fn connect(&mut self) -> bool {
        loop {
            if let Heard::Connected { session_present } = self.hear().await {
                return session_present;
            }
        }
    }

    /// A peer that is connected and subscribed at QoS 1.
    pub(super) async fn subscribed(
        speaks: Speaks,
        broker: &Broker,
        (id, filter): (&str, &str),
        wish: &Wish,
    ) -> Self {
        let mut peer = Self::new(speaks, broker, id, wish);
        peer.connect().await;
        assert_eq!(peer.subscribe(filter).await, [true]);
        peer
    }

    /// Subscribes at QoS 1.
    pub(super) async fn subscribe(&mut self, filter: &str) -> Vec<bool> {
        match self {
            Self::V3(client, _) => client.try_subscribe(filter, rumqttc::QoS::AtLeastOnce).unwrap(),
            Self::V5(client, _) => {
                client.try_subscribe(filter, v5::mqttbytes::QoS::AtLeastOnce).unwrap();
            }
        }
        loop {
            if let Heard::Subscribed(granted) = self.hear().await {
                return granted;
            }
        }
    }

    pub(super) fn publish(&self, topic: &str, payload: impl Into<Vec<u8>>, retain: bool) {
        match self {
            Self::V3(client, _) => {
                client.try_publish(topic, rumqttc::QoS::AtLeastOnce, retain, payload).unwrap();
            }
            Self::V5(client, _) => {
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                client.try_publish(topic, qos, retain, payload.into()).unwrap();
            }
        }
    }

    pub(super) fn acknowledge(&self, id: u16) {
        match self {
            Self::V3(client, _) => {
                let mut publish = rumqttc::Publish::new("", rumqttc::QoS::AtLeastOnce, "");
                publish.pkid = id;
                client.try_ack(&publish).unwrap();
            }
            Self::V5(client, _) => {
                let qos = v5::mqttbytes::QoS::AtLeastOnce;
                let mut publish = v5::mqttbytes::v5::Publish::new("", qos, "", None);
                publish.pkid = id;
                client.try_ack(&publish).unwrap();
            }
        }
    }

    pub(super) fn unsubscribe(&self, filter: &str) {
        match self {
            Self::V3(client, _) => client.try_unsubscribe(filter).unwrap(),
            Self::V5(client, _) => client.try_unsubscribe(filter).unwrap(),
        }
    }

    /// Says goodbye and waits for the connection to end.
    pub(super) async fn disconnect(&mut self) {
        match self {
            Self::V3(client, _) => client.try_disconnect().unwrap(),
            Self::V5(client, _) => client.try_disconnect().unwrap(),
        }
        while !matches!(self.hear().await, Heard::Closed(_)) {}
    }

    /// The next thing the broker says.
    pub(super) async fn hear(&mut self) -> Heard {
        // Boxed: a poll of rumqttc's is a large future.
        within(Box::pin(async {
            loop {
                let heard = match self {
                    Self::V3(_, eventloop) => hear_v3(eventloop).await,
                    Self::V5(_, eventloop) => hear_v5(eventloop).await,
                };
                if let Some(heard) = heard {
                    return heard;
                }
            }
        }))
        .await
    }

    /// The next publish, whatever else is said before.
    pub(super) async fn take(&mut self) -> Heard {
        loop {
            let heard = self.hear().await;
            match heard {
                Heard::Publish { .. } => return heard,
                Heard::Closed(reason) => panic!("closed: {reason}"),
                _ => {}
            }
        }
    }

    /// The payload of the next publish, acknowledged.
    pub(super) async fn text(&mut self) -> String {
        let Heard::Publish { payload, id, .. } = self.take().await else { unreachable!() };
        if id > 0 {
            self.acknowledge(id);
        }
        String::from_utf8(payload).unwrap()
    }

    /// Listens as long as anything more is said within 100 ms.
    pub(super) async fn silence(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        while let Ok(more) = tokio::time::timeout(Duration::from_millis(100), self.hear()).await {
            heard.push(more);
        }
        heard
    }
}

async fn hear_v3(eventloop: &mut rumqttc::EventLoop) -> Option<Heard> {
    let event = match eventloop.poll().await {
        Ok(event) => event,
        Err(error) => {
            eventloop.state.events.clear();
            return Some(Heard::Closed(error.to_string()));
        }
    };
    let rumqttc::Event::Incoming(packet) = event else { return None };
    Some(match packet {
        Packet3::ConnAck(it) => Heard::Connected { session_present: it.session_present },
        Packet3::SubAck(it) => {
            let good = |code: &Code3| matches!(code, Code3::Success(_));
            Heard::Subscribed(it.return_codes.iter().map(good).collect())
        }
        Packet3::Publish(it) => Heard::Publish {
            topic: it.topic.into_bytes(),
            payload: it.payload.to_vec(),
            id: it.pkid,
            dup: it.dup,
            retain: it.retain,
        },
        Packet3::PubAck(_) => Heard::Puback,
        Packet3::UnsubAck(_) => Heard::Unsubscribed,
        _ => return None,
    })
}

async fn hear_v5(eventloop: &mut v5::EventLoop) -> Option<Heard> {
    let event = match eventloop.poll().await {
        Ok(event) => event,
        Err(error) => {
            eventloop.state.events.clear();
            return Some(Heard::Closed(error.to_string()));
        }
    };
    let v5::Event::Incoming(packet) = event else { return None };
    Some(match packet {
        Packet5::ConnAck(it) => Heard::Connected { session_present: it.session_present },
        Packet5::SubAck(it) => {
            let good = |code: &Code5| matches!(code, Code5::Success(_));
            Heard::Subscribed(it.return_codes.iter().map(good).collect())
        }
        Packet5::Publish(it) => Heard::Publish {
            topic: it.topic.to_vec(),
            payload: it.payload.to_vec(),
            id: it.pkid,
            dup: it.dup,
            retain: it.retain,
        },
        Packet5::PubAck(_) => Heard::Puback,
        Packet5::UnsubAck(_) => Heard::Unsubscribed,
        Packet5::Disconnect(it) => Heard::Disconnect(format!("{:?}", it.reason_code)),
        _ => return None,
    })
}

/// Takes publishes and acknowledges each.
pub(crate) struct Watcher(Peer);

impl Watcher {
    pub(crate) async fn subscribe(broker: &Broker, filter: &str) -> Self {
        let wish = Wish { window: Some(1000), ..Wish::default() };
        Self(Peer::subscribed(Speaks::V5, broker, ("watcher", filter), &wish).await)
    }

    pub(crate) async fn take(mut self, count: usize) -> Vec<Publish> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.push(self.next().await);
        }
        taken
    }

    /// The next publish, over any number of connections.
    pub(crate) async fn next(&mut self) -> Publish {
        loop {
            if let Heard::Publish { topic, payload, id, .. } = self.0.hear().await {
                self.0.acknowledge(id);
                return Publish::new(topic, payload);
            }
        }
    }
}
