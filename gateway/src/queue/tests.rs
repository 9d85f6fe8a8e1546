use std::collections::{HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Always open.
pub(crate) struct Open;

impl Gate for Open {
    fn draw(&mut self, _: &PartitionKey, _: usize, _: Instant) -> Admission {
        Admission::Granted
    }

    fn records_per_key(&self, _: &PartitionKey, _: Instant) -> usize {
        usize::MAX
    }
}

/// Grants what `open` says a shard may have, `per_key` records of a key at once.
struct Sluice {
    open: HashMap<usize, usize>,
    per_key: usize,
    retry_after: Duration,
}

impl Gate for Sluice {
    fn draw(&mut self, key: &PartitionKey, _: usize, now: Instant) -> Admission {
        let number: usize = key.as_str().trim_start_matches('k').parse().unwrap();
        let shard = number % 4;
        match self.open.get_mut(&shard) {
            Some(0) => Admission::RetryAt(now + self.retry_after),
            Some(left) => {
                *left -= 1;
                Admission::Granted
            }
            None => Admission::Granted,
        }
    }

    fn records_per_key(&self, _: &PartitionKey, _: Instant) -> usize {
        self.per_key
    }
}

fn open() -> Sluice {
    Sluice { open: HashMap::new(), per_key: usize::MAX, retry_after: Duration::from_millis(10) }
}

const ROOM: Room = Room { records: 500, bytes: 1 << 20 };

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn start() -> Instant {
    Instant::now()
}

/// Queues record `number` of `key`; the key is `k<n>`, its shard `n % 4`.
fn push(queues: &mut Queues, key: usize, number: u64, now: Instant) {
    let slot = RecordSlot(number.try_into().unwrap());
    let data = Bytes::from_static(b"12345678");
    let key = PartitionKey::new(&format!("k{key}"));
    queues.push(Incoming { slot, key, data, rx_ts_ms: 0, since: now });
}

fn numbers(taken: &[Taken]) -> Vec<u64> {
    taken.iter().map(|taken| taken.record.slot.0 as u64).collect()
}

/// Answers a request: every record whose number is in `refused` comes back.
fn answer(queues: &mut Queues, taken: Vec<Taken>, refused: &[u64], not_before: Instant) {
    let mut keys: Vec<(KeySlot, Vec<Queued>)> = Vec::new();
    for Taken { slot, record, .. } in taken {
        if keys.last().is_none_or(|(last, _)| *last != slot) {
            keys.push((slot, Vec::new()));
        }
        if refused.contains(&(record.slot.0 as u64)) {
            keys.last_mut().unwrap().1.push(record);
        }
    }
    for (slot, again) in keys {
        queues.answered(slot, again.into_iter(), not_before);
    }
}

#[test]
fn key_in_flight_waits_for_its_verdict() {
    let (mut queues, now) = (Queues::new(Order::Device), start());
    push(&mut queues, 1, 10, now);
    let first = queues.take(ROOM, &mut open(), now);
    push(&mut queues, 1, 11, now);
    push(&mut queues, 2, 20, now);
    assert_eq!(numbers(&queues.take(ROOM, &mut open(), now)), [20]);
    answer(&mut queues, first, &[], now);
    assert_eq!(numbers(&queues.take(ROOM, &mut open(), now)), [11]);
}

#[test]
fn refused_records_go_first_when_their_key_wakes() {
    let (mut queues, now) = (Queues::new(Order::Device), start());
    for number in 0..4 {
        push(&mut queues, 1, number, now);
    }
    let taken = queues.take(Room { records: 3, ..ROOM }, &mut open(), now);
    let later = now + Duration::from_millis(5);
    answer(&mut queues, taken, &[1, 2], later);
    assert_eq!(numbers(&queues.take(ROOM, &mut open(), now)), [] as [u64; 0]);
    assert_eq!(queues.next_wake(), Some(later));
    queues.wake(later);
    assert_eq!(numbers(&queues.take(ROOM, &mut open(), later)), [1, 2, 3]);
}

#[test]
fn without_order_a_key_may_be_in_flight_twice() {
    let (mut queues, now) = (Queues::new(Order::None), start());
    push(&mut queues, 1, 10, now);
    let first = queues.take(ROOM, &mut open(), now);
    push(&mut queues, 1, 11, now);
    let second = queues.take(ROOM, &mut open(), now);
    assert_eq!((numbers(&first), numbers(&second)), (vec![10], vec![11]));
    answer(&mut queues, second, &[], now);
    answer(&mut queues, first, &[10], now);
    queues.wake(now);
    assert_eq!(numbers(&queues.take(ROOM, &mut open(), now)), [10]);
}

#[test]
fn blocked_shard_does_not_hold_back_the_others() {
    let (mut queues, now) = (Queues::new(Order::Device), start());
    for key in 0..8 {
        push(&mut queues, key, key as u64, now);
    }
    let mut gate = Sluice { open: HashMap::from([(0, 0)]), ..open() };
    assert_eq!(numbers(&queues.take(ROOM, &mut gate, now)), [1, 2, 3, 5, 6, 7]);
    assert!(queues.take(ROOM, &mut gate, now).is_empty());
    let later = queues.next_wake().unwrap();
    queues.wake(later);
    assert_eq!(numbers(&queues.take(ROOM, &mut open(), later)), [0, 4]);
}

#[test]
fn oldest_key_goes_first() {
    let (mut queues, now) = (Queues::new(Order::Device), start());
    for (key, age_ms) in [(1, 0), (2, 1), (3, 2)] {
        push(&mut queues, key, key as u64, now + Duration::from_millis(age_ms));
    }
    let taken = queues.take(Room { records: 1, ..ROOM }, &mut open(), now);
    answer(&mut queues, taken, &[1], now);
    queues.wake(now);
    let later = now + Duration::from_millis(3);
    assert_eq!(numbers(&queues.take(ROOM, &mut open(), later)), [1, 2, 3], "not sent to the back");
}

#[derive(Debug, Clone)]
enum Step {
    Push(usize),
    Take { records: usize, per_key: usize, shard_0: usize },
    Answer { request: prop::sample::Index, refuse_every: u64 },
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0_usize..6).prop_map(Step::Push),
        3 => (1_usize..6, 1_usize..4, 0_usize..3)
            .prop_map(|(records, per_key, shard_0)| Step::Take { records, per_key, shard_0 }),
        3 => (any::<prop::sample::Index>(), 1_u64..5)
            .prop_map(|(request, refuse_every)| Step::Answer { request, refuse_every }),
        1 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 0..150)
}

/// What was taken and not answered, and what was accepted, by key.
#[derive(Default)]
struct Model {
    in_flight: Vec<Vec<Taken>>,
    pushed: HashMap<String, Vec<u64>>,
    accepted: HashMap<String, Vec<u64>>,
}

impl Model {
    fn take(&mut self, taken: Vec<Taken>) {
        let keys: HashSet<_> = taken.iter().map(|taken| taken.key.clone()).collect();
        for other in self.in_flight.iter().flatten() {
            assert!(!keys.contains(&other.key), "{} is in flight twice", other.key);
        }
        for run in taken.chunk_by(|a, b| a.key == b.key) {
            assert!(run.is_sorted_by_key(|taken| taken.record.slot));
        }
        if !taken.is_empty() {
            self.in_flight.push(taken);
        }
    }

    /// Accepts a leading run of each key, refuses the rest: what a careful stream would do.
    fn answer(&mut self, queues: &mut Queues, index: usize, refuse_every: u64, now: Instant) {
        let taken = self.in_flight.swap_remove(index);
        let mut refused = Vec::new();
        for run in taken.chunk_by(|a, b| a.slot == b.slot) {
            let mut refusing = false;
            for taken in run {
                let number = taken.record.slot.0 as u64;
                refusing |= refuse_every > 1 && number.is_multiple_of(refuse_every);
                if refusing {
                    refused.push(number);
                } else {
                    self.accepted.entry(taken.key.to_string()).or_default().push(number);
                }
            }
        }
        answer(queues, taken, &refused, now + Duration::from_millis(7));
    }
}

proptest! {
    /// Never over the room; one request a key; nothing overtakes; and in the end nothing is left.
    #[test]
    fn nothing_overtakes_and_nothing_starves(steps in steps(), strict in any::<bool>()) {
        let order = if strict { Order::Strict } else { Order::Device };
        let (mut queues, mut now, mut model) = (Queues::new(order), start(), Model::default());
        for (number, step) in steps.into_iter().enumerate() {
            now += Duration::from_millis(1);
            queues.wake(now);
            match step {
                Step::Push(key) => {
                    push(&mut queues, key, number as u64, now);
                    model.pushed.entry(format!("k{key}")).or_default().push(number as u64);
                }
                Step::Take { records, per_key, shard_0 } => {
                    let open = HashMap::from([(0, shard_0)]);
                    let mut gate = Sluice { open, per_key, retry_after: Duration::from_millis(3) };
                    let taken = queues.take(Room { records, bytes: 55 }, &mut gate, now);
                    prop_assert!(taken.len() <= records);
                    prop_assert!(taken.iter().map(Taken::bytes).sum::<usize>() <= 55);
                    model.take(taken);
                }
                Step::Answer { request, refuse_every } if !model.in_flight.is_empty() => {
                    let index = request.index(model.in_flight.len());
                    model.answer(&mut queues, index, refuse_every, now);
                }
                Step::Answer { .. } => {}
                Step::Wait => now += Duration::from_millis(20),
            }
        }
        while !(queues.is_empty() && model.in_flight.is_empty()) {
            while !model.in_flight.is_empty() {
                model.answer(&mut queues, 0, 1, now);
            }
            now = queues.next_wake().unwrap_or(now).max(now);
            queues.wake(now);
            let before = queues.len();
            model.take(queues.take(ROOM, &mut open(), now));
            prop_assert!(queues.len() < before || before == 0, "nothing goes though all may");
        }
        prop_assert_eq!(&model.accepted, &model.pushed);
        prop_assert_eq!((queues.waiting.bytes, queues.ready_now.records), (0, 0));
        prop_assert_eq!((queues.keys.len(), queues.index.len()), (0, 0), "nothing is kept");
    }
}
