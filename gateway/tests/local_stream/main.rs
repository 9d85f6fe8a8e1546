//! The local stream as the SDK sees it.
#![cfg(feature = "rehearsal")]

mod account;
mod faults;

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::timeout::TimeoutConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_kinesis::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::put_records::{PutRecordsError, PutRecordsOutput};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{
    PutRecordsRequestEntry, RecordDistributionStrategy, ShardIteratorType,
};
use jiff::SignedDuration;
use tidegate::rehearsal::stream::{
    Action, Clock, Counts, HashKey, Limits, Link, LocalStream, Placement, RecordError, RecordFault,
    Refusal, RequestFault, Reshard, Settings, ShardId,
};

type Put = Result<PutRecordsOutput, SdkError<PutRecordsError>>;

/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

async fn started(settings: Settings) -> (LocalStream, Client) {
    let stream = LocalStream::start(settings).await.expect("a free port");
    let client = client(&stream, 1);
    (stream, client)
}

fn client(stream: &LocalStream, attempts: u32) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .endpoint_url(stream.endpoint())
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .timeout_config(TimeoutConfig::builder().read_timeout(PATIENCE).build());
    Client::from_conf(config.build())
}

fn entry(key: &str, data: impl Into<Vec<u8>>) -> PutRecordsRequestEntry {
    let data = Blob::new(data);
    PutRecordsRequestEntry::builder().partition_key(key).data(data).build().expect("complete")
}

async fn put(client: &Client, entries: Vec<PutRecordsRequestEntry>) -> Put {
    client.put_records().stream_name("telemetry").set_records(Some(entries)).send().await
}

/// Puts `count` small records of one key.
async fn put_many(client: &Client, count: usize) -> Put {
    put(client, (0..count).map(|n| entry("a", n.to_string())).collect()).await
}

/// Waits for counts that must come.
async fn reached(stream: &LocalStream, goal: impl FnMut(&Counts) -> bool) -> Counts {
    tokio::time::timeout(PATIENCE, stream.reached(goal)).await.expect("it never comes to that")
}

/// The code and the message of a refusal.
fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(
    outcome: Result<T, SdkError<E>>,
) -> (String, String) {
    let error = outcome.expect_err("a refusal");
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

#[tokio::test]
async fn records_are_stored_in_order_in_the_shards_that_own_their_keys() {
    let (stream, client) = started(Settings::default()).await;
    let keys: Vec<String> = (0..400).map(|n| format!("device-{n}")).collect();
    let entries = keys.iter().map(|key| entry(key, format!("reading of {key}"))).collect();
    let answer = put(&client, entries).await.expect("room");
    assert_eq!(answer.failed_record_count(), Some(0));

    let stored = stream.records();
    let open = stream.open_shards();
    assert_eq!((answer.records().len(), stored.len()), (400, 400));
    for ((verdict, record), key) in answer.records().iter().zip(&stored).zip(&keys) {
        let number = record.sequence_number;
        assert_eq!(verdict.sequence_number(), Some(number.to_string().as_str()));
        assert_eq!(verdict.shard_id(), Some(number.shard.to_string().as_str()));
        assert_eq!(*record.partition_key, **key);
        assert_eq!(record.data, format!("reading of {key}"));
        let owner = open.iter().find(|(_, range)| range.contains(HashKey::of(key)));
        assert_eq!(owner.map(|(id, _)| *id), Some(number.shard));
    }
    let used: std::collections::HashSet<_> =
        stored.iter().map(|record| record.sequence_number.shard).collect();
    assert_eq!(used.len(), 4);
}

#[tokio::test]
async fn an_explicit_hash_key_overrides_the_partition_key() {
    let (_stream, client) = started(Settings::default()).await;
    for (shard, hash_key) in [(0, "0"), (3, "340282366920938463463374607431768211455")] {
        let answer = client
            .put_record()
            .stream_name("telemetry")
            .partition_key("same")
            .explicit_hash_key(hash_key)
            .data(Blob::new("x"))
            .send()
            .await
            .expect("room");
        assert_eq!(answer.shard_id(), ShardId(shard).to_string());
    }
}

#[tokio::test]
async fn a_shard_refuses_records_beyond_its_quota_and_takes_more_when_refilled() {
    let (stream, client) = started(Settings { shards: 1, ..Settings::default() }).await;
    let mut refused = Vec::new();
    while refused.is_empty() {
        let answer = put_many(&client, 500).await.expect("a request within the limits");
        let failed = answer.failed_record_count().unwrap_or_default();
        refused.extend(answer.records.into_iter().filter(|verdict| verdict.error_code.is_some()));
        assert_eq!(usize::try_from(failed), Ok(refused.len()));
    }
    let verdict = &refused[0];
    assert_eq!(verdict.error_code(), Some("ProvisionedThroughputExceededException"));
    let text = "Rate exceeded for shard shardId-000000000000 in stream telemetry under account \
                000000000000.";
    assert_eq!(verdict.error_message(), Some(text));
    assert_eq!((verdict.sequence_number(), verdict.shard_id()), (None, None));
    let counts = stream.counts();
    assert!(counts.records >= 1000, "a full bucket holds a second's worth: {counts:?}");
    assert_eq!(counts.records_refused(), refused.len() as u64);

    let accepted = async {
        while put_many(&client, 1).await.expect("fine").failed_record_count() != Some(0) {}
    };
    tokio::time::timeout(PATIENCE, accepted).await.expect("it refills");
}

#[tokio::test]
async fn a_throttled_single_record_is_a_request_refused_as_such() {
    let (stream, client) = started(Settings { shards: 1, ..Settings::default() }).await;
    stream.faults(|faults| faults.throttled_shards = vec![ShardId(0)]);
    let put = client.put_record().stream_name("telemetry").partition_key("a").data(Blob::new("x"));
    let (code, text) = refusal(put.send().await);
    assert_eq!(code, "ProvisionedThroughputExceededException");
    assert!(text.starts_with("Rate exceeded for shard shardId-000000000000"), "{text}");
}

#[tokio::test]
async fn requests_beyond_the_limits_of_the_api_are_refused_whole() {
    let (stream, client) = started(Settings::default()).await;
    let mib = 1 << 20;
    let hash_key = |text: &str| {
        let entry = PutRecordsRequestEntry::builder().partition_key("a").data(Blob::new("x"));
        entry.explicit_hash_key(text).build().expect("complete")
    };
    let at = |field: &str| format!("at 'records.1.member.{field}' failed to satisfy constraint");
    let cases = [
        (
            (0..501).map(|_| entry("a", "x")).collect(),
            "ValidationException",
            "or equal to 500".into(),
        ),
        (vec![], "ValidationException", "at 'records' failed to satisfy constraint".into()),
        (vec![entry("", "x")], "ValidationException", at("partitionKey")),
        (vec![entry(&"k".repeat(257), "x")], "ValidationException", "or equal to 256".into()),
        (vec![entry("a", vec![0; mib])], "ValidationException", at("data")),
        (vec![hash_key("012")], "ValidationException", at("explicitHashKey")),
        (
            vec![hash_key("340282366920938463463374607431768211456")],
            "InvalidArgumentException",
            "Invalid ExplicitHashKey.".into(),
        ),
        (
            (0..11).map(|_| entry("a", vec![0; mib - 1])).collect(),
            "InvalidArgumentException",
            "Records size exceeds 10 MB limit".to_owned(),
        ),
    ];
    for (entries, code, part) in cases {
        let (found, text) = refusal(put(&client, entries).await);
        assert_eq!(found, code, "{text}");
        assert!(text.contains(&part), "{part:?} in {text:?}");
    }
    assert_eq!(stream.counts().records, 0);
    // The largest that fits, and the longest key, though it has more bytes than characters.
    let longest = "ü".repeat(256);
    let answer = put(&client, vec![entry(&longest, vec![0; mib - longest.len()])]).await;
    assert_eq!(answer.expect("fits").failed_record_count(), Some(0));
}

#[tokio::test]
async fn a_stream_that_takes_larger_records_takes_one_beyond_its_quota() {
    let (stream, client) = started(Settings { shards: 1, ..Settings::default() }).await;
    stream.faults(|faults| faults.record_bytes_max = 3 << 20);
    let large = vec![entry("a", vec![0; 2 << 20])];
    let answer = put(&client, large.clone()).await.expect("not too large any more");
    assert_eq!(answer.failed_record_count(), Some(0));
    let answer = put(&client, large).await.expect("not too large");
    assert_eq!(answer.failed_record_count(), Some(1));
}

#[tokio::test]
async fn a_dry_run_tells_whether_it_would_succeed_and_stores_nothing() {
    let (stream, client) = started(Settings::default()).await;
    let dry = |name: &str| {
        client.put_records().stream_name(name).records(entry("a", "x")).dry_run(true).send()
    };
    assert_eq!(refusal(dry("telemetry").await).0, "DryRunOperationException");
    assert_eq!(refusal(dry("other").await).0, "ResourceNotFoundException");
    stream.faults(|faults| faults.permitted.clear());
    assert_eq!(refusal(dry("telemetry").await).0, "AccessDeniedException");
    assert_eq!(stream.counts().records, 0);
}

#[tokio::test]
async fn a_stream_is_found_by_its_name_and_by_its_arn_only() {
    let (stream, client) = started(Settings::default()).await;
    let put = |arn: &str| client.put_records().stream_arn(arn).records(entry("a", "x")).send();
    put(&stream.arn()).await.expect("its own ARN");
    let (code, text) = refusal(put(&stream.arn().replace("telemetry", "other")).await);
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(text, "Stream other under account 000000000000 not found.");
}

#[tokio::test]
async fn a_key_that_can_only_write_is_told_what_it_may_not_call() {
    let (stream, client) = started(Settings::default()).await;
    stream.faults(|faults| faults.permitted = Action::PUTS.to_vec());
    put_many(&client, 1).await.expect("permitted");
    let (code, text) = refusal(client.list_shards().stream_name("telemetry").send().await);
    assert_eq!(code, "AccessDeniedException");
    let part = "user/gateway is not authorized to perform: kinesis:ListShards on resource: \
                arn:aws:kinesis:us-east-1:000000000000:stream/telemetry";
    assert!(text.contains(part), "{text}");
}

#[tokio::test]
async fn a_stream_that_places_records_itself_says_so_and_does() {
    let auto = Settings { placement: Placement::Auto, ..Settings::default() };
    let (_stream, client) = started(auto).await;
    let summary = client.describe_stream_summary().stream_name("telemetry").send().await;
    let summary = summary.expect("permitted").stream_description_summary.expect("always there");
    assert_eq!(summary.open_shard_count(), 4);
    let strategy = summary.record_distribution_strategy();
    assert_eq!(strategy, Some(&RecordDistributionStrategy::Auto));
    let answer = put_many(&client, 4).await.expect("room");
    let used: std::collections::HashSet<_> =
        answer.records().iter().map(|verdict| verdict.shard_id()).collect();
    assert_eq!(used.len(), 4, "one key, all shards");
}

#[tokio::test]
async fn a_stream_can_begin_to_place_records_itself_and_stop_again() {
    let (stream, client) = started(Settings::default()).await;
    let mut used = Vec::new();
    for placement in [Placement::ByKey, Placement::Auto, Placement::ByKey] {
        stream.place_by(placement);
        let answer = put_many(&client, 4).await.expect("room");
        let shards: std::collections::HashSet<_> =
            answer.records().iter().map(|verdict| verdict.shard_id()).collect();
        used.push(shards.len());
    }
    assert_eq!(used, [1, 4, 1], "one key");
}

#[tokio::test]
async fn records_written_before_a_reshard_are_read_from_the_parent_and_lead_to_the_children() {
    let (stream, client) = started(Settings { shards: 1, ..Settings::default() }).await;
    put_many(&client, 3).await.expect("room");
    stream.reshard(Reshard::Split(ShardId(0))).expect("open");
    put_many(&client, 1).await.expect("room");
    assert_eq!(stream.records()[3].sequence_number.shard, ShardId(1));

    let iterator = client
        .get_shard_iterator()
        .stream_name("telemetry")
        .shard_id(ShardId(0).to_string())
        .shard_iterator_type(ShardIteratorType::TrimHorizon)
        .send()
        .await
        .expect("known shard");
    let page = client.get_records().set_shard_iterator(iterator.shard_iterator).send().await;
    let page = page.expect("fresh iterator");
    assert_eq!((page.records().len(), page.next_shard_iterator()), (3, None));
    assert_eq!(page.child_shards().len(), 2);
}

#[tokio::test]
async fn records_that_are_not_kept_are_counted() {
    let (stream, client) = started(Settings { keep: 0, ..Settings::default() }).await;
    put(&client, vec![entry("ab", "12345"), entry("c", "1234"), entry("d", "")])
        .await
        .expect("room");
    let counts = reached(&stream, |counts| counts.requests_unanswered == 0).await;
    assert_eq!((counts.requests, counts.records, counts.bytes), (1, 3, 13));
    assert!(stream.records().is_empty());
}

#[tokio::test]
async fn a_stopped_stream_has_closed_its_port_and_its_connections() {
    let (stream, client) = started(Settings::default()).await;
    put_many(&client, 1).await.expect("room");
    let address = stream.address();
    stream.stop().await;
    assert!(put_many(&client, 1).await.is_err());
    tokio::net::TcpListener::bind(address).await.expect("the port is free");
}

#[tokio::test]
async fn streams_at_one_address_are_told_apart_by_name_and_fail_alone() {
    let (stream, client) = started(Settings::default()).await;
    let other = stream.beside(Settings { name: "other".to_owned(), ..Settings::default() });
    let put = |name: &str| {
        let call = client.put_records().stream_name(name).records(entry("a", name));
        call.send()
    };
    put("telemetry").await.expect("there");
    put("other").await.expect("there, too");
    assert_eq!(refusal(put("third").await).0, "ResourceNotFoundException");
    assert_eq!((stream.counts().records, other.counts().records), (1, 1));
    assert_eq!(*other.records()[0].data, *b"other");
    other.faults(|faults| faults.all = Some(RequestFault::Refuse(Refusal::service_unavailable())));
    put("other").await.expect_err("away");
    put("telemetry").await.expect("still there");
    let by_arn = client.describe_stream_summary().stream_arn(other.arn()).send().await;
    by_arn.expect_err("away");
}
