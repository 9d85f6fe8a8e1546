use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::limits::REQUEST_COPIES;
use crate::spool::{Place, Read};

const MINIMAL: &str = r#"
[mqtt]
url = "mqtt://localhost"
client_id = "edge-1"
topics = ["t"]
[stream]
name = "telemetry"
region = "us-east-1"
"#;

const MS: Duration = Duration::from_millis(1);
const SHARDS: usize = 3;
const NOTHING: Found = Found { next: Seq(1), oldest: Seq(1), unsettled: 0 };

fn config(mode: SpoolMode) -> Config {
    let mut config = Config::parse(MINIMAL).unwrap();
    config.spool.mode = mode;
    config
}

#[expect(clippy::disallowed_methods, reason = "where the made-up time begins")]
fn start() -> Instant {
    Instant::now()
}

fn shard_of(key: &PartitionKey) -> ShardIndex {
    ShardIndex(key.as_str().parse::<usize>().unwrap() % SHARDS)
}

/// Keeps what it is given, as the spool does.
#[derive(Debug)]
struct Disk {
    entries: BTreeMap<Seq, Entry>,
    settled: BTreeSet<Seq>,
    next: Seq,
    broken: bool,
}

impl Disk {
    fn new() -> Self {
        Self { entries: BTreeMap::new(), settled: BTreeSet::new(), next: Seq(1), broken: false }
    }

    fn unsettled(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !self.settled.contains(&entry.seq))
    }

    fn found(&self) -> Found {
        let oldest = self.unsettled().next().map_or(self.next, |entry| entry.seq);
        Found { next: self.next, oldest, unsettled: self.unsettled().count() as u64 }
    }

    fn carry_out(&mut self, job: Job) -> Outcome {
        for seq in job.settled {
            assert!(self.entries.contains_key(&seq), "{seq:?} was never written");
            assert!(self.settled.insert(seq), "{seq:?} ended twice");
        }
        let mut outcome = Outcome::default();
        if !self.broken {
            for entry in job.group {
                assert_eq!(entry.seq, self.next);
                self.next = self.next.next();
                outcome.kept = true;
                self.entries.insert(entry.seq, entry);
            }
            let at = |place: &Place| self.entries[&place.seq()].clone();
            outcome.fetched = Some(job.fetch.iter().map(at).collect());
            outcome.read = job.read.map(|(from, bytes_max)| self.read(from, bytes_max));
        }
        outcome.unsettled = self.unsettled().count() as u64;
        outcome
    }

    fn read(&self, from: Seq, bytes_max: usize) -> Read {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for entry in self.unsettled().filter(|entry| entry.seq >= from) {
            if bytes >= bytes_max.min(20_000) {
                return Read { entries, next: entry.seq };
            }
            bytes += entry.data.len();
            let place = Place::new(entry.seq, 0, 0).unwrap();
            entries.push((place, entry.clone()));
        }
        Read { entries, next: self.next }
    }
}

/// Custody between a broker, a disk and a stream that sends one record of a key at a time.
struct World {
    custody: Custody,
    disk: Disk,
    job: Option<Job>,
    now: Instant,
    /// Waiting by key, oldest first; the name of the record and its number.
    queues: HashMap<String, VecDeque<(RecordSlot, u64)>>,
    blocked: [bool; SHARDS],
    open: bool,
    /// Numbers given away, in this run or an earlier one.
    received: u64,
    /// How many of them were not this run's to deliver.
    others: u64,
    /// Numbers that were settled with the broker.
    safe: BTreeSet<u64>,
    delivered: Vec<(String, u64)>,
}

/// Of 8 KB each a shard may have eight in memory, so that it falls behind soon.
static DATA: [u8; 8_000] = [b'x'; 8_000];

impl World {
    fn new(mode: SpoolMode) -> Self {
        let now = start();
        let mut config = config(mode);
        let requests = config.stream.requests_in_flight * config.batch.bytes_max * REQUEST_COPIES;
        config.memory_bytes_max = requests + 2 * SHARDS * (64 << 10);
        Self {
            custody: Custody::new(&config, SHARDS, NOTHING, now),
            disk: Disk::new(),
            job: None,
            now,
            queues: HashMap::new(),
            blocked: [false; SHARDS],
            open: true,
            received: 0,
            others: 0,
            safe: BTreeSet::new(),
            delivered: Vec::new(),
        }
    }

    fn queue(&mut self, incoming: impl IntoIterator<Item = Incoming>) {
        for Incoming { slot, key, rx_ts_ms, .. } in incoming {
            let queue = self.queues.entry(key.as_str().to_owned()).or_default();
            queue.push_back((slot, rx_ts_ms.try_into().unwrap()));
        }
    }

    fn receive(&mut self, key: u8) {
        let number = self.received;
        self.received += 1;
        let key = PartitionKey::new(&key.to_string());
        let (shard, receipt) = (shard_of(&key), Receipt { lane: 0, number });
        let (data, rx_ts_ms) = (Bytes::from_static(&DATA), number.try_into().unwrap());
        let routed = Routed { key, data, rx_ts_ms, receipt };
        let incoming = self.custody.receive(routed, shard, self.now);
        self.queue(incoming);
    }

    fn settle(&mut self, receipt: Receipt) {
        assert!(self.safe.insert(receipt.number), "{receipt:?} is settled twice");
    }

    /// The stream accepts the oldest record of each key whose shard is not blocked.
    fn accept(&mut self) {
        if !self.open {
            return;
        }
        let mut keys: Vec<_> = self.queues.keys().cloned().collect();
        keys.sort_unstable();
        for key in keys {
            let ShardIndex(shard) = shard_of(&PartitionKey::new(&key));
            if self.blocked[shard] {
                continue;
            }
            if let Some((slot, number)) = self.queues.get_mut(&key).unwrap().pop_front() {
                self.delivered.push((key, number));
                if let Some(receipt) = self.custody.end(slot, self.now) {
                    self.settle(receipt);
                }
            }
        }
    }

    fn turn(&mut self) {
        let caught_up = self.custody.turn(self.now, self.open);
        self.queue(caught_up);
        if self.job.is_none() {
            let allowed = Allowed { reading: self.open, hurried: false };
            self.job = self.custody.next_job(self.now, allowed);
        }
    }

    fn disk_answers(&mut self) {
        let Some(job) = self.job.take() else { return };
        let outcome = self.disk.carry_out(job);
        let progress = self.custody.finished(outcome, (self.now, 0), shard_of);
        for receipt in progress.receipts {
            self.settle(receipt);
        }
        self.queue(progress.incoming);
        self.books();
    }

    /// Every record is in one place.
    fn books(&self) {
        let held = self.custody.exposed() as u64 + self.custody.spooled();
        assert_eq!(self.received - self.others, self.delivered.len() as u64 + held);
        // What the broker was told is safe is delivered or on the disk.
        let delivered: BTreeSet<_> = self.delivered.iter().map(|(_, number)| *number).collect();
        let on_disk: BTreeSet<u64> =
            self.disk.unsettled().map(|entry| entry.rx_ts_ms.try_into().unwrap()).collect();
        for number in &self.safe {
            assert!(delivered.contains(number) || on_disk.contains(number), "{number} is lost");
        }
    }

    /// Everything works again, for long enough.
    fn recover(&mut self) {
        (self.open, self.blocked, self.disk.broken) = (true, [false; SHARDS], false);
        for _ in 0..4 * self.received + 200 {
            self.now += 20 * MS;
            self.turn();
            self.disk_answers();
            self.accept();
        }
    }

    fn by_key(&self) -> BTreeMap<&str, Vec<u64>> {
        let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, number) in &self.delivered {
            keys.entry(key.as_str()).or_default().push(*number);
        }
        keys
    }
}

#[derive(Debug, Clone)]
enum Event {
    Receive(u8),
    Accept,
    Pass(u64),
    DiskAnswers,
    Block(usize, bool),
    Open(bool),
    Break(bool),
    Exhausted(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..6_u8).prop_map(Event::Receive),
        4 => Just(Event::Accept),
        4 => (0..400_u64).prop_map(Event::Pass),
        4 => Just(Event::DiskAnswers),
        2 => (0..SHARDS, any::<bool>()).prop_map(|(shard, blocked)| Event::Block(shard, blocked)),
        1 => any::<bool>().prop_map(Event::Open),
        1 => any::<bool>().prop_map(Event::Break),
        1 => any::<bool>().prop_map(Event::Exhausted),
    ]
}

fn live(world: &mut World, event: &Event) {
    match event {
        Event::Receive(key) => world.receive(*key),
        Event::Accept => world.accept(),
        Event::Pass(ms) => world.now += Duration::from_millis(*ms),
        Event::DiskAnswers => world.disk_answers(),
        Event::Block(shard, blocked) => world.blocked[*shard] = *blocked,
        Event::Open(open) => world.open = *open,
        Event::Break(broken) => world.disk.broken = *broken,
        Event::Exhausted(exhausted) => world.custody.window_exhausted(*exhausted),
    }
    world.turn();
    world.books();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn each_record_is_delivered_once_and_in_the_order_of_its_key(
        always in any::<bool>(),
        events in prop::collection::vec(event(), 1..400),
    ) {
        let mode = if always { SpoolMode::Always } else { SpoolMode::Overflow };
        let mut world = World::new(mode);
        for event in &events {
            live(&mut world, event);
        }
        world.recover();
        world.books();
        for (key, numbers) in world.by_key() {
            prop_assert!(numbers.is_sorted(), "{key}: {numbers:?}");
        }
        prop_assert_eq!(world.delivered.len() as u64, world.received, "liveness");
        prop_assert_eq!(world.safe.len() as u64, world.received);
        prop_assert_eq!(world.custody.exposed(), 0);
        prop_assert_eq!(world.custody.spooled(), 0);
        prop_assert_eq!(world.custody.held.len(), 0, "nothing is left in memory");
    }

    #[test]
    fn after_a_crash_what_was_safe_is_delivered_in_order(
        events in prop::collection::vec(event(), 1..300),
        more in prop::collection::vec(0..6_u8, 0..40),
    ) {
        let mut world = World::new(SpoolMode::Overflow);
        for event in &events {
            live(&mut world, event);
        }
        let delivered: BTreeSet<_> = world.delivered.iter().map(|(_, number)| *number).collect();
        let lost: Vec<_> = world.safe.difference(&delivered).copied().collect();
        // The process is killed. The disk stays; the broker has what it was not told is safe.
        let mut after = World::new(SpoolMode::Overflow);
        after.disk = world.disk;
        let found = after.disk.found();
        after.custody = Custody::new(&config(SpoolMode::Overflow), SHARDS, found, after.now);
        (after.received, after.others) = (world.received, world.received - found.unsettled);
        for key in more {
            after.receive(key);
        }
        after.recover();
        let numbers: BTreeSet<_> = after.delivered.iter().map(|(_, number)| *number).collect();
        prop_assert!(lost.iter().all(|number| numbers.contains(number)));
        for (key, numbers) in after.by_key() {
            prop_assert!(numbers.is_sorted(), "{key}: {numbers:?}");
        }
        prop_assert_eq!(after.custody.spooled(), 0);
    }
}

#[test]
fn in_the_healthy_state_the_disk_is_asked_nothing() {
    let mut world = World::new(SpoolMode::Overflow);
    for n in 0..5_000 {
        world.receive((n % 6) as u8);
        world.now += 5 * MS;
        world.turn();
        assert!(world.job.is_none());
        world.accept();
    }
    assert_eq!((world.delivered.len(), world.custody.exposed()), (5_000, 0));
}

#[test]
fn blocked_shard_goes_to_the_disk_and_the_others_do_not() {
    let mut world = World::new(SpoolMode::Overflow);
    world.blocked[1] = true;
    for n in 0..6_000_u64 {
        world.receive((n % 6) as u8);
        world.now += 10 * MS;
        world.turn();
        world.disk_answers();
        world.accept();
    }
    assert_eq!(world.delivered.len(), 4_000, "two shards of three go on");
    let shards: BTreeSet<_> =
        world.disk.entries.values().map(|entry| shard_of(&entry.key).0).collect();
    assert_eq!(shards, [1].into());
    assert!(world.custody.spooled() > 1_900, "the blocked shard's records are safe");
    let in_memory = world.custody.held.len();
    assert!(in_memory < 100, "{in_memory} records are in memory");
    world.recover();
    assert_eq!(world.delivered.len(), 6_000);
}

#[test]
fn direct_delivery_resumes_under_steady_traffic() {
    let mut world = World::new(SpoolMode::Overflow);
    world.open = false;
    let live = |world: &mut World, ms: u64| {
        for n in 0..ms / 10 {
            world.receive((n % 6) as u8);
            world.now += 10 * MS;
            world.turn();
            world.disk_answers();
            world.accept();
        }
    };
    live(&mut world, 30_000);
    assert!(world.custody.spooled() > 2_000);
    world.open = true;
    live(&mut world, 60_000);
    let written = world.disk.entries.len();
    live(&mut world, 60_000);
    assert_eq!(world.disk.entries.len(), written, "nothing more goes to the disk");
    assert_eq!(world.custody.spooled(), 0);
    for (key, numbers) in world.by_key() {
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
}

#[test]
fn low_rate_is_synced_once_a_second_and_an_exhausted_window_at_once() {
    let mut world = World::new(SpoolMode::Overflow);
    world.open = false;
    let mut groups = 0;
    for n in 0..1_000_u64 {
        world.receive((n % 6) as u8);
        world.now += 50 * MS;
        world.turn();
        groups += usize::from(world.job.as_ref().is_some_and(|job| !job.group.is_empty()));
        world.disk_answers();
    }
    assert!((45..=52).contains(&groups), "{groups} groups in 50 s");
    world.receive(1);
    world.custody.window_exhausted(true);
    world.turn();
    assert!(world.job.is_some_and(|job| job.group.len() >= 1));
}
