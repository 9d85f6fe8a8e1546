//! Keys of the account that the stream belongs to: where they come from, and which one signs.
//!
//! A key can be replaced while the gateway runs. [`watch`] notices that a file may have changed,
//! [`file`](mod@file) and [`process`] read it, [`csv`], [`pair`] and [`answer`] understand what it
//! says, and [`keeper`] decides which key is in use, when to read again, and what is worth saying.
//! [`keys`] stands between it and who signs, and asks the [`Source`] when that is due.
//!
//! What a text of keys says is repeated nowhere: a [`Fault`] is made of constants and a line, and a
//! [`KeyId`] writes itself masked. What a service or the SDK said may be in a [`NoKey`], as far as it is
//! repeatable.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

pub use fault::{Fault, NoKey, Why};
pub use file::Found;

pub mod answer;
pub mod csv;
pub(crate) mod disk;
mod fault;
pub mod file;
pub mod keeper;
pub mod keys;
pub mod pair;
pub mod process;
mod shape;
mod text;
pub mod watch;

/// Where a key comes from.
pub trait Source {
    /// What the log calls it.
    fn name(&self) -> String;

    /// The files of which a change may mean another key.
    fn paths(&self) -> Vec<PathBuf>;

    /// Whether it may give another key than when it was asked last, now that its files may have
    /// changed. Bounded in time.
    fn has_changed(&self) -> impl Future<Output = bool> {
        std::future::ready(true)
    }

    /// Asks for a key. Bounded in time, and a disk that hangs holds up nobody else.
    ///
    /// # Errors
    /// When there is none; with the fix.
    fn load(&self) -> impl Future<Output = Result<Found, NoKey>>;
}

/// An access key. Its secret and its token are wiped from memory with it, and written nowhere.
#[derive(Debug, Clone)]
pub struct Key {
    /// Which key it is.
    pub id: KeyId,
    /// What signs.
    pub secret: SecretString,
    /// What proves that the key belongs to a session; a key of a user has none.
    pub token: Option<SecretString>,
    /// How long it is good for, counted from when it was had; for ever when not said. A span and no
    /// point in time: the clock of this machine may be wrong.
    pub good_for: Option<Duration>,
}

impl Key {
    /// Whether `other` signs in the same way.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let [ours, theirs] = [self, other].map(|key| {
            (key.secret.expose_secret(), key.token.as_ref().map(ExposeSecret::expose_secret))
        });
        self.id == other.id && ours == theirs
    }
}

/// The id of an access key. No secret, but a log is no place for all of it: written out it is its
/// first and last four letters, of a short one less.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyId(String);

impl KeyId {
    /// Takes any id: how those of AWS look is checked where a person wrote it.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// All of it, for a request.
    #[must_use]
    pub fn whole(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = self.0.chars().count();
        // At most half of it is shown.
        let shown = (letters / 4).min(4);
        let first: String = self.0.chars().take(shown).collect();
        let last: String = self.0.chars().skip(letters - shown).collect();
        write!(f, "{first}…{last}")
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const ID: &str = "AKIAIOSFODNN7EXAMPLE";
    pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    /// A key that differs from others by its number.
    pub(crate) fn key(number: u64) -> Key {
        let id = KeyId::new(format!("AKIA{number:016}"));
        Key { id, secret: SECRET.into(), token: None, good_for: None }
    }

    #[test]
    fn a_key_that_is_written_out_shows_eight_letters_of_its_id_and_nothing_else() {
        let token = Some("the token of a session".into());
        let key = Key { id: KeyId::new(ID), secret: SECRET.into(), token, good_for: None };
        let written = format!("{key:?} {}", key.id);
        assert!(written.contains("AKIA…MPLE"), "{written}");
        for hidden in [ID, SECRET, "session"] {
            assert!(!written.contains(hidden), "{written}");
        }
    }

    #[test]
    fn a_short_id_is_shown_by_half_at_most() {
        let shown = |id: &str| KeyId::new(id).to_string();
        assert_eq!(["", "abc", "REHEARSAL", "ключключ"].map(shown), ["…", "…", "RE…AL", "кл…юч"]);
    }

    #[test]
    fn keys_are_the_same_when_they_sign_the_same() {
        let one = key(1);
        assert!(one.is_same(&Key { good_for: Some(Duration::ZERO), ..one.clone() }));
        for other in [
            key(2),
            Key { secret: "another".into(), ..one.clone() },
            Key { token: Some("token".into()), ..one.clone() },
        ] {
            assert!(!one.is_same(&other), "{other:?}");
        }
    }
}
