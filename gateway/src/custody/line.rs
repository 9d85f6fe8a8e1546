//! Records in the order of arrival, some of which have gone since.

use std::collections::VecDeque;

use crate::record::RecordSlot;

/// Room that is not worth sweeping.
const SWEEP_ABOVE: usize = 1_024;

/// One place: the order of the record, which tells whether its slot is still its own.
pub(super) type Spot = (u64, RecordSlot);

/// A line that those in the middle leave without a word: whoever asks says who is still there.
/// Never longer than twice what was there when it was last swept.
#[derive(Debug)]
pub(super) struct Line {
    spots: VecDeque<Spot>,
    sweep_at: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Self { spots: VecDeque::new(), sweep_at: SWEEP_ABOVE }
    }

    /// Appends `spot`, sweeping those out that are not `there` when the line has grown.
    pub(super) fn push(&mut self, spot: Spot, there: impl Fn(&Spot) -> bool) {
        if self.spots.len() >= self.sweep_at {
            self.spots.retain(there);
            self.sweep_at = 2 * self.spots.len() + SWEEP_ABOVE;
        }
        self.spots.push_back(spot);
    }

    /// Puts `spots` before all others, in their order.
    pub(super) fn put_back(&mut self, spots: impl DoubleEndedIterator<Item = Spot>) {
        for spot in spots.rev() {
            self.spots.push_front(spot);
        }
    }

    /// The first that is `there`.
    pub(super) fn front(&mut self, there: impl Fn(&Spot) -> bool) -> Option<RecordSlot> {
        while self.spots.pop_front_if(|spot| !there(spot)).is_some() {}
        self.spots.front().map(|(_, slot)| *slot)
    }

    /// Takes the first off the line.
    pub(super) fn pop(&mut self, there: impl Fn(&Spot) -> bool) -> Option<Spot> {
        self.front(there)?;
        self.spots.pop_front()
    }

    /// Takes everybody for whom `leaves` is true, in order.
    pub(super) fn take(&mut self, mut leaves: impl FnMut(&Spot) -> bool) -> Vec<Spot> {
        let mut taken = Vec::new();
        self.spots.retain(|spot| {
            let leaves = leaves(spot);
            taken.extend(leaves.then_some(*spot));
            !leaves
        });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_the_gone_is_swept() {
        let mut line = Line::new();
        let there = |spot: &Spot| spot.0 == 0 || spot.0 % 100 == 7;
        for order in 0..100_000 {
            line.push((order, RecordSlot(1)), there);
        }
        assert!(line.spots.len() < 4 * SWEEP_ABOVE, "{} spots", line.spots.len());
        let mut orders = Vec::new();
        while let Some((order, _)) = line.pop(there) {
            orders.push(order);
        }
        let expected: Vec<_> = std::iter::once(0).chain((7..100_000).step_by(100)).collect();
        assert_eq!(orders, expected, "nobody who is there is swept out");
    }
}
