//! A key as settings, a line each, in any order:
//!
//! ```text
//! # The put-only key of the gateway.
//! aws_access_key_id = AKIA…
//! aws_secret_access_key = …
//! aws_session_token = …
//! ```
//!
//! The last is for a key of a session alone. Names may be in capitals, as in an environment file, and
//! values in quotes. What begins with `#` or `;` is a comment. No section: profiles of AWS are what
//! `kind = "file"` reads.

use super::shape::{self, ID, Part, SECRET, TOKEN};
use super::text::{decode, folded, lines};
use super::{Fault, Key};

/// The key that `bytes` say.
///
/// # Errors
/// What is wrong with them, with the line.
pub fn parse(bytes: &[u8]) -> Result<Key, Fault> {
    let text = decode(bytes)?;
    let (mut id, mut secret, mut token) = (None, None, None);
    for (line, written) in lines(text) {
        let written = written.trim();
        if written.is_empty() || written.starts_with(['#', ';']) {
            continue;
        }
        if written.starts_with('[') {
            let what = "is a section of an AWS profile file: use kind = \"file\" for such a file";
            return Err(Fault::line(line, what));
        }
        let Some((name, value)) = written.split_once('=') else {
            return Err(Fault::line(line, "must be name = value"));
        };
        let (column, part) = match folded(name).as_str() {
            "awsaccesskeyid" => (ID, &mut id),
            "awssecretaccesskey" => (SECRET, &mut secret),
            "awssessiontoken" => (TOKEN, &mut token),
            _ => return Err(Fault::line(line, UNKNOWN)),
        };
        if part.replace(Part { text: unquoted(value.trim()), line }).is_some() {
            return Err(Fault::line(line, "is there twice").column(column));
        }
    }
    let missing = |column| Fault::whole("is missing").column(column);
    let id = id.ok_or(missing("aws_access_key_id"))?;
    let secret = secret.ok_or(missing("aws_secret_access_key"))?;
    shape::key(id, secret, token)
}

const UNKNOWN: &str = "must be aws_access_key_id, aws_secret_access_key or aws_session_token";

/// `value` without the quotes around it.
fn unquoted(value: &str) -> &str {
    let within = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::super::tests::{ID, SECRET};
    use super::*;

    fn said(text: &str) -> String {
        parse(text.as_bytes()).map_or_else(|fault| fault.to_string(), |_| "a key".to_owned())
    }

    #[test]
    fn a_key_is_two_settings_in_any_order_spelling_and_line_end() {
        for text in [
            format!("aws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n"),
            format!("AWS_SECRET_ACCESS_KEY={SECRET}\r\nAWS_ACCESS_KEY_ID={ID}"),
            format!(
                "\u{feff}# ours\r\r; too\raws_access_key_id=\"{ID}\"\raws_secret_access_key='{SECRET}'"
            ),
        ] {
            let key = parse(text.as_bytes()).expect(&text);
            assert_eq!((key.id.whole(), key.secret.expose_secret()), (ID, SECRET));
            assert!(key.token.is_none());
        }
    }

    #[test]
    fn a_key_of_a_session_has_its_token() {
        let id = ID.replace("AKIA", "ASIA");
        let pair = format!("aws_access_key_id = {id}\naws_secret_access_key = {SECRET}\n");
        assert!(said(&pair).contains("its session token is missing"), "{}", said(&pair));
        let key = parse(format!("{pair}aws_session_token = abc=").as_bytes()).unwrap();
        assert_eq!(key.token.unwrap().expose_secret(), "abc=");
    }

    #[test]
    fn what_is_no_pair_is_told_by_line() {
        let id = format!("aws_access_key_id = {ID}");
        for (text, fault) in [
            (
                "[default]".to_owned(),
                "line 1: is a section of an AWS profile file: use kind = \"file\"",
            ),
            (format!("\n{ID}"), "line 2: must be name = value"),
            ("region = x".to_owned(), "line 1: must be aws_access_key_id, aws_secret_access_key"),
            (format!("{id}\n{id}"), "line 2: Access key ID: is there twice"),
            (id.clone(), "aws_secret_access_key: is missing"),
            (format!("aws_secret_access_key = {SECRET}"), "aws_access_key_id: is missing"),
            (format!("{id}\naws_secret_access_key ="), "line 2: Secret access key: is empty"),
            (
                format!("AWSAccessKeyId={ID}\nAWSSecretKey={SECRET}"),
                "is a key of the account's root",
            ),
        ] {
            assert!(said(&text).starts_with(fault), "{} for\n{text}", said(&text));
        }
    }

    proptest! {
        #[test]
        fn no_text_upsets_the_reader(bytes in any::<Vec<u8>>()) {
            prop_assert!(parse(&bytes).is_err());
        }
    }
}
