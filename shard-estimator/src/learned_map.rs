use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use crate::limits::SHARDS_MAX;
use crate::{HashKey, ShardId, ShardRanges};

#[cfg(test)]
mod tests;

/// Two contradictions within this time mean that the stream places records itself. A stream that
/// was deleted and created again contradicts what was known once, and then agrees with itself.
const CONTRADICTIONS_APART: Duration = Duration::from_secs(60);

/// More are not told apart: the quota of a stream.
const SHARDS: usize = SHARDS_MAX as usize;

/// A shard that takes records, with the first and the last hash key that it owns.
pub type OpenShard = (ShardId, RangeInclusive<HashKey>);

/// Whom a record went to, as an answer of the stream told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// Where the record's partition key lies.
    pub key: HashKey,
    /// The shard that took it.
    pub shard: ShardId,
    /// When the call that carried it began.
    pub asked: Duration,
    /// When that call was answered.
    pub heard: Duration,
}

/// What a [`Sighting`] taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lesson {
    /// Nothing: it was as expected, or too late to tell anything.
    Nothing,
    /// A range is known better: the shards are the same, in the same order.
    Grew,
    /// There are other shards now.
    Moved,
    /// It cannot be true of the shards that were known: all of them are forgotten.
    StartedOver,
    /// A key that returns to an earlier shard, again and again: keys do not place records here.
    PlacesItself,
}

/// Which shard owns which hash keys, learned from nothing but where records went.
///
/// Each open shard owns one unbroken range. So all keys between two that went to the same shard go
/// there too: the first and the last key seen of each shard are all that needs to be remembered, a
/// key that was seen lies between them, and a map of n shards weighs 64 n bytes however many keys
/// there are. Between the last key of a shard and the first of the next lies their border; it is
/// taken to be at the roundest position there, for streams are cut into equal parts and into
/// halves.
///
/// Where a new shard appears in the range of an older one, that one was split or merged: it is
/// closed, and what was known of it is void. Its other keys go to whoever is next to them until
/// they are seen. Where an older shard appears in the range of a newer one, the answer is late (its
/// call began before the newer one was known), or the stream is another, or it places records
/// itself (`RecordDistributionStrategy` `AUTO`), and then the map is empty for good: it
/// [`is_whole`](Self::is_whole).
///
/// Time is the time since any moment, the same for all calls.
#[derive(Debug, Clone, Default)]
pub struct LearnedMap {
    /// In the order of their keys; none touches another.
    stretches: Vec<Stretch>,
    /// When it started over.
    contradicted: Option<Duration>,
    whole: bool,
}

/// What is known of the range of an open shard: it owns these keys, and perhaps more.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: HashKey,
    last: HashKey,
    shard: ShardId,
    /// When it was heard of first.
    known: Duration,
}

impl LearnedMap {
    /// The shards are to be learned.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over the open shards as the service lists them at `now`, in any order. A list that is
    /// none (no shards, ranges that overlap, or shards older than one that is known) changes
    /// nothing.
    ///
    /// What follows is learned from sightings, as before.
    pub fn list(&mut self, shards: impl IntoIterator<Item = OpenShard>, now: Duration) -> Lesson {
        let stretch = |(shard, range): OpenShard| {
            let (first, last) = range.into_inner();
            Stretch { first, last, shard, known: now }
        };
        let mut listed: Vec<_> = shards.into_iter().take(SHARDS).map(stretch).collect();
        listed.sort_unstable_by_key(|stretch| stretch.first);
        let in_order = listed.iter().all(|stretch| stretch.first <= stretch.last)
            && listed.is_sorted_by(|before, after| before.last < after.first);
        let newest = |shards: &[Stretch]| shards.iter().map(|stretch| stretch.shard).max();
        if self.whole || !in_order || newest(&listed) < newest(&self.stretches) || listed.is_empty()
        {
            return Lesson::Nothing;
        }
        self.stretches = listed;
        Lesson::Moved
    }

    /// The place among [`shards`](Self::shards) of the shard that `key` is thought to belong to, until
    /// something [moves](Lesson::Moved); `None` while nothing is known, and when the stream places
    /// records itself.
    ///
    /// Right for every key seen since the shards last changed.
    #[must_use]
    pub fn place_of(&self, key: HashKey) -> Option<usize> {
        let after = self.begun_at(key);
        let Some(before) = after.checked_sub(1) else {
            return (!self.stretches.is_empty()).then_some(0);
        };
        let beyond = self.border(after).is_some_and(|border| key >= border);
        Some(if beyond { after } else { before })
    }

    /// Where the one at this place is thought to begin; `None` for the first and beyond the last.
    fn border(&self, at: usize) -> Option<HashKey> {
        let before = self.stretches.get(at.checked_sub(1)?)?;
        Some(roundest(before.last, self.stretches.get(at)?.first))
    }

    /// How many begin at `key` or below.
    fn begun_at(&self, key: HashKey) -> usize {
        let begins = |stretch: &Stretch| stretch.first <= key;
        // Most streams have equal ranges: there one look at the key's share of them is enough.
        let share = ((key.0 >> 64) * self.stretches.len() as u128) >> 64;
        let here = usize::try_from(share).unwrap_or(0);
        let next_begins = self.stretches.get(here + 1).is_some_and(begins);
        match self.stretches.get(here) {
            Some(stretch) if begins(stretch) && !next_begins => here + 1,
            _ => self.stretches.partition_point(begins),
        }
    }

    /// Learns from a record that the stream took.
    ///
    /// Cheap when it is as expected: at most one binary search.
    pub fn note(&mut self, sighting: Sighting) -> Lesson {
        let Sighting { key, shard, .. } = sighting;
        if self.whole || self.is_known(key, shard) {
            return Lesson::Nothing;
        }
        let own = self.stretch_of(shard, key).copied();
        let stretch = own.map_or_else(
            || Stretch { first: key, last: key, shard, known: sighting.heard },
            |own| Stretch { first: own.first.min(key), last: own.last.max(key), ..own },
        );
        let touched = self.touched(&stretch);
        let newer = self.stretches.get(touched.clone()).unwrap_or_default().iter();
        match newer.filter(|other| other.shard > shard).map(|other| other.known).min() {
            Some(known) if known <= sighting.asked => self.contradict(sighting),
            Some(_) => Lesson::Nothing,
            None if touched.is_empty() && self.stretches.len() >= SHARDS => Lesson::Nothing,
            None => {
                let same = own.is_some() && touched.len() == 1;
                self.stretches.splice(touched, [stretch]);
                if same { Lesson::Grew } else { Lesson::Moved }
            }
        }
    }

    /// What is known of `shard`. Looked for next to `key` first: nearly always it is there, and a
    /// stream may have many shards.
    fn stretch_of(&self, shard: ShardId, key: HashKey) -> Option<&Stretch> {
        let after = self.begun_at(key);
        let near = self.stretches.get(after.saturating_sub(1)..).into_iter().flatten().take(2);
        near.chain(&self.stretches).find(|stretch| stretch.shard == shard)
    }

    /// Whether it is known already that `shard` owns `key`.
    fn is_known(&self, key: HashKey, shard: ShardId) -> bool {
        let there = self.begun_at(key).checked_sub(1).and_then(|at| self.stretches.get(at));
        there.is_some_and(|there| key <= there.last && there.shard == shard)
    }

    /// Which of those known share keys with `stretch`.
    fn touched(&self, stretch: &Stretch) -> Range<usize> {
        let from = self.stretches.partition_point(|other| other.last < stretch.first);
        from..self.stretches.partition_point(|other| other.first <= stretch.last)
    }

    fn contradict(&mut self, Sighting { key, shard, heard, .. }: Sighting) -> Lesson {
        self.stretches.clear();
        let before = self.contradicted.replace(heard);
        if before.is_some_and(|before| heard.saturating_sub(before) < CONTRADICTIONS_APART) {
            self.whole = true;
            return Lesson::PlacesItself;
        }
        self.stretches.push(Stretch { first: key, last: key, shard, known: heard });
        Lesson::StartedOver
    }

    /// Whether what is known of the shard that owns `key`, and of those next to it, cannot be if
    /// the stream has these ranges: one range of two shards, or one shard of two ranges.
    #[must_use]
    pub fn contradicts(&self, ranges: &ShardRanges, key: HashKey) -> bool {
        let at = self.stretches.partition_point(|stretch| stretch.last < key);
        let Some(owner) = self.stretches.get(at).filter(|owner| owner.first <= key) else {
            return false;
        };
        let range = ranges.shard_of(owner.first);
        let before = at.checked_sub(1).and_then(|before| self.stretches.get(before));
        let after = at.checked_add(1).and_then(|after| self.stretches.get(after));
        ranges.shard_of(owner.last) != range
            || before.is_some_and(|before| ranges.shard_of(before.last) == range)
            || after.is_some_and(|after| ranges.shard_of(after.first) == range)
    }

    /// The shards that are known to be open, in the order of their ranges, each with the first key
    /// that is thought to be its own.
    pub fn shards(&self) -> impl ExactSizeIterator<Item = (ShardId, HashKey)> {
        let shard = |(at, stretch): (usize, &Stretch)| {
            (stretch.shard, self.border(at).unwrap_or(HashKey(0)))
        };
        self.stretches.iter().enumerate().map(shard)
    }

    /// Whether the stream places records itself, so that its shards mean nothing to a key.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }
}

/// The position above `low`, and up to `high`, that ends in the most zeros in binary: half of
/// everything if that lies between them, or a quarter, or an eighth and so on. `low` must be below
/// `high`.
fn roundest(low: HashKey, high: HashKey) -> HashKey {
    debug_assert!(low < high);
    // What both have in common ahead of the first bit in which they differ, and that bit.
    let digits = (low.0 ^ high.0).checked_ilog2().unwrap_or(0);
    HashKey(high.0 >> digits << digits)
}
