//! What is subscribed to, by whom.

use tests::fleet::{Load, Message, publish};
use tests::installation::Installation;
use tests::reading::{Comparison, Reading};

use super::world::{PROGRAM, World};

/// One reading on a topic of its own.
fn message(topic: &str, seq: u64) -> Message {
    Message::new(topic, format!(r#"{{"seq":{seq},"temperature":4.5}}"#))
}

/// The topics in the stream, which are the partition keys, in the order of storing.
fn topics(world: &World) -> Vec<String> {
    world.stream.records().iter().map(|record| record.partition_key.to_string()).collect()
}

#[tokio::test]
async fn topic_added_to_a_living_session_is_subscribed_and_a_removed_one_is_not_any_more() {
    let mut world = World::new().await.set("mqtt.topics", r#"["old", "kept"]"#);
    world.gateway.start().await.stop().await.books();
    // The session lives on: what comes meanwhile waits.
    publish(world.broker.port, [message("old", 1), message("kept", 1), message("new", 1)]).await;

    world = world.set("mqtt.topics", r#"["kept", "new"]"#);
    let run = world.gateway.start().await;
    publish(world.broker.port, [message("old", 2), message("new", 2), message("kept", 2)]).await;
    world.stored(4).await;
    assert_eq!(run.stop().await.books().delivered, 4);

    let mut arrived = topics(&world);
    arrived.sort();
    assert_eq!(arrived, ["kept", "kept", "new", "old"]);
}

#[tokio::test]
async fn readings_pass_a_filter_of_qos_0() {
    let filter = r#"[{ filter = "sites/+/devices/+/telemetry", qos = 0 }]"#;
    let world = World::new().await.set("mqtt.topics", filter);
    let run = world.gateway.start().await;
    let published = Load::new(500, 500).publish(world.broker.port).await;
    assert_eq!(world.all_arrive(&published).await, Comparison::default());
    assert_eq!(run.stop().await.books().delivered, 500);
}

#[tokio::test]
async fn two_lanes_deliver_everything_in_order_and_once() {
    let mut world = World::new().await;
    world.gateway = world
        .gateway
        .unset("mqtt.topics")
        .set("mqtt.lanes", r#"[["sites/1/devices/+/telemetry"], ["sites/2/devices/+/telemetry"]]"#);
    let run = world.gateway.start().await;
    assert_eq!(run.times_said("broker connected"), 2);
    let published = Load::new(2_000, 1_000).publish(world.broker.port).await;
    assert_eq!(world.all_arrive(&published).await, Comparison::default());
    assert_eq!(run.stop().await.books().delivered, 2_000);
}

#[tokio::test]
async fn two_gateways_of_a_group_share_the_readings() {
    let world = World::new().await.set("mqtt.share_group", "\"tide\"");
    let second = Installation::new(PROGRAM, &world.broker.url(), &world.stream.endpoint())
        .set("mqtt.share_group", "\"tide\"")
        .set("mqtt.client_id", "\"edge-2\"");
    let runs = [world.gateway.start().await, second.start().await];
    let published = Load::new(2_000, 1_000).publish(world.broker.port).await;
    let comparison = world.all_arrive(&published).await;
    let [first, second] = runs;
    let shares = [first.stop().await.books().delivered, second.stop().await.books().delivered];

    assert_eq!((comparison.lost, comparison.duplicated), (vec![], 0));
    assert_eq!(shares.iter().sum::<u64>(), 2_000);
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
}

/// Three readings that the broker retained before the gateway came.
async fn with_three_retained(world: World) -> World {
    let retained = |device| {
        let reading = Reading { device, seq: 1 };
        Message { retain: true, ..Message::new(reading.topic(), reading.payload(0)) }
    };
    publish(world.broker.port, (0..3).map(retained)).await;
    world
}

/// One reading that is to be retained, while the gateway is there: it is news.
async fn publish_one_live(world: &World) {
    let live = Reading { device: 9, seq: 1 };
    let live = Message { retain: true, ..Message::new(live.topic(), live.payload(0)) };
    publish(world.broker.port, [live]).await;
}

#[tokio::test]
async fn retained_messages_are_delivered_once() {
    let world = with_three_retained(World::new().await).await;
    for _ in 0..2 {
        let run = world.gateway.start().await;
        world.stored(3).await;
        run.stop().await.books();
    }
    let arrived: Vec<_> = world.arrived().iter().map(|reading| reading.device).collect();
    assert_eq!(arrived.len(), 3, "{arrived:?}");
}

async fn retained_messages_are_skipped(world: World) -> tests::installation::Ledger {
    let world = with_three_retained(world.set("mqtt.retained", "\"skip\"")).await;
    let run = world.gateway.start().await;
    publish_one_live(&world).await;
    world.stored(1).await;
    let books = run.stop().await.books();
    assert_eq!(world.arrived(), [Reading { device: 9, seq: 1 }]);
    books
}

#[tokio::test]
async fn retained_messages_can_be_skipped_over_mqtt_5() {
    // They are not even asked for.
    assert_eq!(retained_messages_are_skipped(World::new().await).await.dropped, 0);
}

#[tokio::test]
async fn retained_messages_can_be_skipped_over_mqtt_3() {
    let world = World::new().await.set("mqtt.version", "3");
    assert_eq!(retained_messages_are_skipped(world).await.dropped, 3);
}

#[tokio::test]
async fn status_is_online_while_the_gateway_runs_and_offline_after() {
    let world = World::new().await.set("mqtt.status_topic", "true").set("mqtt.version", "3");
    // A second gateway watches the first one's status.
    let watching = Installation::new(PROGRAM, &world.broker.url(), &world.stream.endpoint())
        .set("mqtt.client_id", "\"watcher\"")
        .set("mqtt.topics", r#"["tidegate/edge-1/status"]"#)
        .set("records.format", "\"raw\"");
    let watcher = watching.start().await;
    world.gateway.start().await.stop().await.books();
    world.stored(2).await;
    let run = world.gateway.start().await;
    world.stored(3).await;
    run.kill().await;
    world.stored(4).await;
    watcher.stop().await.books();

    let records = world.stream.records();
    let said: Vec<_> = records.iter().map(|record| record.data.as_ref()).collect();
    assert_eq!(said, [b"online\n".as_slice(), b"offline\n", b"online\n", b"offline\n"]);
}

async fn taken_client_id_is_named(world: World, version: &str) {
    let world = world.set("mqtt.version", version);
    let twin = Installation::new(PROGRAM, &world.broker.url(), &world.stream.endpoint())
        .set("mqtt.version", version);
    let runs = [world.gateway.start().await, twin.start().await];
    for run in &runs {
        run.says("does another client use mqtt.client_id?").await;
    }
    // Unhindered, they would throw each other out several times a second.
    for run in runs {
        assert!(run.times_said("broker connected") <= 12);
        run.kill().await;
    }
}

#[tokio::test]
async fn client_id_that_is_taken_is_named_and_fought_for_slowly_over_mqtt_5() {
    taken_client_id_is_named(World::new().await, "5").await;
}

#[tokio::test]
async fn client_id_that_is_taken_is_named_and_fought_for_slowly_over_mqtt_3() {
    taken_client_id_is_named(World::new().await, "3").await;
}
