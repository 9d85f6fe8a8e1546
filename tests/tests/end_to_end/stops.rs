//! SIGTERM under load.

use tests::fleet::Load;
use tests::reading::Comparison;
use tidegate::rehearsal::stream::Link;

use super::world::World;

async fn stopped_three_times_loses_and_repeats_nothing(world: World) {
    world.begin_session().await;
    let load = Load::new(5_000, 1_000);
    let stops = async {
        for _ in 0..3 {
            let before = world.stream.counts().records;
            let run = world.gateway.start().await;
            world.stored(before + 900).await;
            let books = run.stop().await.books();
            assert_eq!(world.stream.counts().records, before + books.delivered);
        }
        world.gateway.start().await
    };
    let (published, run) = tokio::join!(load.publish(world.broker.port), stops);
    let comparison = world.all_arrive(&published).await;
    run.stop().await.books();
    assert_eq!(comparison, Comparison::default());
}

#[tokio::test]
async fn gateway_stopped_under_load_drains_and_repeats_nothing_over_mqtt_5() {
    stopped_three_times_loses_and_repeats_nothing(World::new().await).await;
}

#[tokio::test]
async fn gateway_stopped_under_load_drains_and_repeats_nothing_over_mqtt_3() {
    stopped_three_times_loses_and_repeats_nothing(World::new().await.set("mqtt.version", "3"))
        .await;
}

#[tokio::test]
async fn gateway_without_a_spool_stopped_while_the_stream_is_away_leaves_the_rest_to_the_broker() {
    let world = World::new().await.set("drain_s_max", "1").set("spool.mode", "\"off\"");
    let run = world.gateway.start().await;
    world.stream.faults(|faults| faults.link = Link::Refusing);
    let published = Load::new(100, 1_000).publish(world.broker.port).await;
    run.says("records are kept and tried again").await;
    let ended = run.stop().await;
    assert_eq!(ended.code, Some(3));
    let ledger = ended.ledger.expect("logged at every stop");
    assert_eq!((ledger.received, ledger.delivered), (ledger.in_flight, 0));

    world.stream.faults(|faults| faults.link = Link::Up);
    let run = world.gateway.start().await;
    let comparison = world.all_arrive(&published).await;
    run.stop().await.books();
    assert_eq!(comparison, Comparison::default());
}
