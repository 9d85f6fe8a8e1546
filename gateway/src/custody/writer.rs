//! On their way to the disk: records that wait for their group.

use std::ops::Range;
use std::time::{Duration, Instant};

use slab::Slab;

use crate::ack::Receipt;
use crate::config::{Config, SpoolSync};
use crate::limits::{GROUP_BYTES_MAX, GROUP_LINGER, GROUP_LINGER_OF_SEVERAL};
use crate::record::RecordSlot;
use crate::spool::{Entry, Seq};

use super::line::{Line, Spot};
use super::{Custody, Found, Held, Log, Part, Progress};

/// What is to be written, and what the disk must be told.
#[derive(Debug)]
pub(super) struct Writer {
    sync: SpoolSync,
    /// A group of so many is synced, or one that holds up so many acknowledgements: the other half of
    /// the broker's window goes on meanwhile.
    group_records: usize,
    /// How long the first of a group waits for others.
    linger: Duration,
    waiting: Line,
    waiting_records: usize,
    waiting_bytes: usize,
    /// The group that is being written.
    pub(super) writing: Vec<RecordSlot>,
    /// The number of the next entry.
    pub(super) next: Seq,
    /// Ended entries of which the disk does not know.
    pub(super) ended: Vec<Seq>,
    /// How many entries are not settled, as far as the disk knows.
    pub(super) unsettled: u64,
}

impl Writer {
    pub(super) fn new(config: &Config, found: Found) -> Self {
        Self {
            sync: config.spool.sync,
            group_records: usize::from(config.mqtt.receive_maximum).div_ceil(2),
            linger: match config.streams.count() {
                1 => GROUP_LINGER,
                _ => GROUP_LINGER_OF_SEVERAL,
            },
            waiting: Line::new(),
            waiting_records: 0,
            waiting_bytes: 0,
            writing: Vec::new(),
            next: found.next,
            ended: Vec::new(),
            unsettled: found.unsettled,
        }
    }

    /// How many entries are neither settled nor ended.
    pub(super) fn spooled(&self) -> u64 {
        self.unsettled.saturating_sub(self.ended.len() as u64)
    }

    pub(super) fn waits(&mut self, bytes: usize) {
        self.waiting_records += 1;
        self.waiting_bytes += bytes;
    }

    pub(super) fn waits_no_more(&mut self, bytes: usize) {
        self.waiting_records -= 1;
        self.waiting_bytes -= bytes;
    }
}

impl Custody {
    /// Has a record written with the next group.
    pub(super) fn log(&mut self, slot: RecordSlot) {
        let Some(held) = self.held.get_mut(slot.0) else { return };
        held.log = Log::Waiting;
        self.writer.waits(held.bytes());
        if held.part == Part::Queued {
            self.stripes.enters_memory(held.stripe, held.bytes());
        }
        let spot = (held.order, slot);
        let held = &self.held;
        self.writer.waiting.push(spot, |spot| is_waiting(held, spot));
    }

    /// When the next group is to be written, unless more comes. Not while one is being written.
    pub(super) fn group_due_at(&mut self) -> Option<Instant> {
        let (writer, held) = (&mut self.writer, &self.held);
        if !writer.writing.is_empty() {
            return None;
        }
        let oldest = held.get(writer.waiting.front(|spot| is_waiting(held, spot))?.0)?;
        let holds_up = |receipt: Receipt| {
            let last = self.received_up_to.get(usize::from(receipt.lane));
            last.map_or(0, |last| last.saturating_sub(receipt.number))
        };
        let at_once = writer.sync == SpoolSync::Immediate
            || self.window_exhausted
            || writer.waiting_records >= writer.group_records
            || oldest.receipt.map_or(0, holds_up) >= writer.group_records as u64
            || writer.waiting_bytes >= GROUP_BYTES_MAX;
        let linger = if at_once { Duration::ZERO } else { writer.linger };
        let at = oldest.since + linger;
        Some(self.write_retry_at.map_or(at, |retry| retry.max(at)))
    }

    pub(super) fn take_group(&mut self) -> Vec<Entry> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        let mut seq = self.writer.next;
        while bytes < GROUP_BYTES_MAX {
            let held = &self.held;
            let Some((_, slot)) = self.writer.waiting.pop(|spot| is_waiting(held, spot)) else {
                break;
            };
            let Some(held) = self.held.get_mut(slot.0) else { continue };
            held.log = Log::Writing(seq);
            bytes += held.bytes();
            self.writer.waits_no_more(held.bytes());
            self.writer.writing.push(slot);
            group.push(held.entry(seq));
            seq = seq.next();
        }
        group
    }

    /// The group is on the disk: its records are safe.
    pub(super) fn written(&mut self, progress: &mut Progress) {
        for slot in std::mem::take(&mut self.writer.writing) {
            let Some(held) = self.held.get_mut(slot.0) else { continue };
            let Log::Writing(seq) = held.log else { continue };
            self.writer.next = seq.next();
            let (part, stripe, bytes) = (held.part, held.stripe, held.bytes());
            progress.receipts.extend(held.receipt.take());
            match part {
                Part::Ended => self.writer.ended.push(seq),
                Part::Queued | Part::Letter => held.log = Log::Written(seq),
                Part::ToDisk => self.stripes.is_on_disk(stripe, seq),
            }
            if part != Part::Ended {
                self.exposed -= 1;
                self.exposed_bytes -= bytes;
            }
            if part != Part::ToDisk {
                self.reader.need_not_read(seq);
            }
            if matches!(part, Part::Ended | Part::ToDisk) {
                self.held.remove(slot.0);
            }
        }
    }

    /// The group is not on the disk: it waits for the next attempt, before all others.
    pub(super) fn not_written(&mut self) {
        let mut again = Vec::new();
        for slot in std::mem::take(&mut self.writer.writing) {
            let Some(held) = self.held.get_mut(slot.0) else { continue };
            match held.part {
                Part::Ended => drop(self.held.remove(slot.0)),
                Part::Letter => {
                    held.log = Log::No;
                    self.stripes.leaves_memory(held.stripe, held.bytes());
                }
                Part::Queued | Part::ToDisk => {
                    held.log = Log::Waiting;
                    self.writer.waits(held.bytes());
                    again.push((held.order, slot));
                }
            }
        }
        self.writer.waiting.put_back(again.into_iter());
    }

    /// The disk dropped entries, in order, as the operator said. Those in memory go on without;
    /// returns how many were on the disk alone.
    pub(super) fn dropped(&mut self, dropped: &[Range<Seq>]) -> usize {
        self.gone(dropped, |custody, slot| {
            if let Some(held) = custody.held.get_mut(slot.0) {
                held.log = Log::Dropped;
                custody.adrift += 1;
            }
        })
    }

    /// The disk lost entries, in order. Those in memory are written again: somebody must answer for
    /// them. Returns how many were on the disk alone.
    pub(super) fn lost(&mut self, lost: &[Range<Seq>]) -> usize {
        self.gone(lost, |custody, slot| {
            let Some(held) = custody.held.get_mut(slot.0) else { return };
            custody.exposed_bytes += held.bytes();
            if held.part == Part::Letter {
                held.log = Log::No;
                custody.stripes.leaves_memory(held.stripe, held.bytes());
                return;
            }
            held.log = Log::Waiting;
            custody.writer.waits(held.bytes());
            let spot = (held.order, slot);
            let held = &custody.held;
            custody.writer.waiting.push(spot, |spot| is_waiting(held, spot));
        })
    }

    /// Entries, in order, are not on the disk any more. Those in memory are given to `then`;
    /// returns how many are not there.
    fn gone(&mut self, gone: &[Range<Seq>], then: impl Fn(&mut Self, RecordSlot)) -> usize {
        if gone.is_empty() {
            return 0;
        }
        let is_gone = |seq: &Seq| {
            let after = gone.partition_point(|range| range.end <= *seq);
            gone.get(after).is_some_and(|range| range.contains(seq))
        };
        let entries: u64 = gone.iter().map(|range| range.end.0 - range.start.0).sum();
        let ended = self.writer.ended.len();
        self.writer.ended.retain(|seq| !is_gone(seq));
        let mut known = ended - self.writer.ended.len();
        let in_memory: Vec<_> = self
            .held
            .iter()
            .filter(|(_, held)| matches!(&held.log, Log::Written(seq) if is_gone(seq)))
            .map(|(slot, _)| RecordSlot(slot))
            .collect();
        known += in_memory.len();
        self.exposed += in_memory.len();
        for slot in in_memory {
            then(self, slot);
        }
        self.stripes.forget(is_gone);
        // It may have been what the reader waits at.
        self.reader.stuck = None;
        usize::try_from(entries).unwrap_or(usize::MAX).saturating_sub(known)
    }
}

fn is_waiting(held: &Slab<Held>, (order, slot): &Spot) -> bool {
    held.get(slot.0).is_some_and(|held| held.order == *order && held.log == Log::Waiting)
}
