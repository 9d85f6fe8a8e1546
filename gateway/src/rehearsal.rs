//! What `tidegate rehearse` and the end-to-end tests run the real pipeline against: everything the
//! gateway meets in the field, small, on loopback, and misbehaving on demand.

pub mod broker;
pub mod fleet;
pub mod plan;
pub mod stream;
pub mod verdict;
