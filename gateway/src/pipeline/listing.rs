//! The call that asks for the shards, beside those that carry records.

use std::future::pending;

use futures_util::future::LocalBoxFuture;
use shard_estimator::OpenShard;

use crate::deliver::{Stream, Trouble};

/// At most one call, and nobody waits for it.
pub(super) struct Listing<'a> {
    call: Option<LocalBoxFuture<'a, Result<Vec<OpenShard>, Trouble>>>,
}

impl<'a> Listing<'a> {
    pub(super) fn none() -> Self {
        Self { call: None }
    }

    /// Asks `stream`.
    pub(super) fn start(&mut self, stream: &'a impl Stream) {
        self.call = Some(Box::pin(stream.shards()));
    }

    /// Waits for its answer; for ever if nothing was asked.
    pub(super) async fn answer(&mut self) -> Result<Vec<OpenShard>, Trouble> {
        let Some(call) = &mut self.call else { return pending().await };
        let answer = call.await;
        self.call = None;
        answer
    }
}
