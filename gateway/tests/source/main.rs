//! Connections against the embedded broker, which misbehaves on demand: what is acknowledged, in
//! which order, and what comes again.

#![cfg(feature = "rehearsal")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod full;
mod stage;

use std::time::Duration;

use tidegate::config::{MqttVersion, Retained};
use tidegate::rehearsal::broker::{Publish, Refusal};

use stage::{AWAY, Stage, both_versions};
use tokio::time::sleep;

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_settled() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |_| {}).await;
        stage.publish(0..5);
        let receipts = stage.receive(5).await;
        stage.settle(&receipts[1..]);
        stage.quiet().await;
        assert_eq!(stage.seen().pubacks_total, 0, "the first holds back the others");
        stage.settle(&receipts[..1]);
        stage.until(|seen| seen.pubacks_total == 5).await;
        assert_eq!(stage.violations(), 0);
        stage.end().await;
    }
}

#[tokio::test]
async fn redelivered_publishes_on_their_way_are_not_taken_in_twice() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |_| {}).await;
        stage.publish(0..10);
        let receipts = stage.receive(10).await;
        stage.settle(&receipts[..3]);
        stage.until(|seen| seen.pubacks_total == 3).await;
        stage.broker.drop_connections();
        stage.until(|seen| seen.connects == 2 && seen.redelivered == 7).await;
        stage.settle(&receipts[3..]);
        stage.until(|seen| seen.unacked == 0).await;
        stage.publish(10..12);
        assert_eq!(stage.receive(2).await.len(), 2, "only what is new comes in");
        assert_eq!(stage.counters.adopted.get(), 7);
        assert_eq!(stage.violations(), 0);
        stage.end().await;
    }
}

#[tokio::test]
async fn settlements_of_an_old_connection_never_reach_a_new_one() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |_| {}).await;
        stage.publish(0..10);
        let receipts = stage.receive(10).await;
        stage.broker.forget_sessions();
        stage.until(|seen| seen.connects == 2 && seen.subscribed.len() == 2).await;
        stage.publish(10..20);
        let fresh = stage.receive(10).await;
        stage.settle(&receipts);
        stage.quiet().await;
        assert_eq!(stage.seen().pubacks_total, 0, "the new publishes are not safe");
        stage.settle(&fresh);
        stage.until(|seen| seen.pubacks_total == 10).await;
        assert_eq!(stage.violations(), 0);
        stage.end().await;
    }
}

#[tokio::test]
async fn publishes_buffered_when_a_connection_closes_are_neither_lost_nor_taken_in_twice() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |_| {}).await;
        for round in 0..5 {
            stage.broker.misbehave(|faults| faults.close_after = Some(7));
            stage.publish(round * 15..(round + 1) * 15);
            let receipts = stage.receive(15).await;
            stage.settle(&receipts);
            stage.until(|seen| seen.unacked == 0 && seen.queued == 0).await;
        }
        assert_eq!(stage.contents(), (0..75).collect::<Vec<_>>(), "in order, each once");
        assert_eq!(stage.violations(), 0);
        stage.end().await;
    }
}

#[tokio::test]
async fn refused_connection_is_tried_again_until_it_is_made() {
    for version in both_versions() {
        for refusal in [Refusal::BadPassword, Refusal::ServerUnavailable] {
            let mut stage = Stage::set(version, |_| {}).await;
            stage.broker.misbehave(|faults| faults.refuse = Some(refusal));
            stage.broker.drop_connections();
            stage.until(|seen| !seen.connected).await;
            stage.quiet().await;
            stage.broker.misbehave(|faults| faults.refuse = None);
            stage.until(|seen| seen.connects == 2).await;
            stage.publish(0..1);
            stage.receive(1).await;
            stage.end().await;
        }
    }
}

#[tokio::test]
async fn retained_publishes_are_delivered_or_skipped_as_configured() {
    for version in both_versions() {
        for retained in [Retained::Deliver, Retained::Skip] {
            let before = |broker: &tidegate::rehearsal::broker::Broker| {
                broker.publish(Publish::new("t/old", "0").retained());
            };
            let change = |config: &mut tidegate::config::Config| config.mqtt.retained = retained;
            let mut stage = Stage::set_after(before, version, change).await;
            stage.publish(1..2);
            let count = if retained == Retained::Deliver { 2 } else { 1 };
            let receipts = stage.receive(count).await;
            stage.settle(&receipts);
            stage.until(|seen| seen.unacked == 0).await;
            assert_eq!(stage.contents().contains(&0), retained == Retained::Deliver);
            stage.end().await;
        }
    }
}

#[tokio::test]
async fn refused_subscription_is_not_online() {
    for version in both_versions() {
        let before = |broker: &tidegate::rehearsal::broker::Broker| {
            broker.misbehave(|faults| faults.refuse_filters = ["t/#".to_owned()].into());
        };
        let change = |config: &mut tidegate::config::Config| {
            config.mqtt.status_topic = true;
            let mut second = config.mqtt.lanes[0][0].clone();
            second.filter = "tidegate/+/status".to_owned();
            config.mqtt.lanes[0].push(second);
        };
        let mut stage = Stage::set_after(before, version, change).await;
        assert_eq!(stage.receive(0).await.len(), 0, "not online: one filter was refused");
        stage.end().await;
    }
}

#[tokio::test]
async fn records_in_flight_at_a_reconnect_during_the_drain_are_acknowledged() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |_| {}).await;
        stage.publish(0..5);
        let receipts = stage.receive(5).await;
        stage.stop();
        stage.intake_closed().await;
        stage.broker.drop_connections();
        stage.until(|seen| seen.connects == 2 && seen.redelivered == 5).await;
        stage.settle(&receipts);
        stage.until(|seen| seen.pubacks_total == 5 && seen.unacked == 0).await;
        stage.end().await;
    }
}

#[tokio::test]
async fn filters_removed_from_the_configuration_are_unsubscribed() {
    for version in both_versions() {
        let stage = Stage::set(version, |config| {
            let mut second = config.mqtt.lanes[0][0].clone();
            second.filter = "u/#".to_owned();
            config.mqtt.lanes[0].push(second);
        })
        .await;
        let broker = stage.end_and_keep_broker().await;
        let mut stage = Stage::set_again(broker, version, |_| {}).await;
        stage.until(|seen| seen.unsubscribed == ["u/#"]).await;
        stage.broker.publish(Publish::new("u/1", "7"));
        stage.publish(0..1);
        stage.receive(1).await;
        assert_eq!(stage.contents(), [0]);
        stage.end().await;
    }
}

#[tokio::test]
async fn status_topic_says_online_and_offline() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |config| {
            config.mqtt.status_topic = true;
            config.mqtt.lanes[0][0].filter = "tidegate/+/status".to_owned();
        })
        .await;
        let receipts = stage.receive(1).await;
        assert_eq!(stage.payloads(), ["online"]);
        stage.settle(&receipts);
        let broker = stage.end_and_keep_broker().await;
        let other = |config: &mut tidegate::config::Config| {
            config.mqtt.client_id = "observer".to_owned();
            config.mqtt.lanes[0][0].filter = "tidegate/+/status".to_owned();
        };
        let mut observer = Stage::set_again(broker, version, other).await;
        observer.receive(1).await;
        assert_eq!(observer.payloads(), ["offline"]);
        observer.end().await;
    }
}

#[tokio::test]
async fn stop_leaves_new_publishes_with_the_broker_and_acknowledges_what_is_settled() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |_| {}).await;
        stage.publish(0..5);
        let receipts = stage.receive(5).await;
        stage.stop();
        stage.intake_closed().await;
        stage.publish(5..8);
        stage.settle(&receipts);
        let broker = stage.end_and_keep_broker().await;
        let mut stage = Stage::set_again(broker, version, |_| {}).await;
        stage.receive(3).await;
        assert_eq!(stage.contents(), [5, 6, 7]);
        assert_eq!(stage.seen().pubacks_total, 5);
        stage.end().await;
    }
}

#[tokio::test]
async fn silent_broker_is_left_and_found_again() {
    let mut stage =
        Stage::set(MqttVersion::V3, |config| config.mqtt.keep_alive = Duration::from_secs(1)).await;
    stage.broker.misbehave(|faults| faults.stop_reading = true);
    stage.until(|seen| !seen.connected || seen.connects > 1).await;
    stage.broker.misbehave(|faults| faults.stop_reading = false);
    stage.until(|seen| seen.connected && seen.connects >= 2).await;
    stage.publish(0..3);
    stage.receive(3).await;
    stage.end().await;
}

#[tokio::test]
async fn time_in_which_the_broker_kept_publishes_is_told_with_them() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |_| {}).await;
        stage.publish(0..3);
        let receipts = stage.receive(3).await;
        stage.settle(&receipts);
        stage.until(|seen| seen.unacked == 0).await;
        assert!(stage.away.is_zero(), "there was no session: {:?}", stage.away);

        sleep(Duration::from_millis(300)).await;
        stage.broker.drop_connections();
        stage.until(|seen| seen.connects == 2).await;
        stage.publish(3..6);
        stage.receive(3).await;
        assert!(stage.away >= Duration::from_millis(300) && stage.away < AWAY, "{:?}", stage.away);

        let broker = stage.end_and_keep_broker().await;
        let mut stage = Stage::set_again(broker, version, |_| {}).await;
        stage.receive(3).await;
        assert!(stage.away >= AWAY, "{:?}", stage.away);
        stage.end().await;
    }
}
