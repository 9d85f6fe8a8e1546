//! Configurations at fault.

use super::world::World;

#[tokio::test]
async fn every_fault_is_told_at_once_and_nothing_is_started() {
    let world = World::new().await;
    let installation = world
        .gateway
        .set("mqtt.client_idd", "\"edge-1\"")
        .set("mqtt.version", "4")
        .set("batch.linger_ms", "0")
        .set("stream.shards", "\"many\"")
        .unset("stream.region");
    let ended = installation.launch().end().await;

    assert_eq!(ended.code, Some(64));
    let said = ended.log.join("\n");
    for fault in [
        "mqtt.client_idd",
        "mqtt.version = 4",
        "batch.linger_ms = 0: must be 1 to 999 milliseconds",
        "stream.shards = \"many\"",
        "stream.region",
    ] {
        assert!(said.contains(fault), "{fault:?} is not in:\n{said}");
    }
    assert_eq!(ended.log.len(), 5, "one line a fault:\n{said}");
    assert!(!installation.dir().join("tidegate-state").exists(), "nothing is started");
}

#[tokio::test]
async fn missing_configuration_is_a_fault() {
    let world = World::new().await;
    let installation = world.gateway.unset("mqtt.url").unset("mqtt.client_id");
    let ended = installation.launch().end().await;
    assert_eq!(ended.code, Some(64));
    assert_eq!(ended.log.len(), 2, "{:?}", ended.log);
}
