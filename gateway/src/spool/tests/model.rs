//! Random histories on the simulated disk, against what the caller was told.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::sim::{Crash, Sim};
use super::*;

/// Small, so that histories of twenty steps fill it.
const BYTES_MAX: u64 = 16 << 10;

#[derive(Debug, Clone, Copy)]
enum Step {
    Append { count: u64, bytes: usize },
    Settle { every: u64, skip: u64 },
    Read { bytes_max: usize },
    Close,
    Crash(Crash),
    StopAfter { operations: u32 },
    Faults(bool),
    RefuseReads { times: u32 },
    Room(Option<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    let crash = prop_oneof![Just(Crash::Kill), Just(Crash::Power)];
    prop_oneof![
        12 => (1_u64..6, 0_usize..600).prop_map(|(count, bytes)| Step::Append { count, bytes }),
        8 => (1_u64..5, 0_u64..4).prop_map(|(every, skip)| Step::Settle { every, skip }),
        3 => (1_usize..4_000).prop_map(|bytes_max| Step::Read { bytes_max }),
        1 => Just(Step::Close),
        3 => crash.prop_map(Step::Crash),
        3 => (1_u32..20).prop_map(|operations| Step::StopAfter { operations }),
        1 => any::<bool>().prop_map(Step::Faults),
        1 => (1_u32..4).prop_map(|times| Step::RefuseReads { times }),
        1 => prop::option::of(0_usize..3_000).prop_map(Step::Room),
    ]
}

/// What the caller of the spool knows.
struct Caller {
    disk: Sim,
    bounds: Bounds,
    spool: Spool<Sim>,
    /// What the spool must give, all of it and nothing else.
    owed: BTreeMap<Seq, Entry>,
    /// Of these, what was not kept when it was handed over and was found all the same. It is given
    /// until it is settled, or until a power cut takes it.
    unsure: BTreeSet<Seq>,
    settled: BTreeSet<Seq>,
    /// Everything that was ever handed to the spool, kept or not.
    tried: BTreeMap<Seq, Vec<Entry>>,
    /// Seqs before it were given out and kept.
    kept_before: Seq,
    serial: u32,
    had_faults: bool,
}

impl Caller {
    fn new(seed: u64, when_full: WhenFull) -> Self {
        let disk = Sim::new(seed);
        let bounds = Bounds { bytes_max: BYTES_MAX, when_full };
        let spool = Spool::open(disk.clone(), bounds).unwrap().0;
        Self {
            disk,
            bounds,
            spool,
            owed: BTreeMap::new(),
            unsure: BTreeSet::new(),
            settled: BTreeSet::new(),
            tried: BTreeMap::new(),
            kept_before: Seq::FIRST,
            serial: 0,
            had_faults: false,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Append { count, bytes } => drop(self.append(count, bytes)),
            Step::Settle { every, skip } => self.settle(every, skip),
            Step::Read { bytes_max } => self.read_all(bytes_max),
            Step::Close => self.close(),
            Step::Crash(crash) => self.crash(crash),
            Step::StopAfter { operations } => self.disk.stop_after(operations),
            Step::Faults(on) => {
                self.had_faults |= on;
                self.disk.set_faults(on);
            }
            Step::RefuseReads { times } => self.disk.refuse_reads(times),
            Step::Room(bytes) => {
                self.had_faults |= bytes.is_some();
                self.disk.set_room(bytes);
            }
        }
        if self.disk.is_stopped() {
            // Whether the power went too is decided by what was going on: both are seen.
            let crash = if self.serial.is_multiple_of(2) { Crash::Power } else { Crash::Kill };
            self.crash(crash);
        }
    }

    fn append(&mut self, count: u64, bytes: usize) -> Option<Appended> {
        let first = self.spool.next_seq();
        let group: Vec<Entry> =
            (first.0..first.0 + count).map(|seq| self.entry(seq, bytes)).collect();
        for entry in &group {
            self.tried.entry(entry.seq).or_default().push(entry.clone());
        }
        let appended = self.spool.append(&group);
        let dropped = self.spool.take_dropped();
        assert!(self.bounds.when_full == WhenFull::DropOldest || dropped.is_empty());
        for seq in dropped.iter().flat_map(|range| range.start.0..range.end.0).map(Seq) {
            assert!(self.owed.remove(&seq).is_some(), "no {seq:?}");
            self.settled.insert(seq);
        }
        let appended = appended.ok()?;
        if appended == Appended::Kept {
            self.kept_before = Seq(first.0 + count);
            self.unsure.retain(|seq| seq.0 < first.0);
            self.owed.extend(group.into_iter().map(|entry| (entry.seq, entry)));
            assert!(self.spool.bytes() <= BYTES_MAX);
            assert!(self.had_faults || self.segment_bytes() <= BYTES_MAX);
        }
        Some(appended)
    }

    fn entry(&mut self, seq: u64, bytes: usize) -> Entry {
        self.serial += 1;
        Entry {
            seq: Seq(seq),
            key: PartitionKey::new(&format!("{}", self.serial)),
            rx_ts_ms: i64::from(self.serial),
            data: vec![u8::try_from(self.serial % 256).unwrap(); bytes].into(),
        }
    }

    fn settle(&mut self, every: u64, skip: u64) {
        let chosen: Vec<Seq> =
            self.owed.keys().rev().copied().filter(|seq| seq.0 % every == skip % every).collect();
        self.spool.settle(&chosen);
        self.settled.extend(&chosen);
        self.owed.retain(|seq, _| !chosen.contains(seq));
    }

    /// Reads everything, and checks it.
    fn read_all(&mut self, bytes_max: usize) {
        let (read, places) = self.drain(bytes_max);
        assert_eq!(read, self.owed);
        assert_eq!(self.spool.unsettled(), self.owed.len() as u64);
        let oldest = self.owed.keys().next().copied().unwrap_or(self.spool.next_seq());
        assert_eq!(self.spool.oldest_unsettled(), oldest);
        let fetched = self.spool.fetch(&places).unwrap();
        assert!(fetched.iter().eq(self.owed.values()));
    }

    fn drain(&mut self, bytes_max: usize) -> (BTreeMap<Seq, Entry>, Vec<Place>) {
        let (mut entries, mut places) = (BTreeMap::new(), Vec::new());
        let mut from = Seq::FIRST;
        let mut refused = 0;
        while from < self.spool.next_seq() {
            let Ok(read) = self.spool.read(from, bytes_max) else {
                refused += 1;
                assert!(refused < 4, "reads fail that should not");
                continue;
            };
            assert!(read.next > from || !read.entries.is_empty(), "stands still at {from:?}");
            for (place, entry) in read.entries {
                assert!(from <= entry.seq && entry.seq < read.next, "out of order");
                from = entry.seq.next();
                places.push(place);
                entries.insert(entry.seq, entry);
            }
            from = read.next;
        }
        (entries, places)
    }

    fn close(&mut self) {
        let spool = self.replace();
        if spool.close().is_err() {
            self.recover();
            return;
        }
        let settled = self.settled.clone();
        self.recover();
        assert!(self.owed.keys().all(|seq| !settled.contains(seq)), "delivered twice for nothing");
    }

    fn crash(&mut self, crash: Crash) {
        drop(self.replace());
        self.disk.crash(crash);
        let corrupted = self.recover();
        assert!(crash == Crash::Power || self.had_faults || corrupted == 0);
    }

    /// Opens after a crash: everything owed is there, and all else was tried once.
    /// Returns how many entries could not be read.
    fn recover(&mut self) -> u64 {
        let corrupted = self.reopen();
        let (read, _) = self.drain(usize::MAX);
        for (seq, entry) in self.owed.iter().filter(|(seq, _)| !self.unsure.contains(seq)) {
            assert_eq!(read.get(seq), Some(entry), "{seq:?} was kept");
        }
        for entry in read.values() {
            assert!(self.tried[&entry.seq].contains(entry), "{entry:?} comes from nowhere");
        }
        self.unsure.extend(read.keys().filter(|seq| !self.owed.contains_key(seq)));
        // A power cut may take what was never kept, and what was settled of it: then the seqs are
        // given out again.
        let next = self.spool.next_seq();
        self.settled.retain(|seq| *seq < next && !read.contains_key(seq));
        self.owed = read;
        let lost = self.spool.take_lost();
        corrupted + lost.iter().map(|range| range.end.0 - range.start.0).sum::<u64>()
    }

    fn reopen(&mut self) -> u64 {
        let (spool, Recovery { corrupted, .. }) =
            Spool::open(self.disk.clone(), self.bounds).unwrap();
        self.spool = spool;
        assert!(self.spool.next_seq() >= self.kept_before, "seqs are used again");
        corrupted
    }

    /// The spool, in exchange for one on another disk.
    fn replace(&mut self) -> Spool<Sim> {
        let elsewhere = Spool::open(Sim::new(0), self.bounds).unwrap().0;
        std::mem::replace(&mut self.spool, elsewhere)
    }

    fn segment_bytes(&self) -> u64 {
        let files = self.disk.files();
        files.iter().filter(|(n, _)| n.starts_with("segment-")).map(|(_, b)| b.len() as u64).sum()
    }

    /// Once the disk is well again, everything is delivered and the spool takes more.
    fn finish(&mut self) {
        self.disk.crash(Crash::Kill);
        self.disk.set_faults(false);
        self.disk.set_room(None);
        self.read_all(1_000);
        self.settle(1, 0);
        assert!(matches!(self.append(3, 400), Some(Appended::Kept)));
        self.crash(Crash::Power);
        self.settle(1, 0);
        self.close();
        assert_eq!(self.spool.unsettled(), 0);
        assert!(self.had_faults || self.segment_bytes() == 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn what_was_kept_survives_every_history(
        seed in any::<u64>(),
        drops in any::<bool>(),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let when_full = if drops { WhenFull::DropOldest } else { WhenFull::Wait };
        let mut caller = Caller::new(seed, when_full);
        for step in steps {
            caller.take(step);
        }
        caller.finish();
    }
}

#[test]
fn a_segment_that_cannot_be_removed_does_not_keep_newer_ones_from_being_dropped() {
    let mut caller = Caller::new(1, WhenFull::DropOldest);
    caller.append(3, 400).unwrap();
    let oldest = caller.spool.segments.iter().next().unwrap().name.to_string();
    caller.disk.pin(&oldest);
    for _ in 0..40 {
        assert!(matches!(caller.append(3, 400), Some(Appended::Kept)));
    }
    assert!(caller.owed.len() > 20);
    assert!(caller.disk.files().contains_key(&oldest));
    caller.read_all(usize::MAX);
}

#[test]
fn a_directory_that_cannot_be_written_to_costs_no_record() {
    let mut caller = Caller::new(1, WhenFull::DropOldest);
    while caller.spool.bytes() + 3_000 < BYTES_MAX {
        caller.append(3, 400).unwrap();
    }
    let owed = caller.owed.len();
    caller.disk.set_read_only(true);
    for _ in 0..9 {
        caller.append(5, 600);
    }
    assert_eq!(caller.owed.len(), owed);
    caller.disk.set_read_only(false);
    caller.read_all(usize::MAX);
}

#[test]
fn a_full_disk_is_freed_by_settling_alone() {
    let mut caller = Caller::new(1, WhenFull::Wait);
    while caller.spool.bytes() < BYTES_MAX / 2 {
        caller.append(3, 400).unwrap();
    }
    caller.disk.set_room(Some(0));
    assert!(caller.append(3, 400).is_none());
    caller.read_all(usize::MAX);
    caller.settle(1, 0);
    assert_eq!(caller.spool.bytes(), 0);
    assert!(matches!(caller.append(3, 400), Some(Appended::Kept)));
    caller.crash(Crash::Power);
    assert_eq!(caller.owed.len(), 3);
}

#[test]
fn the_only_segment_of_a_full_disk_is_freed_too() {
    let mut caller = Caller::new(1, WhenFull::Wait);
    for _ in 0..3 {
        caller.append(3, 400).unwrap();
        caller.disk.set_room(Some(0));
        caller.settle(1, 0);
        assert_eq!(caller.spool.bytes(), 0);
        assert!(caller.disk.files().contains_key(progress::RESERVE), "none for the next time");
        caller.disk.set_room(None);
    }
    caller.crash(Crash::Kill);
    assert_eq!(caller.owed.len(), 0);
}
