//! Custody between a broker, a disk and a stream, all of them made up.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;

use super::{MS, NOTHING, SHARDS, config, key, shard_of, start};
use crate::ack::Receipt;
use crate::config::{Config, SpoolMode};
use crate::custody::{Custody, Found, Job, Outcome, Situation, Stripe};
use crate::limits::REQUEST_COPIES;
use crate::queue::Incoming;
use crate::record::{PartitionKey, RecordSlot};
use crate::route::Routed;
use crate::spool::{Entry, Place, Read, Seq};

/// Keeps what it is given, as the spool does.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) entries: BTreeMap<Seq, Entry>,
    settled: BTreeSet<Seq>,
    next: Seq,
    pub(super) broken: bool,
    /// Whether half of it goes when the next group comes.
    pub(super) full: bool,
    /// Whether every third entry turns out to be unreadable when something is read next.
    pub(super) bad: bool,
    /// Numbers of records that went.
    pub(super) gone: BTreeSet<u64>,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            settled: BTreeSet::new(),
            next: Seq(1),
            broken: false,
            full: false,
            bad: false,
            gone: BTreeSet::new(),
        }
    }

    pub(super) fn unsettled(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| !self.settled.contains(&entry.seq))
    }

    pub(super) fn found(&self) -> Found {
        let oldest = self.unsettled().next().map_or(self.next, |entry| entry.seq);
        Found { next: self.next, oldest, unsettled: self.unsettled().count() as u64 }
    }

    pub(super) fn settle(&mut self, seqs: &[Seq]) {
        for seq in seqs {
            assert!(self.entries.contains_key(seq), "{seq:?} was never written");
            assert!(self.settled.insert(*seq), "{seq:?} ended twice, or after it was dropped");
        }
    }

    pub(super) fn carry_out(&mut self, job: Job) -> Outcome {
        self.settle(&job.settled);
        let mut outcome = Outcome::default();
        if !self.broken {
            if self.full && !job.group.is_empty() {
                outcome.dropped = self.drop_oldest();
            }
            for entry in job.group {
                assert_eq!(entry.seq, self.next);
                self.next = self.next.next();
                outcome.kept = true;
                self.entries.insert(entry.seq, entry);
            }
            if self.bad && (!job.fetch.is_empty() || job.read.is_some()) {
                outcome.lost = self.lose();
            }
            let at = |place: &Place| {
                let is_there = !self.settled.contains(&place.seq());
                is_there.then(|| self.entries[&place.seq()].clone())
            };
            outcome.fetched = Some(job.fetch.iter().filter_map(at).collect());
            outcome.read = job.read.map(|(from, bytes_max)| self.read(from, bytes_max));
        }
        outcome.unsettled = self.unsettled().count() as u64;
        outcome
    }

    /// Drops half of what is not settled.
    fn drop_oldest(&mut self) -> Vec<Range<Seq>> {
        self.full = false;
        let half = self.unsettled().count() / 2;
        let oldest: Vec<_> = self.unsettled().take(half).cloned().collect();
        self.take_away(&oldest)
    }

    /// Loses every third of what is not settled.
    fn lose(&mut self) -> Vec<Range<Seq>> {
        self.bad = false;
        let bad: Vec<_> = self.unsettled().step_by(3).cloned().collect();
        let mut lost = self.take_away(&bad);
        lost.reverse();
        lost
    }

    fn take_away(&mut self, entries: &[Entry]) -> Vec<Range<Seq>> {
        for entry in entries {
            self.settled.insert(entry.seq);
            self.gone.insert(entry.rx_ts_ms.try_into().unwrap());
        }
        entries.iter().map(|entry| entry.seq..entry.seq.next()).collect()
    }

    pub(super) fn read(&self, from: Seq, bytes_max: usize) -> Read {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for entry in self.unsettled().filter(|entry| entry.seq >= from) {
            if bytes >= bytes_max.min(20_000) {
                return Read { entries, next: entry.seq };
            }
            bytes += entry.data.len();
            let place = Place::new(entry.seq, 0, entry.data.len() as u64).unwrap();
            entries.push((place, entry.clone()));
        }
        Read { entries, next: self.next }
    }
}

/// Custody between a broker, a disk and a stream that sends one record of a key at a time.
pub(super) struct World {
    pub(super) custody: Custody,
    pub(super) disk: Disk,
    pub(super) job: Option<Job>,
    pub(super) now: Instant,
    /// Waiting by key, oldest first; the name of the record and its number.
    queues: HashMap<String, VecDeque<(RecordSlot, u64)>>,
    pub(super) blocked: [bool; SHARDS],
    pub(super) open: bool,
    pub(super) stopping: bool,
    /// Numbers given away, in this run or an earlier one.
    pub(super) received: u64,
    /// How many of them were not this run's to deliver.
    others: u64,
    /// Numbers that were settled with the broker.
    pub(super) safe: BTreeSet<u64>,
    pub(super) delivered: Vec<(String, u64)>,
    /// Refused, or never understood, and not dead-lettered yet; the number of the record.
    letters: VecDeque<(RecordSlot, u64)>,
    /// Numbers that were dead-lettered.
    pub(super) dead: BTreeSet<u64>,
    /// How many records custody says were dropped or corrupted.
    pub(super) gone: usize,
}

/// Of 8 KB each a shard may have eight in memory, so that it falls behind soon.
static DATA: [u8; 8_000] = [b'x'; 8_000];

impl World {
    pub(super) fn new(mode: SpoolMode) -> Self {
        Self::of(config(mode))
    }

    pub(super) fn of(mut config: Config) -> Self {
        let now = start();
        let requests_in_flight = config.streams.first().requests_in_flight;
        let requests = requests_in_flight * config.batch.bytes_max * REQUEST_COPIES;
        config.memory_bytes_max = requests + 2 * SHARDS * (64 << 10);
        let mut custody = Custody::new(&config, SHARDS, NOTHING, now);
        custody.heard(MS, now);
        Self {
            custody,
            disk: Disk::new(),
            job: None,
            now,
            queues: HashMap::new(),
            blocked: [false; SHARDS],
            open: true,
            stopping: false,
            received: 0,
            others: 0,
            safe: BTreeSet::new(),
            delivered: Vec::new(),
            letters: VecDeque::new(),
            dead: BTreeSet::new(),
            gone: 0,
        }
    }

    /// The next run, which finds `disk` as one left it that had received so many.
    pub(super) fn after(disk: Disk, received: u64) -> Self {
        let mut world = Self::new(SpoolMode::Overflow);
        let found = disk.found();
        world.custody = Custody::new(&config(SpoolMode::Overflow), SHARDS, found, world.now);
        (world.disk, world.received, world.others) = (disk, received, received - found.unsettled);
        world
    }

    pub(super) fn queue(&mut self, incoming: impl IntoIterator<Item = Incoming>) {
        for Incoming { slot, key, rx_ts_ms, .. } in incoming {
            let queue = self.queues.entry(key.as_str().to_owned()).or_default();
            queue.push_back((slot, rx_ts_ms.try_into().unwrap()));
        }
    }

    pub(super) fn receive(&mut self, key: u8) {
        let number = self.received;
        self.received += 1;
        let key = PartitionKey::new(&key.to_string());
        let (shard, receipt) = (shard_of(&key), Receipt { lane: 0, number });
        let (data, rx_ts_ms) = (Bytes::from_static(&DATA), number.try_into().unwrap());
        let routed = Routed { key, data, rx_ts_ms, receipt };
        let incoming = self.custody.receive(routed, shard, self.now);
        self.queue(incoming);
    }

    pub(super) fn settle(&mut self, receipt: Receipt) {
        assert!(self.safe.insert(receipt.number), "{receipt:?} is settled twice");
    }

    /// The stream accepts the oldest record of each key whose shard is not blocked.
    pub(super) fn accept(&mut self) {
        if !self.open {
            return;
        }
        let mut keys: Vec<_> = self.queues.keys().cloned().collect();
        keys.sort_unstable();
        for key in keys {
            let Stripe(shard) = shard_of(&PartitionKey::new(&key));
            if self.blocked[shard] {
                continue;
            }
            if let Some((slot, number)) = self.queues.get_mut(&key).unwrap().pop_front() {
                self.delivered.push((key, number));
                self.custody.heard(MS, self.now);
                if let Some(receipt) = self.custody.end(slot, self.now) {
                    self.settle(receipt);
                }
            }
        }
    }

    /// No record can be made of a publish.
    pub(super) fn reject(&mut self) {
        let number = self.received;
        self.received += 1;
        let slot = self.custody.reject(Receipt { lane: 0, number }, self.now);
        self.letters.push_back((slot, number));
    }

    /// The stream refuses the oldest record of a key for good.
    pub(super) fn refuse(&mut self, key: u8) {
        let waiting = self.queues.get_mut(&key.to_string()).and_then(VecDeque::pop_front);
        if let Some((slot, number)) = waiting {
            self.custody.refused(slot);
            self.letters.push_back((slot, number));
        }
    }

    /// Dead letters are durable.
    pub(super) fn bury(&mut self) {
        for (slot, number) in std::mem::take(&mut self.letters) {
            self.dead.insert(number);
            if let Some(receipt) = self.custody.end(slot, self.now) {
                self.settle(receipt);
            }
        }
    }

    pub(super) fn turn(&mut self) {
        let (open, stopping) = (self.open, self.stopping);
        // Something must probe a stream that is closed.
        let reading = !stopping && (open || self.queues.values().all(VecDeque::is_empty));
        let situation = Situation { open, reading, stopping };
        let caught_up = self.custody.turn(self.now, situation);
        self.queue(caught_up);
        if self.job.is_none() {
            self.job = self.custody.next_job(self.now, situation);
        }
        // Or whoever waits for it would spin.
        let wake_at = self.custody.wake_at();
        assert!(wake_at.is_none_or(|at| at > self.now), "woken for nothing");
    }

    pub(super) fn disk_answers(&mut self) {
        let Some(job) = self.job.take() else { return };
        let outcome = self.disk.carry_out(job);
        let progress = self.custody.finished(outcome, (self.now, 0), shard_of);
        for receipt in progress.receipts {
            self.settle(receipt);
        }
        self.gone += progress.dropped + progress.corrupted;
        self.queue(progress.incoming);
        self.books();
    }

    /// A hundredth of a second passes, in which everybody takes a turn.
    pub(super) fn pass(&mut self) {
        self.now += 10 * MS;
        self.turn();
        self.disk_answers();
        self.accept();
    }

    /// So many records come, of six keys in turn, one in a hundredth of a second.
    pub(super) fn live(&mut self, records: usize) {
        for n in 0..records {
            self.receive(key(n));
            self.pass();
        }
    }

    /// Every record is in one place.
    pub(super) fn books(&self) {
        let held = self.custody.exposed() as u64 + self.custody.spooled();
        let ended = (self.delivered.len() + self.dead.len() + self.gone) as u64;
        assert_eq!(self.received - self.others, ended + held);
        // What the broker was told is safe is delivered or on the disk.
        let delivered: BTreeSet<_> = self.delivered.iter().map(|(_, number)| *number).collect();
        let on_disk: BTreeSet<u64> =
            self.disk.unsettled().map(|entry| entry.rx_ts_ms.try_into().unwrap()).collect();
        for number in &self.safe {
            let is_gone = self.disk.gone.contains(number);
            let is_ended = delivered.contains(number) || self.dead.contains(number);
            let is_known = is_ended || on_disk.contains(number) || is_gone;
            assert!(is_known, "{number} is lost");
        }
    }

    /// Everything works again, for long enough.
    pub(super) fn recover(&mut self) {
        (self.open, self.blocked, self.disk.broken) = (true, [false; SHARDS], false);
        for _ in 0..4 * self.received + 200 {
            self.now += 20 * MS;
            self.turn();
            self.disk_answers();
            self.accept();
            self.bury();
        }
    }

    /// Stops, and the stream takes nothing more: whatever is not safe goes to the disk.
    pub(super) fn stop(&mut self) {
        (self.stopping, self.disk.broken) = (true, false);
        self.bury();
        for _ in 0..4 * self.received + 200 {
            self.now += 20 * MS;
            self.turn();
            self.disk_answers();
        }
        assert_eq!(self.custody.at_risk(), 0, "somebody is waited for in vain");
    }

    pub(super) fn by_key(&self) -> BTreeMap<&str, Vec<u64>> {
        let mut keys: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (key, number) in &self.delivered {
            keys.entry(key.as_str()).or_default().push(*number);
        }
        keys
    }
}
