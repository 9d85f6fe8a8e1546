//! `tidegate plan` beside a running gateway: it sees what the gateway sends, and disturbs nobody.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tests::fleet::{Load, Message, publish};
use tests::mosquitto;
use tidegate::rehearsal::stream;

use super::world::World;

/// A talkative broker and a gateway with this client id and a part in a group.
async fn world() -> World {
    World::with(mosquitto::Settings::talkative(), stream::Settings::default()).await
}

/// What `plan` answers after watching for as long as `watching` says, while `published` happens.
async fn plan(world: &World, watching: &[&str], published: impl Future<Output = ()>) -> Value {
    let arguments = [&["plan", "--format", "json"], watching].concat();
    let publishing = async {
        world.broker.is_asked_by("edge-1-plan-").await;
        published.await;
    };
    let (answered, ()) = tokio::join!(world.gateway.ask(&arguments), publishing);
    assert_eq!(answered.code, Some(0), "{}", answered.log);
    serde_json::from_str(&answered.text).expect("JSON")
}

fn class(plan: &Value) -> &Value {
    assert_eq!(plan.pointer("/inputs/classes/1"), None, "all are alike");
    plan.pointer("/inputs/classes/0").expect("a class")
}

#[tokio::test]
async fn watching_a_broker_counts_the_records_that_the_gateway_sends_and_disturbs_nobody() {
    let world = world().await.set("mqtt.share_group", "\"fleet\"");
    let run = world.gateway.start().await;
    let load = Load { padding: 300, ..Load::new(400, 200) };
    let published = Box::pin(async {
        let readings = load.publish(world.broker.port).await;
        world.all_arrive(&readings).await;
        let nonsense = |n| Message::new(format!("sites/1/devices/{n}/telemetry"), "no JSON");
        publish(world.broker.port, (0..3).map(nonsense)).await;
    });
    let plan = plan(&world, &["--for", "5s"], published).await;
    assert_eq!(run.times_said("broker connected"), 1, "nobody took the session over");
    run.stop().await;

    let class = class(&plan);
    let records = world.stream.records();
    let sent: BTreeSet<_> = records.iter().map(|record| &*record.partition_key).collect();
    let seen = class["devices"]["known"].as_array().expect("keys");
    assert!(seen.iter().filter_map(Value::as_str).eq(sent), "{seen:?}");
    let period_s = class["period"].as_f64().expect("seconds");
    assert!((period_s - 0.1).abs() < 0.02, "20 devices, 200 readings a second: {period_s}");
    let mut sizes = BTreeMap::<u64, f64>::new();
    for record in &records {
        *sizes.entry(record.data.len() as u64).or_default() += 1.0 / 400.0;
    }
    let bins = class["sizes"]["bins"].as_array().expect("bins");
    assert_eq!(bins.len(), sizes.len(), "{bins:?} and sent {sizes:?}");
    for (bin, (bytes, share)) in bins.iter().zip(&sizes) {
        assert_eq!(bin["bytes"], *bytes);
        assert!((bin["share"].as_f64().expect("a share") - share).abs() < 1e-6, "{bin}");
    }
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("3 publishes are left out; the first: on sites/1/"), "{warnings}");
}

#[tokio::test]
async fn an_interrupted_watch_plans_with_what_was_seen_and_leaves_no_session_over_mqtt_3() {
    let world = world().await.set("mqtt.version", "3").interrupted_after_3_s();
    let published = Box::pin(async {
        Load::new(200, 200).publish(world.broker.port).await;
    });
    let plan = plan(&world, &["--for", "10min"], published).await;
    assert_eq!(class(&plan)["devices"]["known"].as_array().map(Vec::len), Some(20));
    assert!(world.broker.forgets("edge-1-plan-"));
    let left = std::fs::read_dir(world.gateway.dir()).expect("a directory");
    assert_eq!(left.count(), 1, "the configuration, and nothing of ours");
}

#[tokio::test]
async fn a_watch_that_cannot_answer_says_why_before_anybody_waits_or_after_it() {
    let world = world().await;
    let ask = async |watching: &[&str]| {
        let answered = world.gateway.ask(&[&["plan"], watching].concat()).await;
        assert_eq!((answered.code, answered.text.as_str()), (Some(64), ""), "{}", answered.log);
        answered.log
    };
    let silent = ask(&["--for", "1s"]).await;
    assert!(silent.contains("nothing was seen on the topics"), "{silent}");
    let both = ask(&["--for", "10min", "--devices", "5"]).await;
    assert!(both.contains("watched and devices are given"), "{both}");
    let goals = ask(&["--for", "10min", "--drain", "1h"]).await;
    assert!(goals.contains("drain is given, but no outage"), "{goals}");
}
