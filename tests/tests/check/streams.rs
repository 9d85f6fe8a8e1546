//! Several streams.

use tidegate::rehearsal::stream::{Encryption, KmsTrouble, Settings};

use super::world::World;

#[tokio::test]
async fn each_of_several_streams_is_told_by_its_label() {
    let world = World::new().await;
    let valves = Settings { name: "valves".to_owned(), ..Settings::default() };
    let valves = world.stream.beside(valves);
    let disabled = Encryption::Refused(KmsTrouble::Disabled);
    valves.faults(|faults| faults.encryption = disabled);
    let world = world.with_streams(&["telemetry", "valves"]);
    let told = world.check().await;
    told.fails(12, &["kms[valves]"])
        .says("stream[telemetry]", "ok", &["telemetry takes records"])
        .says("credentials[valves]", "ok", &["AKIA…MPLE"])
        .says("stream[valves]", "ok", &["see kms"])
        .says("kms[valves]", "failed", &["enable-key"])
        .says("dead_letter_stream", "skipped", &[]);
}
