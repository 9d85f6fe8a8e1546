//! What a program that sources a key answers: the protocol of `credential_process`, version 1.
//!
//! ```json
//! { "Version": 1, "AccessKeyId": "…", "SecretAccessKey": "…", "SessionToken": "…",
//!   "Expiration": "2026-01-01T00:00:00Z" }
//! ```
//!
//! The last two are for a session; without an expiration the key is good for ever.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Deserialize;

use super::{Fault, Key, KeyId};

/// How long a key is taken to be good that is over by the clock of this machine. That may be days
/// ahead, and whether the key is good AWS will say.
const OVER: Duration = Duration::from_secs(300);

/// Longest time that a key which ends is taken to be good: that clock may be days behind, too, and
/// to ask again costs little.
const GOOD_FOR_MAX: Duration = Duration::from_secs(3_600);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    version: u32,
    access_key_id: String,
    secret_access_key: Secret,
    session_token: Option<Secret>,
    expiration: Option<String>,
}

/// Text that is wiped also when the answer as a whole is not taken.
#[derive(Deserialize)]
#[serde(from = "String")]
struct Secret(SecretString);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// The key that `bytes` say, as it stands at `now`.
///
/// # Errors
/// When they are no such answer.
pub fn parse(bytes: &[u8], now: Timestamp) -> Result<Key, Fault> {
    // What the reader says about a wrong value repeats it.
    let Ok(answer) = serde_json::from_slice::<Answer>(bytes) else {
        let what = "did not answer with a key: one JSON object with Version, AccessKeyId and \
                    SecretAccessKey is expected on standard output";
        return Err(Fault::whole(what));
    };
    if answer.version != 1 {
        return Err(Fault::whole("is unknown: only version 1 is understood").column("Version"));
    }
    if answer.access_key_id.is_empty() {
        return Err(Fault::whole("is empty").column("AccessKeyId"));
    }
    let good_for = answer.expiration.map(|at| good_for(&at, now)).transpose()?;
    Ok(Key {
        id: KeyId::new(answer.access_key_id),
        secret: answer.secret_access_key.0,
        token: answer.session_token.map(|token| token.0),
        good_for,
    })
}

fn good_for(expiration: &str, now: Timestamp) -> Result<Duration, Fault> {
    let at: Timestamp = expiration.parse().map_err(|_not_one| {
        Fault::whole("must be a time such as 2026-01-01T00:00:00Z").column("Expiration")
    })?;
    let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
    Ok(if left.is_zero() { OVER } else { left.min(GOOD_FOR_MAX) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::super::tests::{ID, SECRET};
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_key_of_a_user_is_good_for_ever_and_one_of_a_session_until_it_expires() {
        let user = format!(r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}"}}"#);
        let key = parse(user.as_bytes(), now()).unwrap();
        assert_eq!((key.id.whole(), key.secret.expose_secret()), (ID, SECRET));
        assert!(key.token.is_none() && key.good_for.is_none());
        let session = user.replace(
            '}',
            r#","SessionToken":"a\/b","Expiration":"2026-01-01T01:00:00+00:30","Other":1}"#,
        );
        let key = parse(session.as_bytes(), now()).unwrap();
        assert_eq!(key.token.unwrap().expose_secret(), "a/b");
        assert_eq!(key.good_for, Some(Duration::from_secs(1_800)));
    }

    #[test]
    fn a_key_that_is_over_by_a_clock_that_may_be_wrong_is_tried() {
        for year in ["2025", "2026"] {
            let text = format!(
                r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}","Expiration":"{year}-01-01T00:00:00Z"}}"#
            );
            assert_eq!(parse(text.as_bytes(), now()).unwrap().good_for, Some(OVER));
        }
    }

    #[test]
    fn a_key_that_is_good_for_days_by_a_clock_that_may_be_behind_is_asked_for_again_before() {
        let text = format!(
            r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}","Expiration":"2026-01-11T01:00:00Z"}}"#
        );
        assert_eq!(parse(text.as_bytes(), now()).unwrap().good_for, Some(GOOD_FOR_MAX));
    }

    #[test]
    fn what_is_no_answer_is_told_without_a_word_of_it() {
        let whole = format!(
            r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}","Expiration":"2027-01-01T00:00:00Z"}}"#
        );
        for (text, fault) in [
            (String::new(), "did not answer with a key"),
            (whole.replace("\"Version\":1,", ""), "did not answer with a key"),
            (whole.replace(&format!("\"{ID}\""), "[1]"), "did not answer with a key"),
            (whole.replace("Version\":1", "Version\":2"), "Version: is unknown"),
            (whole.replace(ID, ""), "AccessKeyId: is empty"),
            (whole.replace("2027", "tomorrow"), "Expiration: must be a time"),
        ] {
            let said = parse(text.as_bytes(), now()).unwrap_err().to_string();
            assert!(said.starts_with(fault) && !said.contains(SECRET), "{said} for {text}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_upsets_the_reader(bytes in any::<Vec<u8>>()) {
            prop_assert!(parse(&bytes, now()).is_err());
        }
    }
}
