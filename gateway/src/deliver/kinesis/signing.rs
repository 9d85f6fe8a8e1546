//! Which key signs a call, and what a refusal says about it.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use secrecy::ExposeSecret;

use crate::credentials::Key;
use crate::credentials::keys::Keys;

/// Signs each attempt with the key in use at that moment. Waits for nothing.
#[derive(Debug)]
pub(super) struct Current(pub(super) Keys);

impl ProvideCredentials for Current {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let none = || CredentialsError::not_loaded("there is no key");
        let key = self.0.current().map(|(key, _)| credentials(&key));
        future::ProvideCredentials::ready(key.ok_or_else(none))
    }
}

/// A key as the SDK takes it. Without an end: it is used until another one takes its place.
pub(super) fn credentials(key: &Key) -> Credentials {
    let token = key.token.as_ref().map(|token| token.expose_secret().to_owned());
    Credentials::new(key.id.whole(), key.secret.expose_secret(), token, None, "tidegate")
}

/// What the refusal of a call says about how it was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// Nothing.
    Well,
    /// By our clock, which is wrong. The SDK has learned from this answer by how much.
    AtTheWrongTime,
    /// With a key that is not known, not good any more, or not allowed this.
    WithABadKey,
}

impl Signed {
    /// What a refusal with this code and text says. AWS documents the codes as common errors of
    /// Kinesis; the two texts about time are those of its signature check.
    pub(super) fn of(code: &str, said: &str) -> Self {
        match code {
            "RequestExpired" | "RequestTimeTooSkewed" => Self::AtTheWrongTime,
            "InvalidSignatureException" | "SignatureDoesNotMatch" => {
                let times = ["Signature expired", "Signature not yet current"];
                match times.iter().any(|time| said.contains(time)) {
                    true => Self::AtTheWrongTime,
                    false => Self::WithABadKey,
                }
            }
            "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "MissingAuthenticationTokenException"
            | "MissingAuthenticationToken"
            | "IncompleteSignatureException"
            | "IncompleteSignature" => Self::WithABadKey,
            _ => Self::Well,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_over_the_clock_is_told_from_one_over_the_secret() {
        let of = |said| Signed::of("InvalidSignatureException", said);
        let skewed = "Signature expired: 20261101T000000Z is now earlier than 20261111T000000Z";
        assert_eq!(of(skewed), Signed::AtTheWrongTime);
        assert_eq!(of("Signature not yet current: 2026 is still later"), Signed::AtTheWrongTime);
        let wrong =
            "The request signature we calculated does not match the signature you provided.";
        assert_eq!(of(wrong), Signed::WithABadKey);
    }

    #[test]
    fn trouble_of_the_stream_says_nothing_about_the_key() {
        for code in ["ResourceNotFoundException", "KMSDisabledException", "InternalFailure", ""] {
            assert_eq!(Signed::of(code, "Signature expired"), Signed::Well, "{code}");
        }
        assert_eq!(Signed::of("ExpiredTokenException", ""), Signed::WithABadKey);
    }
}
