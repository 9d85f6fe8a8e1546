//! Why a request is refused, in the service's own words where they are known.

use std::borrow::Cow;

use super::action::{Action, Api};
use super::names::{ACCOUNT, ShardId, StreamName};
use super::xml;

/// An answer that is not 200: `{"__type": …, "message": …}`, or XML from the token service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The name of the error, as in `__type` or `<Code>`; empty if the answer is no service's, and
    /// `message` all of it.
    pub kind: Cow<'static, str>,
    /// What it says.
    pub message: String,
}

impl Refusal {
    /// A refusal that blames the request: status 400.
    #[must_use]
    pub fn new(kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status: 400, kind: kind.into(), message: message.into() }
    }

    /// Status 500.
    #[must_use]
    pub fn internal_failure() -> Self {
        Self { status: 500, ..Self::new("InternalFailure", INTERNAL_FAILURE) }
    }

    /// Status 503.
    #[must_use]
    pub fn service_unavailable() -> Self {
        let text = "The request has failed due to a temporary failure of the server.";
        Self { status: 503, ..Self::new("ServiceUnavailable", text) }
    }

    /// A page of something that stands before the service and is not it.
    #[must_use]
    pub fn page(status: u16) -> Self {
        Self { status, ..Self::new("", "<html><body>Something on the way says no.</body></html>") }
    }

    /// Whoever `principal` is may not call `action` for the stream of that ARN.
    #[must_use]
    pub fn access_denied(principal: &str, action: Action, arn: &str) -> Self {
        let action = action.name();
        let text = format!(
            "User: {principal} is not authorized to perform: kinesis:{action} on resource: {arn} \
             because no identity-based policy allows the kinesis:{action} action"
        );
        Self::new("AccessDeniedException", text)
    }

    /// No stream of that name or ARN.
    #[must_use]
    pub fn stream_not_found(asked: &str) -> Self {
        let name = asked.rsplit_once('/').map_or(asked, |(_, name)| name);
        let text = format!("Stream {name} under account {ACCOUNT} not found.");
        Self::new("ResourceNotFoundException", text)
    }

    /// The stream is there and not ready.
    #[must_use]
    pub fn stream_in_use(stream: &StreamName, status: &str) -> Self {
        let name = &stream.name;
        let text =
            format!("Stream {name} under account {ACCOUNT} not ACTIVE, instead in state {status}");
        Self::new("ResourceInUseException", text)
    }

    /// The stream's key cannot be used, or not by `principal`, or not now.
    #[must_use]
    pub fn kms(trouble: KmsTrouble, principal: &str, key: &str) -> Self {
        let (kind, text) = match trouble {
            KmsTrouble::AccessDenied => (
                "KMSAccessDeniedException",
                format!(
                    "User: {principal} is not authorized to perform: kms:GenerateDataKey on \
                     resource: {key} because no identity-based policy allows the \
                     kms:GenerateDataKey action"
                ),
            ),
            KmsTrouble::Disabled => ("KMSDisabledException", format!("{key} is disabled.")),
            KmsTrouble::NotFound => ("KMSNotFoundException", format!("Key '{key}' does not exist")),
            KmsTrouble::InvalidState => {
                ("KMSInvalidStateException", format!("{key} is pending deletion."))
            }
            KmsTrouble::OptInRequired => (
                "KMSOptInRequired",
                "The AWS Access Key Id needs a subscription for the service".to_owned(),
            ),
            KmsTrouble::Throttling => (
                "KMSThrottlingException",
                "You have exceeded the rate at which you may call KMS. Reduce the frequency of \
                 your calls."
                    .to_owned(),
            ),
        };
        Self::new(kind, text)
    }

    /// No shard of that name.
    #[must_use]
    pub fn shard_not_found(shard: &str, stream: &StreamName) -> Self {
        let stream = &stream.name;
        let text =
            format!("Could not find shard {shard} in stream {stream} under account {ACCOUNT}.");
        Self::new("ResourceNotFoundException", text)
    }

    /// The request names no stream.
    #[must_use]
    pub fn no_stream_named() -> Self {
        Self::invalid_argument("Either StreamName or StreamARN should be provided.")
    }

    /// The shard's quota is exhausted.
    #[must_use]
    pub fn throttled(shard: ShardId, stream: &StreamName) -> Self {
        Self::new(THROTTLED, throttled_text(shard, stream))
    }

    /// A request of the right shape with a value that cannot be.
    #[must_use]
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new("InvalidArgumentException", message)
    }

    /// Values that break the rules of the API.
    #[must_use]
    pub fn validation(violations: &[String]) -> Self {
        let (count, all) = (violations.len(), violations.join("; "));
        let plural = if count == 1 { "" } else { "s" };
        let text = format!("{count} validation error{plural} detected: {all}");
        Self::new("ValidationException", text)
    }

    /// A body that cannot be read.
    #[must_use]
    pub fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    /// The body of the answer, as that service writes it.
    #[must_use]
    pub(super) fn body(&self, api: Api) -> Vec<u8> {
        let Self { kind, message, .. } = self;
        let text = match api {
            _ if kind.is_empty() => message.clone(),
            Api::Kinesis => serde_json::json!({ "__type": kind, "message": message }).to_string(),
            Api::Sts => xml::refusal(kind, message),
        };
        text.into()
    }
}

/// What keeps the stream from using its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the service's names for what the service documents")]
pub enum KmsTrouble {
    AccessDenied,
    Disabled,
    NotFound,
    InvalidState,
    OptInRequired,
    Throttling,
}

impl KmsTrouble {
    /// All that there is.
    pub const ALL: [Self; 6] = [
        Self::AccessDenied,
        Self::Disabled,
        Self::NotFound,
        Self::InvalidState,
        Self::OptInRequired,
        Self::Throttling,
    ];
}

/// The code of a refusal for rate, of a request and of a single record.
pub(super) const THROTTLED: &str = "ProvisionedThroughputExceededException";

/// What comes with the code `InternalFailure`.
pub(super) const INTERNAL_FAILURE: &str = "Internal service failure.";

/// What comes with [`THROTTLED`].
#[must_use]
pub(super) fn throttled_text(shard: ShardId, stream: &StreamName) -> String {
    format!("Rate exceeded for shard {shard} in stream {} under account {ACCOUNT}.", stream.name)
}
