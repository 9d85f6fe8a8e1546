//! What can't be made a record, or can never be accepted, is kept on disk with the reason.
//!
//! A [`Letter`] is one line of newline-delimited JSON. [`Store`] appends letters under a byte
//! ceiling and returns after they are on the disk. [`Directory`] reads the files and applies
//! [`Edits`] to them, beside a running gateway too: whoever changes a file holds the directory's
//! lock, and files are read anew each time, since the operator may take them away.

use std::borrow::Cow;

use bytes::Bytes;
use twox_hash::XxHash3_128;

use crate::addressee::Addressee;
use crate::limits::DEAD_LETTER_PAYLOAD_BYTES_MAX;
use crate::record::PartitionKey;

mod directory;
mod edits;
mod entries;
mod line;
mod reading;
mod rewrite;
mod store;

pub use directory::Directory;
pub use edits::{Edits, Fingerprint};
pub use entries::{Entries, Entry, Id};
pub use line::Unreadable;
pub use reading::Reading;
pub use store::{Appended, Store};

/// The reason of a record that the stream can never accept.
pub const REFUSED_BY_STREAM: &str = "refused_by_stream";
/// The reason of what no stream takes. All other reasons are the normaliser's.
pub const NO_STREAM: &str = "no_stream";

/// Something that could not be sent, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// When it arrived, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// The kind of reason, in stable words.
    pub reason: Cow<'static, str>,
    /// What exactly was found.
    pub detail: String,
    /// Where it came from.
    pub origin: Origin,
    /// The bytes as they came.
    pub payload: Payload,
}

/// Where a letter came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A publish, by its topic: bytes, because it may not be UTF-8.
    Topic(Bytes),
    /// A record that was made already.
    Record {
        /// Its partition key.
        key: PartitionKey,
        /// The label of the stream that it was for, where there were several.
        stream: Option<String>,
        /// Which that was. `None` if no stream took it, and in letters of an older version.
        target: Option<Addressee>,
    },
}

impl Origin {
    /// A publish to `topic`, of which a copy is kept: it may be a slice of a much larger buffer.
    #[must_use]
    pub fn of_publish(topic: &[u8]) -> Self {
        Self::Topic(Bytes::copy_from_slice(topic))
    }

    /// The topic or the key as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Topic(topic) => String::from_utf8_lossy(topic),
            Self::Record { key, .. } => Cow::Borrowed(key.as_str()),
        }
    }
}

/// The bytes of a letter, or what is known of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// All of them.
    Whole(Bytes),
    /// Of a publish with too many, length and XXH3-128 in hexadecimal: they cannot be sent again.
    Hashed {
        /// How many bytes there were.
        bytes: usize,
        /// Their hash.
        xxh3_128: String,
    },
}

impl Payload {
    /// What is kept of the payload of a publish: a copy, since it may be a slice of a much larger
    /// buffer; of more than [`DEAD_LETTER_PAYLOAD_BYTES_MAX`] length and hash. A record has no such
    /// bound: it may have been acknowledged from the spool, and then this is its only copy.
    #[must_use]
    pub fn of_publish(payload: &[u8]) -> Self {
        if payload.len() > DEAD_LETTER_PAYLOAD_BYTES_MAX {
            let xxh3_128 = format!("{:032x}", XxHash3_128::oneshot(payload));
            return Self::Hashed { bytes: payload.len(), xxh3_128 };
        }
        Self::Whole(Bytes::copy_from_slice(payload))
    }

    /// How many bytes came.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Whole(payload) => payload.len(),
            Self::Hashed { bytes, .. } => *bytes,
        }
    }
}
