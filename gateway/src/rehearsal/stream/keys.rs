//! The account behind the streams of one address: who may sign requests, for what and until when.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::action::Action;
use super::names::USER;
use super::sts::Role;

/// The account's access keys and roles. It begins with neither: any key is accepted.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// By access key id. `None`: whoever signs is let in, and no signature is computed.
    pub keys: Option<BTreeMap<String, Key>>,
    /// By ARN.
    pub roles: BTreeMap<String, Role>,
}

impl Account {
    /// Enters a key, in place of an older one with that id. From the first one on, signatures are
    /// computed, and no other key is accepted.
    pub fn enter(&mut self, id: impl Into<String>, key: Key) {
        self.keys.get_or_insert_default().insert(id.into(), key);
    }

    /// The key of that id, to look at or to change.
    pub fn key(&mut self, id: &str) -> Option<&mut Key> {
        self.keys.as_mut()?.get_mut(id)
    }

    /// Revokes a key. One that is not there stays so.
    pub fn revoke(&mut self, id: &str) {
        if let Some(key) = self.key(id) {
            key.status = KeyStatus::Revoked;
        }
    }
}

/// One access key. A field that is changed counts from the next request on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// What requests are signed with.
    pub secret: String,
    /// What comes with each request of a temporary key.
    pub session_token: Option<String>,
    /// Whether it is accepted at all.
    pub status: KeyStatus,
    /// When it ends, by the service's clock. `None`: never.
    pub expires: Option<Timestamp>,
    /// The ARN of whoever it stands for.
    pub principal: String,
    /// What it may do.
    pub permissions: Permissions,
    /// Requests that it proved to have signed. Whether they were permitted does not matter.
    pub uses: u64,
}

impl Key {
    /// A key of the user `gateway` that never ends and may do everything.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        Self {
            secret: secret.into(),
            session_token: None,
            status: KeyStatus::Active,
            expires: None,
            principal: USER.to_owned(),
            permissions: Permissions::default(),
            uses: 0,
        }
    }
}

/// Whether a key is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    /// It is.
    Active,
    /// It is not any more: it is answered as one that never was.
    Revoked,
}

/// What may be done. By default everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    /// The actions.
    pub actions: Vec<Action>,
    /// The ARNs of the streams to which they may be done. `None`: all.
    ///
    /// Where there is a list, another stream is refused as not permitted, whether it exists or not.
    pub streams: Option<Vec<String>>,
}

impl Default for Permissions {
    fn default() -> Self {
        Self::of(&Action::ALL)
    }
}

impl Permissions {
    /// These actions, to all streams.
    #[must_use]
    pub fn of(actions: &[Action]) -> Self {
        Self { actions: actions.to_vec(), streams: None }
    }

    /// Whether `action` may be done to the stream of that ARN, which is asked for only if it matters.
    pub(super) fn allow(&self, action: Action, arn: impl FnOnce() -> String) -> bool {
        let streams = self.streams.as_ref();
        self.actions.contains(&action) && streams.is_none_or(|streams| streams.contains(&arn()))
    }
}

/// Who sent a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The id of the key that signed it; empty if it named none.
    pub key_id: String,
    /// The ARN of whoever that stands for.
    pub principal: String,
    /// Whether the key is a temporary one.
    pub is_session: bool,
    /// What it may do.
    pub permissions: Permissions,
    /// The region that it was signed for; `None` where that does not matter.
    pub region: Option<String>,
}

impl Caller {
    /// Somebody who says to have the key `id`, where any key is accepted.
    #[must_use]
    pub(super) fn anyone(id: &str) -> Self {
        Self {
            key_id: id.to_owned(),
            principal: USER.to_owned(),
            is_session: false,
            permissions: Permissions::default(),
            region: None,
        }
    }

    /// The holder of `key`.
    #[must_use]
    pub(super) fn holder(id: &str, key: &Key, region: &str) -> Self {
        Self {
            key_id: id.to_owned(),
            principal: key.principal.clone(),
            is_session: key.session_token.is_some(),
            permissions: key.permissions.clone(),
            region: Some(region.to_owned()),
        }
    }
}
