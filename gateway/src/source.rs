//! MQTT in: connections that subscribe, hand on publishes and acknowledge what is safe. The only
//! place that knows rumqttc.
//!
//! `lane` keeps a connection, `session` is what it says and hears, `wire` what goes over it, in the words of `v3` or `v5`.
//! `socket` is the way to the broker, `tls` makes the configuration of an encrypted one. `window`
//! finds out how much the broker sends without being acknowledged, `subscriptions` remembers what
//! the broker was asked for. `look` is a visit that leaves no trace.

use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};

use crate::ack::Receipt;
use crate::config::{Qos, Subscription};

mod lane;
mod look;
mod outbox;
mod session;
mod socket;
mod subscriptions;
mod tls;
mod v3;
mod v5;
mod window;
mod wire;

pub use lane::{Lane, run, run_beside};
pub use look::{Came, NotSeen, Seen, knock, look, onlooker, trusts};

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
    /// New publishes, in the order of arrival; none when there is only the following to say.
    pub publishes: Vec<Publish>,
    /// Nothing more comes until something is settled: the broker's window is exhausted, or what the
    /// connection may hold in memory.
    pub window_exhausted: bool,
    /// For how long nothing could come before, though the broker may have kept publishes for us; no
    /// time if nothing is new of that.
    pub away: Duration,
}

/// What the status topic says while the gateway is subscribed.
const ONLINE: &str = "online";
/// What it says when the gateway is gone, said by the gateway or, as its last will, by the broker.
const OFFLINE: &str = "offline";

/// What a connection tells the session.
#[derive(Debug)]
enum Event {
    /// CONNACK.
    Connected(Welcome),
    Publish(Delivery),
    /// One entry a filter: the granted quality of service, or the reason for the refusal.
    Subscribed(Vec<Result<Qos, String>>),
    Unsubscribed,
    Other,
}

/// What a broker says when it takes us. In MQTT 3.1.1 it says no more than the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// Whether it knows the session.
    pub session_present: bool,
    /// The keep-alive, if it wants another one.
    pub keep_alive: Option<Duration>,
    /// How many unacknowledged publishes it takes of a client, if it says so.
    pub receive_maximum: Option<u16>,
    /// The highest quality of service at which it delivers.
    pub qos_max: Qos,
    /// Whether subscriptions can be shared.
    pub shares: bool,
}

impl Welcome {
    /// Of a broker that says nothing of itself: everything is possible.
    const fn plain(session_present: bool) -> Self {
        Self {
            session_present,
            keep_alive: None,
            receive_maximum: None,
            qos_max: Qos::AtLeastOnce,
            shares: true,
        }
    }
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
    /// What happened.
    said: String,
    /// What to do, where that is known.
    fix: Option<String>,
}

/// So many brief connections in a row are no accident.
const BRIEF_CONNECTIONS: u32 = 3;

impl Fault {
    /// Something that may pass by itself.
    fn passing(said: impl Into<String>) -> Self {
        Self { refused: false, said: said.into(), fix: None }
    }

    /// The broker does not want us.
    fn refusal(said: impl Into<String>, fix: Option<&str>) -> Self {
        Self { refused: true, said: said.into(), fix: fix.map(str::to_owned) }
    }

    /// The same, of a connection that ended soon after its CONNACK, the `failures`th in a row.
    /// Brokers seldom say that another client took the session over, and never in 3.1.1.
    fn after_connects(mut self, failures: u32) -> Self {
        if failures >= BRIEF_CONNECTIONS && !self.refused {
            self.said += ", soon after every connect";
            self.fix = Some("does another client use mqtt.client_id?".to_owned());
        }
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fix {
            Some(fix) => write!(f, "{}: {fix}", self.said),
            None => f.write_str(&self.said),
        }
    }
}

/// What is read anew before every connect.
#[derive(Debug, Default)]
struct Fresh {
    login: Option<(String, String)>,
    tls: Option<std::sync::Arc<rustls::ClientConfig>>,
}

/// What a session says to the broker.
#[derive(Debug)]
enum Request<'a> {
    Acknowledge(u16),
    Subscribe {
        packet_id: u16,
        filters: &'a [Subscription],
    },
    Unsubscribe {
        packet_id: u16,
        filter: &'a str,
    },
    PublishRetained {
        packet_id: u16,
        topic: &'a str,
        payload: &'static str,
    },
    Ping,
    Disconnect,
    /// The same, and the session ends with the connection; in MQTT 3.1.1 as was said at its begin.
    Leave,
}

/// One version of the protocol: packets to and from bytes.
trait Dialect: Send + Sync {
    /// Writes CONNECT.
    fn hello(&self, login: Option<(String, String)>, keep_alive: Duration, out: &mut BytesMut);

    /// Takes the next packet off `inbox`; `None` while it is not complete.
    fn next(&self, inbox: &mut BytesMut) -> Result<Option<Event>, Fault>;

    /// Writes `request`.
    fn write(&self, request: Request<'_>, out: &mut BytesMut);
}

#[expect(clippy::disallowed_methods, reason = "the moment of arrival is noted at the door")]
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
