//! What the disk is to do, and what became of it.

use std::ops::Range;
use std::time::Instant;

use crate::ack::Receipt;
use crate::config::SpoolMode;
use crate::limits::{SPOOL_READ_BYTES_MAX, SPOOL_RETRY};
use crate::queue::Incoming;
use crate::record::PartitionKey;
use crate::spool::{Entry, Place, Read, Seq};

use super::reader::Arrival;
use super::{Custody, Stripe};

/// What the disk is to do, in this order.
#[derive(Debug, Default)]
pub struct Job {
    /// Entries that need not be delivered any more.
    pub settled: Vec<Seq>,
    /// Entries to append and sync together; none if empty.
    pub group: Vec<Entry>,
    /// Entries to read that were passed over.
    pub fetch: Vec<Place>,
    /// From which entry on to read, and how many bytes.
    pub read: Option<(Seq, usize)>,
}

/// What became of a [`Job`]. What failed is absent, and asked for again.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Whether the group is on the disk.
    pub kept: bool,
    /// Entries that were dropped to make room, even if in vain, in order.
    pub dropped: Vec<Range<Seq>>,
    /// Entries that cannot be read any more, in any order.
    pub lost: Vec<Range<Seq>>,
    /// What was found of the places.
    pub fetched: Option<Vec<Entry>>,
    /// What was read.
    pub read: Option<Read>,
    /// How many entries on the disk are not settled.
    pub unsettled: u64,
}

/// What an outcome leads to.
#[derive(Debug, Default)]
pub struct Progress {
    /// To be settled with the broker's connections: these records are safe.
    pub receipts: Vec<Receipt>,
    /// To be queued.
    pub incoming: Vec<Incoming>,
    /// How many records were dropped to make room.
    pub dropped: usize,
    /// How many records were lost because the disk does not give them any more.
    pub corrupted: usize,
    /// How many of those to be queued were left by an earlier run.
    pub replayed: usize,
}

/// How things stand.
#[derive(Debug, Clone, Copy)]
pub struct Situation {
    /// The stream takes calls, as far as is known.
    pub open: bool,
    /// Entries may be read.
    pub reading: bool,
    /// The program stops: what is not safe soon goes to the disk at once.
    pub stopping: bool,
}

impl Custody {
    /// What the disk is to do now, if anything. Its outcome goes to [`Self::finished`], before the
    /// next job is asked for.
    pub fn next_job(&mut self, now: Instant, situation: Situation) -> Option<Job> {
        if self.mode == SpoolMode::Off {
            return None;
        }
        let mut job = Job::default();
        self.reader.fetching.clear();
        let may_write = self.write_retry_at.is_none_or(|at| at <= now);
        if may_write && self.group_due_at().is_some_and(|at| at <= now || situation.stopping) {
            job.group = self.take_group();
        }
        self.read_retry_at = self.read_retry_at.filter(|at| *at > now);
        if situation.reading && self.read_retry_at.is_none() {
            (self.reader.fetching, job.fetch) = self.stripes.fetchable();
            let room = self.stripes.room_bytes().min(SPOOL_READ_BYTES_MAX);
            let (stripes, stuck) = (&self.stripes, self.reader.stuck);
            let stuck = stuck.is_some_and(|at| !stripes.takes(at) && !stripes.passes_many());
            let more = self.reader.next < self.writer.next && !stuck && stripes.any_takes();
            job.read = more.then_some((self.reader.next, room));
        }
        self.reader.reading = job.read.is_some();
        let idle = job.group.is_empty() && job.fetch.is_empty() && !self.reader.reading;
        if idle && self.writer.ended.is_empty() {
            return None;
        }
        job.settled = std::mem::take(&mut self.writer.ended);
        // Until the outcome tells.
        self.writer.unsettled = self.writer.unsettled.saturating_sub(job.settled.len() as u64);
        self.busy = true;
        Some(job)
    }

    /// Takes the outcome of the last job. `now_ms` is `now` in milliseconds since 1970-01-01 UTC;
    /// `locate` tells the stripe of a key.
    pub fn finished(
        &mut self,
        outcome: Outcome,
        (now, now_ms): (Instant, i64),
        locate: impl Fn(&PartitionKey) -> Stripe,
    ) -> Progress {
        let Outcome { kept, dropped, mut lost, fetched, read, unsettled } = outcome;
        let (mut progress, at) = (Progress::default(), Arrival { now, now_ms });
        self.writer.unsettled = unsettled;
        self.busy = false;
        let retry_at = now + SPOOL_RETRY;
        let not_written = !kept && !self.writer.writing.is_empty();
        self.write_retry_at = not_written.then_some(retry_at).or(self.write_retry_at);
        let not_read = fetched.is_none() && !self.reader.fetching.is_empty()
            || read.is_none() && self.reader.reading;
        self.read_retry_at = not_read.then_some(retry_at);
        if kept {
            self.write_retry_at = None;
            self.written(&mut progress);
        } else {
            self.not_written();
        }
        if let Some(entries) = fetched {
            self.fetched(entries, at, &mut progress);
        }
        progress.dropped = self.dropped(&dropped);
        lost.sort_unstable_by_key(|range| range.start);
        progress.corrupted = self.lost(&lost);
        if let Some(read) = read {
            self.read(read, at, locate, &mut progress);
        }
        self.window_exhausted &= progress.receipts.is_empty();
        progress.incoming.extend(self.catch_up());
        progress
    }
}
