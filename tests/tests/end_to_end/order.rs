//! Readings of one device.

use std::collections::HashSet;

use serde_json::Value;
use tests::fleet::{Load, Message, publish};

use super::world::World;

#[tokio::test]
async fn two_identical_readings_without_time_stay_two() {
    let world = World::new().await;
    let run = world.gateway.start().await;
    let reading = Message::new("sites/1/devices/7/telemetry", r#"{"temperature":21.4}"#);
    publish(world.broker.port, [reading.clone(), reading]).await;
    world.stored(2).await;
    assert_eq!(run.stop().await.books().delivered, 2);

    let records = world.stream.records();
    let ids: HashSet<_> = records
        .iter()
        .map(|record| {
            let record: Value = serde_json::from_slice(&record.data).expect("JSON");
            record["id"].as_str().expect("a text").to_owned()
        })
        .collect();
    assert_eq!((records.len(), ids.len()), (2, 2));
}

async fn one_device_at_200_hz_arrives_in_order(world: World) {
    let run = world.gateway.start().await;
    let load = Load { devices: 1, ..Load::new(1_000, 200) };
    let published = load.publish(world.broker.port).await;
    world.all_arrive(&published).await;
    run.stop().await.books();
    assert_eq!(world.arrived(), published);
}

#[tokio::test]
async fn one_device_at_200_hz_is_delivered_in_order() {
    one_device_at_200_hz_arrives_in_order(World::new().await).await;
}

#[tokio::test]
async fn one_device_at_200_hz_is_delivered_in_strict_order() {
    let world = World::new().await.set("order", "\"strict\"").set("batch.linger_ms", "1");
    one_device_at_200_hz_arrives_in_order(world).await;
}
