/// What a whole number may be: both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
    /// What is counted, in the plural; empty for a mere number.
    pub unit: &'static str,
}

/// What a whole number may be, and what it is when nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// What it may be.
    pub range: Range,
    /// What it is when nobody says; within the range.
    pub default: u64,
}

impl Range {
    /// From `min` to `max`.
    ///
    /// # Panics
    /// When the range is empty: a constant like that does not compile.
    #[must_use]
    pub const fn new(min: u64, max: u64, unit: &'static str) -> Self {
        assert!(min <= max, "a range begins before it ends");
        Self { min, max, unit }
    }

    /// With a default.
    ///
    /// # Panics
    /// When the default lies outside: a constant like that does not compile.
    #[must_use]
    pub const fn or(self, default: u64) -> Setting {
        assert!(self.contains(default), "a default lies in its range");
        Setting { range: self, default }
    }

    /// Whether `number` lies within.
    #[must_use]
    pub const fn contains(self, number: u64) -> bool {
        self.min <= number && number <= self.max
    }
}
