use bytes::BufMut;
use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant;

use super::super::v5::V5;
use super::*;
use crate::config::Config;

const KEEP_ALIVE: Duration = Duration::from_secs(20);
const PINGREQ: [u8; 2] = [0xC0, 0];

impl Socket for DuplexStream {
    fn confirm(&self) {}
}

/// A wire that is connected, and the broker's end of it, through a pipe of `pipe_bytes`.
fn connected(pipe_bytes: usize) -> (Wire<V5>, DuplexStream) {
    let config = Config::parse(
        "[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'c'\ntopics = ['t']\n\
         [stream]\nname = 's'\nregion = 'us-east-1'\n",
    )
    .unwrap();
    let (ours, broker) = duplex(pipe_bytes);
    let mut wire = Wire::new(V5::new(&config.mqtt, "c", None), &config.mqtt);
    wire.link = Some(Link::new(Box::new(ours), KEEP_ALIVE));
    (wire, broker)
}

#[expect(clippy::disallowed_methods, reason = "the clock of these tests is paused")]
fn now() -> Instant {
    Instant::now()
}

/// PUBLISH at QoS 0 to the topic "t".
fn publish(payload_bytes: usize) -> Vec<u8> {
    let mut packet = vec![0x30];
    let rest = 4 + payload_bytes;
    packet.put_u8(u8::try_from(rest % 128).unwrap() | 0x80);
    packet.put_u8(u8::try_from(rest / 128).unwrap());
    packet.extend_from_slice(b"\0\x01t\0");
    packet.resize(packet.len() + payload_bytes, b'x');
    packet
}

/// How many publishes are there to be taken.
fn publishes(wire: &mut Wire<V5>) -> usize {
    let mut count = 0;
    while let Some(event) = wire.next().unwrap() {
        assert!(matches!(event, Event::Publish(_)), "{event:?}");
        count += 1;
    }
    count
}

#[tokio::test(start_paused = true)]
async fn acknowledgements_said_together_are_written_together_and_in_order() {
    let (mut wire, mut broker) = connected(1 << 20);
    for packet_id in 1..=1000 {
        wire.say(|_| Request::Acknowledge(packet_id));
    }
    assert!(!wire.is_written());
    broker.write_all(&publish(10)).await.unwrap();
    wire.turn(Reading::On).await.unwrap();
    assert!(wire.is_written());
    let mut heard = BytesMut::with_capacity(1 << 20);
    assert_eq!(broker.read_buf(&mut heard).await.unwrap(), 4000);
    let acknowledged: Vec<_> = heard.chunks(4).map(|ack| (ack[0], ack[2], ack[3])).collect();
    let [first, last] = [1u16, 1000].map(u16::to_be_bytes).map(|id| (0x40, id[0], id[1]));
    assert_eq!((acknowledged[0], acknowledged[999]), (first, last));
    assert!(acknowledged.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn broker_that_does_not_read_keeps_nobody_from_reading() {
    let (mut wire, mut broker) = connected(64);
    for packet_id in 1..=1000 {
        wire.say(|_| Request::Acknowledge(packet_id));
    }
    broker.write_all(&publish(10)).await.unwrap();
    wire.turn(Reading::On).await.unwrap();
    assert!(!wire.is_written(), "the pipe is too small");
    assert_eq!(publishes(&mut wire), 1);
}

#[tokio::test(start_paused = true)]
async fn paused_wire_leaves_publishes_in_the_socket_and_still_acknowledges() {
    let (mut wire, mut broker) = connected(1 << 20);
    broker.write_all(&publish(10)).await.unwrap();
    wire.say(|_| Request::Acknowledge(7));
    let pause = timeout(KEEP_ALIVE * 5, wire.turn(Reading::Paused));
    assert!(pause.await.is_err(), "neither read, nor given up for its silence");
    assert_eq!(publishes(&mut wire), 0);
    let mut heard = [0; 6];
    broker.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, [0x40, 2, 0, 7, PINGREQ[0], PINGREQ[1]]);
    wire.turn(Reading::On).await.unwrap();
    assert_eq!(publishes(&mut wire), 1);
}

#[tokio::test(start_paused = true)]
async fn silent_broker_is_pinged_and_given_up_after_one_and_a_half_keep_alives() {
    let (mut wire, mut broker) = connected(1 << 20);
    let start = now();
    wire.turn(Reading::On).await.unwrap_err();
    let took = start.elapsed();
    assert!(took >= KEEP_ALIVE * 3 / 2 && took < KEEP_ALIVE * 2, "{took:?}");
    let mut heard = [0; 4];
    broker.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, [PINGREQ, PINGREQ].concat()[..]);
}

#[tokio::test(start_paused = true)]
async fn broker_that_answers_pings_is_never_given_up() {
    let (mut wire, mut broker) = connected(1 << 20);
    let answer = async {
        let mut ping = [0; 2];
        for _ in 0..20 {
            broker.read_exact(&mut ping).await.unwrap();
            broker.write_all(&[0xD0, 0]).await.unwrap();
        }
    };
    let turns = async {
        loop {
            wire.turn(Reading::On).await.unwrap();
            while wire.next().unwrap().is_some() {}
        }
    };
    tokio::select! {
        () = answer => {}
        () = turns => {}
    }
}

#[tokio::test(start_paused = true)]
async fn little_is_followed_by_a_rest_and_a_flood_by_none() {
    for (bytes, rests) in [(100, true), (READ_BYTES - 8, false)] {
        let (mut wire, mut broker) = connected(1 << 20);
        let first = [publish(bytes.min(16_000)), publish(bytes.saturating_sub(16_000))].concat();
        broker.write_all(&first).await.unwrap();
        wire.turn(Reading::On).await.unwrap();
        broker.write_all(&publish(1)).await.unwrap();
        let start = now();
        wire.turn(Reading::On).await.unwrap();
        assert_eq!(start.elapsed() >= REST, rests, "{bytes}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_answered_is_not_rested_upon() {
    let (mut wire, mut broker) = connected(1 << 20);
    for _ in 0..2 {
        broker.write_all(&publish(1)).await.unwrap();
        wire.say(|_| Request::Acknowledge(1));
        let start = now();
        wire.turn(Reading::On).await.unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn packet_that_comes_in_pieces_is_one_packet() {
    let (mut wire, mut broker) = connected(1 << 20);
    for piece in publish(5000).chunks(1000) {
        assert_eq!(publishes(&mut wire), 0);
        broker.write_all(piece).await.unwrap();
        wire.turn(Reading::On).await.unwrap();
    }
    assert_eq!(publishes(&mut wire), 1);
}
