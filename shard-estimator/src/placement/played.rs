use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

/// What plays have shown, so that none is played twice. A plan asks for about ten.
#[derive(Debug, Default)]
pub(crate) struct Played(Mutex<HashMap<Hashing, Vec<f64>>>);

/// So many devices of each class on so many shards.
type Hashing = (NonZeroU32, Vec<u32>);

impl Played {
    /// What was shown, or else what `play` shows now.
    pub(super) fn or_play(
        &self,
        shards: NonZeroU32,
        counts: &[u32],
        play: impl FnOnce() -> Vec<f64>,
    ) -> Vec<f64> {
        let mut played = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        played.entry((shards, counts.to_vec())).or_insert_with(play).clone()
    }
}
