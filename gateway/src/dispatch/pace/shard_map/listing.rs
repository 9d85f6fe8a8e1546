//! When to ask for the list of shards.

use std::time::Duration;

use shard_estimator::OpenShard;
use tracing::{info, warn};

use crate::deliver::{Trouble, TroubleKind};

/// The shards are listed no more often than this: `ListShards` has a quota that all share.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// When to ask for the list of shards: not before a record was accepted. Then clock, key and stream
/// are right, and a key that is refused the list may not have it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    state: State,
    asked: Option<Duration>,
    /// Whether the log knows that it fails.
    said: bool,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    /// What is known needs none.
    #[default]
    Idle,
    /// From then on.
    DueAt(Duration),
    /// What is learned meanwhile, the answer tells as well.
    Asked,
    /// The key may not.
    Refused,
}

impl Listing {
    /// Something was learned that a list would tell better.
    pub(super) fn want(&mut self, now: Duration) {
        if matches!(self.state, State::Idle) {
            let next = self.asked.map_or(now, |asked| asked + LIST_EVERY);
            self.state = State::DueAt(next.max(now));
        }
    }

    /// Whether to ask now.
    pub(super) fn asks(&mut self, now: Duration) -> bool {
        let due = matches!(self.state, State::DueAt(at) if at <= now);
        if due {
            (self.state, self.asked) = (State::Asked, Some(now));
        }
        due
    }

    /// Takes the answer: the list, if it is one.
    pub(super) fn answered(
        &mut self,
        list: Result<Vec<OpenShard>, Trouble>,
        now: Duration,
    ) -> Option<Vec<OpenShard>> {
        self.state = State::Idle;
        let trouble = match list {
            Ok(shards) => {
                self.said = false;
                return Some(shards);
            }
            Err(trouble) => trouble,
        };
        if trouble.kind == TroubleKind::NotAllowed {
            info!(detail = %trouble, "the shards are learned: the key may not list them");
            self.state = State::Refused;
            return None;
        }
        if !std::mem::replace(&mut self.said, true) {
            warn!(detail = %trouble, "the shards cannot be listed: they are learned meanwhile");
        }
        self.want(now);
        None
    }
}
