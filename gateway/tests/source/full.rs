//! Connections that hold as much as they may.

use std::time::Duration;

use tidegate::config::{Config, MqttVersion, Qos};
use tokio::time::sleep;

use super::stage::{Stage, both_versions};

/// Nine publishes of 1,000 bytes may be held.
fn nine_fit(config: &mut Config) {
    let spare = config.intake_bytes_max() - 14_500;
    config.mqtt.packet_bytes_max += u32::try_from(spare).unwrap();
    assert_eq!(config.intake_bytes_max(), 14_500);
}

#[tokio::test]
async fn connection_that_holds_too_much_stays_and_reads_on_when_there_is_room() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |config| {
            nine_fit(config);
            config.mqtt.keep_alive = Duration::from_secs(1);
        })
        .await;
        stage.publish_padded(0..100, 1000);
        let mut receipts = stage.receive_until_exhausted().await;
        // What one read brought is taken in.
        assert!((10..=50).contains(&receipts.len()), "{} came in", receipts.len());
        // The broker would leave a client that does not ping.
        sleep(Duration::from_secs(2)).await;
        assert!(stage.receive(0).await.is_empty(), "nothing is read meanwhile");
        while stage.contents().len() < 100 {
            stage.settle(&receipts);
            receipts = stage.receive_some().await;
        }
        stage.settle(&receipts);
        stage.until(|seen| seen.unacked == 0 && seen.queued == 0).await;
        assert_eq!(stage.contents(), (0..100).collect::<Vec<_>>());
        assert_eq!((stage.seen().connects, stage.violations()), (1, 0));
        stage.end().await;
    }
}

#[tokio::test]
async fn connection_that_stays_full_is_told_of_again() {
    for version in both_versions() {
        let mut stage = Stage::set(version, nine_fit).await;
        stage.publish_padded(0..8, 1000);
        let receipts = stage.receive(8).await;
        stage.publish_padded(8..9, 10_000);
        let large = stage.receive_until_exhausted().await;
        stage.settle(&receipts[..1]);
        assert!(stage.receive_until_exhausted().await.is_empty(), "there is no room yet");
        stage.settle(&large);
        stage.settle(&receipts[1..]);
        stage.publish(9..10);
        stage.receive(1).await;
        assert!(!stage.window_exhausted, "there is room");
        stage.end().await;
    }
}

#[tokio::test]
async fn publish_larger_than_what_may_be_held_is_taken_in_and_told() {
    for version in both_versions() {
        let mut stage = Stage::set(version, nine_fit).await;
        stage.publish_padded(0..1, 100_000);
        let receipts = stage.receive_until_exhausted().await;
        stage.publish(1..2);
        assert!(stage.receive(0).await.is_empty());
        stage.settle(&receipts);
        assert_eq!(stage.receive(1).await.len(), 1);
        stage.end().await;
    }
}

#[tokio::test]
async fn connection_made_while_too_much_is_held_adopts_it_once_there_is_room() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |config| {
            nine_fit(config);
            config.mqtt.keep_alive = Duration::from_secs(1);
        })
        .await;
        stage.publish_padded(0..15, 1000);
        let receipts = stage.receive_until_exhausted().await;
        let came_in = receipts.len();
        stage.broker.drop_connections();
        stage.until(|seen| seen.connects == 2 && seen.redelivered == came_in as u64).await;
        stage.settle(&receipts);
        let rest = stage.receive(15 - came_in).await;
        stage.settle(&rest);
        stage.until(|seen| seen.unacked == 0 && seen.queued == 0).await;
        assert_eq!(stage.contents(), (0..15).collect::<Vec<_>>(), "each once");
        assert_eq!((stage.counters.adopted.get(), stage.violations()), (came_in as u64, 0));
        stage.end().await;
    }
}

#[tokio::test]
async fn at_qos_0_what_does_not_fit_is_shed_and_counted_and_the_connection_reads_on() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |config| {
            nine_fit(config);
            config.mqtt.lanes[0][0].qos = Qos::AtMostOnce;
        })
        .await;
        stage.publish_padded(0..15, 1000);
        let receipts = stage.receive(9).await;
        stage.counted(|counters| counters.dropped_qos_0.get() == 6).await;
        assert_eq!(stage.counters.received.get(), 6, "the rest is counted once records are made");
        stage.publish(15..20);
        assert_eq!(stage.receive(1).await.len(), 1, "what is small fits and is read");
        stage.settle(&receipts);
        stage.quiet().await;
        stage.publish_padded(20..23, 1000);
        stage.receive(3).await;
        assert_eq!(stage.contents()[..9], (0..9).collect::<Vec<_>>(), "the newest are shed");
        assert!(!stage.window_exhausted);
        assert_eq!(stage.seen().connects, 1);
        stage.end().await;
    }
}

#[tokio::test]
async fn exhausted_window_is_told() {
    for version in both_versions() {
        let mut stage = Stage::set(version, |config| config.mqtt.receive_maximum = 20).await;
        stage.publish(0..200);
        let mut told = 0;
        for _ in 0..10 {
            let receipts = stage.receive(20).await;
            told += usize::from(std::mem::take(&mut stage.window_exhausted));
            stage.settle(&receipts);
        }
        // A window that is not stated takes three rounds to learn.
        let least = if version == MqttVersion::V5 { 9 } else { 6 };
        assert!(told >= least, "told {told} times in {version:?}");
        assert_eq!(stage.seen().unacked_max, 20);
        stage.end().await;
    }
}

#[tokio::test]
async fn broker_that_overruns_its_window_is_served() {
    let mut stage = Stage::set(MqttVersion::V5, |config| config.mqtt.receive_maximum = 10).await;
    stage.broker.misbehave(|faults| faults.overrun = 50);
    stage.publish(0..300);
    while stage.contents().len() < 300 {
        let receipts = stage.receive_some().await;
        stage.settle(&receipts);
    }
    stage.until(|seen| seen.unacked == 0 && seen.queued == 0).await;
    assert!(stage.seen().unacked_max > 10, "the broker kept to its window");
    assert_eq!(stage.contents(), (0..300).collect::<Vec<_>>());
    assert_eq!(stage.violations(), 0);
    stage.end().await;
}
