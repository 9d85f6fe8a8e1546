//! Roles: who may assume them, and the temporary keys that come of it.

use data_encoding::BASE64;
use jiff::{SignedDuration, Timestamp};

use super::super::keys::{Key, Permissions};
use super::super::names::ACCOUNT;
use super::super::refusal::Refusal;
use super::super::xml::element;
use super::validation;

/// A role of the account. By default it trusts nobody, for an hour at most, and permits everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Ids of the access keys with which it may be assumed.
    pub trusted: Vec<String>,
    /// What whoever assumes it by such a key must say in addition. `None`: anything or nothing.
    pub external_id: Option<String>,
    /// The token with which it may be assumed by `AssumeRoleWithWebIdentity`.
    pub web_identity: Option<String>,
    /// The longest that it may be assumed for at once: 1 to 12 hours.
    pub session_max: SignedDuration,
    /// What whoever assumed it may do.
    pub permissions: Permissions,
}

impl Default for Role {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            external_id: None,
            web_identity: None,
            session_max: SignedDuration::from_hours(1),
            permissions: Permissions::default(),
        }
    }
}

/// How long a session lasts: 15 minutes to 12 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term(pub SignedDuration);

impl Role {
    /// Whether it may be assumed with this key by somebody who says this.
    #[must_use]
    pub(super) fn trusts(&self, key_id: &str, external_id: Option<&str>) -> bool {
        let is_known = self.trusted.iter().any(|trusted| trusted == key_id);
        is_known && (self.external_id.is_none() || self.external_id.as_deref() == external_id)
    }

    /// Whether it may be assumed for so long.
    ///
    /// # Errors
    ///
    /// `ValidationError`: too long is not shortened.
    pub(super) fn grants(&self, term: Term) -> Result<(), Refusal> {
        if term.0 <= self.session_max {
            return Ok(());
        }
        let text =
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        Err(validation(text))
    }

    /// The role with that ARN, assumed now.
    #[must_use]
    pub(super) fn session(&self, arn: &str, name: &str, now: Timestamp, term: Term) -> Session {
        let role = arn.rsplit_once('/').map_or(arn, |(_, role)| role);
        let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(16).collect();
        let expires = now.saturating_add(term.0).unwrap_or(Timestamp::MAX);
        Session {
            key_id: format!("ASIA{}", id.to_ascii_uppercase()),
            key: Key {
                session_token: Some(random(150)),
                expires: Some(expires),
                principal: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"),
                permissions: self.permissions.clone(),
                ..Key::new(random(30))
            },
        }
    }
}

/// A role that somebody assumed.
#[derive(Debug)]
pub(super) struct Session {
    /// The id of its key.
    pub key_id: String,
    /// Its key.
    pub key: Key,
}

impl Session {
    /// What whoever assumed it is told.
    #[must_use]
    pub(super) fn xml(&self) -> String {
        let key = &self.key;
        let end = key.expires.map(|end| end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        let credentials = [
            ("AccessKeyId", &*self.key_id),
            ("SecretAccessKey", &key.secret),
            ("SessionToken", key.session_token.as_deref().unwrap_or_default()),
            ("Expiration", end.as_deref().unwrap_or_default()),
        ];
        let credentials = credentials.map(|(name, text)| element(name, text)).concat();
        let name = key.principal.rsplit_once('/').map_or("", |(_, name)| name);
        let id = element("AssumedRoleId", &format!("AROALOCALROLE:{name}"));
        let arn = element("Arn", &key.principal);
        format!(
            "<AssumedRoleUser>{id}{arn}</AssumedRoleUser><Credentials>{credentials}</Credentials>"
        )
    }
}

/// As many random bytes, in base64: with the `/` and `+` of real secrets.
fn random(bytes: usize) -> String {
    let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(bytes).collect();
    BASE64.encode(&bytes)
}
