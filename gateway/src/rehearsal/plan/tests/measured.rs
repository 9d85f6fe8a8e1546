use super::*;

/// What a shard does that takes nothing during the outage and `per_s` records a second, first in
/// first out, at all other times.
struct Shard {
    per_s: f64,
    /// What it holds back for each record.
    delay: Duration,
}

const OUTAGE: std::ops::Range<Duration> = Duration::from_secs(12)..Duration::from_secs(15);

fn acts() -> Acts {
    Acts { cycle: None, steady: 2 * S..12 * S, outage: Some(OUTAGE) }
}

#[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
fn start() -> Instant {
    Instant::now()
}

fn pumps(devices: u32, end: Duration) -> Timetable {
    let pumps = named(class("pump", 0, S), devices);
    Timetable::new(&Fleet::new(vec![pumps]).unwrap(), 2 * S, end, 1)
}

/// Of a run that is to keep to nothing.
fn heard(timetable: &Timetable, heard: &Heard<'_>) -> Measured {
    measured(timetable, &acts(), &Figures::default(), heard)
}

impl Shard {
    fn stores(&self, timetable: &Timetable, start: Instant) -> Vec<StoredRecord> {
        let mut free = Duration::ZERO;
        let stored = timetable.turns(0, 1).zip(0..).map(|(turn, position)| {
            let mut at = free.max(turn.due);
            if OUTAGE.contains(&at) {
                at = OUTAGE.end;
            }
            free = at + Duration::from_secs_f64(1.0 / self.per_s);
            StoredRecord {
                sequence_number: SequenceNumber { shard: ShardId(3), position },
                partition_key: Arc::from(timetable.topic_of(turn.device)),
                data: timetable.payload(turn, 0).into(),
                arrival: Moment { instant: start + at + self.delay, epoch_ms: 0 },
            }
        });
        stored.collect()
    }

    fn is_measured(&self, devices: u32, end: Duration, throttled: u64) -> Measured {
        let (timetable, start) = (pumps(devices, end), start());
        heard(&timetable, &Heard { start, records: &self.stores(&timetable, start), throttled })
    }
}

#[track_caller]
fn is_about(measured: &Measured, figure: Figure, expected: f64, tolerance: f64) {
    let value = measured.figures.get(figure).unwrap();
    assert!((value - expected).abs() <= tolerance, "{figure}: {value}, not {expected}");
}

#[test]
fn load_wait_and_refusals_are_those_of_the_shard() {
    let shard = Shard { per_s: 900.0, delay: S / 20 };
    let measured = shard.is_measured(600, 60 * S, 100);
    is_about(&measured, Figure::Records, 0.6, 0.003);
    // 500 bytes of data, and 6 to 8 of key.
    is_about(&measured, Figure::Bytes, 600.0 * 507.8 / 1_048_576.0, 0.002);
    is_about(&measured, Figure::P99, 0.05, 0.03);
    is_about(&measured, Figure::Throttled, 100.0 / 36_100.0, 1e-6);
    assert_eq!(measured.delivered, 36_000);
}

/// 3 s × ρ ÷ (1 − ρ), less what is left when nothing is late any more.
#[test]
fn drain_is_measured_as_long_as_a_shard_takes_to_catch_up() {
    for (devices, expected_s) in [(450, 3.0), (600, 6.0), (720, 12.0)] {
        let shard = Shard { per_s: 900.0, delay: Duration::ZERO };
        let measured = shard.is_measured(devices, 60 * S, 0);
        is_about(&measured, Figure::Drain, expected_s, 0.1 * expected_s + 0.1);
    }
}

#[test]
fn drain_that_is_not_over_at_the_end_has_no_end() {
    let shard = Shard { per_s: 900.0, delay: Duration::ZERO };
    let measured = shard.is_measured(850, 30 * S, 0);
    assert_eq!(measured.figures.get(Figure::Drain), Some(f64::INFINITY));
}

#[test]
fn stream_that_does_not_come_back_never_catches_up() {
    let (timetable, start) = (pumps(450, 30 * S), start());
    let mut records = Shard { per_s: 900.0, delay: Duration::ZERO }.stores(&timetable, start);
    records.retain(|record| record.arrival.instant < start + OUTAGE.start);
    let measured = heard(&timetable, &Heard { start, records: &records, throttled: 0 });
    assert_eq!(measured.figures.get(Figure::Drain), Some(f64::INFINITY));
}

/// What was due in the outage arrives after it, and nothing else is due until all is over: the next
/// wave, or the next report of any of few.
#[test]
fn drain_is_over_when_all_has_arrived_though_nothing_is_due_any_more() {
    let rooms = named(aligned("rooms", 0, 5 * S, Duration::ZERO), 100);
    let meters = named(class("meters", 0, 900 * S), 300);
    for (class, end) in [(rooms, 33 * S / 2), (meters, 33 * S / 2)] {
        let fleet = Fleet::new(vec![class]).unwrap();
        let (timetable, start) = (Timetable::new(&fleet, 2 * S, end, 1), start());
        let shard = Shard { per_s: 900.0, delay: Duration::ZERO };
        let records = shard.stores(&timetable, start);
        let drained = |records: &[StoredRecord]| {
            let measured = heard(&timetable, &Heard { start, records, throttled: 0 });
            measured.figures.get(Figure::Drain).unwrap()
        };
        assert!(drained(&records) <= 0.3, "{}", drained(&records));
        let all_but_one = &records[..records.len() - 1];
        assert!(drained(all_but_one).is_infinite(), "one is missing");
    }
}

/// The wave of 450 takes half a second, whoever reports between.
#[test]
fn waits_are_those_of_what_comes_together_where_anything_does() {
    let rooms = named(aligned("rooms", 0, 5 * S, Duration::ZERO), 450);
    let lifts = named(class("lifts", 0, S / 10), 50);
    let fleet = Fleet::new(vec![rooms, lifts]).unwrap();
    let (timetable, start) = (Timetable::new(&fleet, 2 * S, 30 * S, 1), start());
    let records = Shard { per_s: 1_400.0, delay: Duration::ZERO }.stores(&timetable, start);
    let measured = heard(&timetable, &Heard { start, records: &records, throttled: 0 });
    is_about(&measured, Figure::P99, 450.0 / 1_400.0, 0.03);
}

#[test]
fn what_is_stored_twice_is_delivered_once_and_what_is_foreign_does_not_count() {
    let (timetable, start) = (pumps(10, 20 * S), start());
    let shard = Shard { per_s: 900.0, delay: Duration::ZERO };
    let mut records = shard.stores(&timetable, start);
    let once = records.len() as u64;
    records.extend(records.clone());
    let foreign = StoredRecord { partition_key: "status".into(), ..records[0].clone() };
    records.push(foreign);
    let measured = heard(&timetable, &Heard { start, records: &records, throttled: 0 });
    assert_eq!(measured.delivered, once);
}
