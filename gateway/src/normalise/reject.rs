//! Why no record can be made.

use std::fmt;

/// Why a publish cannot become records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// For counting.
    pub reason: Reason,
    /// For a person: which pointer, what was found, where. Short, one line, without the payload's
    /// own text.
    pub detail: String,
}

/// The kinds of rejects: few, stable, fit for the label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The topic is not UTF-8.
    BadTopic,
    /// The payload has no bytes, only white space, `null` or an array without elements.
    Empty,
    /// The payload is not UTF-8.
    NotUtf8,
    /// The payload is not JSON; NaN and Infinity are not.
    NotJson,
    /// Objects and arrays are nested deeper than 64.
    TooDeep,
    /// An element of the payload's array is no object.
    NotObject,
    /// The payload has nothing at the device pointer.
    NoDevice,
    /// The device's name is empty, too long, has control characters, or is neither text nor number.
    BadDevice,
    /// The same of a tenant.
    BadTenant,
    /// A record would be larger than the stream takes, or the records of one publish larger than
    /// memory should hold.
    TooLarge,
}

impl Reason {
    /// The name in logs, metrics and dead letters, in snake_case. Never changes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadTopic => "bad_topic",
            Self::Empty => "empty",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::TooDeep => "too_deep",
            Self::NotObject => "not_object",
            Self::NoDevice => "no_device",
            Self::BadDevice => "bad_device",
            Self::BadTenant => "bad_tenant",
            Self::TooLarge => "too_large",
        }
    }
}

impl Reject {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Says what is wrong with a name that cannot stand in a log line or a partition key.
    pub(super) fn bad_name(reason: Reason, name: &str) -> Self {
        let control = name.char_indices().find(|(_, letter)| letter.is_control());
        let detail = match control {
            Some((at, letter)) => {
                format!("the name has U+{:04X} at byte {at}", u32::from(letter))
            }
            None if name.is_empty() => "the name is empty".to_owned(),
            None => format!("the name has {} bytes", name.len()),
        };
        Self::new(reason, detail)
    }

    /// Adds in which element of an array it happened.
    pub(super) fn in_element(self, index: usize) -> Self {
        Self { detail: format!("element {index}: {}", self.detail), ..self }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.detail)
    }
}

impl std::error::Error for Reject {}
