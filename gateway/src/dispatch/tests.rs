use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;

use crate::config::Order;

use super::*;

mod keys;

const MINIMAL: &str = r#"
[mqtt]
url = "mqtt://localhost"
client_id = "edge-1"
topics = ["t"]
[stream]
name = "telemetry"
region = "us-east-1"
[pace]
mode = "off"
"#;

fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::parse(MINIMAL).unwrap();
    change(&mut config);
    config
}

fn dispatcher(config: &Config, now: Instant) -> Dispatcher {
    Dispatcher::new(config, config.streams.first(), now)
}

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

fn push(dispatcher: &mut Dispatcher, key: &str, number: u64, bytes: usize, now: Instant) {
    let slot = RecordSlot(number.try_into().unwrap());
    let (key, data) = (PartitionKey::new(key), Bytes::from(vec![b'x'; bytes]));
    dispatcher.push(Incoming { slot, key, data, rx_ts_ms: 0, since: now });
}

fn sent(next: Next) -> Vec<Taken> {
    match next {
        Next::Send(batch) => batch,
        Next::WaitUntil(_) | Next::Wait => Vec::new(),
    }
}

fn all(batch: Vec<Taken>, verdict: &Verdict) -> Answer {
    let records = batch.into_iter().map(|taken| (taken, verdict.clone())).collect();
    Answer { records, trouble: None, calls: 1 }
}

fn failed(batch: Vec<Taken>, kind: TroubleKind) -> Answer {
    let trouble = Some(Trouble { kind, detail: "as told".to_owned() });
    Answer { trouble, ..all(batch, &Verdict::Unavailable) }
}

const MS: Duration = Duration::from_millis(1);

#[test]
fn batch_leaves_when_its_first_record_has_lingered() {
    let now = start();
    let mut dispatcher = dispatcher(&config(|_| {}), now);
    push(&mut dispatcher, "a", 1, 100, now);
    push(&mut dispatcher, "b", 2, 100, now + 20 * MS);
    assert!(matches!(dispatcher.next(now + 49 * MS), Next::WaitUntil(at) if at == now + 50 * MS));
    assert_eq!(sent(dispatcher.next(now + 50 * MS)).len(), 2);
}

#[test]
fn batch_leaves_at_once_when_it_is_full_or_hurried() {
    let now = start();
    let mut dispatcher = dispatcher(&config(|config| config.batch.records_max = 3), now);
    for number in 0..2 {
        push(&mut dispatcher, "a", number, 100, now);
    }
    assert!(sent(dispatcher.next(now)).is_empty());
    push(&mut dispatcher, "a", 2, 100, now);
    let full = sent(dispatcher.next(now));
    assert_eq!(full.len(), 3);
    push(&mut dispatcher, "b", 3, 100, now);
    assert!(sent(dispatcher.next(now)).is_empty());
    dispatcher.hurry();
    assert_eq!(sent(dispatcher.next(now)).len(), 1);
    push(&mut dispatcher, "c", 4, 100, now);
    assert!(sent(dispatcher.next(now)).is_empty(), "the hurry is over with what it was about");
}

#[test]
fn no_more_requests_are_in_flight_than_configured() {
    let now = start();
    let mut dispatcher = dispatcher(&config(|config| config.batch.records_max = 1), now);
    for number in 0..6 {
        push(&mut dispatcher, &number.to_string(), number, 10, now);
    }
    let mut requests: Vec<_> = (0..6).map(|_| sent(dispatcher.next(now))).collect();
    assert_eq!(requests.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1, 1, 0, 0]);
    dispatcher.answered(all(requests.remove(0), &Verdict::Accepted(None)), now, 0.5);
    assert_eq!(sent(dispatcher.next(now)).len(), 1);
}

#[test]
fn outage_is_probed_by_one_request_after_a_growing_pause() {
    let mut now = start();
    let mut dispatcher = dispatcher(&config(|config| config.batch.records_max = 1), now);
    for number in 0..6 {
        push(&mut dispatcher, &number.to_string(), number, 10, now);
    }
    let together: Vec<_> = (0..4).map(|_| sent(dispatcher.next(now))).collect();
    for batch in together {
        dispatcher.answered(failed(batch, TroubleKind::Unavailable), now, 1.0);
    }
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let Next::WaitUntil(at) = dispatcher.next(now) else { panic!("closed") };
        pauses.push((at - now).as_millis());
        now = at;
        let probe = sent(dispatcher.next(now));
        assert_eq!(probe.len(), 1);
        assert!(sent(dispatcher.next(now)).is_empty(), "one probe at a time");
        dispatcher.answered(failed(probe, TroubleKind::Unavailable), now, 1.0);
    }
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 3200, 5000]);
    let Next::WaitUntil(at) = dispatcher.next(now) else { panic!("closed") };
    let probe = sent(dispatcher.next(at));
    dispatcher.answered(all(probe, &Verdict::Accepted(None)), at, 0.5);
    let again: Vec<_> = (0..4).map(|_| sent(dispatcher.next(at)).len()).collect();
    assert_eq!(again, [1, 1, 1, 1], "back to full width");
}

#[test]
fn shard_that_refuses_gets_one_record_of_a_key_at_a_time_until_it_is_calm() {
    let mut now = start();
    let mut dispatcher = dispatcher(&config(|_| {}), now);
    for number in 0..20 {
        push(&mut dispatcher, "a", number, 10, now);
    }
    dispatcher.hurry();
    let batch = sent(dispatcher.next(now));
    assert_eq!(batch.len(), 20, "calm, so together");
    let mut answer = all(batch, &Verdict::Accepted(None));
    answer.records[3].1 = Verdict::Throttled;
    let outcome = dispatcher.answered(answer, now, 0.5);
    assert_eq!((outcome.accepted.len(), outcome.retried, outcome.reordered), (19, 1, 16));
    for number in 20..23 {
        push(&mut dispatcher, "a", number, 10, now);
    }
    for expected in [3, 20] {
        now += 100 * MS;
        let batch = sent(dispatcher.next(now));
        let numbers: Vec<_> = batch.iter().map(|taken| taken.record.slot.0).collect();
        assert_eq!(numbers, [expected]);
        dispatcher.answered(all(batch, &Verdict::Accepted(None)), now, 0.5);
    }
    now += Duration::from_secs(11);
    assert_eq!(sent(dispatcher.next(now)).len(), 2, "calm again");
}

#[test]
fn record_over_its_age_is_dropped_even_while_the_stream_is_away() {
    let mut now = start();
    let age_max = Some(Duration::from_secs(60));
    let mut dispatcher =
        dispatcher(&config(|config| config.streams.first_mut().record_age_max = age_max), now);
    let expired = |dispatcher: &mut Dispatcher, now| {
        let mut expired = dispatcher.take_expired(now);
        expired.sort_unstable();
        expired.iter().map(|slot| slot.0).collect::<Vec<_>>()
    };
    push(&mut dispatcher, "a", 1, 10, now);
    dispatcher.hurry();
    let probe = sent(dispatcher.next(now));
    dispatcher.answered(failed(probe, TroubleKind::NotAllowed), now, 1.0);
    push(&mut dispatcher, "a", 2, 10, now);
    push(&mut dispatcher, "b", 3, 10, now);
    assert_eq!(expired(&mut dispatcher, now), [] as [usize; 0]);
    now += Duration::from_secs(61);
    push(&mut dispatcher, "a", 4, 10, now);
    assert_eq!(expired(&mut dispatcher, now), [1, 2, 3]);
    let batch = sent(dispatcher.next(now + 50 * MS));
    assert_eq!(batch.iter().map(|taken| taken.record.slot.0).collect::<Vec<_>>(), [4]);
    dispatcher.answered(all(batch, &Verdict::Accepted(None)), now, 0.5);
    push(&mut dispatcher, "b", 5, 10, now);
    assert_eq!(sent(dispatcher.next(now + 50 * MS)).len(), 1, "the key of what expired goes on");
    assert_eq!(dispatcher.held(), 1);
}

#[test]
fn uplink_cap_spaces_the_requests() {
    let mut now = start();
    let began = now;
    let kbit = Some(1000);
    let mut dispatcher =
        dispatcher(&config(|config| config.streams.first_mut().uplink_kbit_s_max = kbit), now);
    for number in 0..50 {
        push(&mut dispatcher, &number.to_string(), number, 50_000, now);
    }
    dispatcher.hurry();
    while dispatcher.held() > 0 {
        match dispatcher.next(now) {
            Next::Send(batch) => {
                dispatcher.answered(all(batch, &Verdict::Accepted(None)), now, 0.5);
            }
            Next::WaitUntil(at) => now = at,
            Next::Wait => panic!("something waits"),
        }
    }
    // 2.5 MB are 3.3 MB in base64: 27 s at 1 Mbit/s, the last request of at most 1.4 MB not waited
    // for.
    let seconds = (now - began).as_secs_f64();
    assert!((15.0..27.0).contains(&seconds), "{seconds}");
}

proptest! {
    /// Where the stream answers at once, no record waits longer than linger, and none leaves alone
    /// that could have waited for company.
    #[test]
    fn no_record_leaves_later_than_linger(
        gaps_ms in prop::collection::vec((0_u32..40, 0_usize..5), 1..100),
    ) {
        let mut now = start();
        let mut dispatcher = dispatcher(&config(|config| config.batch.records_max = 8), now);
        let mut gaps_ms = gaps_ms.into_iter().enumerate();
        let mut arrival = gaps_ms.next();
        let mut due = now;
        loop {
            match dispatcher.next(now) {
                Next::Send(batch) => {
                    let oldest = batch.iter().map(|taken| taken.record.since).min().unwrap();
                    prop_assert!(now <= oldest + 50 * MS, "late");
                    prop_assert!(now == oldest + 50 * MS || batch.len() == 8, "hasty");
                    dispatcher.answered(all(batch, &Verdict::Accepted(None)), now, 0.5);
                    continue;
                }
                Next::WaitUntil(at) if arrival.is_none() || at <= due => now = at,
                Next::WaitUntil(_) | Next::Wait => {
                    let Some((number, (gap_ms, key))) = arrival else { break };
                    now = due;
                    push(&mut dispatcher, &key.to_string(), number as u64, 10, now);
                    due = now + gap_ms * MS;
                    arrival = gaps_ms.next();
                }
            }
        }
        prop_assert_eq!(dispatcher.held(), 0);
    }

    /// Batches keep their limits; every record ends accepted or refused for good, whatever the stream answers on the way.
    #[test]
    fn every_record_ends_accepted_or_refused(
        sizes in prop::collection::vec((0_usize..12, 1_usize..400), 1..120),
        fates in prop::collection::vec(0_u8..12, 1..60),
        order in prop_oneof![Just(Order::Device), Just(Order::Strict), Just(Order::None)],
    ) {
        let mut now = start();
        let config = config(|config| {
            config.order = order;
            config.batch.records_max = 7;
            config.batch.bytes_max = 1000;
        });
        let mut dispatcher = dispatcher(&config, now);
        for (number, (key, bytes)) in sizes.iter().enumerate() {
            push(&mut dispatcher, &key.to_string(), number as u64, *bytes, now);
        }
        let mut fates = fates.into_iter();
        let (mut accepted, mut refused): (HashMap<u64, u32>, usize) = (HashMap::new(), 0);
        let mut requests = VecDeque::new();
        for _ in 0..10_000 {
            if dispatcher.held() == 0 {
                break;
            }
            match dispatcher.next(now) {
                Next::Send(batch) => {
                    prop_assert!(batch.len() <= 7 && !batch.is_empty());
                    prop_assert!(batch.iter().map(Taken::bytes).sum::<usize>() <= 1000);
                    requests.push_back(batch);
                }
                next @ (Next::WaitUntil(_) | Next::Wait) => {
                    if let Some(batch) = requests.pop_front() {
                        let answer = fate(batch, fates.next().unwrap_or(0));
                        let outcome = dispatcher.answered(answer, now, 0.5);
                        refused += outcome.refused.len();
                        for slot in outcome.accepted {
                            *accepted.entry(slot.0 as u64).or_default() += 1;
                        }
                    } else if let Next::WaitUntil(at) = next {
                        prop_assert!(at > now, "waits without time passing");
                        now = at;
                    } else {
                        prop_assert!(false, "nothing in flight and nothing to wait for");
                    }
                }
            }
        }
        prop_assert_eq!(accepted.len() + refused, sizes.len());
        prop_assert!(accepted.values().all(|times| *times == 1), "accepted once");
    }
}

/// One of the ways in which a request may end.
fn fate(batch: Vec<Taken>, fate: u8) -> Answer {
    match fate {
        0..=4 => all(batch, &Verdict::Accepted(None)),
        5 => all(batch, &Verdict::Throttled),
        6 => all(batch, &Verdict::Refused("never".to_owned())),
        7 => failed(batch, TroubleKind::Unheard),
        8 => failed(batch, TroubleKind::NotAllowed),
        9 => failed(batch, TroubleKind::Throttled),
        n => {
            let mut answer = all(batch, &Verdict::Accepted(None));
            for (_, verdict) in answer.records.iter_mut().skip(usize::from(n) - 10).step_by(3) {
                *verdict = Verdict::Throttled;
            }
            answer
        }
    }
}

/// A stream of 64 shards that refuses a fifth of all records at random, and answers after 3 ms: how
/// long each of `count` records takes, at a thousand a second from a hundred devices.
fn latencies_while_a_fifth_is_refused(count: u64) -> Vec<Duration> {
    let began = start();
    let config = config(|config| {
        config.streams.first_mut().shards = Some(64);
        config.streams.first_mut().pace.mode = crate::config::PaceMode::Shards;
    });
    let (mut dispatcher, mut now) = (dispatcher(&config, began), began);
    let mut dice = fastrand::Rng::with_seed(7);
    let mut requests: VecDeque<(Instant, Vec<Taken>)> = VecDeque::new();
    let (mut arrived, mut latencies) = (0, Vec::new());
    let arrival = |number: u64| began + Duration::from_millis(number);
    loop {
        while arrived < count && arrival(arrived) <= now {
            push(&mut dispatcher, &format!("device-{}", arrived % 100), arrived, 1100, now);
            arrived += 1;
        }
        while let Some((_, batch)) = requests.pop_front_if(|(at, _)| *at <= now) {
            let mut answer = all(batch, &Verdict::Accepted(None));
            for (_, verdict) in &mut answer.records {
                if dice.f64() < 0.2 {
                    *verdict = Verdict::Throttled;
                }
            }
            for slot in dispatcher.answered(answer, now, dice.f64()).accepted {
                latencies.push(now - arrival(slot.0 as u64));
            }
        }
        let wake = loop {
            match dispatcher.next(now) {
                Next::Send(batch) => requests.push_back((now + 3 * MS, batch)),
                Next::WaitUntil(at) => break Some(at),
                Next::Wait => break None,
            }
        };
        let next_arrival = (arrived < count).then(|| arrival(arrived));
        let answer = requests.front().map(|(at, _)| *at);
        let Some(next) = [wake, next_arrival, answer].into_iter().flatten().min() else { break };
        now = next.max(now);
    }
    assert_eq!(latencies.len(), usize::try_from(count).unwrap());
    latencies
}

#[test]
fn rate_holds_while_a_fifth_of_all_records_is_refused() {
    let mut latencies = latencies_while_a_fifth_is_refused(20_000);
    latencies.sort_unstable();
    let quantile = |percent: usize| latencies[latencies.len() * percent / 100];
    assert!(quantile(50) < 60 * MS, "p50 {:?}", quantile(50));
    assert!(quantile(99) < 400 * MS, "p99 {:?}", quantile(99));
    // Acknowledgements go in order: a second's delay of one exhausts a window of a thousand.
    let longest = latencies.last().unwrap();
    assert!(*longest < 900 * MS, "{longest:?}");
}
