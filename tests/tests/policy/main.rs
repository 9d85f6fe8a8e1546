//! What `tidegate policy` writes, judged by others: IAM's grammar, Terraform's, a shell's, and moto.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a document without what is looked for fails the test, and that is what it should do"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tests::root;

mod configured;
mod faults;
mod grammar;
mod script;
mod terraform;

const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A stream and one for dead letters, by name.
const BY_NAME: &str = "[mqtt]\nurl = 'mqtt://127.0.0.1'\nclient_id = 'edge-1'\ntopics = ['a/#']\n\
    [stream]\nname = 'pumps'\nregion = 'eu-central-1'\n[dead_letter]\nstream = 'letters'\n";

/// Whatever can be asked for: the configuration and the flags.
fn asked() -> Vec<(String, Vec<&'static str>)> {
    let china = BY_NAME
        .replace(
            "name = 'pumps'\n",
            "arn = 'arn:aws-cn:kinesis:cn-north-1:123456789012:stream/p'\n",
        )
        .replace("region = 'eu-central-1'\n", "");
    let operator = "arn:aws:iam::999999999999:role/operator";
    let mut asked = Vec::new();
    for whom in [
        vec!["--for", "user"],
        vec!["--for", "role", "--principal", operator, "--external-id", "customer/7"],
        vec!["--for", "role", "--principal", "999999999999", "--no-external-id"],
        vec!["--for", "role", "--principal", "ec2.amazonaws.com"],
        vec!["--for", "role", "--principal", "pods.eks.amazonaws.com"],
        vec!["--for", "consumer"],
        vec!["--for", "firehose"],
    ] {
        let with = |more: &[&'static str]| [&whom[..], more].concat();
        let by_name = ["--account", "123456789012"];
        asked.push((BY_NAME.to_owned(), with(&by_name)));
        asked.push((
            BY_NAME.to_owned(),
            with(&[&by_name[..], &["--optional", "--kms", KEY]].concat()),
        ));
    }
    asked.push((BY_NAME.to_owned(), vec!["--account", "*", "--optional", "--kms", KEY]));
    let chinese_key = "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-1";
    let mut foreign = vec!["--for", "role", "--principal", operator, "--external-id", "customer/7"];
    asked.push((with_a_path(), foreign.clone()));
    foreign.push("--optional");
    asked.push((with_a_path(), foreign));
    asked.push((china, vec!["--account", "123456789012", "--optional", "--kms", chinese_key]));
    asked
}

/// The path of the role of [`with_a_path`].
const PATH: &str = "/svc/edge/";

/// A role with a path, and a stream in another account than the role's.
fn with_a_path() -> String {
    let stream = "arn = 'arn:aws:kinesis:eu-central-1:222222222222:stream/pumps'\n";
    let role = format!("arn:aws:iam::123456789012:role{PATH}their-gateway");
    let config = BY_NAME
        .replace("name = 'pumps'\nregion = 'eu-central-1'\n", stream)
        .replace("[dead_letter]\nstream = 'letters'\n", "");
    format!(
        "{config}[stream.credentials]\nkind = 'assume_role'\nrole_arn = '{role}'\n\
         base = {{ kind = 'env' }}\n"
    )
}

/// Asks for a policy in a folder of its own, in which the configuration is `tidegate.toml`.
fn answer(config: &str, flags: &[&str]) -> Output {
    let dir = tempfile::tempdir().expect("a temporary directory");
    answer_in(&dir, config, flags)
}

fn answer_in(dir: &TempDir, config: &str, flags: &[&str]) -> Output {
    std::fs::write(dir.path().join("tidegate.toml"), config).expect("a writable directory");
    Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["policy", "--config", "tidegate.toml"])
        .args(flags)
        .current_dir(dir.path())
        .output()
        .expect("it is built with this test")
}

/// What is written for a request that can be granted.
#[track_caller]
fn written(config: &str, flags: &[&str]) -> String {
    let output = answer(config, flags);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{flags:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The policies for a request: of permissions, and of trust, if there is a role.
#[track_caller]
fn policies(config: &str, flags: &[&str]) -> (Value, Option<Value>) {
    let text = written(config, flags);
    let json: Value = serde_json::from_str(&text).expect("JSON");
    match json.get("trust_policy") {
        None => (json, None),
        Some(trust) => {
            let of_role = json.get("permissions_policy").expect("a role has permissions");
            (of_role.clone(), Some(trust.clone()))
        }
    }
}

/// What the script beside this file makes of these lines.
fn python(script: &str, lines: &str) -> String {
    let folder = root().join("tests/tests/policy");
    let mut child = Command::new("python3")
        .arg(Path::join(&folder, script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs python3: tests/install");
    // Dropped at once, which ends its input. Less than a pipe holds is written.
    let mut input = child.stdin.take().expect("piped above");
    input.write_all(lines.as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("a child");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} (tests/install brings what it needs): {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
