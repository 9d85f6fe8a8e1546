//! Parts that end without warning, under load.

use tests::fleet::Load;
use tests::mosquitto::Settings;
use tests::patience::in_time;
use tidegate::rehearsal::stream;

use super::world::World;

/// So often the gateway is killed.
const KILLS: u64 = 5;

/// What a kill may send twice, at 1,000 readings a second: what was stored and not acknowledged, so
/// a batch that lingered 50 ms and the way of its answer. Measured: 10 to 50. Generous for a busy
/// machine, and far from what a gateway repeats that acknowledges late or forgets what it sent.
const IN_FLIGHT_MAX: usize = 250;

async fn killed_five_times_loses_nothing(world: World) {
    let world = world.set("spool.mode", "\"off\"");
    world.begin_session().await;
    let load = Load::new(8_000, 1_000);
    let kills = async {
        for _ in 0..KILLS {
            let run = world.gateway.start().await;
            let before = world.stream.counts().records;
            world.stored(before + 800).await;
            run.kill().await;
        }
        world.gateway.start().await
    };
    let (published, run) = tokio::join!(load.publish(world.broker.port), kills);
    let comparison = world.all_arrive(&published).await;
    run.stop().await.books();

    assert_eq!((comparison.lost, comparison.unknown), (vec![], vec![]));
    assert_eq!(comparison.overtook, 0, "readings that overtook an earlier one of their device");
    let kills = usize::try_from(KILLS).expect("few");
    assert!(comparison.duplicated <= kills * IN_FLIGHT_MAX, "{} twice", comparison.duplicated);
}

#[tokio::test]
async fn gateway_without_a_spool_killed_five_times_under_load_loses_nothing_over_mqtt_5() {
    killed_five_times_loses_nothing(World::new().await).await;
}

#[tokio::test]
async fn gateway_without_a_spool_killed_five_times_under_load_loses_nothing_over_mqtt_3() {
    killed_five_times_loses_nothing(World::new().await.set("mqtt.version", "3")).await;
}

async fn broker_restarted_loses_nothing(mut world: World) {
    let run = world.gateway.start().await;
    let load = Load::new(4_000, 500);
    let port = world.broker.port;
    let (broker, stream) = (&mut world.broker, &world.stream);
    let restarts = async {
        for round in 1..=3 {
            let enough = |counts: &stream::Counts| counts.records >= round * 1_000;
            in_time("a thousand records more", stream.reached(enough)).await;
            broker.stop().await;
            broker.start_again().await;
        }
    };
    let (published, ()) = tokio::join!(load.publish(port), restarts);
    let comparison = world.all_arrive(&published).await;
    assert!(run.times_said("broker connected") >= 4);
    run.stop().await.books();
    assert_eq!((comparison.lost, comparison.unknown), (vec![], vec![]));
    assert_eq!(comparison.overtook, 0, "readings that overtook an earlier one of their device");
    // What the fleet had in flight: it cannot know what the broker has kept.
    assert!(comparison.duplicated <= 300, "{} twice", comparison.duplicated);
}

#[tokio::test]
async fn broker_restarted_with_its_sessions_in_mid_run_loses_nothing_over_mqtt_5() {
    let broker = Settings { persistent: true, ..Settings::patient() };
    let world = World::with(broker, stream::Settings::default()).await;
    broker_restarted_loses_nothing(world).await;
}

#[tokio::test]
async fn broker_restarted_with_its_sessions_in_mid_run_loses_nothing_over_mqtt_3() {
    let broker = Settings { persistent: true, ..Settings::patient() };
    let world = World::with(broker, stream::Settings::default()).await;
    broker_restarted_loses_nothing(world.set("mqtt.version", "3")).await;
}
