//! The MQTT side of the load: sessions to queue for, and readings.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rumqttc::NetworkOptions;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::time::{Instant, sleep_until};

use crate::reading::{FILTER, reading, topic};

/// How many publishes the broker may have with a client that are not acknowledged.
pub(crate) const RECEIVE_MAXIMUM: u16 = 1000;
/// How long the broker remembers a session.
const SESSION_S: u32 = 3600;
/// Publishes between the publisher and its connection.
const REQUESTS: usize = 1000;

/// When readings are published.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tempo {
    /// As fast as they go.
    Flood,
    /// So many a second, evenly.
    PerSecond(u64),
}

/// A connection with a session that outlives it.
pub(crate) fn open(port: u16, client_id: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", port);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    options
        .set_network_options(network)
        .set_keep_alive(Duration::from_secs(30))
        .set_clean_start(false)
        .set_session_expiry_interval(Some(SESSION_S))
        .set_receive_maximum(Some(RECEIVE_MAXIMUM));
    AsyncClient::new(options, REQUESTS)
}

/// Subscribes as `client_id` and leaves: from now on the broker queues for it.
pub(crate) async fn reserve(port: u16, client_id: &str) -> Result<()> {
    let (client, mut events) = open(port, client_id);
    client.subscribe(FILTER, QoS::AtLeastOnce).await?;
    while !matches!(events.poll().await?, Event::Incoming(Packet::SubAck(_))) {}
    client.disconnect().await?;
    while events.poll().await.is_ok() {}
    Ok(())
}

/// Publishes readings number 0 to `count` and waits until the broker has them.
pub(crate) async fn publish(port: u16, count: u64, tempo: Tempo) -> Result<()> {
    let (client, mut events) = open(port, "bench-load");
    let publish = async {
        let start = now();
        for n in 0..count {
            if let Tempo::PerSecond(per_s) = tempo {
                sleep_until(start + Duration::from_micros(n * 1_000_000 / per_s)).await;
            }
            client.publish(topic(n), QoS::AtLeastOnce, false, reading(n, unix_ms())).await?;
        }
        anyhow::Ok(())
    };
    let poll = async {
        let mut missing = count;
        while missing > 0 {
            if let Event::Incoming(Packet::PubAck(_)) = events.poll().await? {
                missing -= 1;
            }
        }
        anyhow::Ok(())
    };
    tokio::try_join!(publish, poll).context("cannot publish")?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the load is paced by the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "devices have clocks")]
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
