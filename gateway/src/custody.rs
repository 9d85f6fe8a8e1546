//! Who answers for a record: the broker, until the record is *safe*; then the spool, while the
//! record is on disk; and the stream, once it has accepted it. Pure: time is an argument, and the
//! disk is somebody else's, which is given a [`Job`] and brings an [`Outcome`].
//!
//! All of it is thought of by *stripes*, fixed parts of the hash keys: when a shard is late, so are
//! the stripes that it owns a part of, and no change of the shards changes the stripe of a key.
//!
//! A stripe is well until a record of it is late. Then it *overflows*: everything of it that is not
//! settled is written to the spool, in the order of arrival, and what follows is written as well.
//! What is in memory stays there and is sent as before; a record that is accepted before its group
//! is written is not written at all. When what a stripe holds in memory reaches its quota, it is
//! *behind*: new records go to the disk alone, and a reader brings them back when there is room.
//! When the reader has seen the last of them, new records go behind what it brought, key by key, so
//! that nothing is overtaken. A stripe that has been in time for a while is well again.

use std::time::{Duration, Instant};

use bytes::Bytes;
use slab::Slab;
use tracing::{info, warn};

use crate::ack::Receipt;
use crate::config::{CatchUp, Config, SpoolMode};
use crate::limits::CATCH_UP_CHECK;
use crate::queue::Incoming;
use crate::record::{PartitionKey, RecordSlot};
use crate::route::Routed;
use crate::spool::Seq;

mod held;
mod job;
mod lateness;
mod line;
mod reader;
mod stripe;
mod stripes;
#[cfg(test)]
mod tests;
mod writer;

pub use job::{Job, Outcome, Progress, Situation};
pub use stripe::{Stripe, Striping};

use held::{Held, Log, Part, is_unlogged};
use lateness::Lateness;
use line::Line;
use reader::Reader;
use stripes::Stripes;
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

/// All records between the normaliser and their end.
#[derive(Debug)]
pub struct Custody {
    mode: SpoolMode,
    catch_up: CatchUp,
    held: Slab<Held>,
    next_order: u64,
    /// How many records are neither safe nor ended.
    exposed: usize,
    /// The same in bytes, without what was on the disk before: that has its part of the room of its
    /// stripe.
    exposed_bytes: usize,
    /// How many of those were on the disk and are not any more.
    adrift: usize,
    /// Records for which the broker alone answers, except those that are to be dead-lettered.
    unlogged: Line,
    writer: Writer,
    reader: Reader,
    stripes: Stripes,
    lateness: Lateness,
    /// From which age on a record is late, as things stand.
    limit: Duration,
    /// Whether the broker sends nothing more until something is settled, maybe of here.
    window_exhausted: bool,
    /// The number of the last receipt of each connection.
    received_up_to: Vec<u64>,
    /// When to look for stripes that have caught up.
    check_at: Instant,
    /// Nothing is written, or read, before, because the disk did not do it.
    write_retry_at: Option<Instant>,
    read_retry_at: Option<Instant>,
    /// Whether the disk has a job.
    busy: bool,
    /// A key for what has none.
    nobody: PartitionKey,
}

impl Custody {
    /// Nothing in memory, and of the spool what was found there. `stripes` is how many are told
    /// apart.
    #[must_use]
    pub fn new(config: &Config, stripes: usize, found: Found, now: Instant) -> Self {
        let mut stripes = Stripes::new(stripes, config);
        if found.unsettled > 0 {
            stripes.all_behind(found.next, now);
        }
        Self {
            mode: config.spool.mode,
            catch_up: config.spool.catch_up,
            held: Slab::new(),
            next_order: 0,
            exposed: 0,
            exposed_bytes: 0,
            adrift: 0,
            unlogged: Line::new(),
            writer: Writer::new(config, found),
            reader: Reader::new(found),
            stripes,
            lateness: Lateness::new(config.batch.linger),
            limit: Duration::MAX,
            window_exhausted: false,
            received_up_to: vec![0; config.mqtt.lanes.len()],
            check_at: now,
            write_retry_at: None,
            read_retry_at: None,
            busy: false,
            nobody: PartitionKey::new(""),
        }
    }

    /// Takes a new record. Gives it back if it is to be queued now; else the disk will.
    pub fn receive(&mut self, routed: Routed, stripe: Stripe, now: Instant) -> Option<Incoming> {
        let logged = match self.mode {
            SpoolMode::Off => false,
            SpoolMode::Always => true,
            SpoolMode::Overflow => self.stripes.is_overflowing(stripe),
        };
        let has_room = self.stripes.has_room(stripe) && !self.reader.is_far_behind();
        if logged && !has_room {
            self.stripes.fall_behind(stripe);
        }
        let live_first = self.catch_up == CatchUp::LiveFirst && has_room;
        let to_disk = self.stripes.is_behind(stripe) && !live_first;
        let Routed { key, data, rx_ts_ms, receipt } = routed;
        let slot = self.hold(Held {
            order: 0,
            since: now,
            stripe,
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
            self.stripes.goes_to_disk(stripe, slot);
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
            stripe: Stripe(0),
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
            self.stripes.leaves_memory(held.stripe, held.bytes());
        }
    }

    fn hold(&mut self, held: Held) -> RecordSlot {
        self.next_order += 1;
        self.exposed += usize::from(!held.is_written());
        if held.takes_room() {
            self.exposed_bytes += held.bytes();
        }
        RecordSlot(self.held.insert(Held { order: self.next_order, ..held }))
    }

    /// Notes the end of a record: it was accepted, dead-lettered, or dropped by a rule of the
    /// operator. Gives its receipt, if that is not settled yet.
    pub fn end(&mut self, slot: RecordSlot, now: Instant) -> Option<Receipt> {
        let held = self.held.get_mut(slot.0)?;
        let receipt = held.receipt.take();
        self.window_exhausted &= receipt.is_none();
        let (bytes, stripe, part) = (held.bytes(), held.stripe, held.part);
        if part == Part::Queued && self.stripes.overflowing() > 0 {
            let age = now.saturating_duration_since(held.since);
            self.stripes.verdict(stripe, now, age < self.lateness.usual());
        }
        self.exposed -= usize::from(!held.is_written());
        if held.takes_room() {
            self.exposed_bytes -= bytes;
        }
        if held.log != Log::No {
            self.stripes.leaves_memory(stripe, bytes);
        }
        match held.log {
            Log::Writing(_) => {
                held.part = Part::Ended;
                return receipt;
            }
            Log::Written(seq) => self.writer.ended.push(seq),
            Log::Waiting => self.writer.waits_no_more(bytes),
            Log::Dropped => self.adrift -= 1,
            Log::No => {}
        }
        self.held.remove(slot.0);
        receipt
    }

    /// Learns from the round trip of a call that was answered now.
    pub fn heard(&mut self, round_trip: Duration, now: Instant) {
        self.lateness.heard(round_trip, now);
    }

    /// Notes the last receipt so far of its connection, whichever stream its records go to. Receipts
    /// are acknowledged in order, so that one which waits holds up all that come after it.
    pub fn received_up_to(&mut self, receipt: Receipt) {
        if let Some(last) = self.received_up_to.get_mut(usize::from(receipt.lane)) {
            *last = receipt.number;
        }
    }

    /// Notes that a connection's broker sends nothing more until something is settled. If that may
    /// be of here, records are late sooner and groups are written at once until something is. What
    /// comes to a stream that holds nothing up has its usual time.
    pub fn window_exhausted(&mut self) {
        self.window_exhausted = self.at_risk() > 0;
    }

    /// How many records are not safe: neither on the disk nor at their end.
    #[must_use]
    pub fn exposed(&self) -> usize {
        self.exposed
    }

    /// How many of them the broker still answers for.
    #[must_use]
    pub fn at_risk(&self) -> usize {
        self.exposed - self.adrift
    }

    /// Gives up those for which nobody answers: they went from the disk, and were not sent
    /// since. How many they were.
    pub fn take_adrift(&mut self) -> usize {
        self.exposed -= self.adrift;
        std::mem::take(&mut self.adrift)
    }

    /// Bytes of what is not safe, as far as it takes room.
    #[must_use]
    pub fn exposed_bytes(&self) -> usize {
        self.exposed_bytes
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

    /// Lets stripes that are late overflow, and those that are in time be well again; gives what is
    /// to be queued because its stripe has caught up.
    pub fn turn(&mut self, now: Instant, situation: Situation) -> Vec<Incoming> {
        self.limit = self.lateness.limit(self.window_exhausted, situation);
        self.overflow(now);
        if now < self.check_at || self.mode == SpoolMode::Off {
            return Vec::new();
        }
        self.check_at = now + CATCH_UP_CHECK;
        let is_well = situation.open && self.stripes.leave(now) && self.stripes.overflowing() == 0;
        if is_well && self.mode == SpoolMode::Overflow {
            info!("the stream keeps up again: nothing goes to the spool");
        }
        self.catch_up()
    }

    /// From when on the oldest record that is not logged is late.
    fn late_at(&mut self) -> Option<Instant> {
        let held = &self.held;
        let oldest = self.unlogged.front(|spot| is_unlogged(held, spot))?;
        let since = self.held.get(oldest.0)?.since;
        since.checked_add(self.limit)
    }

    /// Logs everything of the stripes of late records; of all, if the stream said nothing since one of
    /// those came.
    fn overflow(&mut self, now: Instant) {
        if self.late_at().is_none_or(|at| at > now) {
            return;
        }
        let limit = self.limit;
        let (held, stripes, lateness) = (&self.held, &mut self.stripes, &self.lateness);
        let was_well = stripes.overflowing() == 0;
        let leaving = self.unlogged.take(|spot| {
            let there = held.get(spot.1.0).filter(|_| is_unlogged(held, spot));
            let Some(held) = there else { return true };
            if now.saturating_duration_since(held.since) >= limit {
                match lateness.is_silent_since(held.since) {
                    true => stripes.all_overflow(now),
                    false => stripes.overflow(held.stripe, now),
                }
            }
            stripes.is_overflowing(held.stripe)
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

    /// Queues what waits for the disk of stripes that have caught up.
    fn catch_up(&mut self) -> Vec<Incoming> {
        let mut incoming = Vec::new();
        for slot in self.stripes.catch_up(self.reader.next) {
            if let Some(held) = self.held.get_mut(slot.0) {
                held.part = Part::Queued;
                self.stripes.enters_memory(held.stripe, held.bytes());
                incoming.push(held.incoming(slot));
            }
        }
        incoming
    }

    /// When to call [`Self::turn`] and [`Self::next_job`] again at the latest.
    pub fn wake_at(&mut self) -> Option<Instant> {
        let check = self.stripes.is_any_late().then_some(self.check_at);
        let idle = (!self.busy).then_some(());
        let group = idle.and_then(|()| self.group_due_at());
        let read = idle.and(self.read_retry_at);
        [self.late_at(), check, group, read].into_iter().flatten().min()
    }
}
