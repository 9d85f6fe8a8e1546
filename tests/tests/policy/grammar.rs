//! The JSON, held against IAM's grammar and its dictionary of actions.

use serde_json::{Value, json};

use super::{asked, policies, python};

/// Services that assume roles.
const SERVICES: [&str; 3] =
    ["ec2.amazonaws.com", "firehose.amazonaws.com", "pods.eks.amazonaws.com"];

/// What is wrong with each of the policies.
fn complaints(policies: &[Value]) -> Vec<Vec<String>> {
    let lines: String = policies.iter().map(|policy| format!("{policy}\n")).collect();
    let judged = python("judge.py", &lines);
    judged.lines().map(|line| serde_json::from_str(line).expect("a list")).collect()
}

#[test]
fn every_policy_of_permissions_is_one_for_parliament_and_policy_sentry() {
    let policies: Vec<_> =
        asked().iter().map(|(config, flags)| policies(config, flags).0).collect();
    assert_eq!(complaints(&policies), vec![Vec::<String>::new(); policies.len()]);
}

#[test]
fn an_action_that_there_is_not_and_one_on_something_else_are_found() {
    let policy = |action: &str, resource: &str| {
        json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": [action], "Resource": [resource] }],
        })
    };
    let stream = "arn:aws:kinesis:eu-central-1:123456789012:stream/pumps";
    let judged = complaints(&[
        policy("kinesis:PutRecords", stream),
        policy("kinesis:PutRecordz", stream),
        policy("kinesis:PutRecords", "arn:aws:s3:::bucket"),
    ]);
    let by = |judge: &str| -> Vec<bool> {
        judged.iter().map(|said| said.iter().any(|one| one.starts_with(judge))).collect()
    };
    assert_eq!(by("parliament"), [false, true, true]);
    assert_eq!(by("policy-sentry"), [false, true, true]);
}

#[test]
fn every_trust_policy_lets_one_principal_assume_the_role_and_says_nothing_else() {
    let mut roles = 0;
    for (config, flags) in asked() {
        let (_, trust) = policies(&config, &flags);
        assert_eq!(trust.is_some(), flags.contains(&"role") || flags.contains(&"firehose"));
        let Some(trust) = trust else { continue };
        roles += 1;
        trusts_one(&trust, flags.contains(&"--external-id") || flags.contains(&"firehose"));
    }
    assert_eq!(roles, 12);
}

/// `trust` is a trust policy with one statement, which asks for an external id or does not.
#[track_caller]
fn trusts_one(trust: &Value, asks_external_id: bool) {
    let members = |value: &Value| -> Vec<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    assert_eq!(members(trust), ["Statement", "Version"]);
    assert_eq!(trust["Version"], "2012-10-17");
    let [statement] = &trust["Statement"].as_array().expect("a list")[..] else {
        panic!("{trust:#}")
    };
    let mut keys = vec!["Action", "Effect", "Principal", "Sid"];
    if asks_external_id {
        keys.insert(1, "Condition");
        let condition = &statement["Condition"];
        assert_eq!(members(condition), ["StringEquals"]);
        assert_eq!(members(&condition["StringEquals"]), ["sts:ExternalId"]);
        assert!(condition["StringEquals"]["sts:ExternalId"].is_string(), "{trust:#}");
    }
    assert_eq!(members(statement), keys);
    assert_eq!(statement["Effect"], "Allow");
    let [kind] = &members(&statement["Principal"])[..] else { panic!("{trust:#}") };
    let named = statement["Principal"][kind].as_str().expect("one principal");
    let is_named = match kind.as_str() {
        "AWS" => named.starts_with("arn:aws:iam::999999999999:"),
        "Service" => SERVICES.contains(&named),
        _ => false,
    };
    assert!(is_named, "{trust:#}");
    let actions = match named {
        "pods.eks.amazonaws.com" => json!(["sts:AssumeRole", "sts:TagSession"]),
        _ => json!(["sts:AssumeRole"]),
    };
    assert_eq!(statement["Action"], actions);
}
