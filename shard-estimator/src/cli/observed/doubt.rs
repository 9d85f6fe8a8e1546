//! What speaks against relying on what was seen.

use std::fmt;

use serde::Serialize;

/// What speaks against relying on what was seen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "warning")]
pub(in crate::cli) enum Doubt {
    /// Something says nothing that counts.
    LeftOut {
        /// How many.
        count: u64,
        /// Of what.
        of: &'static str,
        /// Which was the first, and what is wrong with it.
        first: String,
    },
    /// More came than could be taken up.
    Missed {
        /// How many.
        publishes: u64,
    },
    /// Sizes of something else.
    Payloads,
    /// It comes and goes.
    Busy {
        /// Which devices.
        class: String,
        /// How many times as much as on average came in the busiest minute.
        times: f64,
    },
    /// Never all at a time.
    ComeAndGo {
        /// Which devices.
        class: String,
        /// All that were seen.
        devices: u64,
        /// The most that were there at a time.
        at_a_time: u64,
        /// So many were there on average.
        mean: f64,
    },
    /// Several records at once, which no class can say.
    Burst {
        /// Which devices.
        class: String,
        /// What came in the busiest second.
        records: f64,
        /// What is planned for.
        per_s: f64,
    },
    /// Too short for the slowest devices.
    Short {
        /// Devices that were seen once.
        devices: u64,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut { count, of, first } => {
                write!(f, "{count} {of} are left out; the first: {first}")
            }
            Self::Missed { publishes } => write!(
                f,
                "{publishes} publishes came faster than they could be counted: the fleet sends more \
                 than is planned for here: watch from a faster machine, or less of the topics"
            ),
            Self::Payloads => f.write_str(
                "the trace has sizes of payloads, and records have an id and times besides: record \
                 those, and say bytes_are record",
            ),
            Self::Busy { class, times } => write!(
                f,
                "class {class:?}: in the busiest minute {times:.1} times as much came as on average, \
                 since what was seen has gaps or quiet hours: planned for that minute"
            ),
            Self::ComeAndGo { class, devices, at_a_time, mean } => write!(
                f,
                "class {class:?}: {devices} devices, at most {at_a_time} of them at a time and \
                 {mean:.0} on average: ids that change, or sessions: planned, costs too, for \
                 {at_a_time}, whose shards are not known: if more can be there at once, describe the \
                 fleet in a file"
            ),
            Self::Burst { class, records, per_s } => write!(
                f,
                "class {class:?}: {records:.0} records came in one second where {per_s:.0} are \
                 planned for: if that is usual, describe the fleet in a file, with what comes \
                 together as aligned"
            ),
            Self::Short { devices } => write!(
                f,
                "what was seen is shorter than two periods of the slowest devices, {devices} of \
                 which were seen once: look for longer"
            ),
        }
    }
}
