//! What the parts of a key look like.

use secrecy::{ExposeSecret, SecretString};

use super::{Fault, Key, KeyId};

/// The parts of a key as the console spells them.
pub(super) const ID: &str = "Access key ID";
pub(super) const SECRET: &str = "Secret access key";
pub(super) const TOKEN: &str = "Session token";

/// A secret that is shorter was not copied to its end, or is still being written: 40 characters is
/// what they all have had, nothing says that there may never be more.
const SECRET_BYTES_MIN: usize = 40;

/// A part of a key and the line that it is in.
#[derive(Clone, Copy)]
pub(super) struct Part<'t> {
    pub(super) text: &'t str,
    pub(super) line: usize,
}

/// The key that these parts make. That they fit together only AWS can say.
pub(super) fn key(id: Part<'_>, secret: Part<'_>, token: Option<Part<'_>>) -> Result<Key, Fault> {
    let at = |part: Part<'_>, column, what| Err(Fault::line(part.line, what).column(column));
    if id.text.is_empty() {
        return at(id, ID, "is empty: download the file again, or create another key");
    }
    if secret.text.is_empty() {
        let what = "is empty: AWS shows it only once, when the key is created; create another key";
        return at(secret, SECRET, what);
    }
    if is_id(secret.text) && !is_id(id.text) {
        let what = "looks like the id: the id and the secret have changed places";
        return at(secret, SECRET, what);
    }
    if !is_id(id.text) {
        let what = "is no id of an access key: one has 16 to 128 capital letters and digits, and \
                    begins with AKIA or, of a session, with ASIA";
        return at(id, ID, what);
    }
    if !is_plain(secret.text) {
        return at(secret, SECRET, "must be printable ASCII without spaces or quotes");
    }
    if secret.text.len() < SECRET_BYTES_MIN {
        let what = "has fewer than the 40 characters of every secret of AWS: it was cut short; copy \
                    it again, or create another key";
        return at(secret, SECRET, what);
    }
    let token = token.filter(|token| !token.text.is_empty());
    if id.text.starts_with("ASIA") && token.is_none() {
        let what = "is of a temporary key (ASIA…), and its session token is missing: use the key of \
                    a user (AKIA…), or kind = \"assume_role\"";
        return at(id, ID, what);
    }
    if let Some(token) = token
        && !is_plain(token.text)
    {
        return at(token, TOKEN, "must be printable ASCII without spaces or quotes");
    }
    Ok(Key {
        id: KeyId::new(id.text),
        secret: SecretString::from(secret.text),
        token: token.map(|token| SecretString::from(token.text)),
        good_for: None,
    })
}

impl Key {
    /// The same, if a request can be signed with it: its parts become headers, so they are there, and
    /// are printable ASCII. For keys that no person wrote; how those look is left to who lends them.
    ///
    /// # Errors
    /// Which part is not.
    pub(crate) fn fit_to_sign(self) -> Result<Self, Fault> {
        let token = self.token.as_ref().map(ExposeSecret::expose_secret);
        let parts = [
            (ID, Some(self.id.whole())),
            (SECRET, Some(self.secret.expose_secret())),
            (TOKEN, token),
        ];
        for (column, text) in parts {
            if text.is_some_and(|text| text.is_empty() || !is_graphic(text)) {
                let what = "must be printable ASCII without spaces: no call can be signed with it";
                return Err(Fault::whole(what).column(column));
            }
        }
        Ok(self)
    }
}

fn is_graphic(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// IAM API reference, `AccessKey`: 16 to 128 characters. The prefix is in the user guide ("Unique
/// identifiers").
fn is_id(text: &str) -> bool {
    (16..=128).contains(&text.len())
        && (text.starts_with("AKIA") || text.starts_with("ASIA"))
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn is_plain(text: &str) -> bool {
    is_graphic(text) && !text.contains(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::super::tests::key;
    use super::*;

    #[test]
    fn a_key_whose_parts_make_no_header_is_told_by_its_part() {
        let fits = |key: Key| key.fit_to_sign().map_or_else(|fault| fault.column, |_| None);
        assert_eq!(fits(key(1)), None);
        assert_eq!(fits(Key { token: Some("a/b+c=\"".into()), ..key(1) }), None);
        for wrong in ["", "two\nlines", "a space", "schl\u{fc}ssel", "\0"] {
            assert_eq!(fits(Key { id: KeyId::new(wrong), ..key(1) }), Some(ID));
            assert_eq!(fits(Key { secret: wrong.into(), ..key(1) }), Some(SECRET));
            assert_eq!(fits(Key { token: Some(wrong.into()), ..key(1) }), Some(TOKEN));
        }
    }
}
