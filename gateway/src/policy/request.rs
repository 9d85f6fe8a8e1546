//! What is asked for.

use std::num::NonZeroU32;

use super::arn::{ExternalId, KeyArn, Principal, RoleArn, StreamArn};

/// Who gets a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Whom {
    /// The gateway, as an API-only user with an access key.
    #[default]
    User,
    /// The gateway, as a role that it assumes.
    Role,
    /// Who reads the records.
    Consumer,
    /// The role of an Amazon Data Firehose stream that reads the records.
    Firehose,
}

impl Whom {
    /// Whether streams that hold such things are theirs: who reads records has no business with what
    /// could not be sent.
    #[must_use]
    pub fn gets(self, holds: Holds) -> bool {
        self.is_gateway() || holds == Holds::Records
    }

    /// Whether they put records, and do not read them.
    pub(super) const fn is_gateway(self) -> bool {
        matches!(self, Self::User | Self::Role)
    }

    /// The longest policy that IAM takes for them, in characters without white space ("IAM and STS
    /// quotas"): in a user, in a role, and for consumers one of its own.
    pub(super) const fn chars_max(self) -> usize {
        match self {
            Self::User => 2_048,
            Self::Role | Self::Firehose => 10_240,
            Self::Consumer => 6_144,
        }
    }
}

/// One of the configured streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Which it is.
    pub arn: StreamArn,
    /// What it is for.
    pub holds: Holds,
}

/// What a stream is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Records.
    Records,
    /// What could not be sent as records.
    DeadLetters,
}

/// Who may assume a role, and what they must say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trusted {
    /// Who.
    pub principal: Option<Principal>,
    /// What.
    pub external_id: Option<ExternalId>,
    /// Whether it was said that nothing need be said.
    pub without_external_id: bool,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who gets the policy.
    pub whom: Whom,
    /// The label of the first stream: what the user, role or policy is called after. No other stream of
    /// the configuration has it.
    pub label: String,
    /// The role that the gateway is configured to assume, where it is for one. It says the account, the
    /// path and the name.
    pub role: Option<RoleArn>,
    /// Every configured stream that is theirs, at least one.
    pub streams: Vec<Stream>,
    /// The customer's keys that streams are encrypted with, each for all streams of its region.
    pub keys: Vec<KeyArn>,
    /// Whether what is not needed, but of use, is allowed too.
    pub with_optional: bool,
    /// Who may assume the role.
    pub trusted: Trusted,
    /// How many shards the stream of the records is created with; `None` leaves streams alone.
    pub shards: Option<NonZeroU32>,
}
