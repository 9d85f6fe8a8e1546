//! The configuration as the stages rely on it: every value checked, every default filled in.
//!
//! `file` is the configuration as written, `check` turns one into the other and reports every
//! fault it finds: with its key, its value, what is allowed, and its line.
//!
//! What the operator wrote is never bent: two settings that contradict each other are a fault.
//! Where only one of them was written, the other, our guess, gives way.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use credentials::{Credentials, KeySource, Role};
pub use fault::{Fault, Faults};
pub use network::{Network, Proxy, ProxyServer};
pub use storage::{CatchUp, DeadLetter, LetterStream, Spool, SpoolMode, SpoolSync, WhenFull};
pub use stream::{APART, Partitioning, Route, Stream, StreamTarget, Streams, label_of};

mod check;
mod credentials;
mod fault;
mod file;
mod memory;
mod network;
mod storage;
mod stream;

/// Everything `tidegate run` needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where dead letters and what the gateway must remember between runs live.
    pub state_dir: PathBuf,
    /// Ceiling over everything held in memory for the streams, in bytes. Holds the requests in
    /// flight, and for each connection what it holds unsettled and the packet that it reads.
    pub memory_bytes_max: usize,
    /// How much order is kept.
    pub order: Order,
    /// The broker.
    pub mqtt: Mqtt,
    /// How payloads become records.
    pub records: Records,
    /// The streams.
    pub streams: Streams,
    /// When a batch leaves.
    pub batch: Batch,
    /// What the stream was planned for.
    pub plan: Plan,
    /// What is shown to whoever asks.
    pub metrics: Metrics,
    /// What waits on disk.
    pub spool: Spool,
    /// What cannot be sent.
    pub dead_letter: DeadLetter,
    /// How long a stop may take before what is unsettled is left to the broker.
    pub drain_max: Duration,
}

/// How much order is kept among the records of one partition key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One request in flight a key, several of its records in it while its shard refuses none.
    Device,
    /// One record in flight a key.
    Strict,
    /// No gates.
    None,
}

/// The `[mqtt]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct Mqtt {
    /// Where the broker is and how it is spoken to.
    pub broker: Broker,
    /// Fixed: the broker keeps our session under it. Lanes beyond the first append `-2`, `-3`, ….
    pub client_id: String,
    /// The filters of each connection. At least one lane, each with at least one filter.
    pub lanes: Vec<Vec<Subscription>>,
    /// The group of `$share/<group>/<filter>`, when subscriptions are shared.
    pub share_group: Option<String>,
    /// The protocol.
    pub version: MqttVersion,
    /// User name and password.
    pub login: Option<Login>,
    /// How long the broker keeps the session of an absent gateway (MQTT 5). Zero, which is never
    /// configured, ends it with the connection, in either version: for who only looks on.
    pub session_expiry: Duration,
    /// How many unacknowledged publishes the broker may have with us. MQTT 5 tells it so; more than
    /// that is not read.
    pub receive_maximum: u16,
    /// Largest packet accepted from the broker, in bytes.
    pub packet_bytes_max: u32,
    /// Longest silence on the connection.
    pub keep_alive: Duration,
    /// Longest wait for TCP, TLS and CONNACK together.
    pub connect_timeout: Duration,
    /// First and longest pause before a reconnect; the first is not the longer one.
    pub reconnect: (Duration, Duration),
    /// What becomes of messages that the broker retained.
    pub retained: Retained,
    /// Whether `tidegate/<client_id>/status` is published, retained, with a last will.
    pub status_topic: bool,
}

/// Where the broker is and how it is spoken to.
#[derive(Debug, Clone, PartialEq)]
pub struct Broker {
    /// Host name or address, as certificates name it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The path of a WebSocket URL, with its leading slash; `None` for plain MQTT.
    pub websocket_path: Option<String>,
    /// TLS, when the URL says `mqtts` or `wss`.
    pub tls: Option<Tls>,
}

impl Mqtt {
    /// The client id of the lane `index`, counted from 0.
    #[must_use]
    pub fn lane_client_id(&self, index: usize) -> String {
        match index {
            0 => self.client_id.clone(),
            _ => format!("{}-{}", self.client_id, index + 1),
        }
    }
}

/// The `[mqtt.tls]` table. Files are read at start and at every reconnect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tls {
    /// PEM file of the authorities that may vouch for the broker; the platform's when absent.
    pub ca_file: Option<PathBuf>,
    /// PEM files of our certificate chain and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// One topic filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The filter, without `$share`.
    pub filter: String,
    /// Its quality of service.
    pub qos: Qos,
}

/// The quality of service of a subscription. QoS 2 is a fault: the client library forgets incoming
/// QoS 2 state on a reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qos {
    /// Fire and forget.
    AtMostOnce,
    /// Acknowledged.
    AtLeastOnce,
}

/// The MQTT protocol spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MqttVersion {
    /// 3.1.1.
    V3,
    /// 5.
    V5,
}

/// User name and where the password is.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// Where the password is. Read at every connect, so that it can change.
    pub password: Option<Password>,
}

/// Where a password is: never in the configuration itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Password {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// What becomes of messages that the broker retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retained {
    /// They are readings like any other.
    Deliver,
    /// They are acknowledged and dropped, counted.
    Skip,
}

/// How payloads become records.
#[derive(Debug, Clone, PartialEq)]
pub struct Records {
    /// The shape of what is sent.
    pub format: Format,
    /// Whether each record ends in a newline.
    pub newline: bool,
    /// A topic template such as `sites/{site}/devices/{dev}/telemetry`. `{dev}`, `{tenant}` and
    /// `{type}` name fields of the record, any other name is a wildcard that must match one level,
    /// `+` and `#` match as in a filter. Topics that do not match keep the topic as the device.
    pub topic_template: Option<String>,
    /// JSON Pointer (RFC 6901) to the device in the payload; wins over the topic.
    pub device_pointer: Option<String>,
    /// JSON Pointer to the tenant in the payload; wins over the topic.
    pub tenant_pointer: Option<String>,
    /// JSON Pointers to the device's time, tried in this order; `/ts`, `/time`, `/timestamp` unless
    /// said otherwise.
    pub time_pointers: Vec<String>,
    /// JSON Pointer to the device's sequence number; `/seq` unless said otherwise.
    pub sequence_pointer: Option<String>,
    /// What becomes of leaves without a rule.
    pub unmapped: Unmapped,
    /// Rules, the first whose filter matches the topic holds for a payload.
    pub mappings: Vec<Mapping>,
}

/// The shape of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One canonical JSON object a record.
    Canonical,
    /// The payload as it came.
    Raw,
}

/// What becomes of leaves without a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmapped {
    /// Each scalar leaf becomes a measurement named by its path in snake_case; arrays are kept
    /// under `x`.
    Measure,
    /// Everything is kept under `x` as it came.
    Keep,
    /// Dropped.
    Drop,
}

/// Mapping rules for the topics that match a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// MQTT topic filter.
    pub filter: String,
    /// What is taken from the payload.
    pub fields: Vec<FieldRule>,
}

/// Makes a measurement of one leaf: `value × scale + offset`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRule {
    /// JSON Pointer (RFC 6901) of the leaf; empty for the whole payload.
    pub pointer: String,
    /// Name of the measurement, lower snake_case.
    pub name: String,
    /// Channel, where one device measures the same quantity several times.
    pub channel: Option<u32>,
    /// Unit code of the SenML registry (RFC 8428, RFC 8798).
    pub unit: Option<String>,
    /// Factor, 1 unless said.
    pub scale: f64,
    /// Added after scaling, 0 unless said.
    pub offset: f64,
    /// The slot the value goes to; by the JSON type unless said.
    pub kind: Option<Kind>,
}

/// The value slots of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `v`, a number; numbers in quotes are read.
    Number,
    /// `b`, a boolean; 0, 1, "true", "false", "on", "off" are read.
    Boolean,
    /// `s`, a string; numbers and booleans are written out.
    Text,
}

/// When a batch leaves: whichever comes first.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Longest wait of the first record.
    pub linger: Duration,
    /// Most records in one call.
    pub records_max: usize,
    /// Most bytes in one call, data and partition keys.
    pub bytes_max: usize,
}

/// The `[pace]` table, with what `[stream.pace]` says of one stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    /// What the pace goes by.
    pub mode: PaceMode,
    /// How many gateways share the stream, when known.
    pub instances: Option<u32>,
    /// The part of a shard's limit that is used when this gateway is alone (`instances = 1`).
    pub fraction: f64,
}

/// What the pace goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaceMode {
    /// Limits per shard; feedback alone while the shards are unknown, or mean nothing to a key.
    Shards,
    /// Refusals alone.
    Feedback,
    /// Nothing holds back.
    Off,
}

/// The `[plan]` table. Nothing is held back by it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The part of a shard's limits that there should be to send to it at most. Above 0, at most the
    /// part that is used (`pace.fraction`).
    pub target: f64,
    /// How long a plan must not hold before that is told.
    pub warn_after: Duration,
}

/// The `[metrics]` table.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// Where they are served; nowhere when absent.
    pub listen: Option<SocketAddr>,
    /// How many of the hottest partition keys are named, in metrics and warnings.
    pub hottest_keys: usize,
}
