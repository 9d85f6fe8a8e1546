//! Synthetic fleets: devices that publish what a [`Script`] says, numbered so that a checker can
//! tell what was lost, repeated or out of order. [`Fleet`] publishes believable readings at an even
//! pace.

mod lane;
mod reading;

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use self::lane::Lane;
pub use self::reading::{READING_BYTES_MIN, reading};

/// How long the broker may take to acknowledge what was published last.
const PATIENCE: Duration = Duration::from_secs(30);
/// Devices of one site.
const SITE_DEVICES: usize = 50;

/// One publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// When, from the start on.
    pub due: Duration,
    /// By which device, counted from 0.
    pub device: usize,
    /// The how-manieth it is of its device, from 0.
    pub sequence: u64,
}

/// What devices publish, and when.
pub trait Script {
    /// How many devices there are.
    fn devices(&self) -> usize;
    /// Where `device` publishes.
    fn topic_of(&self, device: usize) -> String;
    /// What connection `number` of `connections` publishes, in the order in which it is due. A
    /// device keeps to one connection, so that its order holds.
    fn turns(&self, number: usize, connections: usize) -> impl Iterator<Item = Turn>;
    /// The payload of `turn`, made at `at_ms`, milliseconds since 1970.
    fn payload(&self, turn: Turn, at_ms: i64) -> Vec<u8>;
}

/// How a fleet reaches its broker.
#[derive(Debug, Clone)]
pub struct Connections {
    /// The broker.
    pub broker: SocketAddr,
    /// How many connections share the devices. At least 1.
    pub count: usize,
    /// What their client ids begin with.
    pub client_id: String,
    /// User name and password, if the broker wants them.
    pub login: Option<(String, String)>,
}

/// Publishes everything that `script` says at QoS 1, counted from `start`, keeping `progress` up to
/// date. Returns when the broker acknowledged all of it, or has acknowledged nothing more for 30 s;
/// then [`Progress::acknowledged`] stays below what was published. Connects again by itself.
pub async fn play(
    script: &impl Script,
    connections: &Connections,
    start: Instant,
    progress: &Progress,
) {
    let lane = |number| Lane {
        script,
        connections,
        number,
        start,
        progress,
        published: Cell::new(0),
        all: Cell::new(false),
    };
    join_all((0..connections.count).map(|number| lane(number).run())).await;
}

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
#[derive(Debug)]
pub struct Progress {
    lag_max: Duration,
    published: AtomicU64,
    acknowledged: AtomicU64,
    lagged: AtomicU64,
}

impl Default for Progress {
    /// Readings that are published 100 ms after they were due lag.
    fn default() -> Self {
        Self::new(Duration::from_millis(100))
    }
}

impl Progress {
    /// Nothing is published yet. Readings that are published more than `lag_max` after they were due
    /// lag.
    #[must_use]
    pub fn new(lag_max: Duration) -> Self {
        let none = || AtomicU64::new(0);
        Self { lag_max, published: none(), acknowledged: none(), lagged: none() }
    }

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

    /// Readings that lagged: more than a few mean that the machine, or the broker, is too slow for the
    /// fleet.
    #[must_use]
    pub fn lagged(&self) -> u64 {
        self.lagged.load(Ordering::Relaxed)
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

    /// Publishes everything to `broker`, as [`play`] does.
    pub async fn run(&self, broker: SocketAddr, progress: &Progress) {
        let connections = Connections {
            broker,
            count: self.connections.clamp(1, self.devices.max(1)),
            client_id: format!("fleet-{}", self.seed),
            login: self.login.clone(),
        };
        play(self, &connections, lane::now(), progress).await;
    }

    fn devices_u64(&self) -> u64 {
        u64::try_from(self.devices.max(1)).unwrap_or(u64::MAX)
    }
}

impl Script for Fleet {
    fn devices(&self) -> usize {
        self.devices.max(1)
    }

    fn topic_of(&self, device: usize) -> String {
        let site = format!("site-{}", device / SITE_DEVICES);
        self.topic.replace("{site}", &site).replace("{dev}", &format!("dev-{device:05}"))
    }

    fn turns(&self, number: usize, connections: usize) -> impl Iterator<Item = Turn> {
        let turn = |(publish, device): (u64, usize)| {
            let due_us = publish.saturating_mul(1_000_000) / u64::from(self.rate_per_s.max(1));
            let due = Duration::from_micros(due_us);
            Turn { due, device, sequence: publish / self.devices_u64() }
        };
        let ours = move |turn: &Turn| turn.device % connections == number;
        (0..self.readings()).zip((0..self.devices()).cycle()).map(turn).filter(ours)
    }

    fn payload(&self, turn: Turn, at_ms: i64) -> Vec<u8> {
        reading(turn.device, turn.sequence, at_ms, self.record_bytes, self.seed)
    }
}
