//! Keys that instances and containers are lent, and the places where AWS tools look.

use tests::certificates::Certificates;
use tests::imds::{Lent, Manner, Metadata};
use tests::tls::Door;

use super::*;

impl Account {
    /// A key that metadata may lend.
    fn lent(&self) -> Lent {
        let (id, token) = ("ASIAIOSFODNN7EXAMPLE", "a/token+of=a/session");
        let session = Key { session_token: Some(token.to_owned()), ..Key::new(SECRET) };
        self.world.stream.account(|account| account.enter(id, session));
        Lent {
            id: id.to_owned(),
            secret: SECRET.to_owned(),
            token: token.to_owned(),
            lasts: SignedDuration::from_hours(1),
        }
    }
}

/// A gateway on an instance with such metadata.
fn on_instance(account: Account, metadata: &Metadata) -> Account {
    account
        .set("kind", "instance")
        .set_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.endpoint())
}

#[tokio::test]
async fn instance_lends_the_key_of_its_role() {
    let account = Account::new().await;
    let metadata = Metadata::start(account.lent(), Manner::Obliging);
    on_instance(account, &metadata).without_settings().signs_with("ASIA").await;
}

#[tokio::test]
async fn instance_metadata_is_asked_without_the_proxy_which_knows_nothing_of_it() {
    let account = Account::new().await;
    let metadata = Metadata::start(account.lent(), Manner::Obliging);
    let certificates = Certificates::new();
    let door = Door::open(&certificates, "broker", account.world.stream.address().port()).await;
    let account = on_instance(account, &metadata)
        .with(|gateway| {
            gateway
                .set("stream.endpoint", &quoted(&format!("https://127.0.0.1:{}", door.port)))
                .set_path("stream.ca_file", &certificates.certificate("ca"))
        })
        // Nobody is there.
        .set_variable("HTTP_PROXY", "http://127.0.0.1:9");
    account.signs_with("ASIA").await;
}

#[tokio::test]
async fn instance_metadata_that_is_not_there_keeps_nobody_from_starting() {
    let account = Account::new().await;
    let mut metadata = Metadata::absent(account.lent());
    let account = on_instance(account, &metadata);
    let texts = ["instance metadata gives no key", "hop limit"];
    account.waits_until(&texts, "ASIA", async || metadata.open()).await;
}

/// Metadata behaves like this, which the log tells with `texts`, until it obliges.
async fn metadata_behaves(manner: Manner, texts: &[&str]) {
    let account = Account::new().await;
    let metadata = Metadata::start(account.lent(), manner);
    let account = on_instance(account, &metadata);
    account.waits_until(texts, "ASIA", async || metadata.behave(Manner::Obliging)).await;
}

#[tokio::test]
async fn instance_metadata_that_hangs_is_given_up_in_time() {
    metadata_behaves(Manner::Silent, &["instance metadata gives no key", "hop limit"]).await;
}

#[tokio::test]
async fn instance_metadata_that_fails_is_asked_again() {
    metadata_behaves(Manner::Failing, &["instance metadata gives no key"]).await;
}

#[tokio::test]
async fn instance_metadata_of_version_1_is_told() {
    metadata_behaves(Manner::WithoutTokens, &["instance metadata gives no key", "IMDSv2"]).await;
}

#[tokio::test]
async fn instance_without_a_role_is_told() {
    metadata_behaves(Manner::WithoutRole, &["no role is attached", "instance profile"]).await;
}

#[tokio::test]
async fn container_lends_the_key_of_its_role_and_instance_metadata_is_not_asked() {
    let account = Account::new().await;
    let metadata = Metadata::start(account.lent(), Manner::Silent);
    let account = account
        .set("kind", "instance")
        .set_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_uri());
    let mend = async || metadata.behave(Manner::Obliging);
    account.waits_until(&["the container gives no key"], "ASIA", mend).await;
}

#[tokio::test]
async fn token_of_a_container_may_be_on_a_disk_that_hangs_while_all_else_goes_on() {
    let account = Account::new().await;
    let metadata = Metadata::start(account.lent(), Manner::Obliging);
    let token = account.world.gateway.dir().join("token").display().to_string();
    mkfifo(&token);
    let account = account
        .set("kind", "instance")
        .set_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_uri())
        .set_variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token);
    let mend = async || {
        let hung = account.world.gateway.dir().join("hung");
        fs::rename(&token, &hung).expect("our own");
        account.write("token", "eyJ.token");
        // Whoever hangs is answered: with nothing.
        fs::File::options().read(true).write(true).open(&hung).expect("our own");
    };
    let texts = ["the container gives no key", "the disk did not answer"];
    account.waits_until(&texts, "ASIA", mend).await;
}

#[tokio::test]
async fn without_a_word_keys_are_found_where_aws_tools_look_in_their_order() {
    let account = Account::new().await;
    let metadata = Metadata::start(account.lent(), Manner::Obliging);
    let account = account.set_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.endpoint());
    let found = async |account: &Account, provider: &str, key: &str| {
        let run = account.world.gateway.start().await;
        let text = "a key was found where AWS tools look";
        assert_eq!(run.field(text, "provider").await, provider);
        let signs = run.field("calls are signed with this key", "key").await;
        assert!(signs.as_str().expect("a text").starts_with(key), "{signs}");
        run.kill().await;
    };
    found(&account, "instance", "ASIA…").await;
    let account =
        account.set_variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", &metadata.container_uri());
    found(&account, "container", "ASIA…").await;
    let token = account.write("token", "eyJ.fresh").display().to_string();
    let sts = account.world.stream.endpoint();
    let account = account
        .with_role(|role| role.web_identity = Some("eyJ.fresh".to_owned()))
        .set_variable("AWS_WEB_IDENTITY_TOKEN_FILE", &token)
        .set_variable("AWS_ROLE_ARN", ROLE)
        .set_variable("AWS_ENDPOINT_URL_STS", &sts);
    found(&account, "web identity", "ASIA…").await;
    let profiles = account.write("profiles", &format!("[default]\n{}", settings()));
    let account =
        account.set_variable("AWS_SHARED_CREDENTIALS_FILE", &profiles.display().to_string());
    found(&account, "profile", "AKIA…").await;
    let account =
        account.set_variable("AWS_ACCESS_KEY_ID", ID).set_variable("AWS_SECRET_ACCESS_KEY", SECRET);
    found(&account, "environment", "AKIA…").await;
    account.signs_with(ID).await;
}

#[tokio::test]
async fn without_a_word_and_without_a_key_every_place_is_named_until_one_has_it() {
    let account = Account::new().await;
    let mut metadata = Metadata::absent(account.lent());
    let account = account.set_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata.endpoint());
    let texts = [
        "where AWS tools look: ",
        "AWS_ACCESS_KEY_ID",
        "profile",
        "hop limit",
        "[stream.credentials]",
    ];
    account.waits_until(&texts, "ASIA", async || metadata.open()).await;
}

#[tokio::test]
async fn instance_keeps_the_secrets_of_its_role() {
    let account = Account::new().await;
    let metadata = Metadata::start(account.lent(), Manner::Obliging);
    keeps_its_secrets(on_instance(account, &metadata)).await;
}

#[tokio::test]
async fn instance_is_asked_for_another_key_when_the_one_that_it_lent_is_refused() {
    let account = Account::new().await;
    let lent = account.lent();
    let metadata = Metadata::start(lent.clone(), Manner::Obliging);
    let account = on_instance(account, &metadata);
    let run = account.world.gateway.start().await;
    let load = Load::new(100, 1_000);
    let published = load.publish(account.world.broker.port).await;
    account.world.all_arrive(&published).await;

    let other = Lent { id: lent.id.replace("EXAMPLE", "REPLACE"), ..lent.clone() };
    let session = Key { session_token: Some(lent.token), ..Key::new(SECRET) };
    account.world.stream.account(|account| {
        account.revoke(&lent.id);
        account.enter(&other.id, session);
    });
    metadata.lend(other.clone());
    let more = Load { first_seq: 100, ..load }.publish(account.world.broker.port).await;
    account.world.all_arrive(&[published, more].concat()).await;
    assert!(account.uses(&other.id) > 0);
    assert_eq!(run.stop().await.books().delivered, 200);
}
