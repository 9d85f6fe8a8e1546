//! The local stream as a client sees it that is not ours: boto3, the SDK for Python.
#![cfg(feature = "rehearsal")]

use std::process::{Command, Output};

use tidegate::rehearsal::stream::{
    Action, Key, LocalStream, Permissions, Reshard, Role, Settings, ShardId,
};

/// Runs python3 while the stream goes on serving. Every wait of the script has an end.
async fn python(arguments: &[&str]) -> Output {
    let mut command = Command::new("python3");
    command.args(arguments);
    let run = tokio::task::spawn_blocking(move || command.output()).await.expect("no panic");
    run.expect("this test needs python3 (Debian: apt install python3 python3-pip)")
}

/// Runs one phase of the script beside this file.
async fn agrees(stream: &LocalStream, phase: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/local_stream_boto3.py");
    let output = python(&[script, &stream.endpoint(), &stream.arn(), phase]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "boto3 disagrees in {phase}:\n{said}");
}

async fn started() -> LocalStream {
    let boto3 = python(&["-c", "import boto3"]).await;
    assert!(boto3.status.success(), "this test needs boto3: pip install boto3");
    LocalStream::start(Settings::default()).await.expect("a free port")
}

#[tokio::test]
async fn boto3_writes_reads_and_meets_the_errors_of_the_service() {
    let stream = started().await;

    agrees(&stream, "write_and_read").await;
    agrees(&stream, "errors").await;
    agrees(&stream, "raw_errors").await;

    stream.faults(|faults| faults.throttled_shards = vec![ShardId(0)]);
    agrees(&stream, "throttled").await;
    stream.faults(|faults| faults.throttled_shards.clear());

    stream.faults(|faults| faults.permitted = Action::PUTS.to_vec());
    agrees(&stream, "put_only").await;
    stream.faults(|faults| faults.permitted = Action::ALL.to_vec());

    stream.reshard(Reshard::Split(ShardId(0))).expect("open");
    stream.reshard(Reshard::Merge(ShardId(2), ShardId(3))).expect("neighbours");
    agrees(&stream, "resharded").await;
}

#[tokio::test]
async fn boto3_signs_as_the_stream_computes_and_assumes_roles() {
    let stream = started().await;
    stream.account(|account| {
        account.enter("key", Key::new("secret"));
        let role = Role {
            trusted: vec!["key".to_owned()],
            external_id: Some("agreed & <signed>".to_owned()),
            web_identity: Some("the token".to_owned()),
            permissions: Permissions::of(&Action::PUTS),
            ..Role::default()
        };
        account.roles.insert("arn:aws:iam::000000000000:role/writer".to_owned(), role);
    });
    agrees(&stream, "signed").await;
    agrees(&stream, "roles").await;
    agrees(&stream, "form").await;
    stream.account(|account| account.revoke("key"));
    agrees(&stream, "revoked").await;
}
