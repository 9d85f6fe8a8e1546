//! What the stream tells beside what became of records.

use std::future::pending;

use futures_util::future::LocalBoxFuture;
use shard_estimator::OpenShard;

use crate::deliver::{Stream, Trouble};

/// What there is to be told.
pub(super) enum Told {
    /// The shards, as listed.
    Shards(Result<Vec<OpenShard>, Trouble>),
    /// From now on another key signs.
    KeyChanged,
}

/// Listens for the next key. Asks for the shards, at most once at a time, and nobody waits for it.
pub(super) struct News<'a, S> {
    stream: &'a S,
    listing: Option<LocalBoxFuture<'a, Result<Vec<OpenShard>, Trouble>>>,
    key_changed: LocalBoxFuture<'a, ()>,
}

impl<'a, S: Stream> News<'a, S> {
    pub(super) fn of(stream: &'a S) -> Self {
        Self { stream, listing: None, key_changed: Box::pin(stream.key_changed()) }
    }

    /// Asks for the shards.
    pub(super) fn ask_for_shards(&mut self) {
        self.listing = Some(Box::pin(self.stream.shards()));
    }

    /// Waits for what there is to be told next. Dropped before, it loses nothing.
    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            list = answered(&mut self.listing) => {
                self.listing = None;
                Told::Shards(list)
            }
            () = &mut self.key_changed => {
                self.key_changed = Box::pin(self.stream.key_changed());
                Told::KeyChanged
            }
        }
    }
}

async fn answered<T>(call: &mut Option<LocalBoxFuture<'_, T>>) -> T {
    match call {
        Some(call) => call.await,
        None => pending().await,
    }
}
