//! One connection of the fleet, and the devices that keep to it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join;
use rumqttc::NetworkOptions;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Fleet, PATIENCE, Progress, reading};

/// Publishes the client takes before it lets the publisher wait.
const REQUESTS: usize = 100;
/// Publishes un-acknowledged at once.
const IN_FLIGHT: u16 = 1000;
/// Also bounds how long a poll takes, and so how late the end of our patience is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// The pause before the next attempt to connect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);
/// How long the broker keeps the session, so that nothing is forgotten over a reconnect.
const SESSION_EXPIRY_S: u32 = 300;

/// One connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) number: usize,
    pub(super) broker: SocketAddr,
    pub(super) progress: &'a Progress,
}

impl Lane<'_> {
    /// Publishes all that the devices of this connection have to say.
    pub(super) async fn run(self) {
        let (client, eventloop) = AsyncClient::new(self.options(), REQUESTS);
        // When polling ends early, publishing fails and ends too.
        join(self.publish(&client), self.poll(&client, eventloop)).await;
    }

    fn options(&self) -> MqttOptions {
        let id = format!("fleet-{}-{}", self.fleet.seed, self.number);
        let (host, port) = (self.broker.ip().to_string(), self.broker.port());
        let mut options = MqttOptions::new(id, host, port);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_network_options(network)
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_start(false)
            .set_session_expiry_interval(Some(SESSION_EXPIRY_S))
            .set_outgoing_inflight_upper_limit(IN_FLIGHT);
        if let Some((user, password)) = &self.fleet.login {
            options.set_credentials(user, password);
        }
        options
    }

    /// The publishes of this connection: their number in the whole fleet, and their device.
    fn publishes(&self) -> impl Iterator<Item = (u64, usize)> {
        let lanes = self.fleet.connections.clamp(1, self.fleet.devices.max(1));
        let devices = 0..self.fleet.devices.max(1);
        let number = self.number;
        (0..self.fleet.readings()).zip(devices.cycle()).filter(move |(_, it)| it % lanes == number)
    }

    async fn publish(&self, client: &AsyncClient) {
        let fleet = self.fleet;
        let start = now();
        let topics: Vec<String> = (0..fleet.devices).map(|it| fleet.topic_of(it)).collect();
        for (publish, device) in self.publishes() {
            let Some(topic) = topics.get(device) else { return };
            let due_us = publish.saturating_mul(1_000_000) / u64::from(fleet.rate_per_s.max(1));
            sleep_until(start + Duration::from_micros(due_us)).await;
            let sequence = publish / fleet.devices_u64();
            let payload = reading(device, sequence, now_ms(), fleet.record_bytes, fleet.seed);
            if client.publish(topic, QoS::AtLeastOnce, false, payload).await.is_err() {
                return;
            }
            self.progress.published.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Drives the connection until all is acknowledged or our patience is at its end.
    async fn poll(&self, client: &AsyncClient, mut eventloop: EventLoop) {
        let mut missing = self.publishes().count();
        let mut heard = now();
        while missing > 0 && heard.elapsed() < PATIENCE {
            match eventloop.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => {
                    missing -= 1;
                    heard = now();
                    self.progress.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, lane = self.number, "fleet lost its connection");
                    sleep(RECONNECT_PAUSE).await;
                }
            }
        }
        if client.try_disconnect().is_ok() {
            let gone = |event| matches!(event, Ok(Event::Outgoing(Outgoing::Disconnect)) | Err(_));
            while !gone(eventloop.poll().await) {}
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the fleet paces itself by the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970: what a device's clock says.
#[expect(clippy::disallowed_methods, reason = "the devices of the fleet have clocks")]
fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
