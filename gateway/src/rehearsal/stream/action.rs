//! What a client may ask for, and of which service.

use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;

/// The services at the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// Kinesis Data Streams: JSON, the action in the header `X-Amz-Target`.
    Kinesis,
    /// The token service: a form in, XML out, the action in the form.
    Sts,
}

impl Api {
    /// The service that a request is for.
    #[must_use]
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let content = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
        let is_form = content.starts_with(b"application/x-www-form-urlencoded");
        if is_form && !headers.contains_key("x-amz-target") { Self::Sts } else { Self::Kinesis }
    }

    /// Its name in the scope of a signature.
    #[must_use]
    pub(super) const fn scope(self) -> &'static str {
        match self {
            Self::Kinesis => "kinesis",
            Self::Sts => "sts",
        }
    }

    /// How far a signature's time may be from its own, as its refusals say.
    #[must_use]
    pub(super) const fn skew_minutes_max(self) -> i64 {
        match self {
            Self::Kinesis => 5,
            Self::Sts => 15,
        }
    }

    /// The type of its answers.
    #[must_use]
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Kinesis => "application/x-amz-json-1.1",
            Self::Sts => "text/xml",
        }
    }
}

/// An action of the API, as named in the header `X-Amz-Target` and in policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the service's names for what the service documents")]
pub enum Action {
    PutRecords,
    PutRecord,
    DescribeStreamSummary,
    ListShards,
    GetShardIterator,
    GetRecords,
}

impl Action {
    /// All that the local stream knows.
    pub const ALL: [Self; 6] = [
        Self::PutRecords,
        Self::PutRecord,
        Self::DescribeStreamSummary,
        Self::ListShards,
        Self::GetShardIterator,
        Self::GetRecords,
    ];

    /// What a key that can only write may call.
    pub const PUTS: [Self; 2] = [Self::PutRecords, Self::PutRecord];

    /// Its name in policies.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PutRecords => "PutRecords",
            Self::PutRecord => "PutRecord",
            Self::DescribeStreamSummary => "DescribeStreamSummary",
            Self::ListShards => "ListShards",
            Self::GetShardIterator => "GetShardIterator",
            Self::GetRecords => "GetRecords",
        }
    }

    /// Reads the header `X-Amz-Target`.
    #[must_use]
    pub fn from_target(target: &str) -> Option<Self> {
        let name = target.strip_prefix("Kinesis_20131202.")?;
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}
