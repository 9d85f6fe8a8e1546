//! MQTT in: connections that subscribe, hand on publishes and acknowledge what is safe. The only
//! place that knows rumqttc.
//!
//! `session` is the life of one connection, `v3` and `v5` speak the two protocols, `tls` makes the
//! configuration of an encrypted one, `window` finds out how much the broker sends without being
//! acknowledged, `subscriptions` remembers what the broker was asked for.

use std::time::SystemTime;

use bytes::Bytes;

use crate::ack::Receipt;
use crate::config::{Qos, Subscription};

mod login;
mod outbox;
pub mod session;
mod subscriptions;
mod tls;
mod transport;
mod v3;
mod v5;
mod window;

pub use session::{Lane, run};

/// One MQTT PUBLISH as received.
#[derive(Debug, Clone)]
pub struct Publish {
    /// The topic it was published to. Bytes, because MQTT 5 hands it over unchecked.
    pub topic: Bytes,
    /// The payload, untouched.
    pub payload: Bytes,
    /// When it arrived, in milliseconds since 1970-01-01 UTC.
    pub rx_ts_ms: i64,
    /// What to settle once every record made of it is safe.
    pub receipt: Receipt,
}

/// What a connection hands on at once.
#[derive(Debug)]
pub struct Intake {
    /// New publishes, in the order of arrival.
    pub publishes: Vec<Publish>,
    /// The broker sends nothing more until it is acknowledged.
    pub window_exhausted: bool,
}

/// What the status topic says while the gateway is subscribed.
const ONLINE: &str = "online";
/// What it says when the gateway is gone, said by the gateway or, as its last will, by the broker.
const OFFLINE: &str = "offline";

/// What a connection tells the session.
#[derive(Debug)]
enum Event {
    Connected {
        session_present: bool,
    },
    Publish(Delivery),
    /// One entry a filter: the granted quality of service, or the reason for the refusal.
    Subscribed(Vec<Result<Qos, String>>),
    Unsubscribed,
    /// The oldest PUBACK that was asked for is on the wire.
    AckWritten,
    Other,
}

/// A PUBLISH packet, of either protocol.
#[derive(Debug)]
struct Delivery {
    topic: Bytes,
    payload: Bytes,
    /// Zero at QoS 0.
    packet_id: u16,
    dup: bool,
    retain: bool,
}

/// Why a connection ended or was not made.
#[derive(Debug)]
struct Fault {
    /// The broker does not want us: try slowly.
    refused: bool,
    detail: String,
}

/// So many brief connections in a row are no accident.
const BRIEF_CONNECTIONS: u32 = 3;

impl Fault {
    /// The same, of a connection that ended soon after its CONNACK, the `failures`th in a row.
    /// Brokers seldom say that another client took the session over, and never in 3.1.1.
    fn after_connects(mut self, failures: u32) -> Self {
        if failures >= BRIEF_CONNECTIONS && !self.refused {
            self.detail += ", soon after every connect: does another client use mqtt.client_id?";
        }
        self
    }
}

/// The event loop of one connection.
trait Connection: Send {
    type Requests: Requests;

    /// Waits for the next event; connects where there is no connection. Not to be dropped
    /// unfinished, except to end: a connect in progress and a request not yet written would be lost.
    fn poll(&mut self) -> impl Future<Output = Result<Event, Fault>> + Send;

    /// The next event that came with the last one.
    fn buffered(&mut self) -> Option<Event>;

    /// Closes the socket and forgets what was buffered.
    fn hang_up(&mut self);

    /// Sets what may have changed since the last connect.
    fn prepare(&mut self, fresh: Fresh);
}

/// What is read anew before every connect.
#[derive(Debug, Default)]
struct Fresh {
    login: Option<(String, String)>,
    tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

/// What a session asks of its connection, answered by events. Never waits.
trait Requests: Send {
    fn acknowledge(&mut self, packet_id: u16);
    fn subscribe(&self, filters: &[Subscription]);
    fn unsubscribe(&self, filter: &str);
    fn publish_retained(&self, topic: &str, payload: &'static str);
    fn disconnect(&self);
}

/// A request could not be queued: the queue holds more than packet identifiers allow.
fn overflow(what: &str) {
    tracing::error!(what, "MQTT request queue is full: please report this");
}

#[expect(clippy::disallowed_methods, reason = "the moment of arrival is noted at the door")]
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
