//! Sees to it that there is a good key to sign with, beside everything else.

use std::convert::Infallible;

use crate::clock::{now, woken};
use crate::credentials::Source;
use crate::credentials::keeper::Due;
use crate::credentials::keys::Keys;
use crate::credentials::watch::Watch;

/// Asks `source` for keys: at the beginning, when one of its files changes, before a key expires, and
/// while it gives none that is accepted. Needs a runtime with time and I/O.
pub async fn keep(keys: &Keys, source: &impl Source) -> Infallible {
    let mut watch = Watch::new(source.paths());
    loop {
        let due = keys.due();
        tokio::select! {
            () = watch.changed() => {
                if source.has_changed().await {
                    keys.source_changed(now());
                }
            }
            () = keys.rescheduled() => {}
            () = woken(due.map(|(at, _)| at)) => match due.map(|(_, due)| due) {
                Some(Due::TryNewest) => keys.try_newest(),
                Some(Due::Load) | None => {
                    keys.load_begins(now());
                    let answer = source.load().await;
                    keys.loaded(answer, now());
                }
            },
        }
    }
}
