//! One of two streams is away for a while: what that does to the other.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use tests::effort::ordinary_or_long;
use tests::fleet::Load;
use tests::patience::in_time;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{Link, StoredRecord};
use tokio::time::sleep;

use super::STAGE;
use super::capped::Capped;
use super::plans::memory;
use super::two_streams::{Streams, readings};

/// Twice the other is there, and twice it is not.
const PHASES: u64 = 4;

/// How far the p99 of the other may be above the worst that it was in the same run while both were
/// there: half as much again, and this. The moment in which it turns out that one is away is in it;
/// waiting for the dead stream time and again cost 500 ms and more.
const ABOVE_MAX: Duration = Duration::from_millis(50);

/// The p99 of one stream while the other was there, and while it was not.
#[derive(Debug, Clone, Copy)]
struct Measured {
    there: [Duration; 2],
    away: [Duration; 2],
}

impl Measured {
    fn assert_unchanged(&self) {
        let [there, away] = [self.there, self.away].map(|p99| p99.into_iter().max());
        assert!(away <= there.map(|worst| worst * 3 / 2 + ABOVE_MAX), "{self:?}");
    }
}

/// Streams of a gateway whose state is in `memory`: what waits for a busy disk is another matter.
async fn in_memory(memory: &TempDir) -> Streams {
    let state = memory.path().join(fastrand::u32(..).to_string());
    Streams::new().await.set("state_dir", &format!("{state:?}"))
}

/// How long after it was due each reading was stored, over the best of all, by the phase in which it
/// was due.
fn delays(records: &[StoredRecord], load: &Load, phase: Duration) -> Vec<Vec<Duration>> {
    let every = Duration::from_secs(1) / u32::try_from(load.per_second).expect("few");
    let due = |Reading { device, seq }: Reading| {
        every * u32::try_from(seq * load.devices + device).expect("few")
    };
    let stored: Vec<_> = readings(records)
        .into_iter()
        .zip(records)
        .map(|(reading, record)| (record.arrival.instant, due(reading)))
        .collect();
    let start = stored.iter().filter_map(|(at, due)| at.checked_sub(*due)).min();
    let start: Instant = start.expect("something was stored");
    let mut delays = vec![Vec::new(); usize::try_from(PHASES).expect("few")];
    for (at, due) in stored {
        let phase = u64::try_from(due.as_millis() / phase.as_millis()).expect("few");
        let phase = usize::try_from(phase.min(PHASES - 1)).expect("few");
        let delays = delays.get_mut(phase).expect("one of the phases");
        delays.push(at - (start + due));
    }
    delays
}

fn p99(mut delays: Vec<Duration>) -> Duration {
    delays.sort_unstable();
    *delays.get(delays.len() * 99 / 100).expect("there are some")
}

/// Lets the south be away, as `link` says, in the second and the fourth phase, and back between and
/// after. Nothing may be lost, nor overtake.
#[expect(clippy::print_stderr, reason = "what was measured is worth a line")]
async fn south_away(streams: &Streams, link: Link, per_second: u64) -> Measured {
    let phase = Duration::from_secs(ordinary_or_long(5, 30));
    let run = streams.gateway.start().await;
    let load =
        Load { devices: 100, ..Load::new(PHASES * phase.as_secs() * per_second, per_second) };
    let trouble = async {
        let began = streams.north.reached(|counts| counts.records > 0);
        in_time("the north stores something", began).await;
        for _ in 0..PHASES / 2 {
            sleep(phase).await;
            streams.south.faults(|faults| faults.link = link);
            sleep(phase).await;
            streams.south.faults(|faults| faults.link = Link::Up);
        }
    };
    let (published, ()) = tokio::join!(streams.publish(&load), trouble);
    let [north, south] = streams.all_arrive(&published).await;
    let books = run.stop().await.books();
    for Comparison { lost, unknown, overtook, .. } in [north, south] {
        assert_eq!((lost, unknown, overtook), (vec![], vec![], 0));
    }
    assert_eq!((books.received, books.delivered), (load.readings, load.readings));
    let delays = delays(&streams.north.records(), &load, phase);
    let [a, b, c, d] = delays.try_into().expect("four phases");
    let measured = Measured { there: [p99(a), p99(c)], away: [p99(b), p99(d)] };
    eprintln!("{link:?}, {per_second} readings/s: {measured:?}");
    measured
}

#[tokio::test]
async fn stream_that_falls_silent_leaves_the_p99_of_the_other_as_it_was() {
    let (_alone, memory) = (STAGE.lock().await, memory());
    let streams = in_memory(&memory).await;
    south_away(&streams, Link::Silent, 1_000).await.assert_unchanged();
}

#[tokio::test]
async fn stream_that_refuses_connections_leaves_the_p99_of_the_other_as_it_was() {
    let (_alone, memory) = (STAGE.lock().await, memory());
    let streams = in_memory(&memory).await;
    south_away(&streams, Link::Refusing, 1_000).await.assert_unchanged();
}

/// The window of mosquitto where nobody asks for another: whatever is not acknowledged soon stops all.
#[tokio::test]
async fn in_a_small_window_the_dead_stream_holds_up_no_other_either() {
    let (_alone, memory) = (STAGE.lock().await, memory());
    let streams = in_memory(&memory).await.set("mqtt.receive_maximum", "20");
    south_away(&streams, Link::Silent, 1_000).await.assert_unchanged();
}

/// The same window, which nobody tells: MQTT 3.1.1 with the defaults of mosquitto.
#[tokio::test]
async fn in_a_window_that_nobody_tells_the_dead_stream_holds_up_no_other_either() {
    let (_alone, memory) = (STAGE.lock().await, memory());
    for link in [Link::Silent, Link::Refusing] {
        let streams = in_memory(&memory).await.set("mqtt.version", "3");
        south_away(&streams, link, 100).await.assert_unchanged();
    }
}

/// The default of EMQX.
#[tokio::test]
async fn where_the_broker_caps_what_it_sends_the_dead_stream_holds_up_no_other_either() {
    let (_alone, memory) = (STAGE.lock().await, memory());
    let streams = in_memory(&memory).await;
    let broker = Capped::open(streams.broker.port, 32).await;
    let streams = streams.set("mqtt.url", &format!("{:?}", broker.url()));
    south_away(&streams, Link::Silent, 200).await.assert_unchanged();
}
