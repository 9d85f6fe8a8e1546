//! The way to the services that lend keys.

use std::time::Duration;

use anyhow::Result;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_kinesis::config::Region;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::Builder;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::config::{self, Network, Proxy};
use crate::credentials::disk::Disk;
use crate::credentials::{Key, Why};
use crate::deliver::kinesis::{http, shared, signing};

use super::region;

/// Longest waits for STS: for a connection, one attempt, and all of them.
const CONNECT_MAX: Duration = Duration::from_secs(3);
const ATTEMPT_MAX: Duration = Duration::from_secs(5);
const CALL_MAX: Duration = Duration::from_secs(8);

/// The first one may be signed by a wrong clock, which its answer corrects.
const ATTEMPTS: u32 = 2;

/// The way to the services that lend keys. What it is made of is read anew for each of them, so that
/// authorities and passwords can change.
#[derive(Debug, Default)]
pub(super) struct Way {
    region: String,
    network: Network,
    /// What the files on it are read from.
    pub(super) disk: Disk,
}

impl Way {
    /// As that to the stream.
    pub(super) fn new(config: &config::Stream) -> Self {
        let (region, network) = (config.region.clone(), config.network.clone());
        Self { region, network, disk: Disk::default() }
    }

    /// To STS, at the region's endpoint unless another is said. Calls are signed with `key`, or not at
    /// all, for the region that the endpoint names.
    ///
    /// # Errors
    /// When the authorities to trust, or the proxy's password, cannot be read.
    pub(super) async fn sts(
        &self,
        key: Option<&Key>,
        endpoint: Option<&str>,
    ) -> Result<Client, Why> {
        let http = self.client(self.network.clone()).await?;
        let mut settings = Builder::from(&self.shared(key, http).await);
        if let Some(endpoint) = endpoint {
            // It stands for the one that these would choose.
            settings = settings.endpoint_url(endpoint).use_fips(false).use_dual_stack(false);
            if let Some(region) = region::of(endpoint) {
                settings = settings.region(Region::new(region));
            }
        }
        Ok(Client::from_conf(settings.build()))
    }

    async fn shared(&self, key: Option<&Key>, http: SharedHttpClient) -> SdkConfig {
        let loader = shared::settings(&self.region, &self.network, http)
            .timeout_config(timeouts())
            .retry_config(retries());
        let loader = match key {
            Some(key) => loader.credentials_provider(signing::credentials(key)),
            None => loader.no_credentials(),
        };
        loader.load().await
    }

    /// For a source of the SDK's that asks STS.
    ///
    /// # Errors
    /// As [`Self::sts`].
    pub(super) async fn provider(&self) -> Result<ProviderConfig, Why> {
        Ok(self.provider_over(self.client(self.network.clone()).await?))
    }

    /// For a source of the SDK's that asks this machine, of which no proxy knows.
    ///
    /// # Errors
    /// As [`Self::sts`].
    pub(super) async fn local(&self) -> Result<ProviderConfig, Why> {
        let direct = Network { proxy: Proxy::Off, ..self.network.clone() };
        Ok(self.provider_over(self.client(direct).await?))
    }

    fn provider_over(&self, http: SharedHttpClient) -> ProviderConfig {
        ProviderConfig::without_region()
            .with_behavior_version(Some(BehaviorVersion::v2026_01_12()))
            .with_region(Some(self.region()))
            .with_use_fips(Some(self.network.fips))
            .with_use_dual_stack(Some(self.network.dual_stack))
            .with_http_client(http)
            .with_timeout_config(timeouts())
            .with_retry_config(retries())
    }

    /// It reads files: of authorities, and of a password.
    async fn client(&self, network: Network) -> Result<SharedHttpClient, Why> {
        let client = move || http::client(&network, 1);
        let client = move || client().map_err(|error| Why::Service(format!("{error:#}")));
        self.disk.read(client).await
    }

    fn region(&self) -> Region {
        Region::new(self.region.clone())
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_MAX)
        .operation_attempt_timeout(ATTEMPT_MAX)
        .operation_timeout(CALL_MAX)
        .build()
}

fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_of_sts_are_signed_for_the_region_of_the_endpoint() {
        let way = Way { region: "ap-east-1".to_owned(), ..Way::default() };
        for (endpoint, region) in [
            (None, "ap-east-1"),
            (Some("https://sts.eu-central-1.amazonaws.com"), "eu-central-1"),
            (Some("https://sts.internal.example"), "ap-east-1"),
        ] {
            let client = way.sts(None, endpoint).await.unwrap();
            assert_eq!(client.config().region().map(AsRef::as_ref), Some(region), "{endpoint:?}");
        }
    }
}
