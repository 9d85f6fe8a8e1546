//! Which shard a key belongs to: as stated, until the answers say otherwise; else as listed, where
//! the key may list; and always as learned from the answers.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use shard_estimator::{HashKey, LearnedMap, Lesson, OpenShard, ShardId, ShardRanges, Sighting};
use tracing::{info, warn};

use crate::deliver::Trouble;
use crate::metrics::Known;

mod census;
mod listing;
#[cfg(test)]
mod tests;

use census::Census;
use listing::Listing;

/// A shard that keys are thought to belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Predicted {
    /// The nth by range, from 0, of as many as the operator stated.
    Nth(u32),
    /// The one with this id.
    Id(ShardId),
    /// Any: nothing is known of them yet, but that there is one at least.
    Any,
    /// None of its own: the stream is one whole.
    Whole,
}

/// What a record taught of the shards; the last is the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// They are the same, in the same order, but some begin elsewhere.
    Borders,
    /// They are others.
    Shards,
}

/// As metrics name it.
impl fmt::Display for Predicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nth(place) => place.fmt(f),
            Self::Id(id) => id.fmt(f),
            Self::Any | Self::Whole => f.write_str("any"),
        }
    }
}

/// The shards of a stream, as last known. Time is the time since any moment.
#[derive(Debug)]
pub(super) struct ShardMap {
    /// Equal ranges, as many as the operator stated and as long as nothing contradicts it.
    stated: Option<ShardRanges>,
    /// Nothing is to be learned of shards that nobody asks for.
    learned: Option<LearnedMap>,
    /// Whether what is learned is what the service listed, and nothing else was seen since.
    is_listed: bool,
    listing: Listing,
    census: Census,
}

impl ShardMap {
    /// So many shards of equal ranges; none stated are to be learned.
    pub(super) fn new(stated: Option<u32>) -> Self {
        Self {
            stated: stated.and_then(NonZeroU32::new).map(ShardRanges::equal),
            learned: Some(LearnedMap::new()),
            is_listed: false,
            listing: Listing::default(),
            census: Census::default(),
        }
    }

    /// One whole, whatever its shards are.
    pub(super) fn whole() -> Self {
        Self { learned: None, ..Self::new(None) }
    }

    /// Whether the shards are those that the operator stated: nothing contradicts it.
    pub(super) fn is_stated(&self) -> bool {
        self.stated.is_some()
    }

    /// How it is known which shards there are.
    pub(super) fn known(&self) -> Known {
        match (&self.stated, self.is_listed) {
            (Some(_), _) => Known::Stated,
            (None, true) => Known::Listed,
            (None, false) => Known::Learned,
        }
    }

    /// The shard that `key` is thought to belong to now, by its place among [`Self::shards`].
    pub(super) fn predict(&self, key: HashKey) -> usize {
        let place = match (&self.stated, &self.learned) {
            (Some(stated), _) => usize::try_from(stated.shard_of(key)).ok(),
            (None, Some(learned)) => learned.place_of(key),
            (None, None) => None,
        };
        place.unwrap_or(0)
    }

    /// All that can be predicted, in the order of their ranges, each with the first key that is
    /// thought to be its own: the shards that are told apart, any, or none but the whole.
    pub(super) fn shards(&self) -> Vec<(Predicted, HashKey)> {
        let told_apart: Vec<_> = match (&self.stated, &self.learned) {
            (Some(stated), _) => {
                let nth = |n| Some((Predicted::Nth(n), *stated.range(n)?.start()));
                (0..stated.shards().get()).filter_map(nth).collect()
            }
            (None, Some(learned)) => {
                learned.shards().map(|(id, first)| (Predicted::Id(id), first)).collect()
            }
            (None, None) => Vec::new(),
        };
        let whole = self.learned.as_ref().is_none_or(LearnedMap::is_whole);
        match told_apart.is_empty() {
            true if whole => vec![(Predicted::Whole, HashKey(0))],
            true => vec![(Predicted::Any, HashKey(0))],
            false => told_apart,
        }
    }

    /// Learns where a record went.
    pub(super) fn note(&mut self, sighting: Sighting) -> Change {
        let Some(learned) = &mut self.learned else { return Change::None };
        let lesson = learned.note(sighting);
        match (lesson, self.stated) {
            (Lesson::Nothing, _) => return Change::None,
            (Lesson::Grew, None) => return Change::Borders,
            // The first of all, or one that was split or merged.
            (Lesson::Moved, None) => {}
            (Lesson::Grew | Lesson::Moved, Some(stated)) => {
                if !learned.contradicts(&stated, sighting.key) {
                    return Change::None;
                }
                warn!(
                    stated = stated.shards(),
                    "stream.shards is not, or not any more, what the stream has: from now on its \
                     shards are learned; correct the number, or leave it out"
                );
            }
            (Lesson::StartedOver, _) => {
                warn!("the shards are not those that were known: they are learned again");
            }
            (Lesson::PlacesItself, _) => {
                warn!(
                    "the stream places records itself, whatever their keys (AUTO): it is paced as \
                     one whole, and the records of a device are spread over its shards"
                );
            }
        }
        (self.stated, self.is_listed) = (None, false);
        if !learned.is_whole() {
            self.listing.want(sighting.heard);
        }
        Change::Shards
    }

    /// Whether to ask for the list of shards now; its answer goes to [`Self::listed`].
    pub(super) fn asks(&mut self, now: Duration) -> bool {
        self.listing.asks(now)
    }

    /// Takes over the list of shards. True if some keys are thought to belong to other shards now.
    pub(super) fn listed(&mut self, list: Result<Vec<OpenShard>, Trouble>, now: Duration) -> bool {
        match (self.listing.answered(list, now), &mut self.learned) {
            (Some(shards), Some(learned)) => {
                let moved = learned.list(shards, now) == Lesson::Moved;
                self.is_listed |= moved;
                moved
            }
            (None, _) | (_, None) => false,
        }
    }

    /// Tells the log when there are more or fewer shards than it knows of.
    pub(super) fn tell(&mut self, now: Duration) {
        if let Some(shards) = self.news(now) {
            info!(shards, "the shards of the stream are known");
        }
    }

    /// How many there are, if that is news. Those of a stream that is one whole are nobody's concern.
    fn news(&mut self, now: Duration) -> Option<usize> {
        let learned = self.learned.as_ref().filter(|learned| !learned.is_whole())?;
        if self.is_stated() {
            return None;
        }
        self.census.count(learned.shards().len(), now)
    }
}
