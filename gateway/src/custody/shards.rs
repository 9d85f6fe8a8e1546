//! What the spool means for each shard: whether its records go to disk, and which wait there.

use std::collections::VecDeque;
use std::time::Instant;

use crate::config::{CatchUp, Config};
use crate::limits::{
    OVERFLOW_MIN, PASSED_OVER_MAX, PUBLISH_OVERHEAD_BYTES, SHARD_AHEAD_BYTES, SPOOL_AHEAD_BYTES,
    SPOOL_READ_BYTES_MAX,
};
use crate::queue::ShardIndex;
use crate::record::RecordSlot;
use crate::spool::{Place, Seq};

/// Places read of the disk at once.
const FETCH_MAX: usize = 256;
/// The part of it that is filled from the disk where live records go first.
const LIVE_FIRST_SHARE: usize = 4;

/// One shard.
#[derive(Debug, Default)]
pub(super) struct Shard {
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

/// All shards.
#[derive(Debug)]
pub(super) struct Shards {
    shards: Vec<Shard>,
    /// What each may hold in memory, and up to where the reader adds to it.
    quota_bytes: usize,
    read_quota_bytes: usize,
    budget_bytes: usize,
    ahead_bytes: usize,
    passed: usize,
    pub(super) passed_max: usize,
    /// The shard that is fetched for first.
    fetch_first: usize,
    overflowing: usize,
    behind: usize,
}

impl Shards {
    /// `count` shards, which have equal parts of what of the spool may be in memory. Where live
    /// records go first the reader fills only a part of that.
    pub(super) fn new(count: usize, config: &Config) -> Self {
        let budget_bytes = config.spool_memory_bytes_max();
        let count = count.max(1);
        let mut shards = Vec::new();
        shards.resize_with(count, Shard::default);
        let share_bytes = budget_bytes / count;
        let quota_bytes = (SPOOL_AHEAD_BYTES / count).max(SHARD_AHEAD_BYTES).min(share_bytes);
        // One record, if it comes to that.
        let quota_bytes = quota_bytes.max(1);
        let read_quota_bytes = match config.spool.catch_up {
            CatchUp::Order => quota_bytes,
            CatchUp::LiveFirst => quota_bytes.div_ceil(LIVE_FIRST_SHARE),
        };
        Self {
            shards,
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

    /// Entries before `next` may be of any shard: all of them begin behind.
    pub(super) fn all_behind(&mut self, next: Seq, now: Instant) {
        let last = Seq(next.0.saturating_sub(1));
        for shard in &mut self.shards {
            (shard.overflowing, shard.behind, shard.last_on_disk) = (Some(now), true, Some(last));
        }
        (self.overflowing, self.behind) = (self.shards.len(), self.shards.len());
    }

    fn get_mut(&mut self, ShardIndex(index): ShardIndex) -> Option<&mut Shard> {
        self.shards.get_mut(index)
    }

    fn get(&self, ShardIndex(index): ShardIndex) -> Option<&Shard> {
        self.shards.get(index)
    }

    pub(super) fn is_overflowing(&self, index: ShardIndex) -> bool {
        self.get(index).is_some_and(|shard| shard.overflowing.is_some())
    }

    pub(super) fn is_behind(&self, index: ShardIndex) -> bool {
        self.get(index).is_some_and(|shard| shard.behind)
    }

    /// How many shards overflow.
    pub(super) fn overflowing(&self) -> usize {
        self.overflowing
    }

    /// Notes that a record was late. True if its shard was well until now.
    pub(super) fn overflow(&mut self, index: ShardIndex, now: Instant) -> bool {
        let Some(shard) = self.get_mut(index) else { return false };
        let is_new = shard.overflowing.replace(now).is_none();
        shard.calm = false;
        self.overflowing += usize::from(is_new);
        is_new
    }

    /// Notes the end of a record, whether it was in time.
    pub(super) fn verdict(&mut self, index: ShardIndex, now: Instant, in_time: bool) {
        let Some(shard) = self.get_mut(index) else { return };
        shard.calm = in_time;
        if let Some(since) = shard.overflowing.as_mut().filter(|_| !in_time) {
            *since = now;
        }
    }

    /// Whether a shard may hold more new records in memory.
    pub(super) fn has_room(&self, index: ShardIndex) -> bool {
        self.has_room_below(index, self.quota_bytes)
    }

    fn has_room_below(&self, index: ShardIndex, quota_bytes: usize) -> bool {
        self.ahead_bytes < self.budget_bytes
            && self.get(index).is_some_and(|shard| shard.ahead_bytes < quota_bytes)
    }

    /// Whether an entry that is read next may go to memory.
    pub(super) fn takes(&self, index: ShardIndex) -> bool {
        let none_before = self.get(index).is_some_and(|shard| shard.passed.is_empty());
        none_before && self.has_room_below(index, self.read_quota_bytes)
    }

    /// Whether many more entries may be passed over: worth reading on for.
    pub(super) fn passes_many(&self) -> bool {
        self.shards.len() > 1 && self.passed < self.passed_max / 4 * 3
    }

    /// Whether the reader has passed anything over.
    pub(super) fn has_passed(&self) -> bool {
        self.passed > 0
    }

    /// Whether a shard overflows or is behind.
    pub(super) fn is_any_late(&self) -> bool {
        self.overflowing > 0 || self.behind > 0
    }

    /// Whether the memory that all share has room.
    pub(super) fn room_bytes(&self) -> usize {
        self.budget_bytes.saturating_sub(self.ahead_bytes)
    }

    /// From now on new records go to the disk alone.
    pub(super) fn fall_behind(&mut self, index: ShardIndex) {
        if let Some(shard) = self.shards.get_mut(index.0)
            && !shard.behind
        {
            shard.behind = true;
            self.behind += 1;
        }
    }

    pub(super) fn enters_memory(&mut self, index: ShardIndex, bytes: usize) {
        if let Some(shard) = self.shards.get_mut(index.0) {
            shard.ahead_bytes += bytes;
            self.ahead_bytes += bytes;
        }
    }

    pub(super) fn leaves_memory(&mut self, index: ShardIndex, bytes: usize) {
        if let Some(shard) = self.shards.get_mut(index.0) {
            shard.ahead_bytes -= bytes;
            self.ahead_bytes -= bytes;
        }
    }

    /// Notes that a record is on its way to the disk alone.
    pub(super) fn goes_to_disk(&mut self, index: ShardIndex, slot: RecordSlot) {
        if let Some(shard) = self.get_mut(index) {
            shard.to_disk.push_back(slot);
        }
    }

    /// Notes that `seq`, the first of those on their way, is on the disk alone.
    pub(super) fn is_on_disk(&mut self, index: ShardIndex, seq: Seq) {
        if let Some(shard) = self.get_mut(index) {
            shard.last_on_disk = Some(seq);
            shard.to_disk.pop_front();
        }
    }

    /// Remembers an entry that is passed over; not if too many are remembered already, or if there
    /// is nobody for whom to pass it over.
    pub(super) fn pass(&mut self, index: ShardIndex, place: Place) -> bool {
        let for_others = self.shards.len() > 1;
        let Some(shard) = self.shards.get_mut(index.0) else { return false };
        if self.passed >= self.passed_max || !for_others {
            return false;
        }
        shard.passed.push_back(place);
        self.passed += 1;
        true
    }

    /// How many passed-over entries of each shard may be read now, and where they lie: as many as
    /// the shard has room for, and another shard first each time.
    pub(super) fn fetchable(&mut self) -> (Vec<(ShardIndex, usize)>, Vec<Place>) {
        let (mut counts, mut places) = (Vec::new(), Vec::new());
        if self.passed == 0 {
            return (counts, places);
        }
        let mut left_bytes = self.room_bytes().min(SPOOL_READ_BYTES_MAX);
        self.fetch_first = (self.fetch_first + 1) % self.shards.len();
        let (before, after) = self.shards.split_at(self.fetch_first);
        let numbered = (self.fetch_first..).zip(after).chain((0..).zip(before));
        for (index, shard) in numbered {
            let mut room_bytes = self.read_quota_bytes.saturating_sub(shard.ahead_bytes);
            let first = places.len();
            for place in &shard.passed {
                if room_bytes == 0 || left_bytes == 0 || places.len() >= FETCH_MAX {
                    break;
                }
                places.push(*place);
                room_bytes = room_bytes.saturating_sub(in_memory(*place));
                left_bytes = left_bytes.saturating_sub(in_memory(*place));
            }
            if places.len() > first {
                counts.push((ShardIndex(index), places.len() - first));
            }
        }
        (counts, places)
    }

    /// Whether the reader has somebody to read for.
    pub(super) fn any_takes(&self) -> bool {
        let takes =
            |shard: &Shard| shard.passed.is_empty() && shard.ahead_bytes < self.read_quota_bytes;
        self.ahead_bytes < self.budget_bytes && self.shards.iter().any(takes)
    }

    /// Forgets the first passed-over entry of a shard.
    pub(super) fn pop_passed(&mut self, index: ShardIndex) -> Option<Seq> {
        let shard = self.shards.get_mut(index.0)?;
        let place = shard.passed.pop_front()?;
        if shard.passed.is_empty() {
            // Its room, after a long list.
            shard.passed = VecDeque::new();
        }
        self.passed -= 1;
        Some(place.seq())
    }

    /// Forgets passed-over entries that are on the disk no more.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&Seq) -> bool) {
        for shard in &mut self.shards {
            let before = shard.passed.len();
            shard.passed.retain(|place| !is_gone(&place.seq()));
            self.passed -= before - shard.passed.len();
        }
    }

    /// Shards that are behind no more: the reader, at `next`, has seen their last entry. What is on
    /// its way to the disk alone is to be queued as well.
    pub(super) fn catch_up(&mut self, next: Seq) -> Vec<RecordSlot> {
        let mut queue = Vec::new();
        if self.behind == 0 || self.ahead_bytes >= self.budget_bytes {
            return queue;
        }
        for shard in &mut self.shards {
            let caught_up = shard.passed.is_empty()
                && shard.last_on_disk.is_none_or(|last| last < next)
                && shard.ahead_bytes < self.quota_bytes.div_ceil(2);
            if shard.behind && caught_up {
                shard.behind = false;
                self.behind -= 1;
                queue.extend(shard.to_disk.drain(..));
            }
        }
        queue
    }

    /// Ends the overflow of shards that have been in time for a while. True if one ended.
    pub(super) fn leave(&mut self, now: Instant) -> bool {
        if self.overflowing == 0 {
            return false;
        }
        let over = |since: Instant| now.saturating_duration_since(since) >= OVERFLOW_MIN;
        let before = self.overflowing;
        for shard in &mut self.shards {
            // With nothing left to be late, there is nothing to wait for.
            let well = shard.calm || shard.ahead_bytes == 0;
            if well && !shard.behind && shard.overflowing.is_some_and(over) {
                shard.overflowing = None;
                self.overflowing -= 1;
            }
        }
        self.overflowing < before
    }
}

fn in_memory(place: Place) -> usize {
    place.bytes() + PUBLISH_OVERHEAD_BYTES
}
