//! One connection of a fleet, and the devices that keep to it.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join;
use rumqttc::NetworkOptions;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::time::{Instant, sleep, sleep_until};

use super::{Connections, PATIENCE, Progress, Script};

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
#[derive(Debug)]
pub(super) struct Lane<'a, S> {
    pub(super) script: &'a S,
    pub(super) connections: &'a Connections,
    pub(super) number: usize,
    pub(super) start: Instant,
    pub(super) progress: &'a Progress,
    /// Publishes given to the client, and whether that was all.
    pub(super) published: Cell<u64>,
    pub(super) all: Cell<bool>,
}

impl<S: Script> Lane<'_, S> {
    /// Publishes all that the devices of this connection have to say.
    pub(super) async fn run(self) {
        let (client, eventloop) = AsyncClient::new(self.options(), REQUESTS);
        // When polling ends early, publishing fails and ends too.
        join(self.publish(&client), self.poll(&client, eventloop)).await;
    }

    fn options(&self) -> MqttOptions {
        let Connections { broker, client_id, login, .. } = self.connections;
        let (host, port) = (broker.ip().to_string(), broker.port());
        let mut options = MqttOptions::new(format!("{client_id}-{}", self.number), host, port);
        let mut network = NetworkOptions::new();
        network.set_tcp_nodelay(true);
        options
            .set_network_options(network)
            .set_keep_alive(KEEP_ALIVE)
            .set_clean_start(false)
            .set_session_expiry_interval(Some(SESSION_EXPIRY_S))
            .set_outgoing_inflight_upper_limit(IN_FLIGHT);
        if let Some((user, password)) = login {
            options.set_credentials(user, password);
        }
        options
    }

    async fn publish(&self, client: &AsyncClient) {
        let script = self.script;
        let topics: Vec<String> = (0..script.devices()).map(|it| script.topic_of(it)).collect();
        for turn in script.turns(self.number, self.connections.count) {
            let Some(topic) = topics.get(turn.device) else { return };
            sleep_until(self.start + turn.due).await;
            let payload = script.payload(turn, now_ms());
            if client.publish(topic, QoS::AtLeastOnce, false, payload).await.is_err() {
                return;
            }
            self.published.set(self.published.get() + 1);
            self.progress.published.fetch_add(1, Ordering::Relaxed);
            let lags = now() > self.start + turn.due + self.progress.lag_max;
            self.progress.lagged.fetch_add(u64::from(lags), Ordering::Relaxed);
        }
        self.all.set(true);
    }

    /// Drives the connection until all is acknowledged or our patience is at its end.
    async fn poll(&self, client: &AsyncClient, mut eventloop: EventLoop) {
        let mut acknowledged = 0;
        let mut heard = now();
        while !(self.all.get() && acknowledged == self.published.get()) {
            // Nobody owes us an answer.
            if acknowledged == self.published.get() {
                heard = now();
            }
            if heard.elapsed() >= PATIENCE {
                break;
            }
            match eventloop.poll().await {
                Ok(Event::Incoming(Packet::PubAck(_))) => {
                    acknowledged += 1;
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
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970: what a device's clock says.
#[expect(clippy::disallowed_methods, reason = "the devices of the fleet have clocks")]
fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
