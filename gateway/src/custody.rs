//! Who answers for a record: the broker, until the record is *safe*; then the spool, while the
//! record is on disk; and the stream, once it has accepted it. Pure: time is an argument, and the
//! disk is somebody else's, which is given a [`Job`] and brings an [`Outcome`].
//!
//! A shard is well until a record of it is late. Then it *overflows*: everything of it that is not
//! settled is written to the spool, in the order of arrival, and what follows is written as well.
//! What is in memory stays there and is sent as before; a record that is accepted before its group
//! is written is not written at all. When what a shard holds in memory reaches its quota, the shard
//! is *behind*: new records go to the disk alone, and a reader brings them back when there is room.
//! When the reader has seen the last of them, new records go behind what it brought, key by key, so
//! that nothing is overtaken. A shard that has been in time for a while is well again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use slab::Slab;
use tracing::{info, warn};

use crate::ack::Receipt;
use crate::config::{CatchUp, Config, SpoolMode};
use crate::limits::{CATCH_UP_CHECK, PUBLISH_OVERHEAD_BYTES};
use crate::queue::{Incoming, ShardIndex};
use crate::record::{PartitionKey, RecordSlot};
use crate::route::Routed;
use crate::spool::{Entry, Seq};

mod job;
mod lateness;
mod line;
mod reader;
mod shards;
#[cfg(test)]
mod tests;
mod writer;

pub use job::{Allowed, Job, Outcome, Progress};

use lateness::Lateness;
use line::{Line, Spot};
use reader::Reader;
use shards::Shards;
use writer::Writer;

/// What the spool held when it was opened.
#[derive(Debug, Clone, Copy)]
pub struct Found {
    /// The number of the next entry.
    pub next: Seq,
    /// The oldest entry that is not settled.
    pub oldest: Seq,
    /// How many are not.
    pub unsettled: u64,
}

/// A record in memory.
#[derive(Debug)]
struct Held {
    /// Its place in the order of arrival.
    order: u64,
    /// Since when it is in memory.
    since: Instant,
    shard: ShardIndex,
    key: PartitionKey,
    data: Bytes,
    rx_ts_ms: i64,
    /// What to settle when it is safe, if that was not done yet.
    receipt: Option<Receipt>,
    log: Log,
    part: Part,
}

/// Whether a record is in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    No,
    /// Waits for the next group.
    Waiting,
    /// In the group that is being written.
    Writing(Seq),
    /// Synced.
    Written(Seq),
}

/// What a record is in memory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// To be sent.
    Queued,
    /// To be written, and sent when it is read again.
    ToDisk,
    /// To be dead-lettered.
    Letter,
    /// Nothing: it ended while it was being written.
    Ended,
}

impl Held {
    fn bytes(&self) -> usize {
        self.data.len() + self.key.as_str().len() + PUBLISH_OVERHEAD_BYTES
    }

    fn incoming(&self, slot: RecordSlot) -> Incoming {
        Incoming {
            slot,
            key: self.key.clone(),
            shard: self.shard,
            data: self.data.clone(),
            rx_ts_ms: self.rx_ts_ms,
            since: self.since,
        }
    }

    fn entry(&self, seq: Seq) -> Entry {
        let (key, data) = (self.key.clone(), self.data.clone());
        Entry { seq, key, rx_ts_ms: self.rx_ts_ms, data }
    }

    /// Whether it is on the disk.
    fn is_written(&self) -> bool {
        matches!(self.log, Log::Written(_))
    }
}

/// All records between the normaliser and their end.
#[derive(Debug)]
pub struct Custody {
    mode: SpoolMode,
    catch_up: CatchUp,
    held: Slab<Held>,
    next_order: u64,
    /// How many records are neither safe nor ended.
    exposed: usize,
    /// Records for which the broker alone answers, except those that are to be dead-lettered.
    unlogged: Line,
    writer: Writer,
    reader: Reader,
    shards: Shards,
    lateness: Lateness,
    /// Whether the broker sends nothing more until something is settled.
    window_exhausted: bool,
    /// When to look for shards that have caught up.
    check_at: Instant,
    /// Nothing is asked of the disk before, because it failed.
    retry_at: Option<Instant>,
    /// A key for what has none.
    nobody: PartitionKey,
}

impl Custody {
    /// Nothing in memory, and of the spool what was found there. `shards` is how many are told
    /// apart.
    #[must_use]
    pub fn new(config: &Config, shards: usize, found: Found, now: Instant) -> Self {
        let mut shards = Shards::new(shards, config);
        if found.unsettled > 0 {
            shards.all_behind(found.next, now);
        }
        Self {
            mode: config.spool.mode,
            catch_up: config.spool.catch_up,
            held: Slab::new(),
            next_order: 0,
            exposed: 0,
            unlogged: Line::new(),
            writer: Writer::new(config, found),
            reader: Reader::new(found),
            shards,
            lateness: Lateness::new(config.batch.linger),
            window_exhausted: false,
            check_at: now,
            retry_at: None,
            nobody: PartitionKey::new(""),
        }
    }

    /// Takes a new record. Gives it back if it is to be queued now; else the disk will.
    pub fn receive(&mut self, routed: Routed, shard: ShardIndex, now: Instant) -> Option<Incoming> {
        let logged = match self.mode {
            SpoolMode::Off => false,
            SpoolMode::Always => true,
            SpoolMode::Overflow => self.shards.is_overflowing(shard),
        };
        let has_room = self.shards.has_room(shard) && !self.reader.is_far_behind();
        if logged && !has_room {
            self.shards.fall_behind(shard);
        }
        let live_first = self.catch_up == CatchUp::LiveFirst && has_room;
        let to_disk = self.shards.is_behind(shard) && !live_first;
        let Routed { key, data, rx_ts_ms, receipt } = routed;
        let slot = self.hold(Held {
            order: 0,
            since: now,
            shard,
            key,
            data,
            rx_ts_ms,
            receipt: Some(receipt),
            log: Log::No,
            part: if to_disk { Part::ToDisk } else { Part::Queued },
        });
        if logged {
            self.log(slot);
        } else if self.mode != SpoolMode::Off {
            let held = &self.held;
            let spot = (self.next_order, slot);
            self.unlogged.push(spot, |spot| is_unlogged(held, spot));
        }
        if to_disk {
            self.shards.goes_to_disk(shard, slot);
            return None;
        }
        self.held.get(slot.0).map(|held| held.incoming(slot))
    }

    /// Takes a publish of which no record could be made: it is to be dead-lettered.
    pub fn reject(&mut self, receipt: Receipt, now: Instant) -> RecordSlot {
        let key = self.nobody.clone();
        self.hold(Held {
            order: 0,
            since: now,
            shard: ShardIndex(0),
            key,
            data: Bytes::new(),
            rx_ts_ms: 0,
            receipt: Some(receipt),
            log: Log::No,
            part: Part::Letter,
        })
    }

    /// Notes that a record is to be dead-lettered.
    pub fn refused(&mut self, slot: RecordSlot) {
        let Some(held) = self.held.get_mut(slot.0) else { return };
        held.part = Part::Letter;
        if held.log == Log::Waiting {
            held.log = Log::No;
            self.writer.waits_no_more(held.bytes());
        }
    }

    fn hold(&mut self, held: Held) -> RecordSlot {
        self.next_order += 1;
        self.exposed += usize::from(!held.is_written());
        RecordSlot(self.held.insert(Held { order: self.next_order, ..held }))
    }

    /// Notes the end of a record: it was accepted, dead-lettered, or dropped by a rule of the
    /// operator. Gives its receipt, if that is not settled yet.
    pub fn end(&mut self, slot: RecordSlot, now: Instant) -> Option<Receipt> {
        let held = self.held.get_mut(slot.0)?;
        let receipt = held.receipt.take();
        let (bytes, shard, part) = (held.bytes(), held.shard, held.part);
        if part == Part::Queued && self.shards.overflowing() > 0 {
            let age = now.saturating_duration_since(held.since);
            self.shards.verdict(shard, now, age < self.lateness.limit(false));
        }
        match held.log {
            Log::Writing(_) => {
                held.part = Part::Ended;
                self.exposed -= 1;
                return receipt;
            }
            Log::Written(seq) => {
                self.shards.leaves_memory(shard, bytes);
                self.writer.ended.push(seq);
            }
            Log::Waiting => {
                self.writer.waits_no_more(bytes);
                self.exposed -= 1;
            }
            Log::No => self.exposed -= 1,
        }
        self.held.remove(slot.0);
        receipt
    }

    /// Learns from the round trip of a call that was answered.
    pub fn heard(&mut self, round_trip: Duration) {
        self.lateness.heard(round_trip);
    }

    /// Notes whether the broker sends nothing more until something is settled.
    pub fn window_exhausted(&mut self, exhausted: bool) {
        self.window_exhausted = exhausted;
    }

    /// How many records are not safe: neither on the disk nor at their end.
    #[must_use]
    pub fn exposed(&self) -> usize {
        self.exposed
    }

    /// How many records are on the disk and not at their end.
    #[must_use]
    pub fn spooled(&self) -> u64 {
        self.writer.spooled()
    }

    /// Takes the entries that ended and of which the disk does not know, when there is to be no
    /// other job.
    pub fn take_ended(&mut self) -> Vec<Seq> {
        std::mem::take(&mut self.writer.ended)
    }

    /// Lets shards that are late overflow, and those that are in time be well again; gives what is
    /// to be queued because its shard has caught up.
    pub fn turn(&mut self, now: Instant, open: bool) -> Vec<Incoming> {
        self.overflow(now);
        if now < self.check_at || self.mode == SpoolMode::Off {
            return Vec::new();
        }
        self.check_at = now + CATCH_UP_CHECK;
        if open && self.shards.leave(now) && self.shards.overflowing() == 0 {
            info!("the stream keeps up again: nothing goes to the spool");
        }
        self.catch_up()
    }

    /// From when on the oldest record that is not logged is late.
    fn late_at(&mut self) -> Option<Instant> {
        let held = &self.held;
        let oldest = self.unlogged.front(|spot| is_unlogged(held, spot))?;
        let since = self.held.get(oldest.0)?.since;
        Some(since + self.lateness.limit(self.window_exhausted))
    }

    /// Logs everything of the shards of late records.
    fn overflow(&mut self, now: Instant) {
        if self.late_at().is_none_or(|at| at > now) {
            return;
        }
        let limit = self.lateness.limit(self.window_exhausted);
        let (held, shards) = (&self.held, &mut self.shards);
        let was_well = shards.overflowing() == 0;
        let leaving = self.unlogged.take(|(_, slot)| {
            let Some(held) = held.get(slot.0) else { return false };
            if now.saturating_duration_since(held.since) >= limit {
                shards.overflow(held.shard, now);
            }
            shards.is_overflowing(held.shard)
        });
        if was_well {
            warn!(late_after = ?limit, "the stream does not keep up: records go to the spool");
        }
        for spot in leaving {
            if is_unlogged(&self.held, &spot) {
                self.log(spot.1);
            }
        }
    }

    /// Queues what waits for the disk of shards that have caught up.
    fn catch_up(&mut self) -> Vec<Incoming> {
        let mut incoming = Vec::new();
        for slot in self.shards.catch_up(self.reader.next) {
            if let Some(held) = self.held.get_mut(slot.0) {
                held.part = Part::Queued;
                incoming.push(held.incoming(slot));
            }
        }
        incoming
    }

    /// When to call [`Self::turn`] and [`Self::next_job`] again at the latest.
    pub fn wake_at(&mut self) -> Option<Instant> {
        let check = self.shards.is_any_late().then_some(self.check_at);
        let group = self.group_due_at().map(|at| self.retry_at.map_or(at, |retry| retry.max(at)));
        [self.late_at(), check, group].into_iter().flatten().min()
    }
}

fn is_unlogged(held: &Slab<Held>, (order, slot): &Spot) -> bool {
    held.get(slot.0).is_some_and(|held| {
        held.order == *order && held.log == Log::No && held.part == Part::Queued
    })
}
