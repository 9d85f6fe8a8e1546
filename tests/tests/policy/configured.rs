//! What the configuration says of a role need not be said again.

use super::{BY_NAME, answer, policies, written};

const PRINCIPAL: [&str; 4] = ["--for", "role", "--principal", "999999999999"];

fn config() -> String {
    format!(
        "{BY_NAME}[stream.credentials]\nkind = 'assume_role'\nexternal_id = 'customer/7'\n\
         role_arn = 'arn:aws:iam::111122223333:role/their-gateway'\nbase = {{ kind = 'env' }}\n"
    )
}

/// What must be said to assume the role.
fn external_id(flags: &[&str]) -> Option<String> {
    let (_, trust) = policies(&config(), &[&PRINCIPAL[..], flags].concat());
    let trust = trust.expect("a role has a trust policy");
    let said = &trust["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"];
    said.as_str().map(str::to_owned)
}

#[test]
fn a_role_that_the_gateway_assumes_says_account_name_and_external_id() {
    let (permissions, _) = policies(&config(), &PRINCIPAL);
    let resource = permissions["Statement"][0]["Resource"][0].as_str();
    assert_eq!(resource, Some("arn:aws:kinesis:eu-central-1:111122223333:stream/pumps"));
    assert_eq!(external_id(&[]).as_deref(), Some("customer/7"));
    let script = written(&config(), &[&PRINCIPAL[..], &["--format", "cli"]].concat());
    assert!(script.contains("--role-name their-gateway"), "{script}");
}

#[test]
fn flags_win_over_the_configuration() {
    assert_eq!(external_id(&["--external-id", "another"]).as_deref(), Some("another"));
    assert_eq!(external_id(&["--no-external-id"]), None);
    let (permissions, _) = policies(&config(), &[&PRINCIPAL[..], &["--account", "*"]].concat());
    let resource = permissions["Statement"][0]["Resource"][0].as_str();
    assert_eq!(resource, Some("arn:aws:kinesis:eu-central-1:*:stream/pumps"));
}

#[test]
fn for_a_user_the_role_says_nothing() {
    let said = answer(&config(), &[]);
    assert_eq!(said.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&said.stderr).contains("--account"));
}

/// Two streams by name, each for a role of its own account.
fn of_two_roles() -> String {
    let stream = |name: &str, account: &str| {
        format!(
            "[[stream]]\nname = '{name}'\nregion = 'eu-central-1'\nroute.topics = ['a/{name}']\n\
             [stream.credentials]\nkind = 'assume_role'\nexternal_id = 'customer/7'\n\
             role_arn = 'arn:aws:iam::{account}:role/for-{name}'\nbase = {{ kind = 'env' }}\n"
        )
    };
    let rest = BY_NAME.split("[stream]").next().expect("before it");
    let letters = "[dead_letter]\nstream = 'letters'\n";
    [rest, &stream("n", "111122223333"), &stream("s", "444455556666"), letters].concat()
}

#[test]
fn of_several_streams_all_are_allowed_or_the_one_that_is_named() {
    let said = answer(&of_two_roles(), &PRINCIPAL);
    assert_eq!(said.status.code(), Some(64));
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("not all for the same role: say --stream"), "{said}");
    let resources = |flags: &[&str]| {
        let (permissions, _) = policies(&of_two_roles(), flags);
        permissions["Statement"][0]["Resource"].clone()
    };
    let arn =
        |account: &str, name: &str| format!("arn:aws:kinesis:eu-central-1:{account}:stream/{name}");
    let of = |label| resources(&[&PRINCIPAL[..], &["--stream", label]].concat());
    assert_eq!(of("s"), serde_json::json!([arn("444455556666", "s")]));
    // The dead letters go with the first.
    let first = [arn("111122223333", "n"), arn("111122223333", "letters")];
    assert_eq!(of("n"), serde_json::json!(first));
    let all = resources(&["--account", "123456789012"]);
    assert_eq!(all.as_array().map(Vec::len), Some(3), "{all}");
}
