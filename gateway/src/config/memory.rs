//! Who may have how much of the memory.
//!
//! Requests in flight come first. The rest is halved between what connections hold unsettled and
//! what the spool keeps of itself in memory; without a spool the connections have all of it. Several
//! streams have equal parts of what is the spool's: one that is dead cannot eat another's. What is
//! unsettled is one for all: where it is too much, all wait, whosever it is.

use crate::limits::{PACKETS_IN_MEMORY, REQUEST_COPIES};

use super::{Config, SpoolMode};

impl Config {
    /// What one connection may hold unsettled before it stops reading, in bytes: its part of what
    /// the requests leave, without the room for the packet that it may be reading meanwhile.
    #[must_use]
    pub fn intake_bytes_max(&self) -> usize {
        let lane = self.memory_beside_requests() / self.shares();
        lane.saturating_sub(in_memory(self.mqtt.packet_bytes_max))
    }

    /// What the spool of each stream may have in memory, in bytes: its read-ahead, and what it keeps
    /// of what it wrote. 0 with `spool.mode` = "off".
    #[must_use]
    pub fn spool_memory_bytes_max(&self) -> usize {
        match self.spool.mode {
            SpoolMode::Overflow | SpoolMode::Always => {
                self.memory_beside_requests() / 2 / self.streams.count()
            }
            SpoolMode::Off => 0,
        }
    }

    /// The least that [`Config::memory_bytes_max`] may be beside everything else, in bytes.
    pub(super) fn memory_needed(&self) -> usize {
        self.requests_memory().saturating_add(self.packets_memory())
    }

    /// What the requests in flight take, in bytes.
    pub(super) fn requests_memory(&self) -> usize {
        let requests = self.streams.iter().map(|stream| stream.requests_in_flight);
        requests.sum::<usize>() * self.batch.bytes_max * REQUEST_COPIES
    }

    /// What must be left beside the requests so that every connection can take in the largest
    /// packet, in bytes.
    pub(super) fn packets_memory(&self) -> usize {
        let packets = in_memory(self.mqtt.packet_bytes_max).saturating_mul(PACKETS_IN_MEMORY);
        packets.saturating_mul(self.shares())
    }

    /// The largest packet for which `memory_bytes_max` has room, in bytes.
    pub(super) fn packet_bytes_fitting(&self) -> usize {
        self.memory_beside_requests() / (self.shares() * PACKETS_IN_MEMORY)
    }

    fn memory_beside_requests(&self) -> usize {
        self.memory_bytes_max.saturating_sub(self.requests_memory())
    }

    /// Into how many shares of a connection's size the memory beside the requests is divided.
    fn shares(&self) -> usize {
        let lanes = self.mqtt.lanes.len().max(1);
        match self.spool.mode {
            SpoolMode::Overflow | SpoolMode::Always => 2 * lanes,
            SpoolMode::Off => lanes,
        }
    }
}

fn in_memory(packet_bytes: u32) -> usize {
    usize::try_from(packet_bytes).unwrap_or(usize::MAX)
}
