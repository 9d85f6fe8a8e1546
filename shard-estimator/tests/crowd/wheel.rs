//! What happens when.

use std::mem;

/// How fine time is.
pub(crate) const SLOT_MS: u64 = 10;

/// How far ahead anything can be planned, in slots: more than a second.
const SLOTS: u64 = 128;

/// A ring of moments to come, each with its events in the order in which they were planned.
pub(crate) struct Wheel<E> {
    slots: Vec<Vec<E>>,
}

impl<E> Wheel<E> {
    pub(crate) fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect() }
    }

    /// Plans `event` for `at_ms`, rounded up to a slot and cut to what can be planned, but for the
    /// next slot at the earliest. Says when that is.
    pub(crate) fn plan(&mut self, event: E, at_ms: u64, now_ms: u64) -> u64 {
        let slot_now = now_ms / SLOT_MS;
        let slot = at_ms.div_ceil(SLOT_MS).clamp(slot_now + 1, slot_now + SLOTS - 1);
        self.slot(slot).push(event);
        slot * SLOT_MS
    }

    /// What is due at `now_ms`.
    pub(crate) fn due(&mut self, now_ms: u64) -> Vec<E> {
        mem::take(self.slot(now_ms / SLOT_MS))
    }

    fn slot(&mut self, slot: u64) -> &mut Vec<E> {
        let place = usize::try_from(slot % SLOTS).expect("a small ring");
        &mut self.slots[place]
    }
}
