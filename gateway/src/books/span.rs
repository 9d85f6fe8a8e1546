//! A number that is known within bounds.

use std::fmt;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// A number of which the least and the most are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Span {
    /// It is not less.
    pub least: u64,
    /// It is not more.
    pub most: u64,
}

impl Span {
    /// Just `n`.
    #[must_use]
    pub fn exact(n: u64) -> Self {
        Self { least: n, most: n }
    }

    /// From nothing to `most`.
    #[must_use]
    pub fn up_to(most: u64) -> Self {
        Self { least: 0, most }
    }

    /// `n` less.
    #[must_use]
    pub fn without(self, n: u64) -> Self {
        Self { least: self.least.saturating_sub(n), most: self.most.saturating_sub(n) }
    }

    /// Whether it can be the same number as `other`.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.least <= other.most && other.least <= self.most
    }
}

impl Add for Span {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_add(other.least),
            most: self.most.saturating_add(other.most),
        }
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.least == self.most {
            true => write!(f, "{}", self.least),
            false => write!(f, "{} to {}", self.least, self.most),
        }
    }
}
