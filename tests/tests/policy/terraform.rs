//! Terraform's text, parsed back and compared with the JSON.

use serde_json::{Map, Value, json};
use tests::root;

use super::{BY_NAME, KEY, asked, policies, written};

const ACCOUNT: [&str; 2] = ["--account", "123456789012"];

fn parsed(config: &str, flags: &[&str]) -> Value {
    let text = written(config, &[flags, &["--format", "terraform"]].concat());
    hcl::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Blocks of one name: one stands alone, several are a list.
fn blocks(within: &Value, name: &str) -> Vec<Value> {
    match within.get(name) {
        None => Vec::new(),
        Some(Value::Array(blocks)) => blocks.clone(),
        Some(block) => vec![block.clone()],
    }
}

fn list(within: &Value, name: &str) -> Vec<Value> {
    within[name].as_array().expect("a list").clone()
}

/// The statement that the provider makes of a `statement` block.
fn statement(block: &Value) -> Value {
    let mut statement = json!({
        "Sid": block["sid"],
        "Effect": block["effect"],
        "Action": block["actions"],
    });
    if let Some(resources) = block.get("resources") {
        statement["Resource"] = resources.clone();
    }
    for principals in blocks(block, "principals") {
        let kind = principals["type"].as_str().expect("a kind");
        let [name] = &list(&principals, "identifiers")[..] else { panic!("{block:#}") };
        statement["Principal"] = json!({ kind: name });
    }
    for condition in blocks(block, "condition") {
        let [test, variable] =
            ["test", "variable"].map(|name| condition[name].as_str().expect("a word"));
        let values = list(&condition, "values");
        let value = if let [one] = &values[..] { one.clone() } else { Value::Array(values) };
        statement["Condition"][test][variable] = value;
    }
    statement
}

fn statements(parsed: &Value, label: &str) -> Vec<Value> {
    blocks(&parsed["data"]["aws_iam_policy_document"][label], "statement")
        .iter()
        .map(statement)
        .collect()
}

/// Every text that is filled in from another block, without the marks.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => {
            let inner = text.strip_prefix("${").and_then(|text| text.strip_suffix('}'));
            inner.map(str::to_owned).into_iter().collect()
        }
        Value::Array(values) => values.iter().flat_map(references).collect(),
        Value::Object(members) => members.values().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[test]
fn terraform_says_statement_by_statement_what_the_json_says() {
    for (config, flags) in asked() {
        let (permissions, trust) = policies(&config, &flags);
        let parsed = parsed(&config, &flags);
        assert_eq!(Value::Array(statements(&parsed, "permissions")), permissions["Statement"]);
        let trusted = statements(&parsed, "trust");
        assert_eq!(trusted, trust.map(|trust| list(&trust, "Statement")).unwrap_or_default());
    }
}

#[test]
fn every_reference_leads_to_a_block_that_is_there() {
    for (config, flags) in asked() {
        let parsed = parsed(&config, &flags);
        let references = references(&parsed);
        assert!(!references.is_empty(), "{parsed:#}");
        for reference in references {
            let (block, attribute) = reference.rsplit_once('.').expect("an attribute of a block");
            assert!(matches!(attribute, "name" | "json"), "{reference}");
            let path = if block.starts_with("data.") {
                block.to_owned()
            } else {
                format!("resource.{block}")
            };
            let found = path.split('.').try_fold(&parsed, |at, step| at.get(step));
            assert!(found.is_some(), "{reference} in {parsed:#}");
        }
    }
}

#[test]
fn no_secret_would_be_kept_in_the_state() {
    let flags = [&ACCOUNT[..], &["--format", "terraform"]].concat();
    let text = written(BY_NAME, &flags);
    assert!(!text.contains("\"aws_iam_access_key\""), "{text}");
    assert!(text.contains("# aws iam create-access-key --user-name tidegate-pumps\n"), "{text}");
}

#[test]
fn streams_are_created_with_the_planned_shards_and_one_for_dead_letters() {
    let plan = root().join("configs/plan-fleet.toml").display().to_string();
    let parsed = parsed(BY_NAME, &[&ACCOUNT[..], &["--kms", KEY, "--plan", &plan]].concat());
    let streams = &parsed["resource"]["aws_kinesis_stream"];
    let stream = |name: &str, shards: u32| {
        json!({
            "region": "eu-central-1",
            "name": name,
            "shard_count": shards,
            "encryption_type": "KMS",
            "kms_key_id": KEY,
            "stream_mode_details": { "stream_mode": "PROVISIONED" },
        })
    };
    let expected = json!({ "records": stream("pumps", 34), "dead_letters": stream("letters", 1) });
    assert_eq!(*streams, expected);
    let without = super::written(BY_NAME, &[&ACCOUNT[..], &["--format", "terraform"]].concat());
    let without: Map<String, Value> = hcl::from_str(&without).expect("HCL");
    assert_eq!(without["resource"].get("aws_kinesis_stream"), None);
}
