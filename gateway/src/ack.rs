//! Receipts.
/// Our handle for one publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Which connection.
    pub lane: u16,
    /// Which publish of that connection; never reused.
    pub number: u64,
}
