//! Why a call came to nothing: told apart by what stands in the way, with what to do about it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::authorities::distrust;
use crate::deliver::{Trouble, TroubleKind};
use crate::hearsay::repeatable;
use crate::telemetry::causes;

#[cfg(test)]
mod tests;

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What stands in the way.
    pub cause: Cause,
    /// What the service or the network said, in one line, without secrets.
    pub said: String,
}

/// What stands in the way of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Calls come too fast.
    Throttled,
    /// The service fails.
    Down,
    /// It cannot be reached: no name, no connection.
    Unreached,
    /// A proxy on the way does not open a tunnel.
    Proxy,
    /// It shows a certificate that is not trusted, and this is what to do.
    Distrusted(String),
    /// No answer came; the call may have been performed.
    Unheard,
    /// Something in the call can never be accepted.
    Invalid,
    /// The key may not do that.
    NotPermitted,
    /// There is no such stream.
    NoStream,
    /// The stream is being created, changed or deleted.
    NotReady,
    /// There is no key.
    NoKey,
    /// The key is not known, or not any more.
    UnknownKey,
    /// The secret is not that of the key.
    WrongSecret,
    /// The session of the key is over.
    Expired,
    /// It was not signed, or not with everything that it takes.
    Unsigned,
    /// It was signed at the wrong time.
    WrongTime,
    /// The stream cannot encrypt.
    Kms(Kms),
    /// Something that is not the service refused it.
    Stranger,
    /// Whatever else was refused as not allowed.
    NotAllowed,
}

/// What keeps a stream from encrypting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kms {
    /// Whoever calls may not use the stream's KMS key.
    NotPermitted,
    /// The KMS key is disabled.
    Disabled,
    /// There is no such KMS key.
    Missing,
    /// The KMS key is in no state to be used, such as waiting for its deletion.
    State,
    /// The account has no subscription to KMS.
    NoSubscription,
    /// Something else.
    Other,
}

impl Cause {
    /// What whoever delivers is to do.
    #[must_use]
    pub fn kind(&self) -> TroubleKind {
        match self {
            Self::Throttled => TroubleKind::Throttled,
            Self::Down | Self::Unreached | Self::Proxy | Self::Distrusted(_) | Self::NotReady => {
                TroubleKind::Unavailable
            }
            Self::Unheard => TroubleKind::Unheard,
            Self::Invalid => TroubleKind::Invalid,
            Self::NotPermitted
            | Self::NoStream
            | Self::NoKey
            | Self::UnknownKey
            | Self::WrongSecret
            | Self::Expired
            | Self::Unsigned
            | Self::WrongTime
            | Self::Kms(_)
            | Self::Stranger
            | Self::NotAllowed => TroubleKind::NotAllowed,
        }
    }

    /// Whether another key would be accepted: it is the key that is refused, and not what it is used
    /// for.
    #[must_use]
    pub fn is_the_key(&self) -> bool {
        matches!(
            self,
            Self::NoKey | Self::UnknownKey | Self::WrongSecret | Self::Expired | Self::Unsigned
        )
    }

    /// What whoever operates the gateway is to do, where that is known.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        Some(match self {
            Self::Distrusted(advice) => advice,
            Self::Unreached => {
                "see that this machine reaches the endpoint: its name server, the firewall, and \
                 stream.proxy"
            }
            Self::Proxy => {
                "see that the proxy lets this host and port pass, and what login it wants: \
                 stream.proxy, or HTTPS_PROXY and NO_PROXY in the environment"
            }
            Self::NotPermitted => {
                "allow the key kinesis:PutRecords on this stream: tidegate policy writes the statement"
            }
            Self::NoStream => {
                "check stream.name (or dead_letter.stream), stream.region and the account of the \
                 key; or create the stream"
            }
            Self::NotReady => "wait until the stream is active",
            Self::NoKey => "see [stream.credentials], or what it leaves to the environment",
            Self::UnknownKey => {
                "the access key was deleted or deactivated, or is of another partition, or the region \
                 is one that the account must opt into: give a key that is active"
            }
            Self::WrongSecret => {
                "the secret is not the one of this access key: take both from the same file, as \
                 downloaded"
            }
            Self::Unsigned => {
                "give both parts of the key, and the token of its session if it has one"
            }
            Self::Expired => "the session has expired: see to whatever renews it",
            Self::WrongTime => {
                "set the clock of this machine; the next call is signed in their time"
            }
            Self::Kms(Kms::NotPermitted) => {
                "allow kms:GenerateDataKey on the stream's KMS key: tidegate policy --kms writes the \
                 statement; the policy of the KMS key must leave its use to IAM"
            }
            Self::Kms(Kms::Disabled) => "have the stream's KMS key enabled (aws kms enable-key)",
            Self::Kms(Kms::Missing) => {
                "the stream's KMS key is gone: have the stream encrypted with another, or not at all"
            }
            Self::Kms(Kms::State) => {
                "the stream's KMS key cannot be used now: have its deletion cancelled (aws kms \
                 cancel-key-deletion) and the key enabled"
            }
            Self::Kms(Kms::NoSubscription) => "the account of the stream must be subscribed to KMS",
            Self::Kms(Kms::Other) => "check the stream's KMS key, and kms:GenerateDataKey on it",
            Self::Stranger => {
                "that is no answer of Kinesis: see that stream.endpoint is one, and what on the way, such \
                 as stream.proxy, says so"
            }
            Self::Unheard => {
                "see that nothing on the way, such as a firewall or a proxy, swallows what is said"
            }
            Self::Throttled | Self::Down | Self::Invalid | Self::NotAllowed => return None,
        })
    }
}

impl Refusal {
    /// No answer within the time that there was.
    #[must_use]
    pub fn unheard(limit: Duration) -> Self {
        Self { cause: Cause::Unheard, said: format!("no answer within {} s", limit.as_secs()) }
    }

    /// What became of a call.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let code = error.code().unwrap_or_default();
        let status = error.raw_response().map(|response| response.status().as_u16());
        let message = error.message();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "what is not known to be harmless is unheard"
        )]
        let cause = match error {
            SdkError::ServiceError(_) => of_service(code, message.unwrap_or_default(), status),
            // What the client cannot read is not the service's: it says no before the call gets there.
            SdkError::ResponseError(_) if status.is_some_and(|it| (400..500).contains(&it)) => {
                of_stranger(status)
            }
            // A request that could not be made: an endpoint that is no address, no key.
            _ if caused_by(error, |_: &CredentialsError| true) => Cause::NoKey,
            SdkError::ConstructionFailure(_) => Cause::NotAllowed,
            SdkError::DispatchFailure(failure) if failure.is_user() => Cause::NotAllowed,
            // It came to an end before the HTTP client had it: nothing was carried, for it could not be
            // signed.
            SdkError::DispatchFailure(failure) if failure.is_other() && !of_http(error) => {
                Cause::Unsigned
            }
            // Whether the connection broke before or after the service read the call is not known.
            SdkError::DispatchFailure(_) if never_connected(error) => on_the_way(error),
            _ => Cause::Unheard,
        };
        let said = match (message, status) {
            (Some(message), _) if !code.is_empty() => format!("{code}: {message}"),
            (None, Some(status)) if !code.is_empty() => format!("{code} (HTTP {status})"),
            (_, Some(status)) => format!("HTTP {status}"),
            (_, None) => causes(error),
        };
        Self { cause, said: repeatable(&said) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause.advice() {
            Some(advice) => write!(f, "{}; {advice}", self.said),
            None => f.write_str(&self.said),
        }
    }
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self { kind: refusal.cause.kind(), detail: refusal.to_string() }
    }
}

/// What a service means by an answer. Kinesis and the token service name the same differently.
fn of_service(code: &str, message: &str, status: Option<u16>) -> Cause {
    match code {
        "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "ThrottlingException"
        | "Throttling"
        | "KMSThrottlingException" => Cause::Throttled,
        "InvalidArgumentException" | "ValidationException" | "SerializationException" => {
            Cause::Invalid
        }
        "AccessDeniedException" | "AccessDenied" => Cause::NotPermitted,
        "ResourceNotFoundException" => Cause::NoStream,
        "ResourceInUseException" => Cause::NotReady,
        "UnrecognizedClientException" | "InvalidClientTokenId" => Cause::UnknownKey,
        "ExpiredTokenException" | "ExpiredToken" => Cause::Expired,
        "RequestExpired" | "RequestTimeTooSkewed" => Cause::WrongTime,
        "InvalidSignatureException" | "SignatureDoesNotMatch" if is_about_time(message) => {
            Cause::WrongTime
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" => Cause::WrongSecret,
        "MissingAuthenticationTokenException"
        | "MissingAuthenticationToken"
        | "IncompleteSignatureException"
        | "IncompleteSignature" => Cause::Unsigned,
        "OptInRequired" | "SubscriptionRequiredException" => Cause::NotAllowed,
        kms if kms.starts_with("KMS") => Cause::Kms(Kms::of(kms)),
        _ if status == Some(413) => Cause::Invalid,
        _ if status == Some(403) || status == Some(401) => Cause::NotAllowed,
        // A code we do not know is tried again.
        _ => Cause::Down,
    }
}

/// What something that stands before the service means by a refusal.
fn of_stranger(status: Option<u16>) -> Cause {
    match status {
        // Request timeout, too early, too many requests.
        Some(408 | 425 | 429) => Cause::Down,
        // Too large for it.
        Some(413) => Cause::Invalid,
        _ => Cause::Stranger,
    }
}

/// "Signature expired: …" and "Signature not yet current: …".
fn is_about_time(message: &str) -> bool {
    ["Signature expired", "not yet current"].iter().any(|text| message.contains(text))
}

impl Kms {
    fn of(code: &str) -> Self {
        match code {
            "KMSAccessDeniedException" => Self::NotPermitted,
            "KMSDisabledException" => Self::Disabled,
            "KMSNotFoundException" => Self::Missing,
            "KMSInvalidStateException" => Self::State,
            "KMSOptInRequired" => Self::NoSubscription,
            _ => Self::Other,
        }
    }
}

/// Why a connection was never made.
fn on_the_way(error: &(dyn Error + 'static)) -> Cause {
    match distrust::advice(error, "stream.ca_file") {
        Some(advice) => Cause::Distrusted(advice),
        // So do the refusals of a proxy begin; their type is nobody else's to see.
        None if causes(error).contains("tunnel error") => Cause::Proxy,
        None => Cause::Unreached,
    }
}

/// Whether some cause of `error` is an `E` of which `says` is true.
fn caused_by<E: Error + 'static>(error: &dyn Error, says: impl Fn(&E) -> bool) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.downcast_ref().is_some_and(&says) {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// Whether `error` is one of the HTTP client's.
fn of_http(error: &dyn Error) -> bool {
    caused_by(error, |_: &hyper_util::client::legacy::Error| true)
}

/// Whether a connection was never made, so that no request can have arrived: name not resolved,
/// connection refused, TLS not agreed upon.
fn never_connected(error: &dyn Error) -> bool {
    caused_by(error, hyper_util::client::legacy::Error::is_connect)
}
