//! One client: its connection, its session and what was seen of it.

use std::sync::Arc;
use std::time::Duration;

use super::faults::{Faults, Seen};
use super::publish::{Outgoing, Publish, Qos};
use super::session::{Puback, Session};
use super::vocabulary::{Link, Onward};

/// A client that connected at least once, and its session if there is one.
#[derive(Debug)]
pub(super) struct Client {
    /// Its identifier.
    pub(super) id: String,
    /// What waits for it and what it subscribed to.
    pub(super) session: Option<Session>,
    /// How long the session outlives a connection.
    pub(super) expiry: Duration,
    /// When the session of an absent client ends, since the broker started.
    pub(super) expires_at: Option<Duration>,
    /// The present connection.
    pub(super) link: Option<Link>,
    /// Nothing could be sent when last asked: a new publish is news to the connection.
    idle: bool,
    /// Published if the connection is lost.
    pub(super) will: Option<Arc<Publish>>,
    /// What tests may ask for.
    pub(super) seen: Seen,
}

impl Client {
    /// A client never connected before.
    pub(super) fn new(id: String) -> Self {
        Self {
            id,
            session: None,
            expiry: Duration::ZERO,
            expires_at: None,
            link: None,
            idle: false,
            will: None,
            seen: Seen::default(),
        }
    }

    /// Queues a publish, with the QoS and retain flag it is to have, unless `queue_max` wait
    /// already. Answers the connection to wake, if this is news to it.
    pub(super) fn enqueue(
        &mut self,
        publish: &Arc<Publish>,
        (qos, retain): (Qos, bool),
        queue_max: usize,
    ) -> Option<Link> {
        let session = self.session.as_mut()?;
        if self.link.is_none() && qos == Qos::AtMostOnce {
            return None;
        }
        if session.queued() >= queue_max {
            self.seen.dropped += 1;
            return None;
        }
        session.enqueue(publish, qos, retain);
        self.link.filter(|_| std::mem::take(&mut self.idle))
    }

    /// Takes a PUBACK and notes what was wrong with it.
    pub(super) fn acknowledge(&mut self, packet_id: u16) {
        let Some(session) = &mut self.session else { return };
        self.seen.puback(packet_id);
        match session.acknowledge(packet_id) {
            Puback::InOrder | Puback::Doubled => {}
            Puback::OutOfOrder => self.seen.pubacks_out_of_order += 1,
            Puback::NotInFlight => self.seen.pubacks_not_in_flight += 1,
        }
    }

    /// Moves what may be sent now to `out`, until about `bytes` bytes are together.
    pub(super) fn deliver(
        &mut self,
        bytes: usize,
        faults: &mut Faults,
        out: &mut Vec<Outgoing>,
    ) -> Onward {
        let Some(session) = &mut self.session else { return Onward::Close };
        let mut together = 0;
        self.idle = false;
        while together < bytes && faults.close_after != Some(0) {
            let Some(outgoing) = session.next(faults.overrun) else {
                self.idle = true;
                break;
            };
            together += outgoing.publish.topic.len() + outgoing.publish.payload.len();
            self.seen.delivered += 1;
            self.seen.redelivered += u64::from(outgoing.dup);
            faults.close_after = faults.close_after.map(|left| left - 1);
            out.push(outgoing);
        }
        self.seen.unacked_max = self.seen.unacked_max.max(session.unacked());
        if faults.close_after == Some(0) {
            faults.close_after = None;
            return Onward::Close;
        }
        Onward::Stay
    }

    /// What was seen of it, up to now.
    pub(super) fn seen(&self) -> Seen {
        let session = self.session.as_ref();
        let connected = self.link.is_some();
        Seen {
            connected,
            unacked: session.filter(|_| connected).map_or(0, Session::unacked),
            queued: session.map_or(0, Session::queued),
            oversized: session.map_or(0, Session::oversized),
            ..self.seen.clone()
        }
    }
}
