//! The two small files that say what was delivered.

use super::sim::Sim;
use super::*;

const BOUNDS: Bounds = Bounds { bytes_max: 1 << 20, when_full: WhenFull::Wait };

/// The disk of a process that was killed: of ten entries it had noted the even ones as settled, one
/// by one.
fn killed() -> Sim {
    let disk = Sim::new(0);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    let entry = |seq| {
        let key = PartitionKey::new("pump");
        Entry { seq: Seq(seq), key, rx_ts_ms: 0, data: vec![b'x'; 10].into() }
    };
    let group: Vec<_> = (1..=10).map(entry).collect();
    assert!(matches!(spool.append(&group), Ok(Appended::Kept)));
    (2..=10).step_by(2).for_each(|seq| spool.settle(&[Seq(seq)]));
    disk
}

fn to_deliver(disk: &Sim) -> Vec<u64> {
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    let read = spool.read(Seq::FIRST, usize::MAX).unwrap();
    read.entries.iter().map(|(_, entry)| entry.seq.0).collect()
}

#[test]
fn a_damaged_journal_is_put_aside_and_what_it_still_says_holds() {
    let mut files = killed().files();
    let journal = files.get_mut(progress::JOURNAL).unwrap();
    journal[25] ^= 1;
    let (damaged, disk) = (journal.clone(), Sim::with_files(&files));
    assert_eq!(to_deliver(&disk), [1, 3, 4, 5, 7, 9]);
    assert_eq!(disk.files()[&format!("quarantine/{}", progress::JOURNAL)], damaged);
    // What it said is in the cursor now.
    disk.crash(sim::Crash::Power);
    assert_eq!(to_deliver(&disk), [1, 3, 4, 5, 7, 9]);
}

#[test]
fn a_journal_that_ends_as_a_crash_leaves_it_is_not_damaged() {
    let mut files = killed().files();
    files.get_mut(progress::JOURNAL).unwrap().extend([0; 50]);
    let disk = Sim::with_files(&files);
    assert_eq!(to_deliver(&disk), [1, 3, 5, 7, 9]);
    assert!(!disk.files().keys().any(|name| name.starts_with("quarantine/")));
}

#[test]
fn a_newer_cursor_is_not_touched() {
    let mut files = killed().files();
    let mut newer = b"TGCURSOR\x02\0\0\0what comes then".to_vec();
    codec::put_crc(0, &mut newer, 0);
    files.insert(progress::CURSOR.to_owned(), newer);
    let disk = Sim::with_files(&files);
    let message = Spool::open(disk.clone(), BOUNDS).unwrap_err().to_string();
    assert!(message.contains(progress::CURSOR) && message.contains("version 2"), "{message}");
    assert_eq!(disk.files(), files);
}
