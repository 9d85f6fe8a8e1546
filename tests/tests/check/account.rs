//! The key, and what it may do with the streams.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tests::moto::Moto;
use tests::patience::until;
use tidegate::policy::arn::{Account, StreamArn};
use tidegate::policy::statement;
use tidegate::rehearsal::stream::{
    Action, Clock, Encryption, Key, KmsTrouble, Permissions, Placement, Refusal, RequestFault,
    Role, Settings, StreamStatus,
};
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::world::{ID, SECRET, World};

/// The local stream's ARN, as a policy names it.
fn arn() -> StreamArn {
    StreamArn {
        region: "us-east-1".to_owned(),
        account: Account::Id("0".repeat(12)),
        name: "telemetry".to_owned(),
    }
}

#[tokio::test]
async fn key_that_may_do_everything_finds_everything_in_order_and_stores_nothing() {
    let world = World::new().await.set("dead_letter.stream", "\"letters\"");
    let letters = Settings { name: "letters".to_owned(), ..Settings::default() };
    let letters = world.stream.beside(letters);
    let told = world.check().await;
    told.is_available()
        .says("clock", "ok", &["within"])
        .says("credentials", "ok", &["AKIA…MPLE", "accessKeys.csv", "user/gateway"])
        .says("stream", "ok", &["telemetry takes records, by a dry run"])
        .says("description", "ok", &["ACTIVE, provisioned, 4 shards, not encrypted"])
        .says("kms", "ok", &["not encrypted"])
        .says("dead_letter_stream", "ok", &["letters takes records"])
        .says("canary", "skipped", &["not asked for"]);
    assert_eq!((world.stream.counts().records, letters.counts().records), (0, 0));
}

#[tokio::test]
async fn key_that_may_only_put_is_enough() {
    let world = World::new().await.permitting(Permissions::of(&[Action::PutRecords]));
    let told = world.check().await;
    told.is_available()
        .says("stream", "ok", &["by a dry run"])
        .says("description", "skipped", &["not permitted, and not needed", "--optional"])
        .says("kms", "skipped", &["--canary"]);
    assert_eq!(world.stream.counts().records, 0);
}

#[tokio::test]
async fn key_that_may_describe_and_not_put_is_told_the_statement_to_add() {
    let world = World::new().await;
    let world = world.permitting(Permissions::of(&[Action::DescribeStreamSummary]));
    let told = world.check().await;
    let statement = statement::put(&[arn()]).json();
    told.fails(12, &["stream"])
        .says("stream", "failed", &["AccessDeniedException", "check the name", &statement])
        .says("description", "ok", &["4 shards"]);
}

#[tokio::test]
async fn wrong_key_id_is_a_failure_of_the_credentials_and_of_nothing_else() {
    let csv = format!("Access key ID,Secret access key\nAKIAI44QH8DHBEXAMPLE,{SECRET}\n");
    let world = World::new().await.with_csv(&csv);
    world
        .check()
        .await
        .fails(11, &["credentials"])
        .says("credentials", "failed", &["AKIA…MPLE", "accessKeys.csv", "deleted or deactivated"])
        .says("stream", "skipped", &["needs credentials"]);
}

#[tokio::test]
async fn wrong_secret_is_told_from_a_wrong_key() {
    let wrong = SECRET.replace('w', "v");
    let csv = format!("Access key ID,Secret access key\n{ID},{wrong}\n");
    let told = World::new().await.with_csv(&csv).check().await;
    told.fails(11, &["credentials"]).says(
        "credentials",
        "failed",
        &["does not match the signature you provided", "not the one of this access key"],
    );
}

#[tokio::test]
async fn revoked_key_is_known_no_more() {
    let world = World::new().await;
    world.stream.account(|account| account.revoke(ID));
    world.check().await.fails(11, &["credentials"]).says(
        "credentials",
        "failed",
        &["security token included in the request is invalid", "give a key that is active"],
    );
}

#[tokio::test]
async fn session_that_is_over_is_told_from_a_wrong_key() {
    let world = World::new().await;
    let session = Key {
        session_token: Some("the-token".to_owned()),
        expires: Some("2026-01-01T00:00:00Z".parse().expect("a time")),
        ..Key::new(SECRET)
    };
    world.stream.account(|account| account.enter("ASIAIOSFODNN7EXAMPLE", session));
    let path = world.write(
        "key",
        &format!(
            "aws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = {SECRET}\n\
             aws_session_token = the-token\n"
        ),
    );
    let world = world.with_source("static_file").set_path("stream.credentials.file", &path);
    world.check().await.fails(11, &["credentials"]).says(
        "credentials",
        "failed",
        &["ASIA…MPLE", "is expired", "whatever renews it"],
    );
}

#[tokio::test]
async fn external_id_that_is_wrong_is_told_with_both_sides_of_the_agreement() {
    let world = World::new().await;
    let arn = "arn:aws:iam::000000000000:role/gateway";
    let role = Role {
        trusted: vec![ID.to_owned()],
        external_id: Some("customer/7".to_owned()),
        ..Role::default()
    };
    world.stream.account(|account| account.roles.insert(arn.to_owned(), role));
    let endpoint = world.stream.endpoint();
    let base = world.csv_path();
    let world = world
        .with_source("assume_role")
        .set("stream.credentials.role_arn", &format!("{arn:?}"))
        .set("stream.credentials.sts_endpoint", &format!("{endpoint:?}"))
        .set("stream.credentials.base", &format!("{{ kind = \"csv\", file = {base:?} }}"))
        .set("stream.credentials.external_id", "\"customer/8\"");
    world
        .check()
        .await
        .fails(11, &["credentials"])
        .says("credentials", "failed", &["AccessDenied", "trust policy", "external_id must be"])
        .says("stream", "skipped", &["needs credentials"]);
    let world = world.set("stream.credentials.external_id", "\"customer/7\"");
    let told = world.check().await;
    told.is_available().says("credentials", "ok", &["key ASIA", "assumed-role/gateway/tidegate-"]);
}

#[tokio::test]
async fn instance_without_metadata_is_told_within_10_s() {
    let world = World::new().await.with_source("instance");
    // As the address of the metadata is elsewhere: it takes what is sent, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let nobody = format!("http://{}", silent.local_addr().expect("bound"));
    let world = world.set_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", &nobody);
    let told = timeout(Duration::from_secs(10), world.check()).await.expect("it does not hang");
    told.fails(11, &["credentials"]).says("credentials", "failed", &["metadata"]);
}

#[tokio::test]
async fn clock_that_is_ten_days_off_is_a_warning_and_the_call_is_made_all_the_same() {
    for (days, way) in [(10, "10 days behind"), (-10, "days ahead of")] {
        let world = World::new().await;
        let off = jiff::SignedDuration::from_hours(days * 24);
        world.stream.faults(|faults| faults.clock = Clock::Checked(off));
        let told = world.check().await;
        told.is_available().says("clock", "warning", &[way, "timedatectl"]).says(
            "stream",
            "ok",
            &["by a dry run"],
        );
    }
}

#[tokio::test]
async fn right_key_in_the_wrong_region_names_the_region_that_was_looked_in() {
    let world = World::new().await.set("stream.region", "\"eu-west-1\"");
    world.check().await.fails(12, &["stream"]).says(
        "stream",
        "failed",
        &["not found", "looked for in eu-west-1, account 000000000000", "--region eu-west-1"],
    );
}

#[tokio::test]
async fn wrong_stream_comes_with_the_command_that_creates_it() {
    let world = World::new().await.set("stream.name", "\"telemetrie\"");
    world.check().await.fails(12, &["stream"]).says(
        "stream",
        "failed",
        &[
            "telemetrie",
            "aws kinesis create-stream --stream-name telemetrie --shard-count 4",
            "check the name",
        ],
    );
}

#[tokio::test]
async fn stream_that_is_being_created_is_waited_for() {
    let world = World::new().await;
    world.stream.faults(|faults| faults.status = StreamStatus::Creating);
    world.check().await.fails(12, &["stream"]).says(
        "stream",
        "failed",
        &["is creating", "wait until it is active"],
    );
}

#[tokio::test]
async fn each_trouble_with_the_kms_key_has_its_own_advice() {
    let world = World::new().await;
    for (trouble, texts) in [
        (KmsTrouble::AccessDenied, &["\"kms:GenerateDataKey\"", "kms:ViaService"][..]),
        (KmsTrouble::Disabled, &["is disabled", "enable-key"][..]),
        (KmsTrouble::NotFound, &["does not exist", "is gone"][..]),
        (KmsTrouble::InvalidState, &["pending deletion", "cancel-key-deletion"][..]),
        (KmsTrouble::OptInRequired, &["subscription", "subscribed to KMS"][..]),
    ] {
        world.stream.faults(|faults| faults.encryption = Encryption::Refused(trouble));
        let told = world.check().await;
        told.fails(12, &["kms"]).says("kms", "failed", texts).says("stream", "ok", &["see kms"]);
    }
}

#[tokio::test]
async fn kms_that_is_busy_is_a_warning() {
    let world = World::new().await;
    let busy = Encryption::Refused(KmsTrouble::Throttling);
    world.stream.faults(|faults| faults.encryption = busy);
    world.check().await.is_available().says("stream", "warning", &["is busy"]);
}

#[tokio::test]
async fn stream_that_places_records_itself_or_has_other_shards_is_warned_of() {
    let world = World::new().await.set("stream.shards", "6");
    world.check().await.is_available().says(
        "description",
        "warning",
        &["4 shards", "set stream.shards = 4"],
    );
    world.stream.place_by(Placement::Auto);
    let auto = world.check().await;
    auto.is_available().says("description", "warning", &["AUTO", "order of a device"]);
}

#[tokio::test]
async fn dead_letters_without_their_stream_are_told_apart_from_records() {
    let world = World::new().await.set("dead_letter.stream", "\"letters\"");
    world.check().await.fails(12, &["dead_letter_stream"]).says(
        "dead_letter_stream",
        "failed",
        &["letters", "create-stream --stream-name letters --shard-count 1 "],
    );
}

#[tokio::test]
async fn malformed_file_is_told_with_its_line_and_not_with_what_is_in_it() {
    let csv = format!("Access key,Secret access key\n{ID},{SECRET}\n");
    let world = World::new().await.with_csv(&csv);
    world.check().await.fails(11, &["credentials"]).says(
        "credentials",
        "failed",
        &["accessKeys.csv", "line 1", "Access key ID"],
    );
    assert_eq!(world.stream.counts().requests, 0);
}

#[tokio::test]
async fn canary_is_stored_once_and_read_back() {
    let world = World::new().await;
    let told = world.check_with(&["--trust-dry-run", "--canary"]).await;
    told.is_available().says("canary", "ok", &["stored in shardId-", "and read back"]).says(
        "kms",
        "ok",
        &[],
    );
    let records = world.stream.records();
    let [record] = &records[..] else { panic!("{} records", records.len()) };
    let text = String::from_utf8_lossy(&record.data);
    assert!(text.starts_with("{\"tidegate_canary\":"), "{text}");
}

#[tokio::test]
async fn canary_of_a_key_that_may_only_put_is_stored_and_not_read() {
    let world = World::new().await.permitting(Permissions::of(&[Action::PutRecords]));
    let told = world.check_with(&["--trust-dry-run", "--canary"]).await;
    told.is_available()
        .says("canary", "ok", &["stored in", "reading it back is not permitted"])
        .says("kms", "ok", &["could be stored"]);
    assert_eq!(world.stream.counts().records, 1);
}

#[tokio::test]
async fn endpoint_that_does_not_know_dry_runs_stores_nothing_unless_somebody_vouches_for_it() {
    let mut world = World::new().await;
    let moto = Moto::start(4).await;
    let endpoint = moto.endpoint();
    world = world.set("stream.endpoint", &format!("{endpoint:?}"));
    let told = world.check_with(&[]).await;
    told.is_available().says("stream", "ok", &["as far as can be told without storing one"]);
    assert_eq!(moto.records().await.len(), 0);

    let told = world.check_with(&["--canary"]).await;
    told.is_available().says("canary", "ok", &["and read back"]);
    assert_eq!(moto.records().await.len(), 1);

    let told = world.check().await;
    told.is_available().says("stream", "warning", &["does not know dry runs", "is in shardId-"]);
    assert_eq!(moto.records().await.len(), 2);

    let world = world.set("stream.name", "\"telemetrie\"");
    world.check_with(&[]).await.fails(12, &["stream"]).says("stream", "failed", &["telemetrie"]);
}

#[tokio::test]
async fn service_that_fails_once_is_asked_again() {
    let world = World::new().await;
    let fails = || RequestFault::Refuse(Refusal::internal_failure());
    // The dry run and the description, which go side by side.
    world.stream.faults(|faults| faults.next.extend([fails(), fails()]));
    let told = world.check_with(&["--trust-dry-run", "--canary"]).await;
    told.is_available().says("stream", "ok", &["takes records"]).says("canary", "ok", &["stored"]);
    assert_eq!(world.stream.counts().records, 1);
}

#[tokio::test]
async fn credential_of_a_unit_is_checked_in_a_unit() {
    let world = World::new().await.with_source("systemd");
    let world = world.set("stream.credentials.id", "\"aws-key\"");
    let told = world.check().await;
    told.fails(11, &["credentials"]).says(
        "credentials",
        "failed",
        &["CREDENTIALS_DIRECTORY is not set", "systemd-run", "LoadCredential=aws-key:"],
    );
}

#[tokio::test]
async fn program_that_gives_no_key_in_time_leaves_nothing_behind() {
    let world = World::new().await.with_source("process");
    let file = world.gateway.dir().join("pid");
    let script = format!("sleep 600 & echo $! > '{}'; wait", file.display());
    let world = world
        .set("stream.credentials.command", &format!("[\"/bin/sh\", \"-c\", {script:?}]"))
        .set("stream.credentials.timeout_s", "1");
    world.check().await.fails(11, &["credentials"]).says(
        "credentials",
        "failed",
        &["took longer than 1 s"],
    );
    let pid = fs::read_to_string(file).expect("written at once");
    let stat = Path::new("/proc").join(pid.trim()).join("stat");
    let is_gone = || {
        let stat = fs::read_to_string(&stat).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    until("the child is gone", is_gone).await;
}
