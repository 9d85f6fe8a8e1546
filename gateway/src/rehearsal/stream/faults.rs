//! What goes wrong, on demand.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::SignedDuration;

use super::action::{Action, Api};
use super::names::ShardId;
use super::refusal::{KmsTrouble, Refusal};

/// How the endpoint misbehaves, and what any key may do at most. May be changed while it runs; by
/// default nothing goes wrong and everything is permitted.
#[derive(Debug, Clone)]
pub struct Faults {
    /// Records refused at random inside requests that succeed.
    pub records: Option<RecordFault>,
    /// Shards that refuse every record as throttled.
    pub throttled_shards: Vec<ShardId>,
    /// What the next requests meet, one fault each.
    pub next: VecDeque<RequestFault>,
    /// What every request meets after those.
    pub all: Option<RequestFault>,
    /// What every request to the token service meets; the faults above are not for it.
    pub sts: Option<RequestFault>,
    /// How long each answer is held back after its request took effect.
    pub latency: Duration,
    /// Whether clients can connect.
    pub link: Link,
    /// Largest record, partition key included, in bytes. A larger one invalidates its request.
    pub record_bytes_max: u32,
    /// Largest request, in bytes. Something on the way answers a larger one with a page of its own.
    pub body_bytes_max: usize,
    /// What keys may call, whatever else is permitted to them.
    pub permitted: Vec<Action>,
    /// Whether requests must be signed at the right time.
    pub clock: Clock,
    /// Whether the stream is ready.
    pub status: StreamStatus,
    /// Whether the stream encrypts, and can.
    pub encryption: Encryption,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            records: None,
            throttled_shards: Vec::new(),
            next: VecDeque::new(),
            all: None,
            sts: None,
            latency: Duration::ZERO,
            link: Link::Up,
            record_bytes_max: RECORD_BYTES_MAX,
            body_bytes_max: BODY_BYTES_MAX,
            permitted: Action::ALL.to_vec(),
            clock: Clock::Unchecked,
            status: StreamStatus::Active,
            encryption: Encryption::None,
        }
    }
}

impl Faults {
    /// What the request that arrives now meets.
    pub(super) fn meet(&mut self, api: Api) -> Option<RequestFault> {
        match api {
            Api::Kinesis => self.next.pop_front().or_else(|| self.all.clone()),
            Api::Sts => self.sts.clone(),
        }
    }

    /// Whether a record on its way to `shard` is refused, and how.
    pub fn refuse(&self, shard: ShardId, dice: &mut fastrand::Rng) -> Option<RecordError> {
        if self.throttled_shards.contains(&shard) {
            return Some(RecordError::Throttled);
        }
        self.records.filter(|fault| dice.f64() < fault.share).map(|fault| fault.error)
    }
}

/// Largest body unless told otherwise: 10 MiB of records in base64, and room for their JSON.
const BODY_BYTES_MAX: usize = 16 << 20;

/// What a stream takes unless told otherwise: 1 MiB, partition key included.
pub const RECORD_BYTES_MAX: u32 = 1 << 20;

/// Refusal of single records by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordFault {
    /// The share of all records that it meets, from 0 to 1.
    pub share: f64,
    /// What they are told.
    pub error: RecordError,
}

/// The error codes that a single record can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// `ProvisionedThroughputExceededException`.
    Throttled,
    /// `InternalFailure`.
    InternalFailure,
}

/// What a whole request meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestFault {
    /// This answer, and nothing is stored.
    Refuse(Refusal),
    /// No answer, and nothing is stored.
    Hang,
    /// No answer, though the records are stored.
    StoreThenHang,
    /// A reset connection, though the records are stored.
    StoreThenReset,
}

/// Whether clients can connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// They can.
    Up,
    /// Connections are accepted and closed at once; those that were open are closed.
    Closing,
    /// Connections are refused; those that were open are closed.
    Refusing,
    /// Connections are accepted and nothing is ever said, not even for TLS; those that were open are
    /// closed.
    Silent,
}

/// The service's clock against a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// A request may be signed at any time while any key is accepted, and within the service's
    /// bounds of the machine's clock once there are keys.
    Unchecked,
    /// A request must be signed within five minutes (15 for the token service) of the endpoint's
    /// clock, which is this much ahead of the machine's. The header `Date` tells that clock.
    Checked(SignedDuration),
}

/// What state the stream is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStatus {
    /// Not there yet: it can be described, and nothing else.
    Creating,
    /// Ready.
    Active,
    /// Being resharded, and ready all the same.
    Updating,
}

impl StreamStatus {
    /// As in `StreamStatus`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
        }
    }
}

/// Whether records are encrypted at rest, as far as a client can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// They are not.
    None,
    /// With a key of the customer's.
    Kms,
    /// With a key that the stream cannot use: records are neither stored nor read.
    Refused(KmsTrouble),
}
