//! Who may assume a role.

use super::is_account;

/// Longest external id, in characters (`AssumeRole` in the API reference of STS).
const EXTERNAL_ID_CHARS_MAX: usize = 1_224;

/// Who may assume a role. Never everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Whoever the account with this number lets.
    Account(String),
    /// The user, role or session with this ARN.
    Arn(String),
    /// A service of AWS, such as `ec2.amazonaws.com`.
    Service(String),
}

impl Principal {
    /// Reads an account's 12 digits, the ARN of a user, a role, a session or of an account's root, or
    /// the name of a service.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        if is_account(text) {
            Ok(Self::Account(text.to_owned()))
        } else if is_identity(text) {
            Ok(Self::Arn(text.to_owned()))
        } else if is_service(text) {
            Ok(Self::Service(text.to_owned()))
        } else {
            Err("must be who the gateway is before it assumes the role: \
                 arn:aws:iam::<account>:user/<name> or …:role/<name>, the 12 digits of an account, or \
                 a service such as ec2.amazonaws.com"
                .to_owned())
        }
    }

    /// How a policy for `partition` names it.
    #[must_use]
    pub fn named(&self, partition: &str) -> String {
        match self {
            Self::Account(account) => format!("arn:{partition}:iam::{account}:root"),
            Self::Arn(text) | Self::Service(text) => text.clone(),
        }
    }

    /// Its partition, if it names one.
    pub(crate) fn partition(&self) -> Option<&str> {
        match self {
            Self::Arn(text) => text.split(':').nth(1),
            Self::Account(_) | Self::Service(_) => None,
        }
    }
}

/// The ARN of somebody in IAM or STS: its characters, and that there is one.
fn is_identity(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let ["arn", partition, service, "", account, resource] = parts[..] else { return false };
    let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
    let is_somebody = match (service, kind) {
        ("iam", "root") => !resource.contains('/'),
        ("iam", "user" | "role") | ("sts", "assumed-role") => !name.is_empty(),
        _ => false,
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_/-".contains(c);
    let is_partition = partition == "aws" || partition.starts_with("aws-");
    is_partition && is_account(account) && is_somebody && name.chars().all(is_plain)
}

fn is_service(text: &str) -> bool {
    let name = text.strip_suffix(".cn").unwrap_or(text).strip_suffix(".amazonaws.com");
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    name.is_some_and(|name| !name.is_empty() && name.chars().all(is_plain))
}

/// What who assumes a role must say, so that nobody else can have the gateway assume it for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalId(String);

impl ExternalId {
    /// Reads an external id.
    ///
    /// # Errors
    /// When STS would not take it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
        if !(2..=EXTERNAL_ID_CHARS_MAX).contains(&text.len()) || !text.chars().all(is_plain) {
            return Err(format!(
                "must be 2 to {EXTERNAL_ID_CHARS_MAX} letters, digits and characters of _+=,.@:/-"
            ));
        }
        Ok(Self(text.to_owned()))
    }

    /// It.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
