//! One client's session: what waits, what is in flight, and under which packet identifier.
//!
//! Packet identifiers are handed out in sequence, so the identifier of an entry is its distance
//! from the first one, and an identifier is never given twice while in flight.

use std::collections::VecDeque;
use std::sync::Arc;

use super::publish::{Outgoing, Publish, Qos};

/// MQTT packet identifiers run from 1 to this.
const PACKET_IDS: usize = 65_535;

/// What the client of the present connection agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// How many publishes may be un-acknowledged at once: its receive maximum.
    pub(super) window: u16,
    /// The largest packet it takes, if it said so.
    pub(super) packet_bytes_max: Option<u32>,
}

/// What a PUBACK turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Puback {
    /// For the oldest publish in flight, as MQTT requires [MQTT-4.6.0-2].
    InOrder,
    /// For a publish in flight that was not the oldest.
    OutOfOrder,
    /// For an identifier that was not sent on this connection, or was acknowledged already.
    NotInFlight,
    /// The second one for a publish that was sent twice on purpose.
    Doubled,
}

/// A publish that waits for its turn.
#[derive(Debug)]
struct Queued {
    publish: Arc<Publish>,
    qos: Qos,
    retain: bool,
}

/// A QoS 1 publish that has a packet identifier.
#[derive(Debug)]
struct InFlight {
    publish: Arc<Publish>,
    retain: bool,
    acked: bool,
}

/// The session.
#[derive(Debug)]
pub(super) struct Session {
    terms: Terms,
    queue: VecDeque<Queued>,
    /// The first one is un-acknowledged; later ones may be acknowledged out of order.
    in_flight: VecDeque<InFlight>,
    /// The packet identifier of the first in flight, or of the next if there is none.
    first_id: u16,
    /// How many of `in_flight`, from the first, went out on this connection.
    sent: usize,
    /// How many of those are un-acknowledged.
    unacked: usize,
    /// Whether a PUBACK came on this connection.
    acks_flow: bool,
    /// Identifiers sent twice on this connection, whose second PUBACK is no violation.
    doubled: Vec<u16>,
    /// Publishes too large for the client, left out as MQTT 5 tells servers to.
    oversized: u64,
}

impl Session {
    /// An empty session.
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            first_id: 1,
            sent: 0,
            unacked: 0,
            acks_flow: false,
            doubled: Vec::new(),
            oversized: 0,
        }
    }

    /// Begins a new connection: all that is in flight will go out again, first, in its order and
    /// under its old identifiers.
    pub(super) fn resume(&mut self, terms: Terms) {
        self.terms = terms;
        self.sent = 0;
        self.unacked = 0;
        self.acks_flow = false;
        self.doubled.clear();
    }

    /// Sends all that is un-acknowledged again on the present connection. No broker may.
    pub(super) fn redeliver(&mut self) {
        let again = (0..self.sent).filter(|index| self.is_unacked(*index));
        let ids: Vec<u16> = again.map(|index| self.packet_id(index)).collect();
        self.doubled.extend(ids);
        self.sent = 0;
        self.unacked = 0;
    }

    /// Queues a publish.
    pub(super) fn enqueue(&mut self, publish: &Arc<Publish>, qos: Qos, retain: bool) {
        self.queue.push_back(Queued { publish: Arc::clone(publish), qos, retain });
    }

    /// How many wait without a packet identifier.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many were sent on this connection and are un-acknowledged.
    pub(super) fn unacked(&self) -> usize {
        self.unacked
    }

    /// How many publishes were left out for their size.
    pub(super) fn oversized(&self) -> u64 {
        self.oversized
    }

    /// The next publish to send, in order: first what an earlier connection left in flight, then
    /// the queue. `None` when nothing waits or the window, stretched by `overrun` once PUBACKs
    /// flow, is full. A client that comes back taking only smaller packets still gets what was in
    /// flight.
    pub(super) fn next(&mut self, overrun: u16) -> Option<Outgoing> {
        let stretch = if self.acks_flow { usize::from(overrun) } else { 0 };
        let open = self.unacked < usize::from(self.terms.window) + stretch;
        while self.sent < self.in_flight.len() {
            if !self.is_unacked(self.sent) {
                self.sent += 1;
                continue;
            }
            if !open {
                return None;
            }
            let outgoing = self.outgoing(self.sent, true)?;
            self.sent += 1;
            self.unacked += 1;
            return Some(outgoing);
        }
        self.next_queued(open)
    }

    fn next_queued(&mut self, open: bool) -> Option<Outgoing> {
        loop {
            let at_least_once = self.queue.front()?.qos == Qos::AtLeastOnce;
            if at_least_once && !(open && self.in_flight.len() < PACKET_IDS) {
                return None;
            }
            let Queued { publish, retain, .. } = self.queue.pop_front()?;
            let outgoing = if at_least_once {
                self.in_flight.push_back(InFlight { publish, retain, acked: false });
                self.outgoing(self.in_flight.len() - 1, false)?
            } else {
                Outgoing { packet_id: 0, dup: false, retain, publish }
            };
            if self.too_large(&outgoing) {
                // Never sent, so its identifier is free again.
                if at_least_once {
                    self.in_flight.pop_back();
                }
                self.oversized += 1;
                continue;
            }
            if at_least_once {
                self.sent = self.in_flight.len();
                self.unacked += 1;
            }
            return Some(outgoing);
        }
    }

    /// Takes a PUBACK.
    pub(super) fn acknowledge(&mut self, packet_id: u16) -> Puback {
        let index = self.index(packet_id);
        if index >= self.sent || !self.is_unacked(index) {
            let Some(known) = self.doubled.iter().position(|id| *id == packet_id) else {
                return Puback::NotInFlight;
            };
            self.doubled.swap_remove(known);
            return Puback::Doubled;
        }
        if let Some(entry) = self.in_flight.get_mut(index) {
            entry.acked = true;
        }
        self.acks_flow = true;
        self.unacked -= 1;
        while self.in_flight.front().is_some_and(|first| first.acked) {
            self.in_flight.pop_front();
            self.first_id = self.packet_id(1);
            // Acknowledged ones behind the last sent may be freed too: after a redelivery.
            self.sent = self.sent.saturating_sub(1);
        }
        if index == 0 { Puback::InOrder } else { Puback::OutOfOrder }
    }

    fn is_unacked(&self, index: usize) -> bool {
        self.in_flight.get(index).is_some_and(|entry| !entry.acked)
    }

    fn outgoing(&self, index: usize, dup: bool) -> Option<Outgoing> {
        let entry = self.in_flight.get(index)?;
        let publish = Arc::clone(&entry.publish);
        Some(Outgoing { packet_id: self.packet_id(index), dup, retain: entry.retain, publish })
    }

    fn too_large(&self, outgoing: &Outgoing) -> bool {
        let Some(bytes_max) = self.terms.packet_bytes_max else { return false };
        u32::try_from(outgoing.to_v5().size()).map_or(true, |bytes| bytes > bytes_max)
    }

    /// The packet identifier of the entry at `index`.
    fn packet_id(&self, index: usize) -> u16 {
        let from_zero = (usize::from(self.first_id) - 1 + index) % PACKET_IDS;
        u16::try_from(from_zero + 1).unwrap_or(1)
    }

    /// Where the entry with `packet_id` is, if it is there at all.
    fn index(&self, packet_id: u16) -> usize {
        let from_first = usize::from(packet_id) + PACKET_IDS - usize::from(self.first_id);
        if packet_id == 0 { PACKET_IDS } else { from_first % PACKET_IDS }
    }
}

#[cfg(test)]
mod tests;
