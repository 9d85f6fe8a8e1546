//! Which key signs a call, and what a refusal says about it.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use secrecy::ExposeSecret;

use crate::credentials::Key;
use crate::credentials::keys::Keys;

use super::refusal::Cause;

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
    /// What it says when this stands in the way of a call. A key that is not allowed something may be
    /// an old one, of which all was taken: if the call was to the stream that the key `is_for`.
    pub(super) fn of(cause: &Cause, is_for: bool) -> Self {
        if *cause == Cause::WrongTime {
            Self::AtTheWrongTime
        } else if cause.is_the_key() || (is_for && *cause == Cause::NotPermitted) {
            Self::WithABadKey
        } else {
            Self::Well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::refusal::Kms;
    use super::*;

    #[test]
    fn a_refusal_over_the_clock_is_told_from_one_over_the_key() {
        assert_eq!(Signed::of(&Cause::WrongTime, true), Signed::AtTheWrongTime);
        for cause in [Cause::UnknownKey, Cause::WrongSecret, Cause::Expired, Cause::NotPermitted] {
            assert_eq!(Signed::of(&cause, true), Signed::WithABadKey, "{cause:?}");
        }
    }

    #[test]
    fn what_is_not_permitted_to_the_stream_of_dead_letters_says_nothing_of_the_key_of_records() {
        assert_eq!(Signed::of(&Cause::NotPermitted, false), Signed::Well);
        assert_eq!(Signed::of(&Cause::UnknownKey, false), Signed::WithABadKey);
    }

    #[test]
    fn trouble_of_the_stream_says_nothing_about_the_key() {
        for cause in [Cause::NoStream, Cause::Kms(Kms::Disabled), Cause::Down, Cause::Unheard] {
            assert_eq!(Signed::of(&cause, true), Signed::Well, "{cause:?}");
        }
    }
}
