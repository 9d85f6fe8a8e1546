//! What to do about an account: statements are those of `tidegate policy`, so that the two never
//! differ. Pure.

use crate::config::StreamTarget;
use crate::deliver::kinesis::{Cause, Kms, Refusal};
use crate::policy::arn::{Account, KeyArn, StreamArn};
use crate::policy::{Statement, statement};

use super::judgement::Heard;

/// What to do where a refusal says nothing of its own.
const UNEXPLAINED: &str = "see what the service says; if it stays so, its own health page";

/// What to do where a policy denies: it wins over all that allow.
const DENIED: &str =
    "have that policy changed: no statement for the key's user or role helps against it";

/// Whether another policy than that of the key's user or role refuses: one that denies, or one beyond
/// which no policy allows anything.
fn denies(said: &str) -> bool {
    let words = [
        "explicit deny",
        "no permissions boundary allows",
        "no service control policy allows",
        "no resource control policy allows",
        "no session policy allows",
        "no VPC endpoint policy allows",
    ];
    words.iter().any(|word| said.contains(word))
}

/// What to do about a refusal to put records into `target`.
pub(super) fn about(refusal: &Refusal, heard: &Heard<'_>, target: &StreamTarget) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest explains itself")]
    match &refusal.cause {
        Cause::NotPermitted if denies(&refusal.said) => DENIED.to_owned(),
        // A key that is for one stream is refused all others alike, whether they exist or not.
        Cause::NotPermitted => format!(
            "check the name, stream.region and that the key is for this stream; or {}",
            permission(&statement::put(&[arn(heard, target)]))
        ),
        Cause::NoStream => creation(heard, target),
        Cause::Kms(_) => encryption(refusal, heard, target),
        cause => cause.advice().unwrap_or(UNEXPLAINED).to_owned(),
    }
}

/// The statement that lets the key use the stream's KMS key, if that is known; else what the refusal
/// advises.
fn encryption(refusal: &Refusal, heard: &Heard<'_>, target: &StreamTarget) -> String {
    let advice = refusal.cause.advice().unwrap_or(UNEXPLAINED);
    let summary = heard.summary.as_ref().ok().filter(|_| *target == heard.stream.target);
    let described = summary.and_then(|summary| summary.kms_key.as_deref());
    let mut named = refusal.said.split_whitespace().chain(described);
    match named.find_map(|word| KeyArn::parse(word).ok()) {
        Some(key) if refusal.cause == Cause::Kms(Kms::NotPermitted) => {
            let leave = permission(&statement::encrypt(&key, &[arn(heard, target)]));
            format!("{leave}\nand see that the policy of the KMS key leaves its use to IAM")
        }
        _ => advice.to_owned(),
    }
}

fn permission(statement: &Statement) -> String {
    format!("add this statement to the policy of the key's user or role:\n{}", statement.json())
}

/// What to do where there is no such stream.
fn creation(heard: &Heard<'_>, target: &StreamTarget) -> String {
    let arn = arn(heard, target);
    let (name, region) = (&arn.name, &arn.region);
    // What cannot be sent is rare.
    let shards = heard.stream.shards.filter(|_| *target == heard.stream.target).unwrap_or(1);
    let account = heard.identity.as_ref().and_then(|identity| identity.as_ref().ok());
    let looked = match account {
        Some(identity) => format!("in {region}, account {}", identity.account),
        None => format!("in {region}, and the account of the key"),
    };
    format!(
        "it was looked for {looked}: check the name, and stream.region, for a key is good in every \
         region and a stream in one; or have it created:\n\
         aws kinesis create-stream --stream-name {name} --shard-count {shards} --stream-mode-details \
         StreamMode=PROVISIONED --region {region}"
    )
}

/// The ARN of a stream, with the account of the key where only the name is configured; any account's
/// if that is not known.
fn arn(heard: &Heard<'_>, target: &StreamTarget) -> StreamArn {
    let region = &heard.stream.region;
    let identity = heard.identity.as_ref().and_then(|identity| identity.as_ref().ok());
    let account = identity.and_then(|identity| Account::parse(&identity.account).ok());
    let account = account.unwrap_or(Account::Any);
    StreamArn::of("stream", target, region, Some(&account)).unwrap_or_else(|_unlike_its_region| {
        StreamArn { region: region.clone(), account, name: target.as_str().to_owned() }
    })
}
