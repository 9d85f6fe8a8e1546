//! Keys of sessions, from AWS's token service.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::Credentials;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use zeroize::Zeroizing;

use crate::config::Role;
use crate::credentials::{Fault, Key, KeyId, Why, file};
use crate::deliver::kinesis::refusal::Refusal;

use super::session_name;
use super::way::Way;

/// How long a session for a token lasts: what every role allows.
const WEB_IDENTITY_SESSION: Duration = Duration::from_secs(3_600);

/// The key of a session of `role`, which `base` assumes.
///
/// # Errors
/// When STS is not reached, or refuses.
pub(super) async fn assume(role: &Role, base: &Key, way: &Way) -> Result<Key, Why> {
    let call = way
        .sts(Some(base), role.sts_endpoint.as_deref())
        .await?
        .assume_role()
        .role_arn(&role.arn)
        .role_session_name(role.session_name.clone().unwrap_or_else(session_name))
        .set_external_id(role.external_id.clone())
        .duration_seconds(whole_seconds(role.duration));
    let answer = Box::pin(call.send()).await;
    let answer = answer.map_err(|error| why(&error, |code, said| advice(code, said, role)))?;
    session(answer.credentials, role.duration)
}

/// Somebody whom another identity provider vouches for.
#[derive(Debug)]
pub(super) struct WebIdentity<'a> {
    /// The file of the token.
    pub(super) token_file: &'a Path,
    /// The role that it may assume.
    pub(super) role_arn: &'a str,
    /// What the session is called, when said.
    pub(super) session_name: Option<&'a str>,
}

impl WebIdentity<'_> {
    /// The key of a session, for the token as it is now.
    ///
    /// # Errors
    /// When the token cannot be read, or STS is not reached, or refuses.
    pub(super) async fn assume(&self, way: &Way) -> Result<Key, Why> {
        let path = self.token_file.to_owned();
        let token = way.disk.read(move || file::contents_of(&path)).await?;
        let token = token_of(&token.bytes)?;
        let call = way
            .sts(None, None)
            .await?
            .assume_role_with_web_identity()
            .role_arn(self.role_arn)
            .role_session_name(self.session_name.map_or_else(session_name, str::to_owned))
            .duration_seconds(whole_seconds(WEB_IDENTITY_SESSION))
            .web_identity_token(token.as_str());
        let answer = Box::pin(call.send()).await;
        let answer = answer.map_err(|error| why(&error, advice_on_token))?;
        session(answer.credentials, WEB_IDENTITY_SESSION)
    }
}

fn token_of(bytes: &[u8]) -> Result<Zeroizing<String>, Fault> {
    let text = str::from_utf8(bytes).unwrap_or_default().trim();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault::whole("the file of the token holds no token"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// The key of a session that was asked for so long. Counted from now: the clock of this machine may be
/// wrong.
fn session(given: Option<Credentials>, good_for: Duration) -> Result<Key, Why> {
    let given = given.ok_or(Fault::whole("STS granted the role and gave no key"))?;
    Ok(Key {
        id: KeyId::new(given.access_key_id),
        secret: given.secret_access_key.into(),
        token: Some(given.session_token.into()),
        good_for: Some(good_for),
    })
}

fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

/// Why STS gave no key. What its codes mean here, `advice` knows; what they mean everywhere, they say
/// themselves.
fn why<E>(error: &SdkError<E, HttpResponse>, advice: impl Fn(&str, &str) -> Option<String>) -> Why
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let refusal = Refusal::of(error);
    let message = error.message().unwrap_or_default();
    let meant_here = error.code().and_then(|code| advice(code, message));
    Why::Service(match meant_here {
        Some(advice) => format!("STS: {}; {advice}", refusal.said),
        None => format!("STS: {refusal}"),
    })
}

/// What to do about a refusal to let a key assume `role`.
fn advice(code: &str, message: &str, role: &Role) -> Option<String> {
    Some(match code {
        "SignatureDoesNotMatch" if message.contains("Credential should be scoped") => {
            "sts_endpoint leads to another region than that of the stream and does not say so: name \
             it as AWS does, https://sts.<region>.amazonaws.com"
                .to_owned()
        }
        // Both are answered alike, on purpose.
        "AccessDenied" => {
            let external_id = match role.external_id {
                Some(_) => "external_id must be the one that it demands",
                None => "if it demands an external id, set external_id",
            };
            format!(
                "the trust policy of the role must name whose key this is, and {external_id}; and \
                 the key must be allowed sts:AssumeRole on the role"
            )
        }
        "ValidationError" => {
            "check role_arn and session_name, and that duration_s is no longer than the role allows"
                .to_owned()
        }
        "RegionDisabledException" => {
            "activate STS for this region in the account of the key, or set sts_endpoint".to_owned()
        }
        _ => return None,
    })
}

/// What to do about a refusal of a token.
fn advice_on_token(code: &str, _message: &str) -> Option<String> {
    let advice = match code {
        "AccessDenied" => {
            "the trust policy of the role must name the identity provider, and the audience and the \
             subject of the token"
        }
        "InvalidIdentityToken" => {
            "the token is none that STS can verify: check the identity provider in IAM, and \
             token_file"
        }
        "ExpiredTokenException" | "ExpiredToken" => {
            "whoever writes token_file must write a fresh one"
        }
        "IDPCommunicationError" => "STS could not ask the identity provider: it is tried again",
        _ => return None,
    };
    Some(advice.to_owned())
}

#[cfg(test)]
mod tests {
    use aws_sdk_sts::error::ErrorMetadata;
    use aws_sdk_sts::operation::assume_role::AssumeRoleError;
    use aws_smithy_runtime_api::http::StatusCode;

    use super::*;
    use crate::config::KeySource;

    fn role(external_id: Option<&str>) -> Role {
        Role {
            arn: "arn:aws:iam::123456789012:role/writer".to_owned(),
            external_id: external_id.map(str::to_owned),
            session_name: None,
            duration: WEB_IDENTITY_SESSION,
            base: KeySource::Default,
            sts_endpoint: None,
        }
    }

    fn said(code: Option<&str>, message: &str) -> String {
        let mut metadata = ErrorMetadata::builder().message(message);
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        let answer = HttpResponse::new(StatusCode::try_from(403).unwrap(), "body".into());
        let error = SdkError::service_error(AssumeRoleError::generic(metadata.build()), answer);
        why(&error, |code, said| advice(code, said, &role(None))).to_string()
    }

    #[test]
    fn a_refusal_is_told_with_what_to_do_about_it_here_or_else_anywhere() {
        for (code, message, told) in [
            ("AccessDenied", "User: x", "STS: AccessDenied: User: x; the trust policy of the role"),
            ("SignatureDoesNotMatch", "Signature expired: 2026", "set the clock of this machine"),
            (
                "SignatureDoesNotMatch",
                "It does not.",
                "the secret is not the one of this access key",
            ),
            (
                "SignatureDoesNotMatch",
                "Credential should be scoped to a valid region.",
                "sts_endpoint leads to another region",
            ),
            ("InvalidClientTokenId", "", "the access key was deleted or deactivated"),
            ("New", "Something", "STS: New: Something"),
        ] {
            let said = said(Some(code), message);
            assert!(said.contains(told), "{said}");
        }
    }

    #[test]
    fn an_answer_of_another_form_is_told_by_its_status_and_not_repeated() {
        assert_eq!(said(None, ""), "STS: HTTP 403");
    }

    #[test]
    fn a_refusal_to_assume_names_the_external_id_as_it_is_configured() {
        let advice = |external_id| advice("AccessDenied", "", &role(external_id)).unwrap();
        assert!(advice(Some("agreed")).contains("external_id must be the one that it demands"));
        assert!(advice(None).contains("if it demands an external id, set external_id"));
        assert!(!advice(Some("agreed")).contains("agreed"));
    }

    #[test]
    fn a_token_is_one_word() {
        assert_eq!(token_of(b" eyJ.x\n").unwrap().as_str(), "eyJ.x");
        for wrong in [&b""[..], b"\n", b"two words", b"\xff"] {
            let fault = token_of(wrong).unwrap_err().to_string();
            assert_eq!(fault, "the file of the token holds no token");
        }
    }
}
