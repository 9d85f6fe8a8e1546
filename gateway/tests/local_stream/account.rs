//! The account: keys that are checked, roles that are assumed.

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_kinesis::error::DisplayErrorContext;
use tidegate::rehearsal::stream::{
    Account, Encryption, Key, KmsTrouble, Permissions, Role, StreamStatus,
};

use super::*;

const ROLE: &str = "arn:aws:iam::000000000000:role/writer";
const UNKNOWN: &str = "UnrecognizedClientException";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A stream whose account is this, and a client with the key `KEY` of it.
async fn guarded(change: impl FnOnce(&mut Account)) -> (LocalStream, Client) {
    let (stream, _) = started(Settings::default()).await;
    stream.account(|account| {
        account.enter("KEY", Key::new("secret"));
        change(account);
    });
    let client = holder(&stream, credentials("KEY", "secret", None));
    (stream, client)
}

fn credentials(id: &str, secret: &str, token: Option<&str>) -> Credentials {
    Credentials::new(id, secret, token.map(str::to_owned), None, "test")
}

fn holder(stream: &LocalStream, provider: impl ProvideCredentials + 'static) -> Client {
    Client::from_conf(
        client(stream, 1).config().to_builder().credentials_provider(provider).build(),
    )
}

async fn put_code(client: &Client) -> String {
    refusal(put_many(client, 1).await).0
}

async fn dry_run_code(client: &Client) -> String {
    let put = client.put_records().stream_name("telemetry").records(entry("a", "x"));
    refusal(put.dry_run(true).send().await).0
}

#[tokio::test]
async fn once_there_is_a_key_nothing_else_is_accepted() {
    let (stream, client) = guarded(|_| {}).await;
    put_many(&client, 2).await.expect("signed as it should be");
    let with = |id, secret, token| holder(&stream, credentials(id, secret, token));
    let wrong = refusal(put_many(&with("KEY", "Secret", None), 1).await);
    assert_eq!(wrong.0, "InvalidSignatureException");
    assert!(wrong.1.contains("does not match the signature you provided"), "{}", wrong.1);
    let unknown = refusal(put_many(&with("OTHER", "secret", None), 1).await);
    let text = "The security token included in the request is invalid.";
    assert_eq!(unknown, (UNKNOWN.to_owned(), text.to_owned()));
    assert_eq!(put_code(&with("KEY", "secret", Some("a token"))).await, UNKNOWN);
    assert_eq!(stream.counts().records, 2);
    assert_eq!(stream.account(|account| account.key("KEY").map(|key| key.uses)), Some(1));
}

#[tokio::test]
async fn keys_are_revoked_added_and_restricted_while_the_stream_runs() {
    let (stream, old) = guarded(|_| {}).await;
    put_many(&old, 1).await.expect("good so far");
    stream.account(|account| account.enter("NEW", Key::new("another")));
    let new = holder(&stream, credentials("NEW", "another", None));
    put_many(&old, 1).await.expect("both are good");
    put_many(&new, 1).await.expect("both are good");
    stream.account(|account| account.revoke("KEY"));
    assert_eq!(put_code(&old).await, UNKNOWN);
    stream.account(|account| {
        let key = account.key("NEW").expect("entered");
        key.permissions = Permissions::of(&[Action::ListShards]);
        key.principal = "arn:aws:iam::000000000000:user/other".to_owned();
    });
    let (code, text) = refusal(put_many(&new, 1).await);
    assert_eq!(code, "AccessDeniedException");
    let part = "User: arn:aws:iam::000000000000:user/other is not authorized to perform: \
                kinesis:PutRecords on resource: \
                arn:aws:kinesis:us-east-1:000000000000:stream/telemetry because";
    assert!(text.starts_with(part), "{text}");
    new.list_shards().stream_name("telemetry").send().await.expect("permitted");
}

#[tokio::test]
async fn a_session_needs_its_token_and_ends_by_the_clock_of_the_service() {
    let (stream, _) = guarded(|account| {
        let session_token = Some("token".to_owned());
        let expires = jiff::Timestamp::now().checked_add(HOUR).ok();
        account.enter("TEMPORARY", Key { session_token, expires, ..Key::new("secret") });
    })
    .await;
    let with = |token| holder(&stream, credentials("TEMPORARY", "secret", token));
    put_many(&with(Some("token")), 1).await.expect("an hour left");
    assert_eq!(put_code(&with(None)).await, UNKNOWN);
    assert_eq!(put_code(&with(Some("another"))).await, UNKNOWN);
    stream.faults(|faults| faults.clock = Clock::Checked(2 * HOUR));
    assert_eq!(put_code(&with(Some("token"))).await, "ExpiredTokenException");
}

#[tokio::test]
async fn a_wrong_clock_is_told_from_a_wrong_secret() {
    let (stream, client) = guarded(|_| {}).await;
    stream.faults(|faults| faults.clock = Clock::Checked(240 * HOUR));
    let (code, text) = refusal(put_many(&client, 1).await);
    assert_eq!(code, "InvalidSignatureException");
    assert!(text.starts_with("Signature expired: "), "{text}");
    put_many(&client, 1).await.expect("signed by the clock that the answer told");
    let wrong = holder(&stream, credentials("KEY", "Secret", None));
    put_many(&wrong, 1).await.expect_err("the clock");
    assert!(refusal(put_many(&wrong, 1).await).1.contains("does not match"), "the secret");
}

#[tokio::test]
async fn a_stream_of_another_region_is_not_found_or_not_permitted() {
    let (stream, client) = guarded(|_| {}).await;
    let elsewhere = client.config().to_builder().region(Region::new("eu-west-1")).build();
    let elsewhere = Client::from_conf(elsewhere);
    let (code, text) = refusal(put_many(&elsewhere, 1).await);
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(text, "Stream telemetry under account 000000000000 not found.");
    assert_eq!(dry_run_code(&elsewhere).await, "ResourceNotFoundException");

    // A policy for one stream does not say whether there are others.
    let only = Some(vec![stream.arn()]);
    stream.account(|account| {
        account.key("KEY").expect("entered").permissions.streams = only;
    });
    put_many(&client, 1).await.expect("that one stream");
    let (code, text) = refusal(put_many(&elsewhere, 1).await);
    assert_eq!(code, "AccessDeniedException");
    let asked = "arn:aws:kinesis:eu-west-1:000000000000:stream/telemetry";
    assert!(text.contains(asked), "{text}");
    let other = client.put_records().stream_name("other").records(entry("a", "x")).send().await;
    assert_eq!(refusal(other).0, "AccessDeniedException");
}

#[tokio::test]
async fn a_stream_in_the_making_can_be_described_and_nothing_else() {
    let (stream, client) = guarded(|_| {}).await;
    let status = async || {
        let summary = client.describe_stream_summary().stream_name("telemetry").send().await;
        let summary = summary.expect("permitted").stream_description_summary.expect("there");
        (summary.stream_status.as_str().to_owned(), summary.open_shard_count)
    };
    stream.faults(|faults| faults.status = StreamStatus::Creating);
    assert_eq!(status().await, ("CREATING".to_owned(), 0));
    assert_eq!(put_code(&client).await, "ResourceNotFoundException");
    assert_eq!(dry_run_code(&client).await, "ResourceNotFoundException");
    let (code, text) = refusal(client.list_shards().stream_name("telemetry").send().await);
    assert_eq!(code, "ResourceInUseException");
    assert!(text.ends_with("not ACTIVE, instead in state CREATING"), "{text}");
    stream.faults(|faults| faults.status = StreamStatus::Updating);
    put_many(&client, 1).await.expect("ready");
    assert_eq!(status().await, ("UPDATING".to_owned(), 4));
}

#[tokio::test]
async fn a_key_of_the_stream_that_cannot_be_used_refuses_all_records_in_each_of_its_ways() {
    let (stream, client) = guarded(|_| {}).await;
    let iterator = client.get_shard_iterator().stream_name("telemetry");
    let iterator = iterator.shard_id(ShardId(0).to_string());
    let iterator = iterator.shard_iterator_type(ShardIteratorType::Latest).send().await;
    let iterator = iterator.expect("known shard").shard_iterator;
    let read = || client.get_records().set_shard_iterator(iterator.clone()).send();
    let codes = [
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSNotFoundException",
        "KMSInvalidStateException",
        "KMSOptInRequired",
        "KMSThrottlingException",
    ];
    for (trouble, code) in KmsTrouble::ALL.into_iter().zip(codes) {
        stream.faults(|faults| faults.encryption = Encryption::Refused(trouble));
        assert_eq!(put_code(&client).await, code);
        assert_eq!(dry_run_code(&client).await, code);
        assert_eq!(refusal(read().await).0, code);
    }
    assert_eq!(stream.counts().records, 0);
    stream.faults(|faults| faults.encryption = Encryption::Kms);
    assert_eq!(dry_run_code(&client).await, "DryRunOperationException");
    put_many(&client, 1).await.expect("encrypted");
    read().await.expect("decrypted");
    let summary = client.describe_stream_summary().stream_name("telemetry").send().await;
    let summary = summary.expect("permitted").stream_description_summary.expect("there");
    assert_eq!(summary.encryption_type.expect("said").as_str(), "KMS");
    let key = summary.key_id.expect("its ARN");
    assert!(key.starts_with("arn:aws:kms:us-east-1:000000000000:key/"), "{key}");
}

/// Assumes the role, with the key `KEY`.
async fn assume(
    stream: &LocalStream,
    external_id: Option<&str>,
    length: Duration,
) -> Result<Credentials, String> {
    assume_with(credentials("KEY", "secret", None), stream, external_id, length).await
}

async fn assume_with(
    base: Credentials,
    stream: &LocalStream,
    external_id: Option<&str>,
    length: Duration,
) -> Result<Credentials, String> {
    let role = AssumeRoleProvider::builder(ROLE).session_name("tidegate").session_length(length);
    let role = match external_id {
        Some(id) => role.external_id(id),
        None => role,
    };
    let role = role.configure(&settings(stream, &base).await).build_from_provider(base).await;
    let outcome = role.provide_credentials().await;
    outcome.map_err(|error| DisplayErrorContext(error).to_string())
}

async fn settings(stream: &LocalStream, base: &Credentials) -> aws_config::SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(base.clone())
        .retry_config(RetryConfig::standard().with_max_attempts(1))
        .endpoint_url(stream.endpoint());
    loader.load().await
}

fn writer(external_id: &str) -> Role {
    Role {
        trusted: vec!["KEY".to_owned()],
        external_id: Some(external_id.to_owned()),
        permissions: Permissions::of(&Action::PUTS),
        ..Role::default()
    }
}

#[tokio::test]
async fn a_role_is_assumed_with_the_external_id_that_it_wants_and_with_no_other() {
    let (stream, _) = guarded(|account| {
        account.roles.insert(ROLE.to_owned(), writer("agreed"));
    })
    .await;
    let hour = Duration::from_secs(3600);
    for wrong in [None, Some("guessed")] {
        let error = assume(&stream, wrong, hour).await.expect_err("refused");
        let text = format!(
            "User: arn:aws:iam::000000000000:user/gateway is not authorized to perform: \
             sts:AssumeRole on resource: {ROLE}"
        );
        assert!(error.contains("AccessDenied") && error.contains(&text), "{error}");
    }
    let error = assume(&stream, Some("agreed"), 2 * hour).await.expect_err("refused");
    assert!(error.contains("ValidationError"), "{error}");
    assert!(error.contains("exceeds the MaxSessionDuration set for this role"), "{error}");

    let session = assume(&stream, Some("agreed"), hour).await.expect("trusted");
    assert!(session.access_key_id().starts_with("ASIA"), "{session:?}");
    let client = holder(&stream, session);
    put_many(&client, 1).await.expect("permitted");
    let (code, text) = refusal(client.list_shards().stream_name("telemetry").send().await);
    assert_eq!(code, "AccessDeniedException");
    let who = "User: arn:aws:sts::000000000000:assumed-role/writer/tidegate is not authorized";
    assert!(text.starts_with(who), "{text}");
    assert_eq!((stream.counts().requests, stream.counts().sts_requests), (2, 4));

    // Its end, not that of the key it was assumed with, ends the session.
    stream.account(|account| account.revoke("KEY"));
    put_many(&client, 1).await.expect("still good");
    stream.faults(|faults| faults.clock = Clock::Checked(HOUR + SignedDuration::from_secs(1)));
    assert_eq!(put_code(&client).await, "ExpiredTokenException");
    let error = assume(&stream, Some("agreed"), hour).await.expect_err("revoked");
    assert!(error.contains("InvalidClientTokenId"), "{error}");
}

#[tokio::test]
async fn whoever_assumed_a_role_assumes_the_next_for_an_hour_at_most() {
    let half_a_day = SignedDuration::from_hours(12);
    let (stream, _) = guarded(|account| {
        let role = Role { session_max: half_a_day, ..writer("agreed") };
        account.roles.insert(ROLE.to_owned(), role);
    })
    .await;
    let (hour, long) = (Duration::from_secs(3600), Duration::from_secs(12 * 3600));
    let session = assume(&stream, Some("agreed"), long).await.expect("as long as the role says");
    let next = || assume_with(session.clone(), &stream, Some("agreed"), hour);
    assert!(next().await.expect_err("not trusted").contains("AccessDenied"));
    stream.account(|account| {
        let role = account.roles.get_mut(ROLE).expect("entered");
        role.trusted.push(session.access_key_id().to_owned());
    });
    next().await.expect("trusted");
    let error = assume_with(session.clone(), &stream, Some("agreed"), long).await;
    let error = error.expect_err("too long");
    assert!(error.contains("1 hour session limit for roles assumed by role chaining"), "{error}");
}

#[tokio::test]
async fn without_keys_in_the_account_sessions_are_as_good_as_any_key() {
    let (stream, _) = started(Settings::default()).await;
    stream.account(|account| account.roles.insert(ROLE.to_owned(), writer("agreed")));
    let session = assume(&stream, Some("agreed"), Duration::from_secs(900)).await.expect("trusted");
    put_many(&holder(&stream, session), 1).await.expect("any key is accepted");
}

#[tokio::test]
async fn the_token_service_hangs_alone_and_a_silent_link_answers_nobody() {
    let (stream, client) = guarded(|account| {
        account.roles.insert(ROLE.to_owned(), writer("agreed"));
    })
    .await;
    let assume = || assume(&stream, Some("agreed"), Duration::from_secs(3600));
    stream.faults(|faults| faults.sts = Some(RequestFault::Hang));
    let asked = tokio::select! {
        outcome = assume() => panic!("answered: {outcome:?}"),
        counts = reached(&stream, |counts| counts.sts_requests > 0) => counts.sts_requests,
    };
    assert_eq!(asked, 1);
    put_many(&client, 1).await.expect("the stream is not concerned");
    stream.faults(|faults| faults.sts = None);
    assume().await.expect("back");

    stream.faults(|faults| faults.link = Link::Silent);
    let silence = async {
        let in_vain = Duration::from_millis(100);
        while tokio::time::timeout(in_vain, put_many(&client, 1)).await.is_ok() {}
    };
    tokio::time::timeout(PATIENCE, silence).await.expect("silence");
    stream.faults(|faults| faults.link = Link::Up);
    put_many(&holder(&stream, credentials("KEY", "secret", None)), 1).await.expect("back");
}

#[tokio::test]
async fn streams_at_one_address_share_the_account() {
    let (stream, client) = guarded(|_| {}).await;
    let other = stream.beside(Settings { name: "other".to_owned(), ..Settings::default() });
    let put = || client.put_records().stream_name("other").records(entry("a", "x")).send();
    put().await.expect("the same key");
    other.account(|account| account.key("KEY").expect("shared").permissions.streams = Some(vec![]));
    assert_eq!(refusal(put().await).0, "AccessDeniedException");
    assert_eq!(put_code(&client).await, "AccessDeniedException");
}
