//! A key and what calls have shown of it.

use std::time::Instant;

use crate::credentials::Key;

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) key: Key,
    pub(super) standing: Standing,
}

/// What calls have shown of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing since it came, or since it was last tried again.
    Untried,
    /// It is good, and was first seen to be then.
    Accepted(Instant),
    /// It is not, as far as we know.
    Refused,
}

impl Candidate {
    pub(super) fn new(key: Key) -> Self {
        Self { key, standing: Standing::Untried }
    }

    /// The one that is most likely to be good, the first of two of which the same is known; none that
    /// is refused.
    pub(super) fn best(known: [Option<Self>; 2]) -> Option<Self> {
        let usable = known.into_iter().flatten().filter(|one| one.standing != Standing::Refused);
        usable.min_by_key(|one| one.standing == Standing::Untried)
    }

    /// Notes that a call was accepted; since when they are.
    pub(super) fn accepted(&mut self, now: Instant) -> Instant {
        if let Standing::Accepted(since) = self.standing {
            return since;
        }
        self.standing = Standing::Accepted(now);
        now
    }
}
