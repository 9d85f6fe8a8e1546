//! Where records go: the `[stream]` table, or one `[[stream]]` for each of several.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::filter::Filter;

use super::{Credentials, Network, Pace};

/// Where the directories of streams lie that have their own, apart from all that lies there of one
/// that has none.
pub const APART: &str = "streams";

/// Longest label, in characters: as long as the name of a stream.
const LABEL_CHARS_MAX: usize = 128;

/// `text`, if a stream can be called so: it is the name of a directory, which nobody should overlook.
///
/// # Errors
/// What it must be, if it is not.
pub fn label_of(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_long = text.len() > LABEL_CHARS_MAX;
    if text.is_empty() || is_long || text.starts_with('.') || !text.chars().all(allowed) {
        return Err(format!(
            "must be 1 to {LABEL_CHARS_MAX} letters, digits, underscores, hyphens and dots, and \
             not begin with a dot"
        ));
    }
    Ok(text.to_owned())
}

/// All streams, in the order in which they are written. At least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Streams {
    first: Stream,
    others: Vec<Stream>,
}

impl Streams {
    /// `first`, and those after it.
    #[must_use]
    pub fn new(first: Stream, others: Vec<Stream>) -> Self {
        Self { first, others }
    }

    /// The first, which often is the only one.
    #[must_use]
    pub fn first(&self) -> &Stream {
        &self.first
    }

    /// The first, to change it.
    pub fn first_mut(&mut self) -> &mut Stream {
        &mut self.first
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// The one that is called so.
    #[must_use]
    pub fn labelled(&self, label: &str) -> Option<&Stream> {
        self.iter().find(|stream| stream.label == label)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Stream> + Clone {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// All of them, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }
}

/// One stream: the `[stream]` table, or a `[[stream]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// What it is called in logs and metrics and on the disk; no other stream is called so.
    pub label: String,
    /// Whether what lies on the disk of it has directories of its own: it is a `[[stream]]`.
    pub is_apart: bool,
    /// Which records it takes, unless a stream before it does.
    pub route: Route,
    /// Name or ARN.
    pub target: StreamTarget,
    /// AWS region.
    pub region: String,
    /// The way to it.
    pub network: Network,
    /// How many open shards it has, when stated.
    pub shards: Option<u32>,
    /// Longest wait for one call, from the first byte sent to the last byte read. Longer than a
    /// batch of `batch.bytes_max` takes at `uplink_kbit_s_max`.
    pub request_timeout: Duration,
    /// Longest wait for TCP and TLS.
    pub connect_timeout: Duration,
    /// Calls in flight at once.
    pub requests_in_flight: usize,
    /// First and longest pause after a failed call; each is drawn at random up to it. The first is
    /// not the longer one.
    pub backoff: (Duration, Duration),
    /// Ceiling of what the uplink may carry, in kilobits (1,000 bits) a second.
    pub uplink_kbit_s_max: Option<u32>,
    /// Records older than this are dropped, counted, instead of sent.
    pub record_age_max: Option<Duration>,
    /// Template of the partition key, with `{dev}`, `{tenant}` and `{topic}`; by default tenant and
    /// device.
    pub partition_key: Option<String>,
    /// What places a partition key on a shard.
    pub partitioning: Partitioning,
    /// Whose key signs.
    pub credentials: Credentials,
    /// How fast.
    pub pace: Pace,
}

impl Stream {
    /// What it is called in faults: the table that it is, with its label if there may be others.
    #[must_use]
    pub fn called(&self) -> String {
        if self.is_apart { format!("stream[{}]", self.label) } else { "stream".to_owned() }
    }

    /// Where of `dir`, which holds something of every stream, that of this one lies.
    #[must_use]
    pub fn within(&self, dir: &Path) -> PathBuf {
        if self.is_apart { dir.join(APART).join(&self.label) } else { dir.to_owned() }
    }
}

/// Which records a stream takes: those of which all is true that is said here; any, if nothing is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Route {
    /// One of these matches the topic. Nothing is said if there are none; likewise below.
    pub topics: Vec<Filter>,
    /// The record's type is one of these.
    pub types: BTreeSet<String>,
    /// Its tenant is one of these.
    pub tenants: BTreeSet<String>,
}

/// What places a partition key on a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitioning {
    /// Its MD5, as Kinesis does it.
    Md5,
    /// The golden ratio: an explicit hash key for the nth key seen. Known are the number of shards,
    /// which are equal, and that no other gateway may get records of the same key.
    Golden,
}

/// How the stream is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamTarget {
    /// By name, in the account of the key.
    Name(String),
    /// By ARN.
    Arn(String),
}

impl StreamTarget {
    /// The name or the ARN, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let (Self::Name(text) | Self::Arn(text)) = self;
        text
    }

    /// The name, if it was given so, for a call that wants either.
    #[must_use]
    pub fn only_name(&self) -> Option<String> {
        matches!(self, Self::Name(_)).then(|| self.as_str().to_owned())
    }

    /// The ARN, if it was given so, for a call that wants either.
    #[must_use]
    pub fn arn(&self) -> Option<String> {
        matches!(self, Self::Arn(_)).then(|| self.as_str().to_owned())
    }

    /// The name, that in the ARN if it was given so.
    #[must_use]
    pub fn name(&self) -> &str {
        let text = self.as_str();
        text.rsplit_once('/').map_or(text, |(_, name)| name)
    }
}
