use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::peer::{BOTH, Heard, Peer, Speaks, Wish};
use super::*;

fn publish(count: u32, broker: &Broker) {
    for number in 0..count {
        broker.publish(Publish::new("t", number.to_string()));
    }
}

#[tokio::test]
async fn refusals_and_wrong_passwords_are_named_in_connack() {
    let login = Some(("edge".to_owned(), "secret".to_owned()));
    let broker = Broker::start(Settings { login, ..Settings::default() }).await.unwrap();
    for speaks in BOTH {
        let good = Wish { login: Some(("edge", "secret")), ..Wish::default() };
        for login in [None, Some(("edge", "wrong"))] {
            let mut stranger = Peer::new(speaks, &broker, "c", &Wish { login, ..Wish::default() });
            let Heard::Closed(reason) = stranger.hear().await else { panic!("accepted") };
            assert!(reason.contains("BadUserNamePassword"), "{reason}");
        }
        for (refusal, name) in [
            (Refusal::NotAuthorised, "NotAuthorized"),
            (Refusal::ServerUnavailable, "Unavailable"),
            (Refusal::BadClientId, "Client"),
        ] {
            broker.misbehave(|faults| faults.refuse = Some(refusal));
            let mut peer = Peer::new(speaks, &broker, "c", &good);
            let Heard::Closed(reason) = peer.hear().await else { panic!("accepted") };
            assert!(reason.contains(name), "{reason}");
            broker.misbehave(|faults| faults.refuse = None);
            assert!(!peer.connect().await);
            broker.forget_sessions();
            until(|| broker.connections() == 0).await;
        }
    }
}

#[tokio::test]
async fn forgotten_sessions_are_absent_afterwards() {
    let broker = broker().await;
    for speaks in BOTH {
        let mut peer = Peer::subscribed(speaks, &broker, ("c", "t"), &Wish::default()).await;
        broker.forget_sessions();
        assert!(!peer.connect().await);
        publish(1, &broker);
        assert_eq!(peer.silence().await, [], "its subscriptions are gone too");
        broker.forget_sessions();
    }
}

#[tokio::test]
async fn connection_closes_right_after_the_publish_chosen_and_delivers_the_rest_later() {
    let broker = broker().await;
    broker.misbehave(|faults| faults.close_after = Some(5));
    let connect = [16, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 0, 0, 0, 0, 1, b'c'];
    let subscribe = [0x82, 6, 0, 1, 0, 1, b't', 1];
    let mut stream = TcpStream::connect(broker.address()).await.unwrap();
    stream.write_all(&[&connect[..], &subscribe].concat()).await.unwrap();
    until(|| broker.seen("c").is_some_and(|seen| !seen.subscribed.is_empty())).await;
    publish(8, &broker);
    let mut heard = Vec::new();
    within(stream.read_to_end(&mut heard)).await.unwrap();
    let (connack_bytes, suback_bytes, publish_bytes) = (4, 5, 8);
    assert_eq!(heard.len(), connack_bytes + suback_bytes + 5 * publish_bytes);
    drop(stream);
    let mut peer = Peer::new(Speaks::V3, &broker, "c", &Wish::default());
    assert!(peer.connect().await);
    for number in 0..8 {
        assert_eq!(peer.text().await, number.to_string());
    }
    assert_eq!(broker.seen("c").unwrap().redelivered, 5);
}

#[tokio::test]
async fn stopped_broker_closes_its_connections_and_its_port() {
    let broker = broker().await;
    let address = broker.address();
    let mut peer = Peer::new(Speaks::V5, &broker, "c", &Wish::default());
    peer.connect().await;
    broker.stop().await;
    assert!(matches!(peer.hear().await, Heard::Closed(_)));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn everything_in_flight_comes_again_with_dup_on_the_same_connection() {
    let broker = broker().await;
    let mut peer = Peer::subscribed(Speaks::V5, &broker, ("c", "t"), &Wish::default()).await;
    publish(3, &broker);
    for _ in 0..3 {
        peer.take().await;
    }
    broker.redeliver();
    for expected in 1..=3 {
        let Heard::Publish { id, dup, .. } = peer.take().await else { unreachable!() };
        assert_eq!((id, dup), (expected, true));
        peer.acknowledge(id);
        peer.acknowledge(id);
    }
    peer.publish("elsewhere", "", false);
    while peer.hear().await != Heard::Puback {}
    let seen = broker.seen("c").unwrap();
    assert_eq!((seen.unacked, seen.pubacks_not_in_flight, seen.pubacks_total), (0, 0, 6));
    assert_eq!(seen.pubacks, [1, 1, 2, 2, 3, 3]);
}

#[tokio::test]
async fn half_open_connection_answers_nothing_until_reading_goes_on() {
    let broker = broker().await;
    let mut peer = Peer::subscribed(Speaks::V5, &broker, ("c", "t"), &Wish::default()).await;
    broker.misbehave(|faults| faults.stop_reading = true);
    peer.publish("t", "late", false);
    assert_eq!(peer.silence().await, []);
    broker.misbehave(|faults| faults.stop_reading = false);
    assert_eq!(peer.text().await, "late");
}

#[tokio::test]
async fn ignored_pubacks_leave_publishes_in_flight() {
    let broker = broker().await;
    let mut peer = Peer::subscribed(Speaks::V5, &broker, ("c", "t"), &Wish::default()).await;
    broker.misbehave(|faults| faults.ignore_pubacks = true);
    publish(2, &broker);
    peer.text().await;
    peer.text().await;
    peer.publish("elsewhere", "", false);
    while peer.hear().await != Heard::Puback {}
    let seen = broker.seen("c").unwrap();
    assert_eq!((seen.unacked, seen.pubacks_total), (2, 0));
    broker.misbehave(|faults| faults.ignore_pubacks = false);
    broker.drop_connections();
    assert!(peer.connect().await);
    assert_eq!([peer.text().await, peer.text().await], ["0", "1"]);
}

#[tokio::test]
async fn window_is_overrun_once_acks_flow() {
    let broker = broker().await;
    let wish = Wish { window: Some(10), ..Wish::default() };
    let mut peer = Peer::subscribed(Speaks::V5, &broker, ("c", "t"), &wish).await;
    broker.misbehave(|faults| faults.overrun = 30);
    publish(100, &broker);
    assert_eq!(peer.silence().await.len(), 10);
    peer.acknowledge(1);
    assert_eq!(peer.silence().await.len(), 31);
    assert_eq!(broker.seen("c").unwrap().unacked_max, 40);
}

#[tokio::test]
async fn filters_are_refused_one_by_one() {
    let broker = broker().await;
    broker.misbehave(|faults| {
        faults.refuse_filters.insert("secret/#".to_owned());
    });
    for speaks in BOTH {
        let mut peer = Peer::new(speaks, &broker, "c", &Wish::default());
        peer.connect().await;
        assert_eq!(peer.subscribe("secret/#").await, [false]);
        assert_eq!(peer.subscribe("t").await, [true]);
        let seen = broker.seen("c").unwrap();
        let expected = [("secret/#".to_owned(), None), ("t".to_owned(), Some(Qos::AtLeastOnce))];
        assert!(seen.subscribed.ends_with(&expected));
        broker.forget_sessions();
        until(|| broker.connections() == 0).await;
    }
}

#[tokio::test]
async fn topic_that_is_not_utf8_reaches_an_mqtt5_client() {
    let broker = broker().await;
    let mut peer = Peer::subscribed(Speaks::V5, &broker, ("c", "t/+"), &Wish::default()).await;
    broker.publish(Publish::new(&b"t/\xff\xfe"[..], "x"));
    let Heard::Publish { topic, .. } = peer.take().await else { unreachable!() };
    assert_eq!(topic, b"t/\xff\xfe");
}

#[tokio::test]
async fn violations_of_the_order_of_pubacks_are_counted() {
    let broker = broker().await;
    for speaks in BOTH {
        let mut peer = Peer::subscribed(speaks, &broker, ("c", "t"), &Wish::default()).await;
        publish(3, &broker);
        for _ in 0..3 {
            peer.take().await;
        }
        let before = broker.seen("c").unwrap();
        for id in [2, 1, 3, 3] {
            peer.acknowledge(id);
        }
        peer.publish("elsewhere", "", false);
        while peer.hear().await != Heard::Puback {}
        let seen = broker.seen("c").unwrap();
        assert_eq!(seen.pubacks_out_of_order - before.pubacks_out_of_order, 1);
        assert_eq!(seen.pubacks_not_in_flight - before.pubacks_not_in_flight, 1);
        broker.forget_sessions();
        until(|| broker.connections() == 0).await;
    }
}

#[tokio::test]
async fn delay_holds_every_answer_back() {
    let broker = broker().await;
    let mut peer = Peer::subscribed(Speaks::V5, &broker, ("c", "t"), &Wish::default()).await;
    broker.misbehave(|faults| faults.delay = Duration::from_millis(150));
    peer.publish("t", "x", false);
    assert_eq!(peer.silence().await, []);
    assert_eq!(peer.text().await, "x");
}
