//! Receipts: settled in any order, acknowledged in the order of arrival.
//!
//! One [`Ledger`] a connection remembers every publish that is not acknowledged yet. It knows no
//! socket and no clock: it is told what arrived, what is safe and what the connection did, and says
//! which PUBACK is due next.
//!
//! MQTT wants PUBACKs in the order of the PUBLISH packets \[MQTT-4.6.0-2\], so one slow record holds
//! back the ones behind it; the broker's window bounds how many those can be.

use std::collections::{HashMap, VecDeque};

#[cfg(test)]
mod tests;

/// Our handle for one publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The connection it came over.
    pub lane: u16,
    /// Its number there, counted from the start of the process; never used again.
    pub number: u64,
}

/// What tells one publish from another, as far as a connection can know.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The packet identifier; absent at QoS 0.
    pub packet_id: Option<u16>,
    /// Whether the broker says that it sent this before.
    pub dup: bool,
    /// Hash of topic and payload.
    pub fingerprint: u64,
    /// What it weighs against the memory budget.
    pub bytes: usize,
}

/// The publishes of one connection that are not acknowledged yet.
#[derive(Debug, Default)]
pub struct Ledger {
    lane: u16,
    next_number: u64,
    held: HashMap<u64, Held>,
    held_bytes: usize,
    /// What this connection must acknowledge, oldest first; `popped` is the position of the front.
    order: VecDeque<Slot>,
    popped: u64,
    /// PUBACKs handed to the connection, not known to be written.
    acking: VecDeque<Slot>,
    /// What an earlier connection received and never acknowledged, by packet identifier.
    orphans: HashMap<u16, Slot>,
}

/// A publish whose records are not all safe.
#[derive(Debug, Clone, Copy)]
struct Held {
    bytes: usize,
    place: Place,
}

/// Where the acknowledgement of a held publish waits.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// Nowhere: QoS 0, or the broker forgot the session.
    Nowhere,
    /// At this position of `order`, counted from the first ever.
    Order(u64),
    /// With the orphans, under this packet identifier.
    Orphan(u16),
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    packet_id: u16,
    number: u64,
    fingerprint: u64,
    settled: bool,
}

impl Ledger {
    /// An empty ledger for the connection `lane`.
    #[must_use]
    pub fn new(lane: u16) -> Self {
        Self { lane, ..Self::default() }
    }

    /// Whether `arrival` is a publish that an earlier connection received and never acknowledged:
    /// a redelivery (`dup`) with its packet identifier and fingerprint. Such a publish is on its
    /// way already, or safe: it is *adopted*, to be acknowledged on the current connection, and no
    /// records are made of it. Any other arrival goes to [`Self::receive`].
    pub fn adopt(&mut self, arrival: &Arrival) -> bool {
        let Some(packet_id) = arrival.packet_id.filter(|_| arrival.dup) else { return false };
        let same = |slot: &Slot| slot.fingerprint == arrival.fingerprint;
        if !self.orphans.get(&packet_id).is_some_and(same) {
            return false;
        }
        let Some(slot) = self.orphans.remove(&packet_id) else { return false };
        if let Some(held) = self.held.get_mut(&slot.number) {
            held.place = Place::Order(self.popped + self.order.len() as u64);
        }
        self.order.push_back(slot);
        true
    }

    /// Notes a new publish of the current connection: make records of it, and settle the receipt
    /// once they are safe. Its packet identifier is no longer that of an earlier publish.
    pub fn receive(&mut self, arrival: &Arrival) -> Receipt {
        let Some(packet_id) = arrival.packet_id else {
            return self.hold(arrival.bytes, Place::Nowhere);
        };
        if let Some(slot) = self.orphans.remove(&packet_id)
            && let Some(held) = self.held.get_mut(&slot.number)
        {
            held.place = Place::Nowhere;
        }
        let receipt = self.hold(arrival.bytes, Place::Order(self.popped + self.order.len() as u64));
        self.order.push_back(Slot {
            packet_id,
            number: receipt.number,
            fingerprint: arrival.fingerprint,
            settled: false,
        });
        receipt
    }

    fn hold(&mut self, bytes: usize, place: Place) -> Receipt {
        let number = self.next_number;
        self.next_number += 1;
        self.held_bytes += bytes;
        self.held.insert(number, Held { bytes, place });
        Receipt { lane: self.lane, number }
    }

    /// Notes that everything made of `receipt` is safe. Follow with [`Self::next_due`] until it is
    /// `None`. Settling twice changes nothing.
    pub fn settle(&mut self, receipt: Receipt) {
        let Some(held) = self.held.remove(&receipt.number) else { return };
        self.held_bytes -= held.bytes;
        let slot = match held.place {
            Place::Nowhere => None,
            Place::Order(position) => usize::try_from(position - self.popped)
                .ok()
                .and_then(|index| self.order.get_mut(index)),
            Place::Orphan(packet_id) => {
                self.orphans.get_mut(&packet_id).filter(|slot| slot.number == receipt.number)
            }
        };
        if let Some(slot) = slot {
            slot.settled = true;
        }
    }

    /// The packet identifier of the next PUBACK that may be sent, taken off the ledger.
    pub fn next_due(&mut self) -> Option<u16> {
        let slot = self.order.pop_front_if(|slot| slot.settled)?;
        self.popped += 1;
        self.acking.push_back(slot);
        Some(slot.packet_id)
    }

    /// Whether a PUBACK may be sent.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.order.front().is_some_and(|slot| slot.settled)
    }

    /// Notes that every PUBACK handed out by [`Self::next_due`] was written to the socket.
    pub fn written(&mut self) {
        self.acking.clear();
    }

    /// Notes that the connection is gone: what it did not acknowledge may come again.
    pub fn disconnected(&mut self) {
        self.popped += self.order.len() as u64;
        for slot in self.acking.drain(..).chain(self.order.drain(..)) {
            if let Some(held) = self.held.get_mut(&slot.number) {
                held.place = Place::Orphan(slot.packet_id);
            }
            self.orphans.insert(slot.packet_id, slot);
        }
    }

    /// Notes a new connection. Without a session the broker has forgotten every packet identifier:
    /// the records stay, their identifiers are dropped.
    pub fn connected(&mut self, session_present: bool) {
        if session_present {
            return;
        }
        for slot in self.orphans.drain().map(|(_, slot)| slot) {
            if let Some(held) = self.held.get_mut(&slot.number) {
                held.place = Place::Nowhere;
            }
        }
    }

    /// How many publishes of this connection are not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.order.len()
    }

    /// What the publishes that are not settled weigh, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// How many publishes are not settled.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }
}
