//! Which actions each permission takes. Whoever advises a permission takes its statement from here, so
//! that advice and policy cannot differ. Names of actions, and that each can be held to a stream:
//! "Actions, resources, and condition keys for Amazon Kinesis Data Streams" in the service authorization
//! reference.

use super::arn::{Account, ExternalId, KeyArn, Principal, StreamArn, partition, via_service};
use super::{Principals, Statement};

/// The stream that Kinesis encrypts for, in every call to KMS.
const FOR_STREAM: &str = "kms:EncryptionContext:aws:kinesis:arn";

/// Who assumes the roles of pods in EKS.
const EKS_PODS: &str = "pods.eks.amazonaws.com";

/// What the gateway calls to deliver.
#[must_use]
pub fn put(streams: &[StreamArn]) -> Statement {
    Statement::allow("PutRecords", &["kinesis:PutRecords"], arns(streams))
}

/// What the gateway asks if it may: the shards, so that it need not learn them, and the state of the
/// stream.
#[must_use]
pub fn describe(streams: &[StreamArn]) -> Statement {
    let actions = ["kinesis:DescribeStreamSummary", "kinesis:ListShards"];
    Statement::allow("DescribeAndList", &actions, arns(streams))
}

/// What a consumer calls.
#[must_use]
pub fn read(streams: &[StreamArn]) -> Statement {
    let actions = [
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ];
    Statement::allow("ReadRecords", &actions, arns(streams))
}

/// What a consumer with enhanced fan-out calls besides, once it is registered.
#[must_use]
pub fn subscribe(streams: &[StreamArn]) -> Statement {
    let consumers = streams.iter().map(|stream| format!("{stream}/consumer/*"));
    Statement::allow("SubscribeToShards", &["kinesis:SubscribeToShard"], consumers)
}

/// What Amazon Data Firehose calls to read its source ("Controlling access" in its developer guide).
#[must_use]
pub fn read_for_firehose(streams: &[StreamArn]) -> Statement {
    let actions = [
        "kinesis:DescribeStream",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ];
    Statement::allow("ReadSource", &actions, arns(streams))
}

/// What who puts into streams encrypted with `key` needs of it.
#[must_use]
pub fn encrypt(key: &KeyArn, streams: &[StreamArn]) -> Statement {
    through_kinesis("EncryptRecords", "kms:GenerateDataKey", key, streams)
}

/// What who reads from streams encrypted with `key` needs of it.
#[must_use]
pub fn decrypt(key: &KeyArn, streams: &[StreamArn]) -> Statement {
    through_kinesis("DecryptRecords", "kms:Decrypt", key, streams)
}

/// Leave to use a key, but only by way of Kinesis, and for these streams.
fn through_kinesis(
    sid: &str,
    action: &'static str,
    key: &KeyArn,
    streams: &[StreamArn],
) -> Statement {
    let is_any = streams.iter().any(|stream| stream.account == Account::Any);
    let operator = if is_any { "StringLike" } else { "StringEquals" };
    Statement::allow(sid, &[action], [key.to_string()])
        .only_if("StringEquals", "kms:ViaService", via_service(key.region()))
        .only_if(operator, FOR_STREAM, arns(streams))
}

/// Leave to assume a role in `region`, for who says the `external_id`.
#[must_use]
pub fn assume(principal: &Principal, region: &str, external_id: Option<&ExternalId>) -> Statement {
    let named = principal.named(partition(region));
    let principals = match principal {
        Principal::Service(_) => Principals::Service(named),
        Principal::Account(_) | Principal::Arn(_) => Principals::Aws(named),
    };
    let actions: &[_] = match principal {
        // It tags each session with its pod ("Create IAM role with trust policy required by EKS Pod
        // Identity" in the user guide of EKS).
        Principal::Service(name) if name == EKS_PODS => &["sts:AssumeRole", "sts:TagSession"],
        Principal::Service(_) | Principal::Account(_) | Principal::Arn(_) => &["sts:AssumeRole"],
    };
    let leave = Statement::allow("AssumeRole", actions, []);
    let leave = Statement { principal: Some(principals), ..leave };
    match external_id {
        Some(id) => leave.only_if("StringEquals", "sts:ExternalId", [id.as_str().to_owned()]),
        None => leave,
    }
}

/// Leave for Amazon Data Firehose to assume a role, on behalf of `account` only: it says the account
/// that it delivers for as the external id.
#[must_use]
pub fn assume_for_firehose(account: &str) -> Statement {
    let leave = Statement::allow("AssumeRole", &["sts:AssumeRole"], []);
    let principal = Some(Principals::Service("firehose.amazonaws.com".to_owned()));
    Statement { principal, ..leave }.only_if("StringEquals", "sts:ExternalId", [account.to_owned()])
}

fn arns(streams: &[StreamArn]) -> impl Iterator<Item = String> {
    streams.iter().map(ToString::to_string)
}
