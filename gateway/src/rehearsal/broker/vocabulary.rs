//! What a connection and the exchange say to each other, the same for both protocol levels.

use std::sync::Arc;
use std::time::Duration;

use super::publish::{Publish, Qos};

/// A session that outlives its connection for ever.
pub(super) const FOR_EVER: Duration = Duration::MAX;

/// What a client asks for as it connects.
#[derive(Debug)]
pub(super) struct Hello {
    /// Empty: the broker chooses one.
    pub(super) client_id: String,
    /// Whether an older session is thrown away.
    pub(super) clean_start: bool,
    /// How long the session outlives the connection.
    pub(super) expiry: Duration,
    /// How many un-acknowledged publishes it takes, if it says so.
    pub(super) receive_maximum: Option<u16>,
    /// The largest packet it takes, if it says so.
    pub(super) packet_bytes_max: Option<u32>,
    /// Published if the connection is lost.
    pub(super) will: Option<Arc<Publish>>,
}

/// One connection of one client. Worthless once the client connected again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Link {
    /// Which client.
    pub(super) client: usize,
    /// Counts the connections of all clients.
    pub(super) number: u64,
}

/// The answer to [`Hello`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Welcome {
    /// The new connection.
    pub(super) link: Link,
    /// The client's identifier, chosen by the broker if it had none.
    pub(super) client_id: String,
    /// Whether an older session goes on.
    pub(super) session_present: bool,
    /// The connection it took the session from.
    pub(super) displaced: Option<Link>,
}

/// When retained publishes are sent to a subscriber (MQTT 5; 3.1.1 knows only the first).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RetainHandling {
    EverySubscribe,
    NewSubscribe,
    Never,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) filter: String,
    pub(super) qos: Qos,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    pub(super) retain_handling: RetainHandling,
}

/// The answer to one filter of a SUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Granted {
    /// Subscribed, at most at this QoS.
    AtMost(Qos),
    /// Refused by order.
    NotAuthorised,
    /// Not a filter.
    Malformed,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// By DISCONNECT, which may set a new session expiry (MQTT 5).
    Said { expiry: Option<Duration> },
    /// In any other way: the will is published.
    Lost,
}

/// Whether a connection may stay open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onward {
    Stay,
    Close,
}
