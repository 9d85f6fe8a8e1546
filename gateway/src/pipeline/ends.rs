//! Where records end: their receipts are settled, or they become letters first.

use crate::record::RecordSlot;

use super::letters::Letters;
use super::settlement::Settlement;

/// The ends that all branches share.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) settlement: Settlement,
    pub(super) letters: Letters,
}

/// Names a record while it is held: the branch that does, and the slot there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) branch: usize,
    pub(super) slot: RecordSlot,
}
