//! What became of what was played, by what the stream stored. Pure.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use shard_estimator::limits::{SHARD_BYTES_PER_S, SHARD_RECORDS_PER_S};
use shard_estimator::number::real;

use crate::rehearsal::stream::{ShardId, StoredRecord};

use super::{Acts, Figure, Figures, Timetable};

/// The end of catching up is looked for in steps of this.
const STEP: Duration = Duration::from_millis(100);
/// What waits longer than this, or than so many times the p99, is still late because of the outage.
/// The gateway calls late what waits a quarter of a second.
const LATE: Duration = Duration::from_millis(250);
const LATE_TIMES: f64 = 1.5;

/// It takes a moment to find out that the stream is back: what is due until then may be late, and
/// be the last, and all is well.
const FOUND_OUT: Duration = Duration::from_millis(500);

/// What was heard of the stream.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// When the fleet began.
    pub start: Instant,
    /// All that was stored, in the order of storing.
    pub records: &'a [StoredRecord],
    /// Records refused for their rate.
    pub throttled: u64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The figures that the acts can show.
    pub figures: Figures,
    /// Reports that arrived, each counted once.
    pub delivered: u64,
}

/// One record, with what is compared of it.
struct Arrival {
    /// From the start.
    at: Duration,
    due: Duration,
    bytes: f64,
    is_aligned: bool,
}

/// Measures what came of `timetable`, played in `acts`, where waits as `predicted` are usual.
#[must_use]
pub fn measured(
    timetable: &Timetable,
    acts: &Acts,
    predicted: &Figures,
    heard: &Heard<'_>,
) -> Measured {
    let players: HashMap<_, _> = timetable.keys().zip(0..).collect();
    let mut seen = HashSet::new();
    let mut by_shard: HashMap<ShardId, Vec<Arrival>> = HashMap::new();
    for record in heard.records {
        let Some(device) = players.get(&*record.partition_key).copied() else { continue };
        let Some(sequence) = Timetable::sequence(&record.data) else { continue };
        let Some(due) = timetable.due(device, sequence) else { continue };
        seen.insert((device, sequence));
        let shard = record.sequence_number.shard;
        by_shard.entry(shard).or_default().push(Arrival {
            at: record.arrival.instant.saturating_duration_since(heard.start),
            due,
            bytes: real((record.data.len() + record.partition_key.len()) as u64),
            is_aligned: timetable.is_aligned(device),
        });
    }
    let delivered = seen.len() as u64;
    let worst = |of: &dyn Fn(&[Arrival]) -> f64| {
        by_shard.values().map(|arrivals| of(arrivals)).fold(0.0, f64::max)
    };
    let attempts = real(heard.records.len() as u64 + heard.throttled);
    let mut figures = Figures::from_iter([
        (Figure::Records, worst(&|arrivals| records_used(arrivals, acts))),
        (Figure::Bytes, worst(&|arrivals| bytes_used(arrivals, acts))),
        (Figure::Throttled, real(heard.throttled) / attempts.max(1.0)),
        (Figure::P99, worst(&|arrivals| p99(arrivals, acts))),
    ]);
    if let Some(outage) = &acts.outage {
        let usual_s = predicted.get(Figure::P99).unwrap_or(0.0);
        let late = Duration::try_from_secs_f64(usual_s * LATE_TIMES).unwrap_or(LATE).max(LATE);
        let drain = if delivered < timetable.reports() {
            f64::INFINITY
        } else {
            worst(&|arrivals| drain(arrivals, outage.end, late))
        };
        figures.set(Figure::Drain, drain);
    }
    Measured { figures, delivered }
}

fn records_used(arrivals: &[Arrival], acts: &Acts) -> f64 {
    per_s(arrivals, acts, |_| 1.0) / f64::from(SHARD_RECORDS_PER_S)
}

fn bytes_used(arrivals: &[Arrival], acts: &Acts) -> f64 {
    per_s(arrivals, acts, |arrival| arrival.bytes) / f64::from(SHARD_BYTES_PER_S)
}

/// What of `of` arrived in a second of the steady act.
fn per_s(arrivals: &[Arrival], acts: &Acts, of: impl Fn(&Arrival) -> f64) -> f64 {
    let steady = arrivals.iter().filter(|arrival| acts.steady.contains(&arrival.at));
    steady.map(of).sum::<f64>() / (acts.steady.end - acts.steady.start).as_secs_f64()
}

/// What 99 of 100 records waited at most that were due in the steady act; of aligned devices if
/// there are any.
fn p99(arrivals: &[Arrival], acts: &Acts) -> f64 {
    let any_aligned = arrivals.iter().any(|arrival| arrival.is_aligned);
    let counts = |arrival: &&Arrival| {
        acts.steady.contains(&arrival.due) && arrival.is_aligned == any_aligned
    };
    let mut waits: Vec<_> = arrivals.iter().filter(counts).map(Arrival::waited).collect();
    waits.sort_unstable();
    waits.get(waits.len() * 99 / 100).map_or(0.0, Duration::as_secs_f64)
}

/// How long after `up` the last moment was in which most of what arrived was `late`, where all did
/// arrive; for ever if that did not end.
fn drain(arrivals: &[Arrival], up: Duration, late: Duration) -> f64 {
    /// Late, and all.
    type Tally = (u32, u32);
    let mut steps: Vec<Tally> = Vec::new();
    for arrival in arrivals {
        let Some(since) = arrival.at.checked_sub(up) else { continue };
        let step = usize::try_from(since.as_nanos() / STEP.as_nanos()).unwrap_or(usize::MAX);
        if step >= steps.len() {
            steps.resize(step.saturating_add(1), (0, 0));
        }
        if let Some((were_late, all)) = steps.get_mut(step) {
            *were_late += u32::from(arrival.waited() > late);
            *all += 1;
        }
    }
    let is_late = |(late, all): &Tally| 2 * late > *all;
    let behind = steps.iter().rposition(is_late).map_or(0, |last| last + 1);
    if ends_late(arrivals, up, late) {
        f64::INFINITY
    } else {
        real(behind as u64) * STEP.as_secs_f64()
    }
}

/// Whether most of what was due last was `late`, long after `up`. Where nothing was due any more, the
/// last was of the outage, and that it is late says nothing.
fn ends_late(arrivals: &[Arrival], up: Duration, late: Duration) -> bool {
    let after = || arrivals.iter().filter(|arrival| arrival.due >= up + FOUND_OUT);
    let Some(last) = after().map(|arrival| arrival.due).max() else { return false };
    let at_last = || after().filter(|arrival| arrival.due + STEP > last);
    2 * at_last().filter(|arrival| arrival.waited() > late).count() > at_last().count()
}

impl Arrival {
    fn waited(&self) -> Duration {
        self.at.saturating_sub(self.due)
    }
}
