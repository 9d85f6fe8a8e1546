//! Whose key it is, by the token service.

use std::env;

use crate::config;
use crate::credentials::{Key, Why};
use crate::deliver::kinesis::probe::Probed;
use crate::deliver::kinesis::refusal::{Cause, Refusal};

use super::way::Way;

/// How the environment names another token service than the region's own, for one service and for
/// all.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];

/// Whom a key stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Their ARN.
    pub arn: String,
    /// Their account.
    pub account: String,
}

/// Asks whom `key` stands for. No policy can forbid that, but a firewall can. `None`, and nobody is
/// asked, where the stream has an endpoint of its own and nothing names a token service beside it:
/// then the region's may be somebody else's.
///
/// # Errors
/// When the authorities to trust, or the proxy's password, cannot be read.
pub async fn identity(config: &config::Stream, key: &Key) -> Result<Option<Probed<Identity>>, Why> {
    let own = config.credentials.source.role().and_then(|role| role.sts_endpoint.clone());
    let is_named = own.is_some() || ENDPOINTS.iter().any(|name| env::var_os(name).is_some());
    if config.network.endpoint.is_some() && !is_named {
        return Ok(None);
    }
    let client = Way::new(config).sts(Some(key), own.as_deref()).await?;
    let call = client.get_caller_identity();
    Ok(Some(match Box::pin(call.send()).await {
        Ok(told) => {
            let said = "the answer does not name anybody".to_owned();
            let nobody = Refusal { cause: Cause::Down, said };
            let named = told.arn().zip(told.account());
            let owned = |(arn, account): (&str, &str)| Identity {
                arn: arn.to_owned(),
                account: account.to_owned(),
            };
            Probed { answer: named.map(owned).ok_or(nobody), date: None }
        }
        Err(error) => Probed::of(&error),
    }))
}
