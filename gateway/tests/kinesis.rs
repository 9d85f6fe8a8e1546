//! What the SDK says of a call that failed, told apart: each kind of trouble against the local
//! stream, or against nothing at all.

#![cfg(feature = "rehearsal")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use bytes::Bytes;
use shard_estimator::OpenShard;
use tidegate::config::{Config, Order};
use tidegate::credentials::keys::Keys;
use tidegate::credentials::{Key, KeyId};
use tidegate::deliver::kinesis::Kinesis;
use tidegate::deliver::{Stream, Trouble, TroubleKind, Verdict};
use tidegate::dispatch::pace::Pace;
use tidegate::queue::{Incoming, Queues, Room, Taken};
use tidegate::record::{PartitionKey, RecordSlot};
use tidegate::rehearsal::stream::{
    Action, Clock, Faults, LocalStream, RecordError, RecordFault, Refusal, RequestFault, Reshard,
    Settings,
};

/// Ten records of ten keys, every other of which is placed by its number.
#[expect(clippy::disallowed_methods, reason = "the queue wants some instant")]
fn records() -> Vec<Taken> {
    let (mut queues, now) = (Queues::new(Order::Device), Instant::now());
    for number in 0..10 {
        let placed = |_: &str| NonZeroU32::new(number).filter(|_| number % 2 == 1);
        let key = PartitionKey::placed(&format!("device-{number}"), placed);
        let (slot, data) = (RecordSlot(number as usize), Bytes::from_static(b"{}\n"));
        queues.push(Incoming { slot, key, data, rx_ts_ms: 0, since: now });
    }
    let config = config("http://localhost");
    let mut pace = Pace::new(&config, config.streams.first(), now);
    queues.take(Room { records: 500, bytes: 1 << 20 }, &mut pace, now)
}

/// Each of the ten, with the shard that took it.
fn all_accepted(verdicts: &[Verdict]) -> bool {
    let is_accepted = |verdict: &Verdict| matches!(verdict, Verdict::Accepted(Some(_)));
    verdicts.len() == 10 && verdicts.iter().all(is_accepted)
}

fn config(endpoint: &str) -> Config {
    let text = format!(
        "[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'c'\ntopics = ['t']\n\
         [stream]\nname = 'telemetry'\nregion = 'us-east-1'\nendpoint = '{endpoint}'\n\
         proxy.url = 'off'\n[pace]\nmode = 'off'\n"
    );
    let mut config = Config::parse(&text).unwrap();
    config.streams.first_mut().request_timeout = Duration::from_millis(500);
    config
}

async fn kinesis(endpoint: &str) -> Kinesis {
    let (id, secret) = (KeyId::new("KEY"), "secret".into());
    let key = Key { id, secret, token: None, good_for: None };
    Kinesis::connect(config(endpoint).streams.first(), Keys::fixed(key)).await.unwrap()
}

/// A local stream with these faults, and a client of it.
async fn world(change: impl FnOnce(&mut Faults)) -> (LocalStream, Kinesis) {
    let stream = LocalStream::start(Settings::default()).await.unwrap();
    stream.faults(change);
    let client = kinesis(&stream.endpoint()).await;
    (stream, client)
}

async fn trouble(client: &Kinesis) -> Trouble {
    client.put(&records()).await.expect_err("the call should fail")
}

#[tokio::test]
async fn accepted_and_refused_records_are_told_apart() {
    let (_stream, client) = world(|_| {}).await;
    assert!(all_accepted(&client.put(&records()).await.unwrap()));
    for (error, verdict) in [
        (RecordError::Throttled, Verdict::Throttled),
        (RecordError::InternalFailure, Verdict::Unavailable),
    ] {
        let (_stream, client) =
            world(|faults| faults.records = Some(RecordFault { share: 1.0, error })).await;
        assert_eq!(client.put(&records()).await.unwrap(), vec![verdict; 10]);
    }
}

#[tokio::test]
async fn refused_calls_say_what_to_do() {
    for (fault, kind) in [
        (RequestFault::Refuse(Refusal::internal_failure()), TroubleKind::Unavailable),
        (RequestFault::Refuse(Refusal::service_unavailable()), TroubleKind::Unavailable),
        (RequestFault::Hang, TroubleKind::Unheard),
        (RequestFault::StoreThenHang, TroubleKind::Unheard),
        (RequestFault::StoreThenReset, TroubleKind::Unheard),
        (
            RequestFault::Refuse(Refusal::new("ProvisionedThroughputExceededException", "slow")),
            TroubleKind::Throttled,
        ),
        (RequestFault::Refuse(Refusal::new("ValidationException", "no")), TroubleKind::Invalid),
        (
            RequestFault::Refuse(Refusal::new("InvalidArgumentException", "no")),
            TroubleKind::Invalid,
        ),
        (
            RequestFault::Refuse(Refusal::new("KMSDisabledException", "off")),
            TroubleKind::NotAllowed,
        ),
        (RequestFault::Refuse(Refusal::new("KMSThrottlingException", "-")), TroubleKind::Throttled),
        (
            RequestFault::Refuse(Refusal::new("ExpiredTokenException", "old")),
            TroubleKind::NotAllowed,
        ),
        (RequestFault::Refuse(Refusal::new("NeverHeardOf", "?")), TroubleKind::Unavailable),
    ] {
        let (_stream, client) = world(|faults| faults.next.push_back(fault.clone())).await;
        let trouble = trouble(&client).await;
        assert_eq!(trouble.kind, kind, "{fault:?}: {trouble}");
        let verdicts = client.put(&records()).await.unwrap();
        assert!(all_accepted(&verdicts), "after {fault:?}: {verdicts:?}");
    }
}

#[tokio::test]
async fn missing_permission_and_missing_stream_are_named_with_the_fix() {
    let (_stream, client) = world(|faults| faults.permitted = vec![Action::ListShards]).await;
    let denied = trouble(&client).await;
    assert_eq!(denied.kind, TroubleKind::NotAllowed);
    assert!(denied.detail.contains("allow the key kinesis:PutRecords"), "{denied}");

    let settings = Settings { name: "another".to_owned(), ..Settings::default() };
    let stream = LocalStream::start(settings).await.unwrap();
    let missing = trouble(&kinesis(&stream.endpoint()).await).await;
    assert_eq!(missing.kind, TroubleKind::NotAllowed);
    assert!(missing.detail.contains("check stream.name"), "{missing}");
}

#[tokio::test]
async fn call_that_reached_nobody_carried_nothing() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = LocalStream::start(Settings::default()).await.unwrap();
    for endpoint in [
        format!("http://{nobody}"),
        "http://no-such-host.invalid".to_owned(),
        plain.endpoint().replace("http:", "https:"),
    ] {
        let trouble = trouble(&kinesis(&endpoint).await).await;
        assert_eq!(trouble.kind, TroubleKind::Unavailable, "{endpoint}: {trouble}");
    }
}

#[tokio::test]
async fn wrong_clock_costs_one_call_and_no_batch() {
    let ahead = jiff::SignedDuration::from_hours(240);
    let (stream, client) = world(|faults| faults.clock = Clock::Checked(ahead)).await;
    assert!(all_accepted(&client.put(&records()).await.unwrap()));
    assert!(all_accepted(&client.put(&records()).await.unwrap()));
    assert_eq!(stream.counts().requests, 3);
}

#[tokio::test]
async fn shards_are_listed_as_they_are_and_each_record_says_where_it_went() {
    let (stream, client) = world(|_| {}).await;
    stream.reshard(Reshard::Count(1_500)).unwrap();
    let open: Vec<_> = stream.open_shards();
    let listed = client.shards().await.unwrap();
    assert_eq!(listed.len(), 1_500, "on two pages");
    for ((listed, range), (id, owned)) in listed.iter().zip(&open) {
        assert_eq!(listed.to_string(), id.to_string());
        assert_eq!((range.start().0, range.end().0), (owned.start.0, owned.end.0));
    }
    let records = records();
    let verdicts = client.put(&records).await.unwrap();
    assert!(all_accepted(&verdicts), "{verdicts:?}");
    for (taken, verdict) in records.iter().zip(verdicts) {
        let owns = |(_, range): &&OpenShard| range.contains(&taken.key.hash_key());
        let owner = listed.iter().find(owns).map(|(id, _)| *id);
        assert_eq!(verdict, Verdict::Accepted(owner));
    }
}

#[tokio::test]
async fn key_that_may_only_put_is_not_allowed_to_list() {
    let (_stream, client) = world(|faults| faults.permitted = Action::PUTS.to_vec()).await;
    let trouble = client.shards().await.expect_err("refused");
    assert_eq!(trouble.kind, TroubleKind::NotAllowed);
}
