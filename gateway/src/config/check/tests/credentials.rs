//! `[stream.credentials]`.

use std::time::Duration;

use super::{check, config, said, stream};
use crate::config::{Credentials, KeySource, Role};

const ROLE: &str = "arn:aws:iam::123456789012:role/put-only";

/// A case with this inline table.
fn table(entries: &str) -> String {
    format!("stream.credentials = {{ {entries} }}")
}

#[track_caller]
fn source(entries: &str) -> KeySource {
    stream(&table(entries)).credentials.source
}

#[track_caller]
fn is_fault(entries: &str, fault: &str) {
    check(&table(entries), &[&format!("6: stream.credentials{fault}")]);
}

#[test]
fn without_a_word_the_key_is_where_the_sdk_finds_it() {
    let default = Credentials { source: KeySource::Default, strict_permissions: false };
    assert_eq!(stream("").credentials, default);
    assert_eq!(stream(&table("kind = 'default'")).credentials, default);
    assert!(stream(&table("strict_permissions = true")).credentials.strict_permissions);
}

#[test]
fn every_kind_is_read() {
    let file = || "/k".into();
    for (entries, expected) in [
        ("kind = 'csv', file = '/k'", KeySource::Csv { file: file(), user: None }),
        (
            "kind = 'csv', file = '/k', user = 'bob'",
            KeySource::Csv { file: file(), user: Some("bob".into()) },
        ),
        ("kind = 'file'", KeySource::Profile { path: None, profile: None }),
        (
            "kind = 'file', path = '/k', profile = 'p'",
            KeySource::Profile { path: Some(file()), profile: Some("p".into()) },
        ),
        ("kind = 'env'", KeySource::Environment),
        ("kind = 'static_file', file = '/k'", KeySource::StaticFile { file: file() }),
        ("kind = 'systemd', id = 'aws'", KeySource::Systemd { id: "aws".into() }),
        ("kind = 'instance'", KeySource::Instance),
        (
            "kind = 'process', command = ['/k', '-v']",
            KeySource::Process {
                command: vec!["/k".into(), "-v".into()],
                timeout: Duration::from_secs(10),
            },
        ),
        (
            &format!("kind = 'web_identity', token_file = '/k', role_arn = '{ROLE}'"),
            KeySource::WebIdentity {
                token_file: file(),
                role_arn: ROLE.into(),
                session_name: None,
            },
        ),
    ] {
        assert_eq!(source(entries), expected);
    }
}

#[test]
fn a_role_is_assumed_by_the_key_of_another_source() {
    let whole = format!(
        "kind = 'assume_role', role_arn = '{ROLE}', external_id = 'a:/b', session_name = 'tide', \
         duration_s = 43200, base = {{ kind = 'csv', file = '/k' }}, sts_endpoint = 'https://b:1'"
    );
    let role = Role {
        arn: ROLE.into(),
        external_id: Some("a:/b".into()),
        session_name: Some("tide".into()),
        duration: Duration::from_secs(43_200),
        base: KeySource::Csv { file: "/k".into(), user: None },
        sts_endpoint: Some("https://b:1".into()),
    };
    assert_eq!(source(&whole), KeySource::Role(Box::new(role)));
    let KeySource::Role(role) = source(&format!("kind = 'assume_role', role_arn = '{ROLE}'"))
    else {
        panic!("a role");
    };
    assert_eq!((role.base, role.duration), (KeySource::Default, Duration::from_secs(3_600)));
}

#[test]
fn a_file_that_is_not_there_yet_is_no_fault_of_the_configuration() {
    for entries in ["kind = 'csv', file = '/no/such'", "kind = 'file', path = '/no/such'"] {
        assert_eq!(config(&table(entries)).check_files("f"), Ok(()));
    }
}

#[test]
fn a_kind_that_is_none_is_told_with_all_there_are() {
    let kinds = "must be \"default\" or \"csv\" or \"file\" or \"env\" or \"static_file\" or \
                 \"systemd\" or \"assume_role\" or \"instance\" or \"process\" or \"web_identity\"";
    is_fault("kind = 'cvs', file = 'f'", &format!(".kind = 'cvs': {kinds}"));
    is_fault("kind = 1", &format!(".kind = 1: {kinds}"));
}

#[test]
fn a_key_of_another_kind_is_told_with_the_kinds_that_have_it() {
    is_fault(
        "file = 'f'",
        ".file: is for kind = \"csv\" or \"static_file\", and this is \"default\"",
    );
    is_fault(
        "kind = 'env', external_id = 'ab'",
        ".external_id: is for kind = \"assume_role\", and this is \"env\"",
    );
    is_fault(
        "kind = 'env', base = { kind = 'csv' }",
        ".base: is for kind = \"assume_role\", and this is \"env\"",
    );
}

#[test]
fn what_a_kind_needs_is_told_when_it_is_missing() {
    for (entries, key) in [
        ("kind = 'csv'", "file"),
        ("kind = 'static_file'", "file"),
        ("kind = 'systemd'", "id"),
        ("kind = 'assume_role'", "role_arn"),
        ("kind = 'process'", "command"),
        (&format!("kind = 'web_identity', role_arn = '{ROLE}'"), "token_file"),
        ("kind = 'web_identity', token_file = 'f'", "role_arn"),
    ] {
        let said = said(&table(entries));
        let missing = format!("6: stream.credentials.{key}: is missing: ");
        assert!(said.len() == 1 && said[0].starts_with(&missing), "{said:?} for {entries}");
    }
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    for key in ["secret_access_key", "aws_access_key_id", "aws_session_token"] {
        let said = said(&table(&format!("{key} = 'SECRET'"))).join("\n");
        assert!(said.starts_with(&format!("6: stream.credentials.{key}: a key has no place here")));
        assert!(!said.contains("SECRET") && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_role_has_a_form_and_so_have_the_texts_around_it() {
    let arn = "must be the ARN of a role: arn:aws:iam::<account>:role/<name>";
    for wrong in [
        "put-only",
        "arn:aws:iam::12345678901:role/put-only",
        "arn:aws:iam::123456789012:user/put-only",
        "arn:aws:sts::123456789012:role/put-only",
        "arn:aws:iam:us-east-1:123456789012:role/put-only",
        "arn:azure:iam::123456789012:role/put-only",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::123456789012:role/a b",
    ] {
        let entries = format!("kind = 'assume_role', role_arn = '{wrong}'");
        is_fault(&entries, &format!(".role_arn = '{wrong}': {arn}"));
    }
    for right in ["arn:aws:iam::123456789012:role/path/to/put_only", ROLE] {
        let _read = source(&format!("kind = 'assume_role', role_arn = '{right}'"));
    }
    for (key, wrong, must) in [
        ("external_id", "a", "must be 2 to 1224 letters, digits and _+=,.@:/-"),
        ("external_id", "a b", "must be 2 to 1224 letters, digits and _+=,.@:/-"),
        ("session_name", "a", "must be 2 to 64 letters, digits and _+=,.@-"),
        ("session_name", "a:b", "must be 2 to 64 letters, digits and _+=,.@-"),
        ("sts_endpoint", "ftp://b", "must be a URL such as \"https://kinesis.example:4567\""),
        ("sts_endpoint", "http://b", "must be https: the answer holds the secret of the session"),
    ] {
        let entries = format!("kind = 'assume_role', role_arn = '{ROLE}', {key} = '{wrong}'");
        is_fault(&entries, &format!(".{key} = '{wrong}': {must}"));
    }
}

#[test]
fn a_token_service_without_tls_is_on_this_machine() {
    for here in ["http://127.0.0.1:4566", "http://localhost", "http://[::1]:1"] {
        let entries = format!("kind = 'assume_role', role_arn = '{ROLE}', sts_endpoint = '{here}'");
        let KeySource::Role(role) = source(&entries) else { panic!("a role") };
        assert_eq!(role.sts_endpoint.as_deref(), Some(here));
    }
}

#[test]
fn a_role_is_of_the_partition_of_the_region() {
    for partition in ["aws-cn", "aws-us-gov", "awsx"] {
        let arn = format!("arn:{partition}:iam::123456789012:role/writer");
        let fault = format!(
            "role_arn = '{arn}': is of the partition {partition}, and the region of the stream of \
             aws: no role is good in both"
        );
        is_fault(&format!("kind = 'assume_role', role_arn = '{arn}'"), &format!(".{fault}"));
        let web = format!("kind = 'web_identity', token_file = 'f', role_arn = '{arn}'");
        is_fault(&web, &format!(".{fault}"));
        let base = format!("kind = 'assume_role', role_arn = '{ROLE}', base = {{ {web} }}");
        is_fault(&base, &format!(".base.{fault}"));
    }
}

#[test]
fn a_session_lasts_as_long_as_aws_allows() {
    let role = |rest: &str| format!("kind = 'assume_role', role_arn = '{ROLE}', {rest}");
    for seconds in ["899", "43201"] {
        let must = "must be 900 to 43200 seconds";
        is_fault(
            &role(&format!("duration_s = {seconds}")),
            &format!(".duration_s = {seconds}: {must}"),
        );
    }
    for session in [
        "kind = 'instance'".to_owned(),
        format!("kind = 'web_identity', token_file = 'f', role_arn = '{ROLE}'"),
    ] {
        let with = |seconds: u32| role(&format!("duration_s = {seconds}, base = {{ {session} }}"));
        let _read = source(&with(3_600));
        is_fault(
            &with(3_601),
            ".duration_s = 3601: must be at most 3600: the base is a session itself, and AWS \
             limits a session on top of another (role chaining) to an hour",
        );
    }
}

#[test]
fn a_program_may_give_the_key_of_a_user_and_sts_decides_how_long_a_session_on_top_lasts() {
    let base = "base = { kind = 'process', command = ['c'] }";
    let _read =
        source(&format!("kind = 'assume_role', role_arn = '{ROLE}', duration_s = 43200, {base}"));
}

#[test]
fn the_base_of_a_role_is_read_like_any_source_but_is_no_role() {
    let base = |entries: &str| {
        format!("kind = 'assume_role', role_arn = '{ROLE}', base = {{ {entries} }}")
    };
    is_fault(
        &base(&format!("kind = 'assume_role', role_arn = '{ROLE}'")),
        ".base.kind = 'assume_role': cannot be a role again: let the role trust whose key this is",
    );
    is_fault(
        &base("kind = 'env', user = 'bob'"),
        ".base.user: is for kind = \"csv\", and this is \"env\"",
    );
    is_fault(
        &base("strict_permissions = true"),
        ".base.strict_permissions: no such key; did you mean stream.credentials.strict_permissions?",
    );
    is_fault(
        &base("secret_access_key = 'x'"),
        ".base.secret_access_key: a key has no place here: \
        put it into a file, and say kind = \"static_file\"",
    );
}

#[test]
fn names_of_credentials_and_commands_have_a_form() {
    for id in ["a/b", "..", "a:b"] {
        let must = "must be a name as in LoadCredential=, without / and :";
        is_fault(&format!("kind = 'systemd', id = '{id}'"), &format!(".id = '{id}': {must}"));
    }
    is_fault("kind = 'process', command = []", ".command: must name a program");
    is_fault(
        "kind = 'process', command = ['c'], timeout_s = 61",
        ".timeout_s = 61: must be 1 to 60 seconds",
    );
}

#[test]
fn the_arguments_of_a_program_may_be_secrets_and_are_not_repeated() {
    for (entries, told) in [
        ("kind = 'process', command = 'get --password SECRET'", "must be a list of texts"),
        ("kind = 'process', command = ['get', ['SECRET']]", "must be a text in quotes"),
        ("kind = 'process', command = ['get', \"SEC\\u0007RET\"]", "must have"),
        ("kind = 'env', command = ['get', 'SECRET']", "is for kind = \"process\""),
    ] {
        let said = said(&table(entries)).join("\n");
        assert!(said.contains(&format!(".command: {told}")) && !said.contains("SEC"), "{said}");
    }
}
