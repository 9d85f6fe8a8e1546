//! Dead letters on their way to the disk: one group commit at a time, away from the flow's thread.

use std::io;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{info, warn};

use super::ends::Address;
use super::joined;
use crate::dead_letter::{Appended, Letter, Store};
use crate::limits::DEAD_LETTER_RETRY;

/// Drops are told at most this often: where the ceiling is reached, every commit may drop some.
const DROPS_TOLD_EVERY: Duration = Duration::from_secs(60);

/// Letters that are not durable yet.
#[derive(Debug)]
pub(super) struct Letters {
    /// Here unless a commit is running.
    store: Option<Store>,
    waiting: Vec<(Letter, Address)>,
    commit: Option<JoinHandle<Commit>>,
    /// Set while commits fail.
    retry_at: Option<Instant>,
    drops: Drops,
}

/// Letters that went to make room and were not told of yet.
#[derive(Debug, Default)]
struct Drops {
    untold: usize,
    quiet_until: Option<Instant>,
}

impl Drops {
    /// How many to tell of now, if any: at once the first time, then in groups.
    fn tell(&mut self, now: Instant) -> Option<usize> {
        if self.untold == 0 || self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        self.quiet_until = Some(now + DROPS_TOLD_EVERY);
        Some(std::mem::take(&mut self.untold))
    }
}

/// A commit that ended.
#[derive(Debug)]
pub(super) struct Commit {
    store: Store,
    letters: Vec<(Letter, Address)>,
    result: io::Result<Appended>,
}

/// What a commit achieved.
#[derive(Debug)]
pub(super) struct Committed {
    /// The records or publishes that are durable dead letters now.
    pub(super) kept: Vec<Address>,
    /// Older letters that went to make room, even if in vain.
    pub(super) dropped: usize,
}

impl Letters {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store: Some(store),
            waiting: Vec::new(),
            commit: None,
            retry_at: None,
            drops: Drops::default(),
        }
    }

    pub(super) fn push(&mut self, letter: Letter, address: Address) {
        self.waiting.push((letter, address));
    }

    /// Whether nothing waits and no commit is running.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.commit.is_none()
    }

    /// When to call [`Self::start`] again, if the last commit failed. While one is running there is
    /// nothing to wake up for but its end.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| self.commit.is_none())
    }

    /// Starts a commit of what waits, up to a group, if none is running and none failed just now.
    pub(super) fn start(&mut self, now: Instant) {
        if self.waiting.is_empty() || self.retry_at.is_some_and(|at| at > now) {
            return;
        }
        let Some(mut store) = self.store.take() else { return };
        let letters = std::mem::take(&mut self.waiting);
        self.commit = Some(spawn_blocking(move || {
            let result = store.append(letters.iter().map(|(letter, _)| letter));
            Commit { store, letters, result }
        }));
    }

    /// Tells the log of drops that it was not told of yet, if it is time to.
    pub(super) fn report(&mut self, now: Instant) {
        if let Some(dropped) = self.drops.tell(now) {
            warn!(
                dropped,
                "dead_letter.bytes_max is reached: the oldest dead letters were dropped"
            );
        }
    }

    /// Waits for the commit that is running; for ever if none is.
    pub(super) async fn committed(&mut self) -> Commit {
        match &mut self.commit {
            Some(commit) => joined(commit).await,
            None => std::future::pending().await,
        }
    }

    /// Waits for the commit that is running, if one is.
    pub(super) async fn last(&mut self) -> Option<Commit> {
        if self.commit.is_some() { Some(self.committed().await) } else { None }
    }

    /// Takes a commit that ended. Letters that were not kept wait for the next.
    pub(super) fn finish(&mut self, commit: Commit, now: Instant) -> Committed {
        let Commit { mut store, mut letters, result } = commit;
        let dropped = store.take_dropped();
        self.drops.untold += dropped;
        self.report(now);
        (self.store, self.commit) = (Some(store), None);
        let failure = match result {
            Ok(Appended::Kept(count)) => {
                if self.retry_at.take().is_some() {
                    info!("dead letters are kept again");
                }
                let kept = letters.drain(..count).map(|(_, address)| address).collect();
                self.wait_again(letters);
                return Committed { kept, dropped };
            }
            Ok(Appended::Full) => "dead_letter.bytes_max is reached".to_owned(),
            Err(error) => error.to_string(),
        };
        if self.retry_at.is_none() {
            warn!(failure, "dead letters cannot be kept: the broker waits until they can");
        }
        self.retry_at = Some(now + DEAD_LETTER_RETRY);
        self.wait_again(letters);
        Committed { kept: Vec::new(), dropped }
    }

    /// Puts `letters` before those that came meanwhile.
    fn wait_again(&mut self, mut letters: Vec<(Letter, Address)>) {
        letters.append(&mut self.waiting);
        self.waiting = letters;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bytes::Bytes;

    use super::*;
    use crate::config::{DeadLetter, WhenFull};
    use crate::dead_letter::{Origin, Payload};
    use crate::record::RecordSlot;

    fn held(slot: usize) -> Address {
        Address { branch: 1, slot: RecordSlot(slot) }
    }

    fn letter() -> Letter {
        Letter {
            at_ms: 1_763_692_404_123,
            reason: "not_json".into(),
            detail: String::new(),
            origin: Origin::Topic(Bytes::from_static(b"sites/1")),
            payload: Payload::Whole(Bytes::from_static(b"{oops")),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "where the made-up time begins")]
    fn start() -> Instant {
        Instant::now()
    }

    #[tokio::test]
    async fn while_a_retried_commit_runs_nothing_else_wakes_the_flow() {
        let state = tempfile::tempdir().unwrap();
        let dir = state.path().join("dead");
        let settings = DeadLetter {
            dir: dir.clone(),
            bytes_max: 1 << 20,
            when_full: WhenFull::Wait,
            stream: None,
        };
        let mut letters = Letters::new(Store::open(&settings).unwrap());
        fs::remove_dir_all(&dir).unwrap();
        fs::write(&dir, "in the way").unwrap();

        let failed_at = start();
        letters.push(letter(), held(7));
        letters.start(failed_at);
        let commit = letters.committed().await;
        assert_eq!(letters.finish(commit, failed_at).kept, []);
        let retry_at = letters.retry_at().expect("a failed commit is tried again");

        fs::remove_file(&dir).unwrap();
        letters.start(retry_at);
        assert_eq!(letters.retry_at(), None, "a commit is running");
        let commit = letters.committed().await;
        assert_eq!(letters.finish(commit, retry_at).kept, [held(7)]);
        assert_eq!(letters.retry_at(), None);
    }

    #[tokio::test]
    async fn letters_beyond_a_group_wait_for_the_next_before_those_that_came_meanwhile() {
        let state = tempfile::tempdir().unwrap();
        let dir = state.path().join("dead");
        let settings =
            DeadLetter { dir, bytes_max: 1 << 10, when_full: WhenFull::Wait, stream: None };
        let mut letters = Letters::new(Store::open(&settings).unwrap());
        for slot in [1, 2] {
            letters.push(letter(), held(slot));
        }
        for slot in 1..=3 {
            letters.start(start());
            letters.push(letter(), held(slot + 2));
            let commit = letters.committed().await;
            assert_eq!(letters.finish(commit, start()).kept, [held(slot)]);
        }
    }

    #[tokio::test]
    async fn drops_of_the_last_commit_are_told_without_another() {
        let state = tempfile::tempdir().unwrap();
        let dir = state.path().join("dead");
        let settings =
            DeadLetter { dir, bytes_max: 400, when_full: WhenFull::DropOldest, stream: None };
        let mut letters = Letters::new(Store::open(&settings).unwrap());
        let at = start();
        let mut dropped = 0;
        for _ in 0..9 {
            letters.push(letter(), held(7));
            letters.start(at);
            let commit = letters.committed().await;
            dropped += letters.finish(commit, at).dropped;
        }
        assert!(dropped > letters.drops.untold && letters.drops.untold > 0, "some were told");
        letters.report(at + DROPS_TOLD_EVERY / 2);
        assert!(letters.drops.untold > 0, "not yet");
        letters.report(at + DROPS_TOLD_EVERY);
        assert_eq!(letters.drops.untold, 0);
    }

    #[test]
    fn the_first_drops_are_told_at_once_and_later_ones_in_groups() {
        let mut drops = Drops::default();
        let at = start();
        let mut tell = |dropped, now| {
            drops.untold += dropped;
            drops.tell(now)
        };
        assert_eq!(tell(0, at), None);
        assert_eq!(tell(3, at), Some(3));
        let soon = at + DROPS_TOLD_EVERY / 2;
        assert_eq!(tell(4, soon), None);
        assert_eq!(tell(5, soon), None);
        let later = at + DROPS_TOLD_EVERY;
        assert_eq!(tell(0, later), Some(9), "none is forgotten");
        assert_eq!(tell(0, later + DROPS_TOLD_EVERY), None);
    }
}
