//! What every client of an AWS service is made with.

use aws_config::{BehaviorVersion, ConfigLoader};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_kinesis::config::{IdentityCache, Region};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::config::Network;

/// Settings for `region`, over `http`. What the environment says of endpoints (`AWS_ENDPOINT_URL`, and
/// that of one service) counts; what profiles of AWS say does not. The SDK would read their files on
/// the thread that everything runs on, and an endpoint that stands in them is meant for somebody else.
pub(super) fn settings(region: &str, network: &Network, http: SharedHttpClient) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .profile_files(no_profiles())
        .region(Region::new(region.to_owned()))
        .use_fips(network.fips)
        .use_dual_stack(network.dual_stack)
        .http_client(http)
        // The SDK's own cache would go on with a key for a quarter of an hour.
        .identity_cache(IdentityCache::no_cache())
}

/// Text without a profile in it: none at all would stand for the usual files.
fn no_profiles() -> EnvConfigFiles {
    EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "").build()
}
