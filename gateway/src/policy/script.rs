//! A grant as commands of the AWS CLI, to read and to run.

use super::arn::Principal;
use super::{Grant, Holds, NewStream, Whom};

mod shell;

use shell::Script;

/// The commands, for a POSIX shell.
#[must_use]
pub fn of(grant: &Grant) -> String {
    let mut script = Script::new(&grant.region);
    begin(&mut script, grant);
    for stream in &grant.streams {
        create(&mut script, stream);
    }
    match grant.whom {
        Whom::User => user(&mut script, grant),
        Whom::Role | Whom::Firehose => role(&mut script, grant),
        Whom::Consumer => policy(&mut script, grant),
    }
    script.into_text()
}

fn begin(script: &mut Script, grant: &Grant) {
    script.line("#!/bin/sh");
    script.says(&format!("Allows {} what it needs, and no more.", subject(grant.whom)));
    script.says(
        "For somebody who may administer IAM. A command whose thing exists already fails \
         (EntityAlreadyExists, ResourceInUseException) and ends the script: take it out, and run the \
         rest. What puts a policy may run again; it replaces.",
    );
    for note in &grant.notes {
        script.says(&format!("Note: {note}."));
    }
    script.line("set -eu");
    let Some(account) = &grant.account else { return };
    script.section("Not in somebody else's account.");
    let ask = ["sts", "get-caller-identity", "--query", "Account", "--output", "text"];
    script.keep("account", &ask);
    script.line(&format!(
        "test \"$account\" = {account} || {{ echo \"this is for account {account}, not $account\" >&2; \
         exit 1; }}"
    ));
}

fn subject(whom: Whom) -> &'static str {
    match whom {
        Whom::User | Whom::Role => "a gateway to put records",
        Whom::Consumer => "a consumer to read records",
        Whom::Firehose => "Amazon Data Firehose to read records",
    }
}

fn create(script: &mut Script, stream: &NewStream) {
    let NewStream { arn, holds, shards, key } = stream;
    script.section(match holds {
        Holds::Records => "The stream, with the planned shards.",
        Holds::DeadLetters => "The stream of dead letters, which are few.",
    });
    let (region, shards) = (arn.region.as_str(), shards.to_string());
    let create = ["kinesis", "create-stream", "--stream-name", &arn.name, "--shard-count", &shards];
    let mode = ["--stream-mode-details", "StreamMode=PROVISIONED"];
    script.run_in(region, &[&create[..], &mode].concat());
    let exists = ["kinesis", "wait", "stream-exists", "--stream-name", &arn.name];
    script.run_in(region, &exists);
    if let Some(key) = key {
        let key = key.to_string();
        let encrypt = ["kinesis", "start-stream-encryption", "--stream-name", &arn.name];
        let with = ["--encryption-type", "KMS", "--key-id", &key];
        script.run_in(region, &[&encrypt[..], &with].concat());
        // It is updating meanwhile, and takes no other change.
        script.run_in(region, &exists);
    }
}

fn user(script: &mut Script, grant: &Grant) {
    let name = grant.name.as_str();
    script.section("A user for the API alone: no password, no console.");
    script.run(&["iam", "create-user", "--user-name", name]);
    let json = grant.permissions.json();
    let put = ["iam", "put-user-policy", "--user-name", name];
    script.run(&[&put[..], &["--policy-name", name, "--policy-document", &json]].concat());

    let file = format!("{name}_accessKeys.csv");
    script.section(&format!(
        "An access key, into {file}, in the form in which the console gives it. Each run makes another, \
         of which a user has two at most."
    ));
    script.line(&format!("test ! -e {file} || {{ echo {file} exists >&2; exit 1; }}"));
    let query = "AccessKey.[AccessKeyId,SecretAccessKey]";
    let create = ["iam", "create-access-key", "--user-name", name];
    script.keep("key", &[&create[..], &["--query", query, "--output", "text"]].concat());
    script.line("umask 077");
    script.line(&format!(
        "printf 'Access key ID,Secret access key\\n%s\\n' \"$(printf %s \"$key\" | tr '\\t' ,)\" >{file}"
    ));
    script.says(&format!(
        "Give {file} to whoever runs the gateway, not by mail, and delete it here. There it belongs to \
         the gateway's user, readable by nobody else."
    ));
}

fn role(script: &mut Script, grant: &Grant) {
    let name = grant.name.as_str();
    let trust = grant.trust.as_ref().map(super::Document::json).unwrap_or_default();
    script.section("A role, and who may assume it.");
    let create = ["iam", "create-role", "--role-name", name];
    let path = grant.path.as_deref().map(|path| ["--path", path]);
    let path = path.as_ref().map_or(&[][..], |path| path);
    script.run(&[&create[..], path, &["--assume-role-policy-document", &trust]].concat());
    let json = grant.permissions.json();
    let put = ["iam", "put-role-policy", "--role-name", name];
    script.run(&[&put[..], &["--policy-name", name, "--policy-document", &json]].concat());
    if is_for_instances(grant) {
        script.section("What an instance carries a role in.");
        let profile = ["--instance-profile-name", name];
        script.run(&[&["iam", "create-instance-profile"][..], &profile].concat());
        let add = ["iam", "add-role-to-instance-profile"];
        script.run(&[&add[..], &profile, &["--role-name", name]].concat());
    } else {
        script.section("The ARN of the role, for whoever assumes it.");
        let ask = ["iam", "get-role", "--role-name", name];
        script.run(&[&ask[..], &["--query", "Role.Arn", "--output", "text"]].concat());
    }
}

/// Whether the role is carried by instances of EC2.
pub(super) fn is_for_instances(grant: &Grant) -> bool {
    let is_ec2 = |service: &str| service.starts_with("ec2.");
    matches!(&grant.principal, Some(Principal::Service(service)) if is_ec2(service))
}

fn policy(script: &mut Script, grant: &Grant) {
    script.section(
        "A policy, to attach to the user or role of the consumer (aws iam attach-role-policy, \
         attach-user-policy).",
    );
    let json = grant.permissions.json();
    let create = ["iam", "create-policy", "--policy-name", &grant.name];
    script.run(&[&create[..], &["--policy-document", &json]].concat());
}
