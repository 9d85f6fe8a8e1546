//! Requests that cannot be granted: each says what to do, and nothing is written.

use tests::root;

use super::{BY_NAME, KEY, answer};

/// Everything that is said of a request, which is refused with `code`.
#[track_caller]
fn refused(flags: &[&str], code: i32) -> String {
    let output = answer(BY_NAME, flags);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "{flags:?}: {said}");
    assert!(output.stdout.is_empty(), "{flags:?} wrote something");
    said
}

#[test]
fn streams_known_by_name_alone_ask_for_their_account_each() {
    let said = refused(&[], 64);
    let [stream, letters] = &said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(stream.starts_with("stream.name = \"pumps\": a policy names its account"), "{said}");
    assert!(letters.starts_with("dead_letter.stream = \"letters\": a policy names"), "{said}");
    // Who reads records need not say where dead letters are.
    assert_eq!(refused(&["--for", "consumer"], 64).lines().count(), 1);
}

#[test]
fn what_is_wrong_is_told_in_one_run() {
    let elsewhere = KEY.replace("eu-central-1", "eu-west-1");
    let said = refused(&["--for", "role", "--kms", &elsewhere, "--plan", "plan.toml"], 64);
    let expected = [
        "--plan goes with",
        "stream.name",
        "dead_letter.stream",
        "--kms",
        "--for role: say --principal",
    ];
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{said}");
    for (line, begins) in lines.iter().zip(expected) {
        assert!(line.starts_with(begins), "{line:?} is not about {begins}");
    }
}

#[test]
fn requests_that_contradict_themselves_are_refused() {
    let account = ["--account", "123456789012"];
    let plan = root().join("configs/plan-fleet.toml").display().to_string();
    for (flags, says) in [
        (&["--for", "role", "--principal", "999999999999"][..], "--external-id, a text agreed"),
        (&["--external-id", "x1"], "go with --for role"),
        (&["--for", "consumer", "--format", "cli", "--plan", &plan], "who reads finds the stream"),
        (&["--format", "cli", "--plan", "absent.toml"], "absent.toml"),
    ] {
        let said = refused(&[&account[..], flags].concat(), 64);
        assert!(said.contains(says), "{said}");
    }
    let said = refused(&["--account", "*", "--for", "firehose"], 64);
    assert!(said.contains("its trust policy names the account"), "{said}");
}

#[test]
fn an_account_that_no_stream_is_in_is_a_mistake() {
    let by_arn = BY_NAME
        .replace("name = 'pumps'\n", "arn = 'arn:aws:kinesis:eu-central-1:123456789012:stream/p'\n")
        .replace("[dead_letter]\nstream = 'letters'\n", "");
    assert!(answer(&by_arn, &["--account", "123456789012"]).status.success());
    let other = answer(&by_arn, &["--account", "999999999999"]);
    let said = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(64), "{said}");
    assert!(said.starts_with("--account 999999999999: every stream"), "{said}");
}

#[test]
fn words_that_are_none_are_refused_with_what_they_should_be() {
    for (flags, says) in [
        (["--account", "1234"], "12 digits"),
        (["--kms", "alias/mine"], "describe-key --key-id alias/mine"),
        (["--principal", "*"], "must be who the gateway is"),
        (["--external-id", "a b"], "2 to 1224 letters"),
        (["--for", "everybody"], "user, role, consumer, firehose"),
    ] {
        let said = refused(&flags, 2);
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn faults_of_the_configuration_come_first() {
    let output = answer("[stream]\nname = 'x y'\n", &["--account", "123456789012"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64));
    assert!(said.contains("tidegate.toml:2: stream.name"), "{said}");
    assert!(said.ends_with('\n'), "what a shell says next begins a line: {said}");
}
