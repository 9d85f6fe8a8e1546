//! Keys of sessions, from the token service.

use tests::fleet::Load;
use tidegate::rehearsal::stream::{Clock, RequestFault, Role};

use super::*;

impl Account {
    /// A role that the key of the account may assume. Its token service is where its stream is.
    pub(super) fn with_role(self, change: impl FnOnce(&mut Role)) -> Self {
        let mut role = Role { trusted: vec![ID.to_owned()], ..Role::default() };
        change(&mut role);
        self.world.stream.account(|account| account.roles.insert(ROLE.to_owned(), role));
        self
    }

    /// The same, assumed by the key in a csv file.
    fn assuming(self) -> Self {
        let csv = self.write("accessKeys.csv", &csv());
        let base = format!("{{ kind = \"csv\", file = {} }}", quoted(&csv.display().to_string()));
        let sts = self.world.stream.endpoint();
        self.set("kind", "assume_role")
            .set("role_arn", ROLE)
            .set("base", &base)
            .set("sts_endpoint", &sts)
    }
}

#[tokio::test]
async fn role_is_assumed_with_its_external_id_under_the_name_of_this_machine() {
    let account = Account::new().await.assuming().set("external_id", "agreed");
    let account = account.with_role(|role| role.external_id = Some("agreed".to_owned()));
    let account = account.without_settings();
    account.signs_with("ASIA").await;
    assert!(account.uses(ID) > 0, "it assumed the role");
    let principals: Vec<_> = account.world.stream.account(|account| {
        account.keys.iter().flatten().map(|(_, key)| key.principal.clone()).collect()
    });
    let ours = "arn:aws:sts::000000000000:assumed-role/writer/tidegate-";
    assert!(principals.iter().any(|principal| principal.starts_with(ours)), "{principals:?}");
}

#[tokio::test]
async fn role_that_does_not_trust_us_is_told_with_both_reasons_and_assumed_once_it_does() {
    let account = Account::new().await.assuming().set("external_id", "mistaken");
    let account = account.with_role(|role| role.external_id = Some("agreed".to_owned()));
    let mend = async || {
        account.world.stream.account(|account| {
            let role = account.roles.get_mut(ROLE).expect("entered");
            role.external_id = Some("mistaken".to_owned());
        });
    };
    let both = [ROLE, "AccessDenied", "trust policy", "external_id must be the one"];
    account.waits_until(&both, "ASIA", mend).await;
}

#[tokio::test]
async fn role_without_the_external_id_that_it_demands_is_told() {
    let account = Account::new().await.assuming();
    let account = account.with_role(|role| role.external_id = Some("agreed".to_owned()));
    let mend = async || {
        account.world.stream.account(|account| {
            account.roles.get_mut(ROLE).expect("entered").external_id = None;
        });
    };
    account.waits_until(&["AccessDenied", "set external_id"], "ASIA", mend).await;
}

#[tokio::test]
async fn wrong_keys_of_the_base_are_told_apart() {
    for (text, why) in [
        (csv().replace("7EXAMPLE", "7EXAMPLF"), "the access key was deleted or deactivated"),
        (csv().replace("wJalr", "WJalr"), "the secret is not the one of this access key"),
    ] {
        let account = Account::new().await.assuming().with_role(|_| {});
        account.write("accessKeys.csv", &text);
        let mend = async || {
            account.write("accessKeys.csv", &csv());
        };
        account.waits_until(&[why], "ASIA", mend).await;
    }
}

#[tokio::test]
async fn role_is_assumed_though_the_clock_is_ten_days_late() {
    let account = Account::new().await.assuming().with_role(|_| {});
    account.world.stream.faults(|faults| {
        faults.clock = Clock::Checked(SignedDuration::from_hours(240));
    });
    account.signs_with("ASIA").await;
}

#[tokio::test]
async fn token_service_that_hangs_is_given_up_and_asked_again() {
    let account = Account::new().await.assuming().with_role(|_| {});
    account.world.stream.faults(|faults| faults.sts = Some(RequestFault::Hang));
    let mend = async || account.world.stream.faults(|faults| faults.sts = None);
    account.waits_until(&["STS: ", "timed out", "swallows what is said"], "ASIA", mend).await;
}

#[tokio::test]
async fn session_that_is_revoked_is_replaced_by_another() {
    let account = Account::new().await.assuming().with_role(|_| {});
    let run = account.world.gateway.start().await;
    let load = Load::new(100, 1_000);
    let published = load.publish(account.world.broker.port).await;
    account.world.all_arrive(&published).await;
    account.world.stream.account(|account| {
        account.keys.get_or_insert_default().retain(|id, _| !id.starts_with("ASIA"));
    });
    let more = Load { first_seq: 100, ..load }.publish(account.world.broker.port).await;
    account.world.all_arrive(&[published, more].concat()).await;
    run.says_times("calls are signed with this key", 2).await;
    assert_eq!(run.stop().await.books().delivered, 200);
}

#[tokio::test]
async fn key_of_the_base_is_replaced_and_sessions_go_on_without_a_pause() {
    let account = Account::new().await.assuming().with_role(|_| {});
    let run = account.world.gateway.start().await;
    let load = Load::new(100, 100);
    // A file that says what it said is no reason to ask for another session.
    account.write("accessKeys.csv", &csv());
    let published = load.publish(account.world.broker.port).await;
    account.world.all_arrive(&published).await;
    let new = ID.replace("EXAMPLE", "REPLACE");
    account.world.stream.account(|account| {
        account.enter(&new, Key::new(SECRET));
        account.revoke(ID);
        account.roles.get_mut(ROLE).expect("entered").trusted.push(new.clone());
    });
    account.write("accessKeys.csv", &csv().replace(ID, &new));
    run.says_times("calls are signed with this key", 2).await;
    let more = Load { first_seq: 100, ..load }.publish(account.world.broker.port).await;
    account.world.all_arrive(&[published, more].concat()).await;
    assert_eq!((account.uses(ID), account.uses(&new)), (1, 1));
    assert_eq!(run.times_said("refuses us"), 0);
    assert_eq!(run.stop().await.books().delivered, 200);
}

/// An account whose role is assumed by a profile of the usual files.
async fn by_a_profile() -> Account {
    let account = Account::new().await.with_role(|_| {}).set("kind", "file");
    let sts = account.world.stream.endpoint();
    account.write("credentials", &format!("[keys]\n{}", settings()));
    let config = format!(
        "[profile telemetry]\nrole_arn = {ROLE}\nsource_profile = keys\nregion = us-east-1\n"
    );
    account.write("config", &config);
    let directory = account.world.gateway.dir().display().to_string();
    account
        .set_variable("AWS_CONFIG_FILE", &format!("{directory}/config"))
        .set_variable("AWS_SHARED_CREDENTIALS_FILE", &format!("{directory}/credentials"))
        .set_variable("AWS_ENDPOINT_URL_STS", &sts)
        .set_variable("AWS_PROFILE", "telemetry")
}

#[tokio::test]
async fn profile_of_the_usual_files_may_assume_a_role_itself() {
    by_a_profile().await.signs_with("ASIA").await;
}

#[tokio::test]
async fn profile_that_assumes_a_role_keeps_its_secrets() {
    keeps_its_secrets(by_a_profile().await).await;
}

/// A role that a fresh token may assume; this one lies there.
async fn by_a_token(text: &str) -> Account {
    let account = Account::new().await;
    let token = account.write("token", text).display().to_string();
    let sts = account.world.stream.endpoint();
    account
        .with_role(|role| role.web_identity = Some("eyJ.fresh".to_owned()))
        .set("kind", "web_identity")
        .set("role_arn", ROLE)
        .set("token_file", &token)
        .set_variable("AWS_ENDPOINT_URL_STS", &sts)
}

#[tokio::test]
async fn web_identity_keeps_its_secrets() {
    keeps_its_secrets(by_a_token("eyJ.fresh\n").await).await;
}

#[tokio::test]
async fn web_identity_is_a_token_that_is_read_again() {
    let account = by_a_token("eyJ.stale\n").await;
    let mend = async || {
        account.write("token", "eyJ.fresh\n");
    };
    account.waits_until(&["InvalidIdentityToken", "identity provider"], "ASIA", mend).await;
}

#[tokio::test]
async fn role_keeps_the_secrets_of_its_base_and_its_sessions() {
    keeps_its_secrets(Account::new().await.assuming().with_role(|_| {})).await;
}
