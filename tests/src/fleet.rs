//! Devices that publish, at QoS 1, until the broker has acknowledged everything.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, QoS};
use tokio::time::{interval, sleep};

use crate::patience::PATIENCE;
use crate::reading::Reading;

/// Publishes that may wait for their acknowledgement.
const IN_FLIGHT: u16 = 100;

/// What is published together leaves so often.
const TICK: Duration = Duration::from_millis(10);

/// Largest payload that can be published, in bytes, with room for its topic.
const PACKET_BYTES_MAX: usize = 64 << 20;

/// One PUBLISH.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to.
    pub topic: String,
    /// What.
    pub payload: Bytes,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}

impl Message {
    /// Not retained.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self { topic: topic.into(), payload: payload.into(), retain: false }
    }
}

/// A number of readings at a rate.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// So many devices take turns.
    pub devices: u64,
    /// So many readings, over all devices.
    pub readings: u64,
    /// So many a second, over all devices; a multiple of 100.
    pub per_second: u64,
    /// The first number of every device.
    pub first_seq: u64,
    /// So many bytes more than a reading needs.
    pub padding: usize,
}

impl Load {
    /// `readings` of 20 devices, at `per_second`.
    #[must_use]
    pub fn new(readings: u64, per_second: u64) -> Self {
        Self { devices: 20, readings, per_second, first_seq: 0, padding: 0 }
    }

    /// The readings, in the order of publishing.
    #[must_use]
    pub fn readings(&self) -> Vec<Reading> {
        let reading =
            |n| Reading { device: n % self.devices, seq: self.first_seq + n / self.devices };
        (0..self.readings).map(reading).collect()
    }

    /// Publishes them to the broker at `port`; returns them when all are acknowledged.
    pub async fn publish(&self, port: u16) -> Vec<Reading> {
        let readings = self.readings();
        let message =
            |reading: &Reading| Message::new(reading.topic(), reading.payload(self.padding));
        let per_tick = self.per_second / 100;
        let length = Duration::from_secs(self.readings / self.per_second);
        publish_paced(port, readings.iter().map(message), per_tick, length).await;
        readings
    }
}

/// Publishes `messages` to the broker at `port`, as fast as it acknowledges; returns when all are
/// acknowledged.
pub async fn publish(port: u16, messages: impl IntoIterator<Item = Message>) {
    publish_paced(port, messages.into_iter(), u64::from(IN_FLIGHT), Duration::ZERO).await;
}

/// Survives a broker that restarts with its sessions: what it did not acknowledge is sent again.
async fn publish_paced(
    port: u16,
    messages: impl Iterator<Item = Message>,
    per_tick: u64,
    length: Duration,
) {
    let (client, mut connection) = connect(port);
    let mut messages = messages.peekable();
    let (mut due, mut waiting) = (0, 0_usize);
    let mut tick = interval(TICK);
    let mut deadline = pin!(sleep(length + PATIENCE));
    while waiting > 0 || messages.peek().is_some() {
        let event = {
            // Pinned: a poll that is dropped forgets what it began.
            let mut poll = pin!(connection.poll());
            loop {
                tokio::select! {
                    event = &mut poll => break event,
                    _ = tick.tick() => due += per_tick,
                    () = &mut deadline => {
                        assert_eq!(waiting, 0, "publishes that the broker did not acknowledge");
                        assert!(messages.peek().is_none(), "publishes that were never sent");
                    }
                }
                while due > 0
                    && waiting < usize::from(IN_FLIGHT)
                    && let Some(Message { topic, payload, retain }) = messages.next()
                {
                    let queued = client.try_publish(topic, QoS::AtLeastOnce, retain, payload);
                    queued.expect("the queue has room for what may be in flight");
                    (due, waiting) = (due - 1, waiting + 1);
                }
            }
        };
        match event {
            Ok(Event::Incoming(Packet::PubAck(_))) => waiting -= 1,
            Ok(Event::Incoming(_) | Event::Outgoing(_)) => {}
            // The broker is gone: it may come back.
            Err(_) => sleep(TICK).await,
        }
    }
}

fn connect(port: u16) -> (AsyncClient, EventLoop) {
    let name = format!("fleet-{:016x}", fastrand::u64(..));
    let mut options = MqttOptions::new(name, "127.0.0.1", port);
    options
        .set_clean_session(false)
        .set_inflight(IN_FLIGHT)
        .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
    let (client, mut connection) = AsyncClient::new(options, usize::from(IN_FLIGHT));
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    connection.set_network_options(network);
    (client, connection)
}
