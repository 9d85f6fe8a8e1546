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
            Self::Short { devices } => write!(
                f,
                "what was seen is shorter than two periods of the slowest devices, {devices} of \
                 which were seen once: look for longer"
            ),
        }
    }
}
