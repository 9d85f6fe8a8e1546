//! What can be wrong with a request for a policy: each says what to do.

use super::arn::{Principal, partition};

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A stream is known by name only.
    #[error(
        "{key} = {name:?}: a policy names its account too: say --account with the 12 digits, or \
         configure the stream by its ARN ('*' for --account allows a stream of this name in any account)"
    )]
    AccountUnknown {
        /// Where it is configured.
        key: String,
        /// Its name.
        name: String,
    },
    /// The ARN of a stream contradicts itself.
    #[error(
        "{key} = {arn:?}: the partition (after \"arn:\") is not that of the region: aws, aws-cn in \
         cn-…, aws-us-gov in us-gov-…, and so on"
    )]
    StreamArn {
        /// Where it is configured.
        key: String,
        /// It.
        arn: String,
    },
    /// An account that no stream is in.
    #[error("--account {0}: every stream is configured by its ARN, and none is in this account")]
    AccountIdle(String),
    /// Streams between which no policy reaches.
    #[error(
        "the streams are in several partitions ({}), and a user or a role is of one: write a policy for \
         each, by --stream", .0.join(", ")
    )]
    SeveralPartitions(Vec<&'static str>),
    /// Streams of several owners, none of whom would create a user for all of them.
    #[error(
        "the streams are in several accounts ({}): write a policy for the owner of each (--stream)",
        .0.join(", ")
    )]
    SeveralAccounts(Vec<String>),
    /// A KMS key that can encrypt none of the streams.
    #[error(
        "--kms {key}: a stream is encrypted with a key of its own region, and none is in {region}"
    )]
    KeyElsewhere {
        /// The key.
        key: String,
        /// Its region.
        region: String,
    },
    /// A role that nobody may assume.
    #[error(
        "--for role: say --principal, who the gateway is before it assumes the role: the ARN of a user \
         or a role, an account, or where it runs on an instance of yours ec2.amazonaws.com (in China \
         ec2.amazonaws.com.cn)"
    )]
    PrincipalMissing,
    /// A role that somebody could be tricked into assuming.
    #[error(
        "--for role: say --external-id, a text agreed with whoever runs the gateway, so that they cannot \
         be talked into assuming your role for somebody else; or --no-external-id, where that is you"
    )]
    ExternalIdMissing,
    /// A service says no external id.
    #[error("--external-id: {0} says none when it assumes a role: leave it out")]
    ExternalIdOfService(String),
    /// What is said of a role, without one.
    #[error("--principal, --external-id and --no-external-id go with --for role")]
    NoRole,
    /// A principal of another partition than the streams.
    #[error("--principal {}: the streams are in partition {}, across which nobody assumes roles",
            .0.named(""), partition(.1))]
    PrincipalElsewhere(Principal, String),
    /// A role for Firehose in an account that is not known.
    #[error(
        "--for firehose: its trust policy names the account of the stream: say --account with the 12 \
         digits; one policy for each account"
    )]
    FirehoseAccount,
    /// A plan for who only reads.
    #[error("--plan goes with --for user or --for role: who reads finds the stream there")]
    PlanForReader,
    /// A plan for more than one stream.
    #[error("--plan is for one stream, and {0} streams take records: say --stream")]
    PlanForSeveral(usize),
    /// A stream that nobody can create for an unknown account.
    #[error("--plan: a stream is created in one account: say --account with its 12 digits")]
    PlanForAny,
    /// A stream that the role's account cannot create.
    #[error(
        "--plan: the role is created in its own account, and a stream is in {0}: leave --plan out, and \
         have the stream created there"
    )]
    PlanElsewhere(String),
    /// A role that an identity provider vouches for.
    #[error(
        "--for role: kind = \"web_identity\" is for a role that trusts an identity provider, and this \
         writes none. Create {0} with a trust policy that allows sts:AssumeRoleWithWebIdentity to \
         {{\"Federated\": \"<ARN of the provider in IAM>\"}}, only if StringEquals holds for both \
         <issuer>:aud (sts.amazonaws.com on EKS) and <issuer>:sub (system:serviceaccount:\
         <namespace>:<name> on EKS): without sub every workload of the provider may assume it. What it \
         is allowed is what --for user prints"
    )]
    WebIdentity(String),
    /// More than IAM takes.
    #[error(
        "the policy has {chars} characters without white space, and IAM takes {chars_max} here: leave \
         out --optional, or configure fewer streams and write a policy for each part"
    )]
    TooLong {
        /// What it has.
        chars: usize,
        /// What IAM takes.
        chars_max: usize,
    },
}
