//! A key in the environment, as it was at the start of the process.

use std::env::VarError;

use secrecy::SecretString;

use crate::credentials::{Fault, Key, KeyId, Why};

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";

/// The key.
///
/// # Errors
/// When there is none.
pub(super) fn key() -> Result<Key, Why> {
    find().ok_or_else(|| {
        let what = "has no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and of a session \
                    AWS_SESSION_TOKEN, before the gateway is started";
        Fault::whole(what).into()
    })
}

/// The key, if there is one.
pub(super) fn find() -> Option<Key> {
    find_in(|name| std::env::var(name))
}

fn find_in(variable: impl Fn(&str) -> Result<String, VarError>) -> Option<Key> {
    let value = |name| {
        let written = variable(name).unwrap_or_default();
        Some(written.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Some(Key {
        id: KeyId::new(value(ID)?),
        secret: SecretString::from(value(SECRET)?),
        token: value(TOKEN).map(SecretString::from),
        good_for: None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use secrecy::ExposeSecret;

    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<Key> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        find_in(|name| {
            variables.get(name).map(|text| (*text).to_owned()).ok_or(VarError::NotPresent)
        })
    }

    #[test]
    fn a_key_is_an_id_and_a_secret_and_perhaps_a_token() {
        let key = found(&[(ID, " id "), (SECRET, "secret\n"), (TOKEN, "")]).unwrap();
        assert_eq!((key.id.whole(), key.secret.expose_secret()), ("id", "secret"));
        assert!(key.token.is_none() && key.good_for.is_none());
        let key = found(&[(ID, "id"), (SECRET, "secret"), (TOKEN, "token")]).unwrap();
        assert_eq!(key.token.unwrap().expose_secret(), "token");
    }

    #[test]
    fn half_a_key_is_none() {
        for variables in
            [&[][..], &[(ID, "id")], &[(SECRET, "secret")], &[(ID, "id"), (SECRET, " ")]]
        {
            assert!(found(variables).is_none(), "{variables:?}");
        }
    }
}
