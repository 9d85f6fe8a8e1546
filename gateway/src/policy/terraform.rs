//! A grant as resources of Terraform's AWS provider.

use super::script::is_for_instances;
use super::{Document, Grant, Holds, NewStream, Principals, Statement, Whom};

mod hcl;

use hcl::Block;

/// The name under which the resources know each other.
const LABEL: &str = "tidegate";

/// The resources, as `terraform fmt` would write them.
#[must_use]
pub fn of(grant: &Grant) -> String {
    let mut blocks: Vec<_> = streams(&grant.streams);
    blocks.extend(grant.trust.as_ref().map(|trust| document("trust", trust)));
    blocks.push(document("permissions", &grant.permissions));
    blocks.extend(match grant.whom {
        Whom::User => user(grant),
        Whom::Role | Whom::Firehose => role(grant),
        Whom::Consumer => vec![
            Block::resource("aws_iam_policy", LABEL)
                .text("name", &grant.name)
                .refers("policy", &json_of("permissions")),
        ],
    });
    let mut text = comments(grant);
    for block in blocks {
        text.push('\n');
        text += &block.to_string();
    }
    text
}

fn comments(grant: &Grant) -> String {
    let mut comments = Vec::new();
    if let Some(account) = &grant.account {
        comments.push(format!("For a provider of account {account}."));
    }
    if !grant.streams.is_empty() {
        comments.push("A region in a resource needs version 6 of the AWS provider.".to_owned());
    }
    if grant.whom == Whom::User {
        // A resource for it would put the secret into the state, readable by all who plan.
        let why = "The access key is not made here, because its secret would be kept in the state:";
        comments.push(why.to_owned());
        comments.push(format!("aws iam create-access-key --user-name {}", grant.name));
    }
    comments.extend(grant.notes.iter().map(|note| format!("Note: {note}.")));
    comments.iter().map(|comment| format!("# {comment}\n")).collect()
}

fn streams(streams: &[NewStream]) -> Vec<Block> {
    streams.iter().map(stream).collect()
}

fn stream(stream: &NewStream) -> Block {
    let NewStream { arn, holds, shards, key } = stream;
    let label = match holds {
        Holds::Records => "records",
        Holds::DeadLetters => "dead_letters",
    };
    let mut block = Block::resource("aws_kinesis_stream", label)
        .text("region", &arn.region)
        .text("name", &arn.name)
        .refers("shard_count", &shards.to_string());
    if let Some(key) = key {
        block = block.text("encryption_type", "KMS").text("kms_key_id", &key.to_string());
    }
    block.holds(Block::new("stream_mode_details").text("stream_mode", "PROVISIONED"))
}

fn user(grant: &Grant) -> Vec<Block> {
    vec![
        Block::resource("aws_iam_user", LABEL).text("name", &grant.name),
        Block::resource("aws_iam_user_policy", LABEL)
            .text("name", &grant.name)
            .refers("user", &name_of("aws_iam_user"))
            .refers("policy", &json_of("permissions")),
    ]
}

fn role(grant: &Grant) -> Vec<Block> {
    let role = name_of("aws_iam_role");
    let mut named = Block::resource("aws_iam_role", LABEL).text("name", &grant.name);
    if let Some(path) = &grant.path {
        named = named.text("path", path);
    }
    let mut blocks = vec![
        named.refers("assume_role_policy", &json_of("trust")),
        Block::resource("aws_iam_role_policy", LABEL)
            .text("name", &grant.name)
            .refers("role", &role)
            .refers("policy", &json_of("permissions")),
    ];
    if is_for_instances(grant) {
        let profile = Block::resource("aws_iam_instance_profile", LABEL);
        blocks.push(profile.text("name", &grant.name).refers("role", &role));
    }
    blocks
}

fn name_of(kind: &str) -> String {
    format!("{kind}.{LABEL}.name")
}

fn json_of(label: &str) -> String {
    format!("data.aws_iam_policy_document.{label}.json")
}

/// The same statements as in [`Document::json`].
fn document(label: &str, document: &Document) -> Block {
    let data = Block::new(&format!("data \"aws_iam_policy_document\" \"{label}\""));
    document.statements.iter().map(statement).fold(data, Block::holds)
}

fn statement(statement: &Statement) -> Block {
    let Statement { sid, effect, principal, actions, resources, conditions } = statement;
    let mut block = Block::new("statement")
        .text("sid", sid)
        .text("effect", effect)
        .list("actions", actions.iter().copied());
    if !resources.is_empty() {
        block = block.list("resources", resources.iter().map(String::as_str));
    }
    if let Some(principal) = principal {
        let (kind, name) = match principal {
            Principals::Aws(name) => ("AWS", name),
            Principals::Service(name) => ("Service", name),
        };
        let principals = Block::new("principals").text("type", kind);
        block = block.holds(principals.list("identifiers", [name.as_str()]));
    }
    for (test, keys) in conditions {
        for (variable, values) in keys {
            let condition = Block::new("condition").text("test", test).text("variable", variable);
            block = block.holds(condition.list("values", values.0.iter().map(String::as_str)));
        }
    }
    block
}
