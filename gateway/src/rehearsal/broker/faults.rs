//! How the broker misbehaves when asked to, and what it saw of each client.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::publish::Qos;

/// How many PUBACKs of a client are remembered one by one.
pub const PUBACKS_REMEMBERED: usize = 65_536;

/// Misbehaviour. Nothing by default; every field may change while the broker runs.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// New connections are refused with this.
    pub refuse: Option<Refusal>,
    /// After so many more publishes were delivered, to whomever, the connection that got the last
    /// of them is closed and this is `None` again.
    pub close_after: Option<u64>,
    /// Nothing is read from any connection: half-open.
    pub stop_reading: bool,
    /// PUBACKs are dropped unseen, so that their publishes stay in flight.
    pub ignore_pubacks: bool,
    /// How many publishes beyond the window are sent once PUBACKs flow, as mosquitto does.
    pub overrun: u16,
    /// Filters, as spelled in SUBSCRIBE, that are answered with a failure code.
    pub refuse_filters: BTreeSet<String>,
    /// How long each write to a connection is held back. A connection reads nothing meanwhile.
    pub delay: Duration,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Bad user name or password.
    BadPassword,
    /// Not authorised.
    NotAuthorised,
    /// The server is unavailable.
    ServerUnavailable,
    /// The client identifier is not accepted.
    BadClientId,
}

/// What the broker saw of one client identifier, over all of its connections and sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Accepted connections.
    pub connects: u64,
    /// Whether it is connected now.
    pub connected: bool,
    /// Filters in the order in which they were asked for, and what was granted; renewals again.
    pub subscribed: Vec<(String, Option<Qos>)>,
    /// Filters it ended.
    pub unsubscribed: Vec<String>,
    /// Publishes handed to its connections, repetitions included.
    pub delivered: u64,
    /// Those sent with the DUP flag.
    pub redelivered: u64,
    /// Packet identifiers of its PUBACKs in the order received: the latest
    /// [`PUBACKS_REMEMBERED`].
    pub pubacks: VecDeque<u16>,
    /// PUBACKs in all.
    pub pubacks_total: u64,
    /// Violations: PUBACKs for what was not in flight on the connection.
    pub pubacks_not_in_flight: u64,
    /// Violations: PUBACKs that overtook one for an earlier publish.
    pub pubacks_out_of_order: u64,
    /// Publishes un-acknowledged on the present connection.
    pub unacked: usize,
    /// The most there ever were.
    pub unacked_max: usize,
    /// Publishes that wait for the client or for its window.
    pub queued: usize,
    /// Publishes dropped because the queue was full.
    pub dropped: u64,
    /// Publishes left out because the client takes no packets so large.
    pub oversized: u64,
}

impl Seen {
    /// Notes a PUBACK.
    pub(super) fn puback(&mut self, packet_id: u16) {
        self.pubacks_total += 1;
        if self.pubacks.len() == PUBACKS_REMEMBERED {
            self.pubacks.pop_front();
        }
        self.pubacks.push_back(packet_id);
    }
}
