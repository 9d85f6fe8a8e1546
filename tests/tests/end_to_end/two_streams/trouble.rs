//! One of two streams is away for a while.

use std::time::{Duration, Instant};

use tests::effort::ordinary_or_long;
use tests::fleet::Load;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{Link, StoredRecord};
use tokio::time::sleep;

use super::{Streams, readings};

/// Twice the other is there, and twice it is not.
const PHASES: u64 = 4;

/// How the p99 of one stream was while the other was there, and while it was not.
#[derive(Debug, Clone, Copy)]
struct Measured {
    there: [Duration; 2],
    away: [Duration; 2],
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
        delays[phase].push(at - (start + due));
    }
    delays
}

fn p99(mut delays: Vec<Duration>) -> Duration {
    delays.sort_unstable();
    *delays.get(delays.len() * 99 / 100).expect("there are some")
}

/// Lets the south be away, as `link` says, in the second and the fourth phase, and back between and
/// after. Nothing may be lost, nor overtake.
async fn south_away(streams: &Streams, link: Link, per_second: u64) -> Measured {
    let phase = Duration::from_secs(ordinary_or_long(6, 30));
    let run = streams.gateway.start().await;
    let load =
        Load { devices: 100, ..Load::new(PHASES * phase.as_secs() * per_second, per_second) };
    let trouble = async {
        super::stored(&streams.north, 1).await;
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
    let all: Vec<_> = [&a, &b, &c, &d].into_iter().map(|one| p99(one.clone())).collect();
    let max: Vec<_> = [&a, &b, &c, &d].into_iter().map(|one| one.iter().max().copied()).collect();
    eprintln!("{link:?} {per_second}/s p99 {all:?} max {max:?}");
    Measured { there: [p99(a), p99(c)], away: [p99(b), p99(d)] }
}

#[tokio::test]
async fn measure() {
    for (link, per_second, window) in [
        (Link::Silent, 1_000, "20"),
        (Link::Refusing, 1_000, "20"),
        (Link::Silent, 1_000, "200"),
        (Link::Refusing, 1_000, "200"),
    ] {
        let streams = Streams::new().await.set("mqtt.receive_maximum", window);
        south_away(&streams, link, per_second).await;
    }
}
