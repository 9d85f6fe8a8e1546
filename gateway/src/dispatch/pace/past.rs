//! What the shards were known for before they changed. A new name for the same keys is no reason to
//! try them as fast as a shard that nobody uses.

use std::time::Instant;

use shard_estimator::{Aimd, HashKey};

use super::{Limit, Shard};

/// What one shard was known for, or is from its beginning.
#[derive(Debug)]
pub(super) struct Past {
    /// The first key that was its own.
    first: HashKey,
    /// What part of its limits was used, if it was paced by them.
    pub(super) aimd: Option<Aimd>,
    pub(super) refused_at: Option<Instant>,
}

/// What all shards were known for, in the order of their ranges.
#[derive(Debug)]
pub(super) struct Pasts(Vec<Past>);

impl Pasts {
    pub(super) fn of(shards: &[Shard]) -> Self {
        let past = |shard: &Shard| Past {
            first: shard.first,
            aimd: match &shard.limit {
                Limit::Sized(limit) => Some(limit.aimd().clone()),
                Limit::None | Limit::Learned(_) => None,
            },
            refused_at: shard.refused_at,
        };
        Self(shards.iter().map(past).collect())
    }

    /// What becomes known of a shard with the keys from `first` to below `next`, or to the last: the
    /// pace of its first key, and the latest refusal of any.
    pub(super) fn of_range(&self, first: HashKey, next: Option<HashKey>) -> Past {
        let from = self.0.partition_point(|past| past.first <= first).saturating_sub(1);
        let to = next.map_or(self.0.len(), |next| self.0.partition_point(|past| past.first < next));
        let parents = self.0.get(from..to).unwrap_or_default();
        Past {
            first,
            aimd: parents.first().and_then(|parent| parent.aimd.clone()),
            refused_at: parents.iter().filter_map(|parent| parent.refused_at).max(),
        }
    }
}
