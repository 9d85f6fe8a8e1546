//! The role of what the gateway runs on: an EC2 instance, an ECS task, an EKS pod.

use std::env;
use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::error::CredentialsError;

use crate::credentials::{Fault, Key, Why};

use super::lent;
use super::way::Way;

/// Longest waits for instance metadata: for a connection and each read, for one attempt, for all of
/// them. It is on the same host.
const STEP_MAX: Duration = Duration::from_secs(1);
const ATTEMPT_MAX: Duration = Duration::from_secs(2);
const ASKED_MAX: Duration = Duration::from_secs(5);
const ATTEMPTS: u32 = 2;

/// Longest wait for a key, whatever hangs.
const KEY_MAX: Duration = Duration::from_secs(6);

/// What ECS and EKS set in a container that has a role.
const OF_CONTAINER: [&str; 2] =
    ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// What switches instance metadata off for all that ask by the SDK.
const DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

/// The key of the container's role, or else of the instance's.
///
/// # Errors
/// When there is none, or it is not answered in time.
pub(super) async fn key(way: &Way) -> Result<Key, Why> {
    let local = way.local().await?;
    if is_container() {
        let asked = lent::ask(&way.disk, container(&local), KEY_MAX).await;
        return asked.map_err(|error| of_container(&error));
    }
    if env::var(DISABLED).is_ok_and(|value| value.eq_ignore_ascii_case("true")) {
        let what = "instance metadata is switched off by AWS_EC2_METADATA_DISABLED=true";
        return Err(Fault::whole(what).into());
    }
    let asked = lent::ask(&way.disk, metadata(&local)?, KEY_MAX).await;
    asked.map_err(|error| of_instance(&error))
}

/// Whether this is a container with a role of its own.
pub(super) fn is_container() -> bool {
    OF_CONTAINER.iter().any(|name| env::var_os(name).is_some())
}

/// Who gives the keys of a container, over the [local way](Way::local). It is made anew each time: it
/// looks at the environment once.
pub(super) fn container(local: &ProviderConfig) -> EcsCredentialsProvider {
    EcsCredentialsProvider::builder().configure(local).build()
}

/// Who gives the keys of an instance, over the [local way](Way::local).
///
/// # Errors
/// When the environment does not say where they are as a URL.
pub(super) fn metadata(local: &ProviderConfig) -> Result<ImdsCredentialsProvider, Fault> {
    let nowhere = |_error| Fault::whole("AWS_EC2_METADATA_SERVICE_ENDPOINT is no URL");
    let client = imds::Client::builder()
        .configure(local)
        .endpoint(endpoint())
        .map_err(nowhere)?
        .connect_timeout(STEP_MAX)
        .read_timeout(STEP_MAX)
        .operation_attempt_timeout(ATTEMPT_MAX)
        .operation_timeout(ASKED_MAX)
        .max_attempts(ATTEMPTS)
        .build();
    Ok(ImdsCredentialsProvider::builder().configure(local).imds_client(client).build())
}

/// Where instance metadata is, by the environment alone: else the SDK would look into profiles, whose
/// disk may hang.
fn endpoint() -> String {
    env::var("AWS_EC2_METADATA_SERVICE_ENDPOINT").unwrap_or_else(|_not_set| {
        let mode = env::var("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").unwrap_or_default();
        let is_6 = mode.eq_ignore_ascii_case("IPv6");
        let host = if is_6 { "[fd00:ec2::254]" } else { "169.254.169.254" };
        format!("http://{host}")
    })
}

fn of_container(error: &CredentialsError) -> Why {
    let cause = lent::why_not(error);
    Why::Service(format!(
        "the container gives no key ({cause}): check the role of the task or pod, and the variables \
         AWS_CONTAINER_…"
    ))
}

fn of_instance(error: &CredentialsError) -> Why {
    let cause = lent::why_not(error);
    let advice = if cause.contains("404") {
        "no role is attached to the instance: attach an instance profile"
    } else if cause.contains("AssumeRoleUnauthorizedAccess") {
        "the role of the instance must trust ec2.amazonaws.com"
    } else {
        "outside of EC2 say another kind; in a container raise the hop limit of the instance's \
         metadata to 2; metadata must be enabled, with IMDSv2"
    };
    Why::Service(format!("instance metadata gives no key ({cause}): {advice}"))
}
