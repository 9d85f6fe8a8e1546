//! Where AWS tools look for a key when nobody says where it is.

use std::cell::Cell;
use std::env;
use std::path::Path;

use tracing::info;

use crate::credentials::{Found, Why};

use super::profile::Files;
use super::sts::WebIdentity;
use super::way::Way;
use super::{environment, found, instance, profile};

/// The chain of the SDK, in its order: the environment, profiles, a web identity, a container, an
/// instance.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Who gave the last key.
    told: Cell<Option<&'static str>>,
}

impl Chain {
    /// The key of the first who has one, and a line in the log when that is another than last time.
    ///
    /// # Errors
    /// When nobody has one, or who should have one does not give it.
    pub(super) async fn find(&self, strict: bool, way: &Way) -> Result<Found, Why> {
        let (provider, found) = ask(strict, way).await?;
        if self.told.replace(Some(provider)) != Some(provider) {
            info!(provider, key = %found.key.id, "a key was found where AWS tools look");
        }
        Ok(found)
    }
}

async fn ask(strict: bool, way: &Way) -> Result<(&'static str, Found), Why> {
    if let Some(key) = environment::find() {
        return Ok(("environment", found(key)));
    }
    let profile = match profile::find(&Files::of(None), None, strict, way).await {
        Ok(Some(found)) => return Ok(("profile", found)),
        Ok(None) => "none in a profile".to_owned(),
        // Nobody said that it was.
        Err(why @ Why::NotOurHome { .. }) => why.to_string(),
        Err(why) => return Err(why),
    };
    if let Some(key) = web_identity(way).await {
        return Ok(("web identity", found(key?)));
    }
    let provider = if instance::is_container() { "container" } else { "instance" };
    match instance::key(way).await {
        Ok(key) => Ok((provider, found(key))),
        Err(why) => Err(Why::Service(format!(
            "there is no key in the environment (AWS_ACCESS_KEY_ID), {profile}, no web identity \
             (AWS_WEB_IDENTITY_TOKEN_FILE), and {why}; say in [stream.credentials] where \
             the key is"
        ))),
    }
}

/// The key for the token that the environment names, as that of an EKS pod with a service account
/// does; `None` when it names none.
async fn web_identity(way: &Way) -> Option<Result<crate::credentials::Key, Why>> {
    let token_file = env::var_os("AWS_WEB_IDENTITY_TOKEN_FILE")?;
    let Ok(role_arn) = env::var("AWS_ROLE_ARN") else {
        let what = "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not";
        return Some(Err(Why::Service(what.to_owned())));
    };
    let session_name = env::var("AWS_ROLE_SESSION_NAME").ok();
    let identity = WebIdentity {
        token_file: Path::new(&token_file),
        role_arn: &role_arn,
        session_name: session_name.as_deref(),
    };
    Some(identity.assume(way).await)
}
