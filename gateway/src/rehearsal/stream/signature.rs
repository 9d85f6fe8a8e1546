//! Signatures (AWS Signature Version 4), computed anew from the request as it came.
//!
//! Written after the specification and not after the SDK's signer, which it is to judge.

use std::borrow::Cow;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use data_encoding::HEXLOWER;
use hyper::HeaderMap;

/// What the header `Authorization` begins with.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What every scope ends with.
const SCOPE_END: &str = "aws4_request";

/// Headers that a signature must cover wherever they are: without them a request could be used for
/// another host, time or action.
const ALWAYS_SIGNED: [&str; 4] = ["host", "x-amz-date", "x-amz-security-token", "x-amz-target"];

/// A request as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The value of a header, if it is there and text.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// What a request says of its signature, in the header `Authorization`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    /// Which key.
    pub key_id: &'a str,
    /// The day that the signature is good for: `20150830`.
    pub date: &'a str,
    /// The region that it is good for.
    pub region: &'a str,
    /// The service that it is good for.
    pub service: &'a str,
    /// Names of headers, in order, separated by `;`.
    signed_headers: &'a str,
    /// In hexadecimal digits.
    signature: &'a str,
}

impl<'a> Claim<'a> {
    /// Reads the header; `None` if a part is missing.
    #[must_use]
    pub(super) fn read(authorization: &'a str) -> Option<Self> {
        let fields = authorization.strip_prefix(ALGORITHM)?;
        let field = |name| {
            let value = |field: &'a str| field.trim().strip_prefix(name);
            fields.split(',').find_map(value)
        };
        let mut scope = field("Credential=")?.split('/');
        let claim = Self {
            key_id: scope.next()?,
            date: scope.next()?,
            region: scope.next()?,
            service: scope.next()?,
            signed_headers: field("SignedHeaders=")?,
            signature: field("Signature=")?,
        };
        (scope.next() == Some(SCOPE_END)).then_some(claim)
    }

    /// Whether `message` was signed with `secret` at `signed_at`, and nothing that matters in it has
    /// changed since.
    #[must_use]
    pub(super) fn holds(&self, message: &Message<'_>, secret: &str, signed_at: &str) -> bool {
        let is_signed = |name: &&str| self.signed_headers.split(';').any(|signed| signed == *name);
        let complete =
            ALWAYS_SIGNED.iter().filter(|name| message.headers.contains_key(**name)).all(is_signed);
        let Ok(signature) = HEXLOWER.decode(self.signature.as_bytes()) else { return false };
        let text = self.text_to_sign(&self.canonical(message), signed_at);
        let secret = format!("AWS4{secret}").into_bytes();
        let key = self.scope().iter().fold(secret, |key, part| {
            hmac::sign(&hmac::Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
        });
        let key = hmac::Key::new(HMAC_SHA256, &key);
        complete && hmac::verify(&key, text.as_bytes(), &signature).is_ok()
    }

    /// What the service tells of a signature that does not hold: all that it should have covered, the
    /// token of a session among it.
    #[must_use]
    pub(super) fn expected(&self, message: &Message<'_>, signed_at: &str) -> String {
        let canonical = self.canonical(message);
        let text = self.text_to_sign(&canonical, signed_at);
        format!(
            "The Canonical String for this request should have been\n'{canonical}'\n\n\
             The String-to-Sign should have been\n'{text}'\n"
        )
    }

    fn scope(&self) -> [&'a str; 4] {
        [self.date, self.region, self.service, SCOPE_END]
    }

    fn text_to_sign(&self, canonical: &str, signed_at: &str) -> String {
        let (scope, request) = (self.scope().join("/"), sha256(canonical.as_bytes()));
        format!("{ALGORITHM}\n{signed_at}\n{scope}\n{request}")
    }

    /// The request in the one form that both sides can make of it. Its path and query are taken as
    /// they are: those of both services are plain.
    fn canonical(&self, message: &Message<'_>) -> String {
        let mut query: Vec<_> = message.query.split('&').collect();
        query.sort_unstable();
        let headers: String = self
            .signed_headers
            .split(';')
            .map(|name| format!("{name}:{}\n", joined(message.headers, name)))
            .collect();
        let Message { method, path, body, .. } = message;
        let (query, signed, body) = (query.join("&"), self.signed_headers, sha256(body));
        format!("{method}\n{path}\n{query}\n{headers}\n{signed}\n{body}")
    }
}

/// The values of a header, separated by commas, with single spaces.
fn joined(headers: &HeaderMap, name: &str) -> String {
    let values =
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let tidy = |value: Cow<'_, str>| value.split_whitespace().collect::<Vec<_>>().join(" ");
    values.map(tidy).collect::<Vec<_>>().join(",")
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

#[cfg(test)]
mod tests {
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const SIGNED_AT: &str = "20150830T123600Z";

    /// The example that the specification works through.
    fn example(change: impl FnOnce(&mut HeaderMap)) -> HeaderMap {
        let mut headers: HeaderMap = [
            ("host", "iam.amazonaws.com"),
            ("content-type", "application/x-www-form-urlencoded;   charset=utf-8 "),
            ("x-amz-date", SIGNED_AT),
        ]
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
        change(&mut headers);
        headers
    }

    fn holds(headers: &HeaderMap, body: &[u8], secret: &str) -> bool {
        let claim = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, \
                     Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        let query = "Version=2010-05-08&Action=ListUsers";
        let message = Message { method: "GET", path: "/", query, headers, body };
        Claim::read(claim).expect("complete").holds(&message, secret, SIGNED_AT)
    }

    #[test]
    fn the_signature_of_the_specification_holds() {
        assert!(holds(&example(|_| {}), b"", SECRET));
    }

    #[test]
    fn whatever_was_signed_cannot_be_changed() {
        assert!(!holds(&example(|_| {}), b"", "another"), "secret");
        assert!(!holds(&example(|_| {}), b"x", SECRET), "body");
        let moved = example(|headers| {
            headers.insert("host", HeaderValue::from_static("elsewhere"));
        });
        assert!(!holds(&moved, b"", SECRET), "host");
        let borrowed = example(|headers| {
            headers.insert("x-amz-security-token", HeaderValue::from_static("mine"));
        });
        assert!(!holds(&borrowed, b"", SECRET), "a token that is not signed");
        let renamed = example(|headers| {
            headers.insert("user-agent", HeaderValue::from_static("any"));
        });
        assert!(holds(&renamed, b"", SECRET), "what was not signed may change");
    }

    #[test]
    fn a_claim_without_one_of_its_parts_is_none() {
        let whole = "AWS4-HMAC-SHA256 Credential=k/20150830/us-east-1/iam/aws4_request,\
                     SignedHeaders=host,Signature=00";
        let claim = Claim::read(whole).expect("without spaces, too");
        assert_eq!((claim.key_id, claim.region, claim.service), ("k", "us-east-1", "iam"));
        for part in ["k/", "/aws4_request", "SignedHeaders=", "Signature=00", "AWS4-HMAC-SHA256"] {
            assert!(Claim::read(&whole.replace(part, "")).is_none(), "{part}");
        }
    }
}
