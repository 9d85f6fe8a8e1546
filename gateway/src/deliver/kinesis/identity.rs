//! Whose key it is, by the token service.

use std::env;
use std::time::Duration;

use anyhow::Result;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;

use crate::config::{self, KeySource};
use crate::credentials::Key;

use super::http;
use super::probe::Probed;
use super::refusal::{Cause, Refusal};
use super::signing::credentials;

/// How the environment names another token service than the region's own, for one service and for
/// all.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];

/// Longest wait for one attempt, of two: a wrong clock is corrected by the first.
const ATTEMPT_MAX: Duration = Duration::from_secs(4);

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
pub async fn identity(config: &config::Stream, key: &Key) -> Result<Option<Probed<Identity>>> {
    let network = &config.network;
    let own = match &config.credentials.source {
        KeySource::Role(role) => role.sts_endpoint.clone(),
        KeySource::Default
        | KeySource::Csv { .. }
        | KeySource::Profile { .. }
        | KeySource::Environment
        | KeySource::StaticFile { .. }
        | KeySource::Systemd { .. }
        | KeySource::Instance
        | KeySource::Process { .. }
        | KeySource::WebIdentity { .. } => None,
    };
    let is_named = own.is_some() || ENDPOINTS.iter().any(|name| env::var_os(name).is_some());
    if network.endpoint.is_some() && !is_named {
        return Ok(None);
    }
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(config.connect_timeout)
        .operation_attempt_timeout(ATTEMPT_MAX)
        .build();
    let shared = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new(config.region.clone()))
        .use_fips(network.fips)
        .use_dual_stack(network.dual_stack)
        .http_client(http::client(network, 1)?)
        .credentials_provider(credentials(key))
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(timeouts)
        .load()
        .await;
    let mut settings = aws_sdk_sts::config::Builder::from(&shared);
    if let Some(endpoint) = own {
        settings = settings.endpoint_url(endpoint);
    }
    let client = aws_sdk_sts::Client::from_conf(settings.build());
    Ok(Some(match client.get_caller_identity().send().await {
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
