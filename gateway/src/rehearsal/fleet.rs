//! A synthetic fleet: devices that publish believable readings at an even pace, numbered so that a
//! checker can tell what was lost, repeated or out of order.

mod lane;
mod reading;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use self::lane::Lane;
pub use self::reading::{READING_BYTES_MIN, reading};

/// How long the broker may take to acknowledge what was published last.
const PATIENCE: Duration = Duration::from_secs(30);
/// Devices of one site.
const SITE_DEVICES: usize = 50;

/// What the fleet is to do. Publish number `k` is due `k ÷ rate` seconds after the start; the
/// devices take turns, and each one numbers its readings from 0.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// How many devices. At least 1.
    pub devices: usize,
    /// Readings a second, of all devices together. At least 1.
    pub rate_per_s: u32,
    /// For how long.
    pub seconds: u32,
    /// The size of a reading, at least [`READING_BYTES_MIN`].
    pub record_bytes: usize,
    /// Chooses all values.
    pub seed: u64,
    /// Where to publish; `{site}` and `{dev}` stand for the names.
    pub topic: String,
    /// How many connections share the devices. A device keeps to one, so that its order holds.
    pub connections: usize,
    /// User name and password, if the broker wants them.
    pub login: Option<(String, String)>,
}

impl Default for Fleet {
    /// 200 devices that send 1,000 readings of 1 KiB a second for 15 s over 4 connections.
    fn default() -> Self {
        Self {
            devices: 200,
            rate_per_s: 1000,
            seconds: 15,
            record_bytes: 1024,
            seed: 1,
            topic: "sites/{site}/devices/{dev}/telemetry".to_owned(),
            connections: 4,
            login: None,
        }
    }
}

/// How far the fleet is. May be read while it runs.
#[derive(Debug, Default)]
pub struct Progress {
    published: AtomicU64,
    acknowledged: AtomicU64,
}

impl Progress {
    /// Readings given to the MQTT client.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }

    /// Readings acknowledged by the broker.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }
}

impl Fleet {
    /// Readings of all devices together.
    #[must_use]
    pub fn readings(&self) -> u64 {
        u64::from(self.rate_per_s) * u64::from(self.seconds)
    }

    /// Readings of one device: its sequence numbers are all those below.
    #[must_use]
    pub fn readings_of(&self, device: usize) -> u64 {
        let turns = self.readings() / self.devices_u64();
        let rest = self.readings() % self.devices_u64();
        turns + u64::from(u64::try_from(device).is_ok_and(|device| device < rest))
    }

    /// Where `device` publishes.
    #[must_use]
    pub fn topic_of(&self, device: usize) -> String {
        let site = format!("site-{}", device / SITE_DEVICES);
        self.topic.replace("{site}", &site).replace("{dev}", &format!("dev-{device:05}"))
    }

    /// Publishes everything to `broker` at QoS 1, keeping `progress` up to date. Returns when the
    /// broker acknowledged all of it, or has acknowledged nothing more for 30 s; then
    /// [`Progress::acknowledged`] stays below [`Fleet::readings`]. Connects again by itself.
    pub async fn run(&self, broker: SocketAddr, progress: &Progress) {
        let lanes = (0..self.connections.clamp(1, self.devices.max(1)))
            .map(|number| Lane { fleet: self, number, broker, progress }.run());
        join_all(lanes).await;
    }

    fn devices_u64(&self) -> u64 {
        u64::try_from(self.devices.max(1)).unwrap_or(u64::MAX)
    }
}
