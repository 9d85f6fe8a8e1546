//! Back from the disk: in order, passing over what is in memory and what is blocked.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tracing::warn;

use crate::limits::PASSED_OVER_MAX;
use crate::queue::Incoming;
use crate::record::{PartitionKey, RecordSlot};
use crate::spool::{Entry, Read, Seq};

use super::{Custody, Found, Held, Log, Part, Progress, Stripe};

/// Where the reader is.
#[derive(Debug)]
pub(super) struct Reader {
    /// The entry that it reads next.
    pub(super) next: Seq,
    /// Entries behind `next` that are in memory, or were, in order.
    skip: VecDeque<Seq>,
    /// The stripe of an entry that could not be passed over: there the reader waits.
    pub(super) stuck: Option<Stripe>,
    /// How many passed-over entries of which stripes are being fetched.
    pub(super) fetching: Vec<(Stripe, usize)>,
    /// Whether it is reading on.
    pub(super) reading: bool,
    /// Entries below this were left by an earlier run.
    first: Seq,
    /// Whether it was said that the spool is first in, first out.
    said: bool,
}

impl Reader {
    pub(super) fn new(found: Found) -> Self {
        Self {
            next: found.oldest,
            skip: VecDeque::new(),
            stuck: None,
            fetching: Vec::new(),
            reading: false,
            first: found.next,
            said: false,
        }
    }

    /// Whether more stays in memory behind the reader than should be remembered.
    pub(super) fn is_far_behind(&self) -> bool {
        self.skip.len() >= PASSED_OVER_MAX
    }

    /// Notes that `seq`, just written, is in memory or has ended.
    pub(super) fn need_not_read(&mut self, seq: Seq) {
        if self.next == seq {
            self.next = seq.next();
        } else {
            self.skip.push_back(seq);
        }
    }

    /// Whether `seq` is or was in memory. Asked in order: what lies before it is forgotten.
    fn skips(&mut self, seq: Seq) -> bool {
        while self.skip.pop_front_if(|skip| *skip < seq).is_some() {}
        self.skip.pop_front_if(|skip| *skip == seq).is_some()
    }

    /// Goes on to `next`, and over what follows there and is in memory.
    fn go_on(&mut self, next: Seq) {
        self.next = self.next.max(next);
        while self.skips(self.next) {
            self.next = self.next.next();
        }
    }
}

/// When entries come back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) now: Instant,
    /// The same, in milliseconds since 1970-01-01 UTC.
    pub(super) now_ms: i64,
}

impl Custody {
    /// Entries that were passed over, in the order in which they were asked for. One that is
    /// missing was dropped, or cannot be read any more.
    pub(super) fn fetched(&mut self, entries: Vec<Entry>, at: Arrival, progress: &mut Progress) {
        let mut entries = entries.into_iter().peekable();
        for (stripe, count) in std::mem::take(&mut self.reader.fetching) {
            for seq in (0..count).map_while(|_| self.stripes.pop_passed(stripe)).collect::<Vec<_>>()
            {
                if let Some(entry) = entries.next_if(|entry| entry.seq == seq) {
                    self.restore(entry, stripe, at, progress);
                }
            }
        }
    }

    /// Entries that follow.
    pub(super) fn read(
        &mut self,
        read: Read,
        at: Arrival,
        locate: impl Fn(&PartitionKey) -> Stripe,
        progress: &mut Progress,
    ) {
        self.reader.stuck = None;
        for (place, entry) in read.entries {
            if self.reader.skips(entry.seq) {
                continue;
            }
            let stripe = locate(&entry.key);
            if self.stripes.takes(stripe) {
                self.restore(entry, stripe, at, progress);
            } else if !self.stripes.pass(stripe, place) {
                self.reader.stuck = Some(stripe);
                self.reader.go_on(entry.seq);
                let blocks_others = self.stripes.has_passed();
                if blocks_others && !std::mem::replace(&mut self.reader.said, true) {
                    warn!(
                        passed_over = PASSED_OVER_MAX,
                        "the spool is strictly first in, first out: a blocked stripe delays others"
                    );
                }
                return;
            }
        }
        self.reader.go_on(read.next);
    }

    fn restore(&mut self, entry: Entry, stripe: Stripe, at: Arrival, progress: &mut Progress) {
        let age_ms = u64::try_from(at.now_ms.saturating_sub(entry.rx_ts_ms)).unwrap_or(0);
        let arrived = at.now.checked_sub(Duration::from_millis(age_ms)).unwrap_or(at.now);
        progress.replayed += usize::from(entry.seq < self.reader.first);
        let held = Held {
            order: 0,
            since: at.now,
            stripe,
            key: entry.key,
            data: entry.data,
            rx_ts_ms: entry.rx_ts_ms,
            receipt: None,
            log: Log::Written(entry.seq),
            part: Part::Queued,
        };
        self.stripes.enters_memory(stripe, held.bytes());
        let incoming = Incoming { since: arrived, ..held.incoming(RecordSlot(0)) };
        let slot = self.hold(held);
        progress.incoming.push(Incoming { slot, ..incoming });
    }
}
