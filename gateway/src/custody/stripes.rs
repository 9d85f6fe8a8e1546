//! What the spool means for each stripe: whether its records go to disk, and which wait there.

use std::collections::VecDeque;
use std::time::Instant;

use crate::config::{CatchUp, Config};
use crate::limits::{
    OVERFLOW_MIN, PASSED_OVER_MAX, PUBLISH_OVERHEAD_BYTES, SHARD_AHEAD_BYTES, SPOOL_AHEAD_BYTES,
    SPOOL_READ_BYTES_MAX,
};
use crate::record::RecordSlot;
use crate::spool::{Place, Seq};

use super::Stripe;

/// Places read of the disk at once.
const FETCH_MAX: usize = 256;
/// The part of it that is filled from the disk where live records go first.
const LIVE_FIRST_SHARE: usize = 4;

/// How one stripe stands.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Since when its records are logged, because one was late.
    overflowing: Option<Instant>,
    /// Whether a record was accepted in time since the last that was not.
    calm: bool,
    /// Whether new records go to the disk alone: in memory they would overtake.
    behind: bool,
    /// The last entry that is on the disk alone.
    last_on_disk: Option<Seq>,
    /// Records that are on their way to the disk alone.
    to_disk: VecDeque<RecordSlot>,
    /// Entries that the reader has passed over.
    passed: VecDeque<Place>,
    /// What of the spool is in memory, waiting or in flight.
    ahead_bytes: usize,
}

/// All stripes.
#[derive(Debug)]
pub(super) struct Stripes {
    stripes: Vec<Standing>,
    /// What each may hold in memory, and up to where the reader adds to it.
    quota_bytes: usize,
    read_quota_bytes: usize,
    budget_bytes: usize,
    ahead_bytes: usize,
    passed: usize,
    pub(super) passed_max: usize,
    /// The stripe that is fetched for first.
    fetch_first: usize,
    overflowing: usize,
    behind: usize,
}

impl Stripes {
    /// `count` stripes, which have equal parts of what of the spool may be in memory. Where live
    /// records go first the reader fills only a part of that.
    pub(super) fn new(count: usize, config: &Config) -> Self {
        let budget_bytes = config.spool_memory_bytes_max();
        let count = count.max(1);
        let mut stripes = Vec::new();
        stripes.resize_with(count, Standing::default);
        let share_bytes = budget_bytes / count;
        let quota_bytes = (SPOOL_AHEAD_BYTES / count).max(SHARD_AHEAD_BYTES).min(share_bytes);
        // One record, if it comes to that.
        let quota_bytes = quota_bytes.max(1);
        let read_quota_bytes = match config.spool.catch_up {
            CatchUp::Order => quota_bytes,
            CatchUp::LiveFirst => quota_bytes.div_ceil(LIVE_FIRST_SHARE),
        };
        Self {
            stripes,
            quota_bytes,
            read_quota_bytes,
            budget_bytes,
            ahead_bytes: 0,
            passed: 0,
            passed_max: PASSED_OVER_MAX,
            fetch_first: 0,
            overflowing: 0,
            behind: 0,
        }
    }

    /// Entries before `next` may be of any stripe: all of them begin behind.
    pub(super) fn all_behind(&mut self, next: Seq, now: Instant) {
        let last = Seq(next.0.saturating_sub(1));
        for stripe in &mut self.stripes {
            (stripe.overflowing, stripe.behind, stripe.last_on_disk) =
                (Some(now), true, Some(last));
        }
        (self.overflowing, self.behind) = (self.stripes.len(), self.stripes.len());
    }

    fn get_mut(&mut self, Stripe(index): Stripe) -> Option<&mut Standing> {
        self.stripes.get_mut(index)
    }

    fn get(&self, Stripe(index): Stripe) -> Option<&Standing> {
        self.stripes.get(index)
    }

    pub(super) fn is_overflowing(&self, index: Stripe) -> bool {
        self.get(index).is_some_and(|stripe| stripe.overflowing.is_some())
    }

    pub(super) fn is_behind(&self, index: Stripe) -> bool {
        self.get(index).is_some_and(|stripe| stripe.behind)
    }

    /// How many stripes overflow.
    pub(super) fn overflowing(&self) -> usize {
        self.overflowing
    }

    /// Notes that a record was late.
    pub(super) fn overflow(&mut self, index: Stripe, now: Instant) {
        if let Some(stripe) = self.stripes.get_mut(index.0) {
            self.overflowing += usize::from(stripe.overflowing.replace(now).is_none());
            stripe.calm = false;
        }
    }

    /// Notes that whatever goes to the stream is late.
    pub(super) fn all_overflow(&mut self, now: Instant) {
        for stripe in &mut self.stripes {
            (stripe.overflowing, stripe.calm) = (Some(now), false);
        }
        self.overflowing = self.stripes.len();
    }

    /// Notes the end of a record, whether it was in time.
    pub(super) fn verdict(&mut self, index: Stripe, now: Instant, in_time: bool) {
        let Some(stripe) = self.get_mut(index) else { return };
        stripe.calm = in_time;
        if let Some(since) = stripe.overflowing.as_mut().filter(|_| !in_time) {
            *since = now;
        }
    }

    /// Whether a stripe may hold more new records in memory.
    pub(super) fn has_room(&self, index: Stripe) -> bool {
        self.has_room_below(index, self.quota_bytes)
    }

    fn has_room_below(&self, index: Stripe, quota_bytes: usize) -> bool {
        self.ahead_bytes < self.budget_bytes
            && self.get(index).is_some_and(|stripe| stripe.ahead_bytes < quota_bytes)
    }

    /// Whether an entry that is read next may go to memory.
    pub(super) fn takes(&self, index: Stripe) -> bool {
        let none_before = self.get(index).is_some_and(|stripe| stripe.passed.is_empty());
        none_before && self.has_room_below(index, self.read_quota_bytes)
    }

    /// Whether many more entries may be passed over: worth reading on for.
    pub(super) fn passes_many(&self) -> bool {
        self.stripes.len() > 1 && self.passed < self.passed_max / 4 * 3
    }

    /// Whether the reader has passed anything over.
    pub(super) fn has_passed(&self) -> bool {
        self.passed > 0
    }

    /// Whether a stripe overflows or is behind.
    pub(super) fn is_any_late(&self) -> bool {
        self.overflowing > 0 || self.behind > 0
    }

    /// Whether the memory that all share has room.
    pub(super) fn room_bytes(&self) -> usize {
        self.budget_bytes.saturating_sub(self.ahead_bytes)
    }

    /// From now on new records go to the disk alone.
    pub(super) fn fall_behind(&mut self, index: Stripe) {
        if let Some(stripe) = self.stripes.get_mut(index.0)
            && !stripe.behind
        {
            stripe.behind = true;
            self.behind += 1;
        }
    }

    pub(super) fn enters_memory(&mut self, index: Stripe, bytes: usize) {
        if let Some(stripe) = self.stripes.get_mut(index.0) {
            stripe.ahead_bytes += bytes;
            self.ahead_bytes += bytes;
        }
    }

    pub(super) fn leaves_memory(&mut self, index: Stripe, bytes: usize) {
        if let Some(stripe) = self.stripes.get_mut(index.0) {
            stripe.ahead_bytes -= bytes;
            self.ahead_bytes -= bytes;
        }
    }

    /// Notes that a record is on its way to the disk alone.
    pub(super) fn goes_to_disk(&mut self, index: Stripe, slot: RecordSlot) {
        if let Some(stripe) = self.get_mut(index) {
            stripe.to_disk.push_back(slot);
        }
    }

    /// Notes that `seq`, the first of those on their way, is on the disk alone.
    pub(super) fn is_on_disk(&mut self, index: Stripe, seq: Seq) {
        if let Some(stripe) = self.get_mut(index) {
            stripe.last_on_disk = Some(seq);
            stripe.to_disk.pop_front();
        }
    }

    /// Remembers an entry that is passed over; not if too many are remembered already, or if there
    /// is nobody for whom to pass it over.
    pub(super) fn pass(&mut self, index: Stripe, place: Place) -> bool {
        let for_others = self.stripes.len() > 1;
        let Some(stripe) = self.stripes.get_mut(index.0) else { return false };
        if self.passed >= self.passed_max || !for_others {
            return false;
        }
        stripe.passed.push_back(place);
        self.passed += 1;
        true
    }

    /// How many passed-over entries of each stripe may be read now, and where they lie: as many as
    /// the stripe has room for, and another stripe first each time.
    pub(super) fn fetchable(&mut self) -> (Vec<(Stripe, usize)>, Vec<Place>) {
        let (mut counts, mut places) = (Vec::new(), Vec::new());
        if self.passed == 0 {
            return (counts, places);
        }
        let mut left_bytes = self.room_bytes().min(SPOOL_READ_BYTES_MAX);
        self.fetch_first = (self.fetch_first + 1) % self.stripes.len();
        let (before, after) = self.stripes.split_at(self.fetch_first);
        let numbered = (self.fetch_first..).zip(after).chain((0..).zip(before));
        for (index, stripe) in numbered {
            let mut room_bytes = self.read_quota_bytes.saturating_sub(stripe.ahead_bytes);
            let first = places.len();
            for place in &stripe.passed {
                if room_bytes == 0 || left_bytes == 0 || places.len() >= FETCH_MAX {
                    break;
                }
                places.push(*place);
                room_bytes = room_bytes.saturating_sub(in_memory(*place));
                left_bytes = left_bytes.saturating_sub(in_memory(*place));
            }
            if places.len() > first {
                counts.push((Stripe(index), places.len() - first));
            }
        }
        (counts, places)
    }

    /// Whether the reader has somebody to read for.
    pub(super) fn any_takes(&self) -> bool {
        let takes = |stripe: &Standing| {
            stripe.passed.is_empty() && stripe.ahead_bytes < self.read_quota_bytes
        };
        self.ahead_bytes < self.budget_bytes && self.stripes.iter().any(takes)
    }

    /// Forgets the first passed-over entry of a stripe.
    pub(super) fn pop_passed(&mut self, index: Stripe) -> Option<Seq> {
        let stripe = self.stripes.get_mut(index.0)?;
        let place = stripe.passed.pop_front()?;
        if stripe.passed.is_empty() {
            // Its room, after a long list.
            stripe.passed = VecDeque::new();
        }
        self.passed -= 1;
        Some(place.seq())
    }

    /// Forgets passed-over entries that are on the disk no more.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&Seq) -> bool) {
        for stripe in &mut self.stripes {
            let before = stripe.passed.len();
            stripe.passed.retain(|place| !is_gone(&place.seq()));
            self.passed -= before - stripe.passed.len();
        }
    }

    /// Stripes that are behind no more: the reader, at `next`, has seen their last entry. What is on
    /// its way to the disk alone is to be queued as well.
    pub(super) fn catch_up(&mut self, next: Seq) -> Vec<RecordSlot> {
        let mut queue = Vec::new();
        if self.behind == 0 || self.ahead_bytes >= self.budget_bytes {
            return queue;
        }
        for stripe in &mut self.stripes {
            let caught_up = stripe.passed.is_empty()
                && stripe.last_on_disk.is_none_or(|last| last < next)
                && stripe.ahead_bytes < self.quota_bytes.div_ceil(2);
            if stripe.behind && caught_up {
                stripe.behind = false;
                self.behind -= 1;
                queue.extend(stripe.to_disk.drain(..));
            }
        }
        queue
    }

    /// Ends the overflow of stripes that have been in time for a while. True if one ended.
    pub(super) fn leave(&mut self, now: Instant) -> bool {
        if self.overflowing == 0 {
            return false;
        }
        let over = |since: Instant| now.saturating_duration_since(since) >= OVERFLOW_MIN;
        let before = self.overflowing;
        for stripe in &mut self.stripes {
            // With nothing left to be late, there is nothing to wait for.
            let well = stripe.calm || stripe.ahead_bytes == 0;
            if well && !stripe.behind && stripe.overflowing.is_some_and(over) {
                stripe.overflowing = None;
                self.overflowing -= 1;
            }
        }
        self.overflowing < before
    }
}

fn in_memory(place: Place) -> usize {
    place.bytes() + PUBLISH_OVERHEAD_BYTES
}
