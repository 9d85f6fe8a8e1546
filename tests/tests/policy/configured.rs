//! What the configuration says of a role need not be said again.

use serde_json::Value;
use tests::root;

use super::{BY_NAME, PATH, answer, policies, with_a_path, written};

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
    let letters = "[dead_letter]\nstream = 'letters'\nwith = 'n'\n";
    [rest, &stream("n", "111122223333"), &stream("s", "444455556666"), letters].concat()
}

#[test]
fn of_several_streams_with_keys_of_their_own_one_is_asked_for() {
    for flags in [&PRINCIPAL[..], &["--account", "111122223333", "--format", "cli"]] {
        let said = answer(&of_two_roles(), flags);
        assert_eq!(said.status.code(), Some(64));
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.contains("each owner gets a policy: say --stream with one of n, s"), "{said}");
    }
    let resources = |flags: &[&str]| {
        let (permissions, _) = policies(&of_two_roles(), flags);
        permissions["Statement"][0]["Resource"].clone()
    };
    let arn =
        |account: &str, name: &str| format!("arn:aws:kinesis:eu-central-1:{account}:stream/{name}");
    let of = |label| resources(&[&PRINCIPAL[..], &["--stream", label]].concat());
    assert_eq!(of("s"), serde_json::json!([arn("444455556666", "s")]));
    // The dead letters go with this one.
    let first = [arn("111122223333", "n"), arn("111122223333", "letters")];
    assert_eq!(of("n"), serde_json::json!(first));
}

#[test]
fn streams_with_one_key_are_allowed_together_and_each_alone_by_a_name_of_its_own() {
    let stream = |label: &str, region: &str| {
        format!(
            "[[stream]]\nlabel = '{label}'\nname = 'pumps'\nregion = '{region}'\n\
             route.topics = ['a/{label}']\n"
        )
    };
    let rest = BY_NAME.split("[stream]").next().expect("before it");
    let config = [rest, &stream("north", "eu-north-1"), &stream("south", "eu-south-1")].concat();
    let account = ["--account", "111122223333"];
    let (permissions, _) = policies(&config, &account);
    let all = &permissions["Statement"][0]["Resource"];
    assert_eq!(all.as_array().map(Vec::len), Some(2), "{all}");
    // By one name, the second would replace what the first allowed.
    for label in ["north", "south"] {
        let flags = [&account[..], &["--stream", label, "--format", "cli"]].concat();
        let script = written(&config, &flags);
        assert!(script.contains(&format!("--user-name tidegate-{label}")), "{script}");
    }
}

#[test]
fn what_the_configuration_says_of_a_role_is_told_where_the_policy_is_otherwise() {
    let notes =
        |flags: &[&str]| String::from_utf8_lossy(&answer(&config(), flags).stderr).into_owned();
    let for_user = notes(&["--account", "111122223333"]);
    assert!(for_user.contains("configured to assume arn:aws:iam::111122223333:role/their-gateway"));
    let other = notes(&[&PRINCIPAL[..], &["--external-id", "another"]].concat());
    assert!(other.contains("stream.credentials.external_id says another"), "{other}");
    let same = notes(&PRINCIPAL);
    assert!(!same.contains("says another") && same.contains("must be allowed sts:AssumeRole"));
}

#[test]
fn streams_of_several_accounts_get_a_policy_each_even_with_one_key() {
    let stream = |label: &str, account: &str| {
        let arn = format!("arn:aws:kinesis:eu-central-1:{account}:stream/pumps");
        format!("[[stream]]\nlabel = '{label}'\narn = '{arn}'\nroute.topics = ['a/{label}']\n")
    };
    let rest = BY_NAME.split("[stream]").next().expect("before it");
    let config = [rest, &stream("n", "111122223333"), &stream("s", "444455556666")].concat();
    let refused = answer(&config, &["--format", "cli"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(64), "{said}");
    assert!(said.contains("(111122223333, 444455556666)") && said.contains("--stream"), "{said}");
    let script = written(&config, &["--format", "cli", "--stream", "s"]);
    assert!(script.contains("test \"$account\" = 444455556666 "), "{script}");
}

#[test]
fn role_with_a_path_is_created_under_its_path_by_its_name() {
    let flags = |format| [&PRINCIPAL[..], &["--no-external-id", "--format", format]].concat();
    let script = written(&with_a_path(), &flags("cli"));
    assert!(script.contains(&format!("--role-name their-gateway --path {PATH} ")), "{script}");
    let resources: Value =
        hcl::from_str(&written(&with_a_path(), &flags("terraform"))).expect("HCL");
    let role = &resources["resource"]["aws_iam_role"]["tidegate"];
    assert_eq!((role["name"].as_str(), role["path"].as_str()), (Some("their-gateway"), Some(PATH)));
    // Without one nothing is said of it.
    assert!(!written(&config(), &flags("cli")).contains("--path"));
    assert!(!written(&config(), &flags("terraform")).contains(" path "));
}

#[test]
fn role_is_made_in_its_own_account_whosever_the_stream_is() {
    let flags = |format| [&PRINCIPAL[..], &["--no-external-id", "--format", format]].concat();
    let script = written(&with_a_path(), &flags("cli"));
    assert!(script.contains("test \"$account\" = 123456789012 "), "{script}");
    let resources = written(&with_a_path(), &flags("terraform"));
    assert!(resources.starts_with("# For a provider of account 123456789012.\n"), "{resources}");
    for text in [script, resources] {
        assert!(text.contains("222222222222:stream/pumps"), "{text}");
        assert!(text.contains("put-resource-policy"), "{text}");
    }
    assert!(
        !written(&config(), &flags("cli")).contains("put-resource-policy"),
        "all in one account"
    );
    let plan = root().join("configs/plan-fleet.toml").display().to_string();
    let planned = answer(&with_a_path(), &[&flags("cli")[..], &["--plan", &plan]].concat());
    let said = String::from_utf8_lossy(&planned.stderr);
    assert_eq!(planned.status.code(), Some(64), "{said}");
    assert!(said.contains("a stream is in 222222222222: leave --plan out"), "{said}");
}

#[test]
fn role_for_a_web_identity_is_refused_with_what_to_do() {
    let config = format!(
        "{BY_NAME}[stream.credentials]\nkind = 'web_identity'\ntoken_file = 'token'\n\
         role_arn = 'arn:aws:iam::111122223333:role/pods'\n"
    );
    let refused = answer(&config, &PRINCIPAL);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!((refused.status.code(), said.lines().count()), (Some(64), 1), "{said}");
    for part in
        ["role/pods", "Federated", "sts:AssumeRoleWithWebIdentity", ":aud", ":sub", "--for user"]
    {
        assert!(said.contains(part), "no {part} in {said}");
    }
    let _permissions = written(&config, &["--account", "111122223333"]);
}

#[test]
fn shards_that_the_configuration_says_and_the_plan_does_not_are_noted() {
    let plan = root().join("configs/plan-fleet.toml").display().to_string();
    let script = |shards: &str| {
        let config = BY_NAME.replacen("[dead_letter]", &format!("{shards}\n[dead_letter]"), 1);
        let flags = ["--account", "123456789012", "--format", "cli", "--plan", &plan];
        written(&config, &flags)
    };
    assert!(script("shards = 29").contains("stream.shards says 29 and the plan 34"));
    for alike in ["shards = 34", ""] {
        assert!(!script(alike).contains("and the plan"), "{alike}");
    }
}
