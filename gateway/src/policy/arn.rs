//! How AWS names what a policy is about. The partition of an ARN follows from its region, so that a
//! policy for China or GovCloud is one.

use std::fmt;

use super::Fault;
use crate::config::StreamTarget;

mod key;
mod principal;

pub use key::KeyArn;
pub use principal::{ExternalId, Principal};

/// The regions of partitions other than `aws`, by how their names begin, with the domain of their
/// services (`partitions.json` of the SDK).
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", AMAZONAWS),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
];

/// The domain of services where nothing else is known, and the one that KMS says everywhere but in
/// partitions of their own.
const AMAZONAWS: &str = "amazonaws.com";

/// The partition of `region`, such as `aws` or `aws-cn`.
#[must_use]
pub fn partition(region: &str) -> &'static str {
    row(region).map_or("aws", |(_, partition, _)| partition)
}

/// The names under which KMS may see Kinesis call from `region`.
pub(super) fn via_service(region: &str) -> Vec<String> {
    let own = row(region).map_or(AMAZONAWS, |(_, _, domain)| domain);
    let mut domains = vec![AMAZONAWS, own];
    // Whether a partition with a domain of its own uses it here is not documented for each.
    domains.dedup();
    domains.into_iter().map(|domain| format!("kinesis.{region}.{domain}")).collect()
}

fn row(region: &str) -> Option<(&'static str, &'static str, &'static str)> {
    PARTITIONS.into_iter().find(|(prefix, _, _)| region.starts_with(prefix))
}

/// Whose account a stream is in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// The one with this number, of 12 digits.
    Id(String),
    /// Whichever the policy is put into: `*`. Only when it was asked for.
    Any,
}

impl Account {
    /// Reads 12 digits, or `*`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            _ if is_account(text) => Ok(Self::Id(text.to_owned())),
            _ => Err("must be the 12 digits of an account, or '*' for any".to_owned()),
        }
    }

    /// Its number, unless it may be any.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Any => None,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id().unwrap_or("*"))
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The ARN of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamArn {
    /// Its region.
    pub region: String,
    /// Its account.
    pub account: Account,
    /// Its name.
    pub name: String,
}

impl StreamArn {
    /// The ARN of the configured stream `target` in `region`; `key` is what faults call it. A name says
    /// nothing of the account, so that `account` must.
    ///
    /// # Errors
    /// When the account is not known, or the ARN is of another partition than its region.
    pub fn of(
        key: &str,
        target: &StreamTarget,
        region: &str,
        account: Option<&Account>,
    ) -> Result<Self, Fault> {
        match target {
            StreamTarget::Name(name) => {
                let unknown = || Fault::AccountUnknown { key: key.to_owned(), name: name.clone() };
                let account = account.ok_or_else(unknown)?.clone();
                Ok(Self { region: region.to_owned(), account, name: name.clone() })
            }
            StreamTarget::Arn(arn) => {
                let key = key.to_owned();
                Self::parse(arn).ok_or_else(|| Fault::StreamArn { key, arn: arn.clone() })
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (region, account, resource) = of_region(text, "kinesis")?;
        let name = resource.strip_prefix("stream/")?.to_owned();
        Some(Self { region: region.to_owned(), account: Account::Id(account.to_owned()), name })
    }
}

impl fmt::Display for StreamArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, name } = self;
        write!(f, "arn:{}:kinesis:{region}:{account}:stream/{name}", partition(region))
    }
}

/// A role by its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn {
    /// Its account.
    pub account: Account,
    /// Its path, such as `/svc/`, if it has one.
    pub path: Option<String>,
    /// Its name.
    pub name: String,
}

impl RoleArn {
    /// Reads `arn:aws:iam::123456789012:role/path/name`, in any partition and with a path or without;
    /// `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (account, resource) = text.split_once(":iam::")?.1.split_once(":role/")?;
        let (path, name) = match resource.rsplit_once('/') {
            Some((path, name)) => (Some(format!("/{path}/")), name),
            None => (None, resource),
        };
        let is_role = is_account(account) && !name.is_empty();
        let account = Account::Id(account.to_owned());
        is_role.then(|| Self { account, path, name: name.to_owned() })
    }
}

/// Region, account and resource of an ARN of `service`, if its partition is the region's.
fn of_region<'t>(text: &'t str, service: &str) -> Option<(&'t str, &'t str, &'t str)> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    let (arn, of_arn, of_service) = (next()?, next()?, next()?);
    let (region, account, resource) = (next()?, next()?, next()?);
    let fits = arn == "arn" && of_service == service && of_arn == partition(region);
    (fits && is_account(account)).then_some((region, account, resource))
}
