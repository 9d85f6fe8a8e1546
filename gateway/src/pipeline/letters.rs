//! Dead letters on their way to the disk: one group commit at a time, away from the flow's thread.

use std::io;
use std::time::Instant;

use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{info, warn};

use crate::ack::Receipt;
use crate::dead_letter::{Appended, Letter, Store};
use crate::limits::DEAD_LETTER_RETRY;

/// Letters that are not durable yet.
#[derive(Debug)]
pub(super) struct Letters {
    /// Here unless a commit is running.
    store: Option<Store>,
    waiting: Vec<(Letter, Receipt)>,
    commit: Option<JoinHandle<Commit>>,
    committing: usize,
    retry_at: Option<Instant>,
}

/// A commit that ended.
#[derive(Debug)]
pub(super) struct Commit {
    store: Store,
    letters: Vec<(Letter, Receipt)>,
    result: io::Result<Appended>,
}

/// What a commit settled.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) settled: Vec<Receipt>,
    /// Older letters that went to make room.
    pub(super) dropped: usize,
}

impl Letters {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store: Some(store),
            waiting: Vec::new(),
            commit: None,
            committing: 0,
            retry_at: None,
        }
    }

    pub(super) fn push(&mut self, letter: Letter, receipt: Receipt) {
        self.waiting.push((letter, receipt));
    }

    /// How many letters are not durable.
    pub(super) fn held(&self) -> usize {
        self.waiting.len() + self.committing
    }

    /// When to call [`Self::start`] again, if the last commit failed.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Starts a commit of everything that waits, if none is running and none failed just now.
    pub(super) fn start(&mut self, now: Instant) {
        if self.waiting.is_empty() || self.retry_at.is_some_and(|at| at > now) {
            return;
        }
        let Some(mut store) = self.store.take() else { return };
        let letters = std::mem::take(&mut self.waiting);
        self.committing = letters.len();
        self.commit = Some(spawn_blocking(move || {
            let (texts, receipts): (Vec<_>, Vec<_>) = letters.into_iter().unzip();
            let result = store.append(&texts);
            Commit { store, letters: texts.into_iter().zip(receipts).collect(), result }
        }));
    }

    /// Waits for the commit that is running; for ever if none is.
    pub(super) async fn committed(&mut self) -> Commit {
        match &mut self.commit {
            Some(commit) => match commit.await {
                Ok(commit) => commit,
                Err(failure) => std::panic::resume_unwind(failure.into_panic()),
            },
            None => std::future::pending().await,
        }
    }

    /// Takes a commit that ended. Letters that were not kept wait for the next.
    pub(super) fn finish(&mut self, commit: Commit, now: Instant) -> Committed {
        let Commit { store, mut letters, result } = commit;
        (self.store, self.commit, self.committing) = (Some(store), None, 0);
        let failure = match result {
            Ok(Appended::Kept { dropped }) => {
                if self.retry_at.take().is_some() {
                    info!("dead letters are kept again");
                }
                let settled = letters.into_iter().map(|(_, receipt)| receipt).collect();
                return Committed { settled, dropped };
            }
            Ok(Appended::Full) => "dead_letter.bytes_max is reached".to_owned(),
            Err(error) => error.to_string(),
        };
        if self.retry_at.is_none() {
            warn!(failure, "dead letters cannot be kept: the broker waits until they can");
        }
        self.retry_at = Some(now + DEAD_LETTER_RETRY);
        letters.append(&mut self.waiting);
        self.waiting = letters;
        Committed::default()
    }
}
