use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::peer::{BOTH, Heard, Peer, Speaks, Wish};
use super::*;

fn numbered(number: u32) -> Publish {
    Publish::new("t/a", number.to_string())
}

#[tokio::test]
async fn session_is_present_only_when_it_was_kept() {
    let broker = broker().await;
    for speaks in BOTH {
        let id = format!("{speaks:?}");
        for (clean, present) in [(false, false), (false, true), (true, false), (false, false)] {
            let mut peer = Peer::new(speaks, &broker, &id, &Wish { clean, ..Wish::default() });
            assert_eq!(peer.connect().await, present, "{speaks:?} {clean}");
            peer.disconnect().await;
            until(|| broker.connections() == 0).await;
        }
    }
}

#[tokio::test]
async fn twenty_thousand_publishes_wait_for_an_absent_client_and_arrive_in_order() {
    let broker = broker().await;
    for speaks in BOTH {
        let id = format!("{speaks:?}");
        let wish = Wish { window: Some(500), ..Wish::default() };
        let mut peer = Peer::subscribed(speaks, &broker, (&id, "t/#"), &wish).await;
        peer.disconnect().await;
        drop(peer);
        for number in 0..20_000 {
            broker.publish(numbered(number));
        }
        until(|| broker.connections() == 0).await;
        assert_eq!(broker.seen(&id).unwrap().queued, 20_000);
        let mut peer = Peer::new(speaks, &broker, &id, &wish);
        assert!(peer.connect().await);
        for number in 0..20_000 {
            assert_eq!(peer.text().await, number.to_string());
        }
        peer.disconnect().await;
        let seen = broker.seen(&id).unwrap();
        assert_eq!((seen.dropped, seen.redelivered, seen.queued), (0, 0, 0));
        assert_eq!((seen.pubacks_not_in_flight, seen.pubacks_out_of_order), (0, 0));
    }
}

#[tokio::test]
async fn full_queue_drops_the_newest_and_counts_them() {
    let settings = Settings { queue_max: 3, ..Settings::default() };
    let broker = Broker::start(settings).await.unwrap();
    let mut peer = Peer::subscribed(Speaks::V5, &broker, ("c", "t/a"), &Wish::default()).await;
    peer.disconnect().await;
    until(|| broker.connections() == 0).await;
    for number in 0..5 {
        broker.publish(numbered(number));
    }
    assert_eq!(broker.seen("c").unwrap().dropped, 2);
    for number in 0..3 {
        assert_eq!(peer.text().await, number.to_string());
    }
}

#[tokio::test]
async fn no_more_than_the_window_is_in_flight() {
    let broker = broker().await;
    for (speaks, window, expected) in
        [(Speaks::V3, None, 20), (Speaks::V5, None, 20), (Speaks::V5, Some(7), 7)]
    {
        let wish = Wish { window, ..Wish::default() };
        let id = format!("{speaks:?}-{window:?}");
        let mut peer = Peer::subscribed(speaks, &broker, (&id, "t/a"), &wish).await;
        for number in 0..100 {
            broker.publish(numbered(number));
        }
        for _ in 0..expected {
            peer.take().await;
        }
        assert_eq!(peer.silence().await, []);
        for id in 1..=u16::try_from(expected).unwrap() {
            peer.acknowledge(id);
        }
        for _ in expected..100 {
            peer.text().await;
        }
        until(|| broker.seen(&id).unwrap().pubacks_total > 0).await;
        assert_eq!(broker.seen(&id).unwrap().unacked_max, expected);
        peer.disconnect().await;
    }
}

#[tokio::test]
async fn reconnects_at_random_lose_nothing_and_keep_the_order() {
    const PUBLISHES: u32 = 3000;
    for speaks in BOTH {
        let broker = broker().await;
        let wish = Wish { window: Some(50), ..Wish::default() };
        let mut peer = Peer::subscribed(speaks, &broker, ("chaos", "t/a"), &wish).await;
        let mut random = fastrand::Rng::with_seed(7);
        let (mut published, mut next) = (0, 0);
        while next < PUBLISHES {
            for _ in 0..random.u32(0..5) {
                if published < PUBLISHES {
                    broker.publish(numbered(published));
                    published += 1;
                }
            }
            if random.u32(0..150) == 0 {
                broker.drop_connections();
            }
            // A pause without a word means only that nothing was published.
            let heard = tokio::time::timeout(Duration::from_millis(5), peer.hear()).await;
            match heard {
                Ok(Heard::Publish { payload, id, dup, .. }) => {
                    let number: u32 = String::from_utf8(payload).unwrap().parse().unwrap();
                    assert!(number <= next, "nothing is left out");
                    assert!(number == next || dup, "only redeliveries come again");
                    next = next.max(number + 1);
                    peer.acknowledge(id);
                }
                Ok(Heard::Connected { session_present }) => assert!(session_present),
                Ok(_) | Err(_) => {}
            }
        }
        let seen = broker.seen("chaos").unwrap();
        assert!(seen.connects > 5, "{} connects", seen.connects);
        assert!(seen.unacked_max <= 50);
        assert_eq!((seen.pubacks_out_of_order, seen.dropped), (0, 0));
    }
}

#[tokio::test]
async fn retained_publishes_greet_new_subscribers_and_can_be_cleared() {
    let broker = broker().await;
    for speaks in BOTH {
        let mut peer = Peer::subscribed(speaks, &broker, ("live", "r/#"), &Wish::default()).await;
        peer.publish("r/a", "one", true);
        let Heard::Publish { retain, .. } = peer.take().await else { unreachable!() };
        assert!(!retain, "to those subscribed already it is like any other");
        let mut late = Peer::new(speaks, &broker, "late", &Wish { clean: true, ..Wish::default() });
        late.connect().await;
        late.subscribe("r/+").await;
        let Heard::Publish { retain, payload, .. } = late.take().await else { unreachable!() };
        assert_eq!((retain, &payload[..]), (true, &b"one"[..]));
        late.subscribe("r/+").await;
        late.take().await;
        broker.publish(Publish::new("r/a", "").retained());
        late.take().await;
        late.subscribe("r/+").await;
        assert_eq!(late.silence().await, []);
        broker.forget_sessions();
        until(|| broker.connections() == 0).await;
    }
}

#[tokio::test]
async fn shared_subscriptions_take_turns_and_pass_over_absent_members() {
    for speaks in BOTH {
        let broker = broker().await;
        let wish = Wish::default();
        let filter = "$share/group/t/+";
        let mut one = Peer::subscribed(speaks, &broker, ("one", filter), &wish).await;
        let mut two = Peer::subscribed(speaks, &broker, ("two", filter), &wish).await;
        for number in 0..4 {
            broker.publish(numbered(number));
        }
        assert_eq!([one.text().await, one.text().await], ["0", "2"]);
        assert_eq!([two.text().await, two.text().await], ["1", "3"]);
        two.disconnect().await;
        until(|| broker.connections() == 1).await;
        for number in 4..6 {
            broker.publish(numbered(number));
        }
        assert_eq!([one.text().await, one.text().await], ["4", "5"]);
        broker.forget_sessions();
        until(|| broker.connections() == 0).await;
    }
}

#[tokio::test]
async fn will_is_published_when_a_connection_is_lost_and_not_after_goodbye() {
    let broker = broker().await;
    for speaks in BOTH {
        let mut heir = Peer::subscribed(speaks, &broker, ("heir", "w"), &Wish::default()).await;
        let wish = Wish { will: Some(("w", "gone")), ..Wish::default() };
        let mut polite = Peer::new(speaks, &broker, "polite", &wish);
        polite.connect().await;
        polite.disconnect().await;
        let mut lost = Peer::new(speaks, &broker, "lost", &wish);
        lost.connect().await;
        assert_eq!(heir.silence().await, []);
        drop(lost);
        assert_eq!(heir.text().await, "gone");
        broker.publish(Publish::new("w", "").retained());
        broker.forget_sessions();
        until(|| broker.connections() == 0).await;
    }
}

#[tokio::test]
async fn second_connection_takes_the_session_and_the_first_is_told() {
    let broker = broker().await;
    for speaks in BOTH {
        let wish = Wish::default();
        let mut first = Peer::subscribed(speaks, &broker, ("same", "t/a"), &wish).await;
        broker.publish(numbered(1));
        first.take().await;
        let mut second = Peer::new(speaks, &broker, "same", &wish);
        assert!(second.connect().await);
        let Heard::Publish { dup, id, .. } = second.take().await else { unreachable!() };
        assert_eq!((dup, id), (true, 1));
        match speaks {
            Speaks::V3 => assert!(matches!(first.hear().await, Heard::Closed(_))),
            Speaks::V5 => {
                let told = first.hear().await;
                assert!(
                    matches!(&told, Heard::Disconnect(it) if it == "SessionTakenOver")
                        || matches!(&told, Heard::Closed(it) if it.contains("SessionTakenOver")),
                    "{told:?}"
                );
            }
        }
        broker.forget_sessions();
        until(|| broker.connections() == 0).await;
    }
}

#[tokio::test]
async fn silent_client_is_disconnected_after_one_and_a_half_keep_alives() {
    let broker = broker().await;
    // CONNECT with a keep-alive of one second, of both levels, and what follows CONNACK.
    let v3 = [16, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 1, 0, 1, b'c'];
    let v5 = [16, 14, 0, 4, b'M', b'Q', b'T', b'T', 5, 2, 0, 1, 0, 0, 1, b'c'];
    for (connect, connack_bytes, told) in [(&v3[..], 4, None), (&v5[..], 9, Some(&[0xE0][..]))] {
        let mut stream = TcpStream::connect(broker.address()).await.unwrap();
        stream.write_all(connect).await.unwrap();
        let mut heard = Vec::new();
        let early = Duration::from_secs(1);
        let closed = tokio::time::timeout(early, stream.read_to_end(&mut heard)).await;
        assert!(closed.is_err(), "one keep-alive of silence is allowed");
        within(stream.read_to_end(&mut heard)).await.unwrap();
        assert_eq!(heard.get(connack_bytes..connack_bytes + 1).filter(|it| !it.is_empty()), told);
        drop(stream);
        until(|| broker.connections() == 0).await;
    }
}

#[tokio::test]
async fn unsubscribed_filters_are_silent_and_the_others_go_on() {
    let broker = broker().await;
    for speaks in BOTH {
        let mut peer = Peer::subscribed(speaks, &broker, ("c", "t/a"), &Wish::default()).await;
        peer.subscribe("t/b").await;
        peer.unsubscribe("t/a");
        while peer.hear().await != Heard::Unsubscribed {}
        broker.publish(numbered(1));
        broker.publish(Publish::new("t/b", "b"));
        assert_eq!(peer.text().await, "b");
        let seen = broker.seen("c").unwrap();
        assert_eq!(seen.unsubscribed.last().unwrap(), "t/a");
        broker.forget_sessions();
        until(|| broker.connections() == 0).await;
    }
}
