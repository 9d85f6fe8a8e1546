//! Histories of runs, and what the books make of them.

use proptest::prelude::*;

use super::*;

const NOT_LOOKED: Spooled = Spooled { taken: 0, left: None };

/// A run that takes over all there is.
fn all(taken: u64) -> Spooled {
    Spooled { taken, left: Some(0) }
}

/// One record's way, seen from nowhere: what the books are compared with.
#[derive(Debug, Default, Clone, Copy)]
struct Truth {
    run: Conservation,
    received: u64,
    delivered: u64,
    dropped: u64,
    left_with_broker: u64,
}

impl Truth {
    fn receive(&mut self, records: u64) {
        self.run.received += records;
        self.run.in_flight += records;
        self.received += records;
    }

    fn spool(&mut self, records: u64) {
        let records = records.min(self.run.in_flight);
        self.run.in_flight -= records;
        self.run.spooled += records;
    }

    fn deliver(&mut self, records: u64) {
        let from_memory = records.min(self.run.in_flight);
        let from_disk = (records - from_memory).min(self.run.spooled);
        self.run.in_flight -= from_memory;
        self.run.spooled -= from_disk;
        self.run.delivered += from_memory + from_disk;
        self.delivered += from_memory + from_disk;
    }

    fn drop(&mut self, records: u64) {
        let records = records.min(self.run.spooled);
        self.run.spooled -= records;
        self.run.dropped += records;
        self.dropped += records;
    }

    /// The run is over; `again` records of the spool are found although they were delivered.
    fn end(&mut self, again: u64) -> u64 {
        self.left_with_broker += self.run.in_flight;
        let found = self.run.spooled + again.min(self.run.delivered);
        self.run = Conservation { recovered: found, spooled: found, ..Conservation::default() };
        found
    }
}

#[derive(Debug, Clone)]
enum Step {
    Receive(u64),
    Spool(u64),
    Deliver(u64),
    Drop(u64),
    Checkpoint,
    Stop,
    Crash { again: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0_u64..30).prop_map(Step::Receive),
        3 => (0_u64..30).prop_map(Step::Spool),
        4 => (0_u64..30).prop_map(Step::Deliver),
        1 => (0_u64..5).prop_map(Step::Drop),
        3 => Just(Step::Checkpoint),
        1 => Just(Step::Stop),
        1 => (0_u64..9).prop_map(|again| Step::Crash { again }),
    ]
}

const HEADROOM: u64 = 50;

fn holds(span: Span, truth: u64) -> bool {
    span.meets(Span::exact(truth))
}

proptest! {
    #[test]
    fn truth_lies_within_the_books_and_without_a_crash_they_are_exact(
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let (mut truth, mut books) = (Truth::default(), Books::new(0, 0, 0));
        books.begin(0, all(0), HEADROOM);
        for step in steps {
            let checkpointed = books.running.map_or(0, |run| run.ledger.received);
            match step {
                // The flow waits for a checkpoint before it receives more.
                Step::Receive(n) if truth.run.received + n <= checkpointed + HEADROOM => truth.receive(n),
                Step::Receive(_) | Step::Checkpoint => {
                    books.checkpoint(0, truth.run, Beside::default(), HEADROOM);
                    prop_assert!(books.balance().holds(), "{books:?}");
                }
                Step::Spool(n) => truth.spool(n),
                Step::Deliver(n) => truth.deliver(n),
                Step::Drop(n) => truth.drop(n),
                Step::Stop => {
                    books.end(truth.run, Beside::default(), Stop::Clean);
                    let Balance { came, went } = books.balance();
                    prop_assert!(books.runs.crashed > 0 || came == went, "{books:?}");
                    let found = truth.end(0);
                    books.begin(0, all(found), HEADROOM);
                }
                Step::Crash { again } => {
                    let found = truth.end(again);
                    books.begin(0, all(found), HEADROOM);
                }
            }
            prop_assert!(books.balance().holds(), "{books:?}");
            prop_assert_eq!(books.missing, 0);
        }
        books.end(truth.run, Beside::default(), Stop::Clean);
        truth.left_with_broker += truth.run.in_flight;
        let terms = books.terms;
        prop_assert!(holds(terms.received, truth.received), "{terms:?} {truth:?}");
        prop_assert!(holds(terms.delivered, truth.delivered), "{terms:?} {truth:?}");
        prop_assert!(holds(terms.dropped, truth.dropped), "{terms:?} {truth:?}");
        prop_assert!(holds(terms.left_with_broker, truth.left_with_broker), "{terms:?} {truth:?}");
        if books.runs.crashed == 0 {
            let exact = [terms.received, terms.delivered, terms.dropped, terms.left_with_broker];
            prop_assert!(exact.iter().all(|term| term.least == term.most), "{terms:?}");
        }
    }
}

fn ledger(received: u64, delivered: u64, spooled: u64) -> Conservation {
    Conservation { received, delivered, spooled, ..Conservation::default() }
}

#[test]
fn what_vanished_from_the_spool_between_runs_is_said() {
    let mut books = Books::new(0, 0, 0);
    books.begin(0, all(0), HEADROOM);
    books.end(ledger(10, 4, 6), Beside::default(), Stop::Clean);
    books.find(2);
    assert_eq!((books.missing, books.spooled), (4, Span::exact(2)));
    assert!(books.balance().holds());
}

#[test]
fn what_is_purged_counts_as_dropped() {
    let mut books = Books::new(0, 0, 0);
    books.begin(0, all(0), HEADROOM);
    books.end(ledger(10, 4, 6), Beside::default(), Stop::Clean);
    books.find(6);
    books.purge(5);
    books.corrupt(1);
    let Balance { came, went } = books.balance();
    assert_eq!((came, went), (Span::exact(10), Span::exact(10)));
    assert_eq!((books.terms.dropped, books.purged), (Span::exact(5), 5));
    assert_eq!(books.spooled, Span::exact(0));
}

#[test]
fn a_run_without_the_spool_leaves_its_records_where_they_are() {
    let mut books = Books::new(0, 0, 0);
    books.begin(0, all(0), HEADROOM);
    books.end(ledger(10, 4, 6), Beside::default(), Stop::Clean);
    books.begin(0, NOT_LOOKED, HEADROOM);
    books.end(ledger(5, 5, 0), Beside::default(), Stop::Clean);
    assert_eq!(books.spooled, Span::exact(6));
    books.begin(0, all(6), HEADROOM);
    assert_eq!((books.missing, books.again), (0, Span::exact(0)));
    let Balance { came, went } = books.balance();
    assert_eq!((came, went), (Span::exact(15), Span::exact(15)));
}

#[test]
fn what_lies_in_a_spool_that_a_run_does_not_use_stays_spooled_and_is_missed_when_it_goes() {
    let mut books = Books::new(0, 0, 0);
    books.begin(0, all(0), HEADROOM);
    books.end(ledger(10, 4, 6), Beside::default(), Stop::Clean);
    books.begin(0, Spooled { taken: 2, left: Some(4) }, HEADROOM);
    assert_eq!((books.spooled, books.missing), (Span::exact(4), 0));
    assert_eq!(books.so_far().spooled, Span::exact(6));
    let delivered = Conservation { recovered: 2, delivered: 2, ..Conservation::default() };
    books.end(delivered, Beside::default(), Stop::Clean);
    assert_eq!(books.spooled, Span::exact(4));
    books.begin(0, Spooled { taken: 0, left: Some(3) }, HEADROOM);
    assert_eq!((books.spooled, books.missing), (Span::exact(3), 1));
    assert!(books.balance().holds());
}

mod on_disk {
    use std::fs;

    use super::*;

    fn kept() -> (tempfile::TempDir, LedgerFile, Books) {
        let dir = tempfile::tempdir().unwrap();
        let file = LedgerFile::new(dir.path());
        let mut books = Books::new(7, 3, 1);
        books.begin(8, all(3), HEADROOM);
        file.write(&books).unwrap();
        (dir, file, books)
    }

    #[test]
    fn they_are_read_as_they_were_written() {
        let (_dir, file, books) = kept();
        assert_eq!(file.read().unwrap(), books);
    }

    #[test]
    fn no_flipped_bit_and_no_torn_end_passes_for_books() {
        let (_dir, _, books) = kept();
        let text = file::encode(&books).unwrap();
        for len in 0..text.len() {
            assert!(file::decode(&text[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..text.len() * 8 {
            let mut damaged = text.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(file::decode(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let (_dir, file, _) = kept();
        fs::write(file.path(), r#"{"version":2,"pages":[]}"#).unwrap();
        assert!(file.read().unwrap_err().to_string().contains("version 2"));
        fs::remove_file(file.path()).unwrap();
        assert!(matches!(file.read(), Err(Unread::Missing(_))));
    }

    #[test]
    fn one_process_at_a_time_keeps_them() {
        let (_dir, file, _) = kept();
        assert!(!file.is_held().unwrap());
        let held = file.hold().unwrap();
        assert!(held.is_some() && file.hold().unwrap().is_none() && file.is_held().unwrap());
        drop(held);
        assert!(!file.is_held().unwrap());
    }

    #[test]
    fn a_look_at_them_keeps_nobody_from_keeping_them() {
        let (dir, file, _) = kept();
        drop(file.hold().unwrap());
        let lock = fs::File::open(dir.path().join("ledger.lock")).unwrap();
        lock.try_lock_shared().unwrap();
        assert!(!file.is_held().unwrap(), "another look is not a gateway");
        let mut look = Some(lock);
        let held = file.hold_between(|| drop(look.take())).unwrap();
        assert!(held.is_some() && look.is_none());
        let mut pauses = 0;
        assert!(file.hold_between(|| pauses += 1).unwrap().is_none());
        assert!((1..100).contains(&pauses), "a gateway that runs is not waited for: {pauses}");
    }
}
