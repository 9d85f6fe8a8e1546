//! A broker that makes client ids of user names, and so takes whoever has the gateway's login for the
//! gateway.

use tempfile::TempDir;
use tests::fleet::Load;
use tests::mosquitto::{Mosquitto, Settings, password_file};
use tests::patience::until;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::StoredRecord;

use super::world::World;

const NOT_OURS: &str = "takes us for somebody else";

/// Such a broker, and a gateway of one protocol.
async fn world(version: &str) -> World {
    let dir = TempDir::new().expect("a temporary directory");
    let passwords = password_file(&dir, "pumps", "right");
    let guarded = vec![
        "allow_anonymous false".to_owned(),
        format!("password_file {}", passwords.display()),
        "use_username_as_clientid true".to_owned(),
    ];
    let mut world = World::new().await;
    world.broker = Mosquitto::start(Settings { guarded, ..Settings::talkative() }).await;
    let password = world.write("password", "right\n");
    let url = format!("\"mqtt://127.0.0.1:{}\"", world.broker.guarded_port);
    world
        .set("mqtt.url", &url)
        .set("mqtt.version", version)
        .set("mqtt.username", "\"pumps\"")
        .set_path("mqtt.password_file", &password)
}

/// Waits until everything published is in the stream. Where a session is taken over, some may be there
/// twice.
async fn is_delivered(world: &World, published: &[Reading]) {
    let are_all_there = |records: Vec<StoredRecord>| {
        let arrived = records.iter().map(|one| Reading::of_record(&one.data).expect("a reading"));
        Comparison::of(published, &arrived.collect::<Vec<_>>()).lost.is_empty()
    };
    until("all are stored", || are_all_there(world.stream.records())).await;
}

#[tokio::test]
async fn what_waits_there_for_a_gateway_that_is_stopped_survives_a_check_and_a_watch() {
    for version in ["3", "5"] {
        let world = world(version).await;
        world.gateway.start().await.stop().await.books();
        let published = Load::new(100, 1_000).publish(world.broker.port).await;
        let told = world.check().await;
        told.fails(10, &["broker"])
            .says("broker", "failed", &[NOT_OURS, "use_username_as_clientid"])
            .says("queue", "skipped", &["needs the broker"]);
        let watched = world.gateway.ask(&["plan", "--for", "1s"]).await;
        assert!(watched.code != Some(0) && watched.log.contains(NOT_OURS), "{watched:?}");
        let run = world.gateway.start().await;
        is_delivered(&world, &published).await;
        run.stop().await.books();
    }
}

#[tokio::test]
async fn gateway_that_runs_is_disconnected_once_by_a_check_and_loses_nothing() {
    for version in ["3", "5"] {
        let world = world(version).await;
        let run = world.gateway.start().await;
        let load = Load::new(400, 200);
        let check = async {
            let told = world.check().await;
            told.fails(10, &["broker"]).says("broker", "failed", &[NOT_OURS]);
        };
        let (published, ()) = tokio::join!(load.publish(world.broker.port), check);
        is_delivered(&world, &published).await;
        assert_eq!(run.times_said("broker connected"), 2);
        run.stop().await.books();
    }
}

#[tokio::test]
async fn check_before_the_first_start_leaves_no_session_behind() {
    for version in ["3", "5"] {
        let world = world(version).await;
        for _ in 0..2 {
            world.check().await.is_available();
        }
        let run = world.gateway.start().await;
        let said = run.field("broker connected", "session_present").await;
        assert_eq!(said, false, "{said:?}");
        run.stop().await.books();
    }
}

/// The watch is over then: whoever came back by that name would end the gateway's session.
#[tokio::test]
async fn gateway_that_starts_for_the_first_time_during_a_watch_loses_nothing() {
    for version in ["3", "5"] {
        let world = world(version).await;
        let watch = world.gateway.ask(&["plan", "--for", "60s"]);
        let gateway = async {
            world.broker.is_asked_by("pumps").await;
            let run = world.gateway.start().await;
            let published = Load::new(300, 100).publish(world.broker.port).await;
            is_delivered(&world, &published).await;
            run.stop().await.books();
        };
        let (watched, ()) = tokio::join!(watch, gateway);
        assert_eq!(watched.code, Some(1), "{watched:?}");
        assert!(watched.log.contains("which came meanwhile"), "{watched:?}");
    }
}
