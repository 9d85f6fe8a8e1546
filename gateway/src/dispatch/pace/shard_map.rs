//! Which shard a key belongs to: as stated, until the answers say otherwise; else as listed, where
//! the key may list; and always as learned from the answers.

use std::num::NonZeroU32;
use std::time::Duration;

use shard_estimator::{HashKey, LearnedMap, Lesson, OpenShard, ShardId, ShardRanges, Sighting};
use tracing::{info, warn};

use crate::deliver::{Trouble, TroubleKind};

#[cfg(test)]
mod tests;

/// The shards are listed no more often than this: `ListShards` has a quota that all share.
const LIST_EVERY: Duration = Duration::from_secs(60);
/// The log says how many shards there are once there have been as many for so long.
const STEADY_AFTER: Duration = Duration::from_secs(1);

/// A shard that keys are thought to belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Predicted {
    /// The nth by range, from 0, of as many as the operator stated.
    Nth(u32),
    /// The one with this id.
    Id(ShardId),
    /// Any: the stream is one whole, or its shards are not known.
    Any,
}

/// The shards of a stream, as last known. Time is the time since any moment.
#[derive(Debug)]
pub(super) struct ShardMap {
    /// Equal ranges, as many as the operator stated and as long as nothing contradicts it.
    stated: Option<ShardRanges>,
    /// Nothing is to be learned of shards that nobody asks for.
    learned: Option<LearnedMap>,
    listing: Listing,
    /// Whether they were listed once.
    listed: bool,
    /// How many shards were learned, since when, and how many the log knows of.
    counted: (usize, Duration),
    said: usize,
}

/// Whether to ask for the list of shards.
#[derive(Debug, Clone, Copy)]
enum Listing {
    /// What is known needs none.
    Idle { asked: Option<Duration> },
    /// From then on.
    DueAt(Duration),
}

impl Listing {
    /// What is known may be wrong.
    fn ask_again(&mut self, now: Duration) {
        if let Self::Idle { asked } = *self {
            *self = Self::DueAt(asked.map_or(now, |asked| now.max(asked + LIST_EVERY)));
        }
    }
}

impl ShardMap {
    /// So many shards of equal ranges; none stated are to be learned.
    pub(super) fn new(stated: Option<u32>) -> Self {
        let stated = stated.and_then(NonZeroU32::new).map(ShardRanges::equal);
        let listing = match stated {
            Some(_) => Listing::Idle { asked: None },
            None => Listing::DueAt(Duration::ZERO),
        };
        let (learned, counted) = (Some(LearnedMap::new()), (0, Duration::ZERO));
        Self { stated, learned, listing, listed: false, counted, said: 0 }
    }

    /// One whole, whatever its shards are.
    pub(super) fn whole() -> Self {
        Self { learned: None, listing: Listing::Idle { asked: None }, ..Self::new(None) }
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
    /// thought to be its own: the shards that are told apart, or any.
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
        if told_apart.is_empty() { vec![(Predicted::Any, HashKey(0))] } else { told_apart }
    }

    /// Learns where a record went. True if some keys are thought to belong to other shards now.
    pub(super) fn note(&mut self, sighting: Sighting) -> bool {
        let Some(learned) = &mut self.learned else { return false };
        match learned.note(sighting) {
            Lesson::Nothing => return false,
            Lesson::Moved => {
                let Some(stated) = self.stated else {
                    // What was listed does not move unless it is split or merged.
                    if self.listed {
                        self.listing.ask_again(sighting.heard);
                    }
                    return true;
                };
                if !learned.contradicts(&stated, sighting.key) {
                    return false;
                }
                warn!(
                    stated = stated.shards(),
                    "stream.shards is not, or not any more, what the stream has: from now on its \
                     shards are learned; correct the number, or leave it out"
                );
            }
            Lesson::StartedOver => {
                warn!("the shards are not those that were known: they are learned again");
            }
            Lesson::PlacesItself => {
                warn!(
                    "the stream places records itself, whatever their keys (AUTO): it is paced as \
                     one whole, and the records of a device are spread over its shards"
                );
            }
        }
        self.stated = None;
        if !learned.is_whole() {
            self.listing.ask_again(sighting.heard);
        }
        true
    }

    /// Whether to ask for the list of shards now; its answer goes to [`Self::listed`].
    pub(super) fn asks(&mut self, now: Duration) -> bool {
        let due = matches!(self.listing, Listing::DueAt(at) if at <= now);
        if due {
            self.listing = Listing::Idle { asked: Some(now) };
        }
        due
    }

    /// Takes over the list of shards. True if some keys are thought to belong to other shards now.
    pub(super) fn listed(&mut self, list: Result<Vec<OpenShard>, Trouble>, now: Duration) -> bool {
        match (list, &mut self.learned) {
            (Ok(shards), Some(learned)) => {
                self.listed = true;
                learned.list(shards, now) == Lesson::Moved
            }
            (Err(trouble), _) => {
                if trouble.kind == TroubleKind::NotAllowed {
                    info!(detail = %trouble, "the shards are learned: the key may not list them");
                } else {
                    self.listing.ask_again(now);
                }
                false
            }
            (Ok(_), None) => false,
        }
    }

    /// Tells the log when there are more or fewer shards than it knows of.
    pub(super) fn tell(&mut self, now: Duration) {
        let Some(learned) = self.learned.as_ref().filter(|_| self.stated.is_none()) else { return };
        let count = learned.shards().len();
        if count != self.counted.0 {
            self.counted = (count, now);
        }
        let steady = now.saturating_sub(self.counted.1) >= STEADY_AFTER;
        if count != self.said && steady {
            info!(shards = count, "the shards of the stream are known");
            self.said = count;
        }
    }
}
