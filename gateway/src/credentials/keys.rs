//! The keys of one account: kept for who signs with them, from what their source gives.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use super::keeper::{Due, Generation, Keeper, Step, Tell};
use super::watch::Watch;
use super::{Found, Key, NoKey, Source};
use crate::clock::{now, woken};

/// The keys of one account. Clones are the same keys.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Where they come from, as the log names it.
    source: String,
    keeper: Mutex<Keeper>,
    /// Which key that may be accepted came into use last. `None` until the source has answered for the first time.
    in_use: watch::Sender<Option<Generation>>,
    /// What is due next has changed.
    rescheduled: Notify,
    /// The permission bits of the key file that were warned of.
    exposed: Mutex<Option<u32>>,
}

impl Keys {
    /// Keys of which the first is still to be had; `source` names where from.
    #[must_use]
    pub fn from(source: String, now: Instant) -> Self {
        Self::with(source, Keeper::new(now), None)
    }

    /// A single key that is known, and never replaced.
    #[must_use]
    pub fn fixed(key: Key) -> Self {
        Self::with("fixed".to_owned(), Keeper::holding(key), Some(Generation::default()))
    }

    fn with(source: String, keeper: Keeper, in_use: Option<Generation>) -> Self {
        Self(Arc::new(Shared {
            source,
            keeper: Mutex::new(keeper),
            in_use: watch::Sender::new(in_use),
            rescheduled: Notify::new(),
            exposed: Mutex::new(None),
        }))
    }

    /// The key in use now, if there is one.
    #[must_use]
    pub fn current(&self) -> Option<(Key, Generation)> {
        self.keeper().current().map(|(key, generation)| (key.clone(), generation))
    }

    /// Which key is in use, once the source has answered for the first time; or why there is none.
    ///
    /// # Errors
    /// When the source gives no key.
    pub async fn ready(&self) -> Result<Generation, String> {
        let mut in_use = self.0.in_use.subscribe();
        // Its sender is in our hands.
        drop(in_use.wait_for(Option::is_some).await);
        let keeper = self.keeper();
        let why_not = || keeper.why_not().unwrap_or("the source gives none").to_owned();
        keeper.current().map(|(_, generation)| generation).ok_or_else(why_not)
    }

    /// Whether another key than that of `generation` is in use.
    #[must_use]
    pub fn are_past(&self, generation: Generation) -> bool {
        self.keeper().current().is_some_and(|(_, current)| current != generation)
    }

    /// Waits until another key is in use than when this was called, and may be accepted.
    pub async fn changed(&self) {
        let mut in_use = self.0.in_use.subscribe();
        drop(in_use.changed().await);
    }

    /// A call that was signed in `generation`, or later, was refused because of its key.
    pub fn refused(&self, generation: Generation, now: Instant) {
        self.step(|keeper| keeper.refused(generation, now, fastrand::f64()));
    }

    /// A call that was signed in `generation`, or later, was accepted.
    pub fn accepted(&self, generation: Generation, now: Instant) {
        self.step(|keeper| keeper.accepted(generation, now));
    }

    /// Sees to it that there is a good key to sign with, beside everything else: asks `source` at the
    /// beginning, when one of its files changes, before a key expires, and while it gives none that is
    /// accepted. Needs a runtime with time and I/O.
    pub async fn keep(&self, source: &impl Source) -> Infallible {
        let mut watch = Watch::new(source.paths());
        loop {
            let due = self.due();
            tokio::select! {
                () = watch.changed() => {
                    if source.has_changed().await {
                        self.keeper().changed(now());
                    }
                }
                () = self.0.rescheduled.notified() => {}
                () = woken(due.map(|(at, _)| at)) => match due.map(|(_, due)| due) {
                    Some(Due::TryNewest) => self.step(Keeper::try_newest),
                    Some(Due::Load) | None => {
                        self.keeper().load_begins(now());
                        let answer = source.load().await;
                        self.loaded(answer, now());
                    }
                },
            }
        }
    }

    fn due(&self) -> Option<(Instant, Due)> {
        self.keeper().due()
    }

    /// The source answered.
    fn loaded(&self, answer: Result<Found, NoKey>, now: Instant) {
        match answer {
            Ok(Found { key, exposed }) => {
                self.warn_of(exposed);
                self.step(|keeper| keeper.loaded(key, now, fastrand::f64()));
            }
            Err(no_key) => {
                self.step(|keeper| keeper.failed(&no_key.to_string(), now, fastrand::f64()));
            }
        }
        // It has answered, whatever it said.
        self.0.in_use.send_if_modified(|generation| {
            let is_first = generation.is_none();
            *generation = Some(generation.unwrap_or_default());
            is_first
        });
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.0.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step of the keeper, and tells whom it concerns.
    fn step(&self, step: impl FnOnce(&mut Keeper) -> Step) {
        let mut keeper = self.keeper();
        let due = keeper.due();
        let Step { swapped, tell } = step(&mut keeper);
        let is_rescheduled = keeper.due() != due;
        let news = keeper.current().filter(|_| swapped && keeper.is_promising());
        let news = news.map(|(key, generation)| (key.id.clone(), generation));
        drop(keeper);
        let source = &self.0.source;
        if let Some(tell) = tell {
            say(source, tell);
        }
        if let Some((key, generation)) = news {
            info!(%key, source, "calls are signed with this key");
            self.0.in_use.send_replace(Some(generation));
        }
        if is_rescheduled {
            self.0.rescheduled.notify_one();
        }
    }

    /// Warns of a key file that others may read, once for each way in which they may.
    fn warn_of(&self, exposed: Option<u32>) {
        let mut warned = self.0.exposed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mode) = exposed
            && *warned != exposed
        {
            warn!(
                source = self.0.source,
                mode = format!("{mode:03o}"),
                "others than its owner may read or write this key: run chmod 600 on it"
            );
        }
        *warned = exposed;
    }
}

fn say(source: &str, tell: Tell) {
    match tell {
        Tell::NoKey(why) => warn!(why, "no key can be had: what is in use stays in use"),
        Tell::KeyAgain => info!(source, "a key can be had again"),
        Tell::NewRefused => {
            warn!(
                source,
                "the new key is refused: the one before is used, the new one tried again"
            );
        }
        Tell::AllRefused => {
            warn!(source, "no key is accepted: everything is kept until a good one is there");
        }
        Tell::Accepted => info!(source, "the key is accepted"),
    }
}

#[cfg(test)]
mod tests;
