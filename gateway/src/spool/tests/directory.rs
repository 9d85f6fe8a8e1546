//! On a real directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

const MIB: u64 = 1 << 20;

fn bounds(when_full: WhenFull) -> Bounds {
    Bounds { bytes_max: 16 * MIB, when_full }
}

fn open(dir: &Path) -> Spool<Directory> {
    Spool::open(Directory::new(dir), bounds(WhenFull::Wait)).unwrap().0
}

fn group(from: Seq, count: u64, bytes: usize) -> Vec<Entry> {
    let entry = |seq| Entry {
        seq: Seq(seq),
        key: PartitionKey::new(&format!("device-{}", seq % 7)),
        rx_ts_ms: 1_763_692_404_000 + i64::try_from(seq).unwrap(),
        data: vec![u8::try_from(seq % 251).unwrap(); bytes].into(),
    };
    (from.0..from.0 + count).map(entry).collect()
}

fn append(spool: &mut Spool<Directory>, count: u64, bytes: usize) -> Vec<Entry> {
    let group = group(spool.next_seq(), count, bytes);
    assert_eq!(spool.append(&group).unwrap(), Appended::Kept);
    group
}

fn drain(spool: &mut Spool<Directory>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut from = spool.oldest_unsettled();
    while from < spool.next_seq() {
        let read = spool.read(from, 100_000).unwrap();
        from = read.next;
        entries.extend(read.entries.into_iter().map(|(_, entry)| entry));
    }
    entries
}

fn seqs(entries: &[Entry]) -> Vec<Seq> {
    entries.iter().map(|entry| entry.seq).collect()
}

#[test]
fn what_was_appended_is_read_in_order_and_again_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let mut all = append(&mut spool, 500, 1_000);
    all.extend(append(&mut spool, 3, 1_500_000));
    all.extend(append(&mut spool, 2_000, 1_000));
    assert_eq!(drain(&mut spool), all);
    drop(spool);
    let mut spool = open(dir.path());
    assert_eq!(spool.unsettled(), 2_503);
    assert_eq!(drain(&mut spool), all);
    assert_eq!(spool.take_lost(), []);
}

#[test]
fn what_is_settled_does_not_come_again_and_its_segments_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let all = append(&mut spool, 9_000, 1_000);
    let odd: Vec<Seq> = seqs(&all).into_iter().filter(|seq| seq.0 % 2 == 1).collect();
    spool.settle(&odd);
    drop(spool);
    let mut spool = open(dir.path());
    let left = drain(&mut spool);
    assert!(left.iter().all(|entry| entry.seq.0 % 2 == 0));
    assert_eq!((left.len(), spool.unsettled()), (4_500, 4_500));
    spool.settle(&seqs(&left));
    assert_eq!((spool.unsettled(), spool.bytes()), (0, 0));
    assert_eq!(spool.oldest_unsettled(), spool.next_seq());
    spool.close().unwrap();
    assert_eq!(open(dir.path()).next_seq(), Seq(9_001));
}

#[test]
fn the_space_of_what_was_read_and_settled_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let all = append(&mut spool, 9_000, 1_000);
    drain(&mut spool);
    spool.settle(&seqs(&all));
    let open_files = fs::read_dir("/proc/self/fd").unwrap().map(|at| at.unwrap().path());
    let held = open_files.filter_map(|at| fs::read_link(at).ok()).find(|file| {
        file.starts_with(dir.path()) && file.display().to_string().contains("segment-")
    });
    assert_eq!(held, None);
}

#[test]
fn entries_are_fetched_by_place_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    append(&mut spool, 50, 100);
    let mut read = spool.read(Seq::FIRST, usize::MAX).unwrap().entries;
    read.reverse();
    let places: Vec<Place> = read.iter().map(|(place, _)| *place).collect();
    let entries: Vec<Entry> = read.into_iter().map(|(_, entry)| entry).collect();
    assert_eq!(spool.fetch(&places).unwrap(), entries);
    spool.settle(&[Seq(50), Seq(20)]);
    assert_eq!(spool.fetch(&places[..2]).unwrap(), entries[1..2]);
}

#[test]
fn at_the_ceiling_it_is_full_until_something_settles() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let mut kept = 0;
    loop {
        let group = group(spool.next_seq(), 500, 1_000);
        if spool.append(&group).unwrap() == Appended::Full {
            break;
        }
        kept += 500;
    }
    assert!(spool.bytes() <= 16 * MIB && spool.bytes() > 15 * MIB);
    assert_eq!(spool.unsettled(), kept);
    spool.settle(&(1..3_000).map(Seq).collect::<Vec<_>>());
    append(&mut spool, 500, 1_000);
}

#[test]
fn the_oldest_are_dropped_and_told_if_the_operator_chose_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool =
        Spool::open(Directory::new(dir.path()), bounds(WhenFull::DropOldest)).unwrap().0;
    let mut gone = 0;
    for _ in 0..40 {
        let group = group(spool.next_seq(), 1_000, 1_000);
        assert_eq!(spool.append(&group).unwrap(), Appended::Kept);
        gone += spool.take_dropped().iter().map(|range| range.end.0 - range.start.0).sum::<u64>();
        assert!(spool.bytes() <= 16 * MIB);
    }
    assert!(gone > 20_000);
    assert_eq!(spool.unsettled(), 40_000 - gone);
    assert_eq!(seqs(&drain(&mut spool)), (gone + 1..=40_000).map(Seq).collect::<Vec<_>>());
}

#[test]
fn a_second_process_is_told_who_has_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path());
    let second = Spool::open(Directory::new(dir.path()), bounds(WhenFull::Wait));
    let message = second.unwrap_err().to_string();
    assert!(message.contains(&format!("pid {}", std::process::id())), "{message}");
    assert!(message.contains(&dir.path().display().to_string()), "{message}");
}

#[test]
fn a_file_in_place_of_the_directory_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("spool");
    fs::write(&path, "").unwrap();
    let message =
        Spool::open(Directory::new(&path), bounds(WhenFull::Wait)).unwrap_err().to_string();
    assert!(message.contains("must be a directory"), "{message}");
}

#[test]
fn files_of_others_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("notes.txt"), "mine").unwrap();
    open(dir.path()).close().unwrap();
    assert_eq!(survey(&Directory::new(dir.path())).unwrap().foreign, ["notes.txt"]);
    assert_eq!(fs::read_to_string(dir.path().join("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_survey_sees_the_same_beside_a_running_process_and_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let all = append(&mut spool, 3_000, 1_000);
    spool.settle(&[Seq(1), Seq(7), Seq(3_000)]);
    let names = |dir: &Path| {
        let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|at| at.unwrap().path()).collect();
        names.sort();
        names
    };
    let before = names(dir.path());
    let disk = Directory::new(dir.path());
    let seen = survey(&disk).unwrap();
    let mut shown = Vec::new();
    let unreadable = seen.visit(&disk, |entry, is_settled| {
        shown.push((entry.clone(), is_settled));
        Ok(())
    });
    assert_eq!(unreadable.unwrap(), Visited { segments: 1, unreadable: Vec::new() });
    let is_settled = |entry: &Entry| [1, 7, 3_000].contains(&entry.seq.0);
    assert!(shown.iter().all(|(entry, settled)| is_settled(entry) == *settled));
    assert!(shown.iter().map(|(entry, _)| entry).eq(&all));
    assert_eq!(seen.unsettled(), 2_997);
    assert_eq!(seen.next, spool.next_seq());
    assert_eq!(names(dir.path()), before);
    append(&mut spool, 10, 100);
}

#[test]
fn what_is_delivered_and_freed_meanwhile_is_not_unreadable() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let all = append(&mut spool, 9_000, 1_000);
    append(&mut spool, 10, 1_000);
    let disk = Directory::new(dir.path());
    let seen = survey(&disk).unwrap();
    spool.settle(&seqs(&all));
    let visited = seen.visit(&disk, |_, _| Ok(())).unwrap();
    assert!(visited.segments < seen.segments.len());
    assert_eq!(visited.unreadable, []);
    assert_eq!(seen.missing, []);
}

#[test]
fn what_is_freed_between_the_looks_of_a_survey_is_not_missing_and_what_is_gone_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let freed = append(&mut spool, 3_000, 1_000);
    let gone = append(&mut spool, 3_000, 1_000);
    spool.settle(&seqs(&freed));
    spool.close().unwrap();
    let disk = Directory::new(dir.path());
    let [segment] = &survey(&disk).unwrap().segments[..] else { panic!("one for each group") };
    fs::remove_file(dir.path().join(&segment.file)).unwrap();
    let at_first = vec![Seq::FIRST..Seq(6_001)];
    let (first, last) = (gone[0].seq, gone[2_999].seq);
    assert_eq!(survey(&disk).unwrap().missing_entries(), 3_000);
    assert_eq!(survey::still_missing(&disk, at_first).unwrap(), [first..last.next()]);
}

#[test]
fn nobody_else_can_read_the_records() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("spool");
    let mut spool = open(&dir);
    append(&mut spool, 10, 100);
    spool.disk.quarantine(&spool.segments.iter().next().unwrap().name.to_string()).unwrap();
    append(&mut spool, 10, 10);
    spool.close().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for dir in [dir.clone(), dir.join("quarantine")] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
        for file in fs::read_dir(&dir).unwrap().map(|at| at.unwrap().path()) {
            assert!(file.is_dir() || mode(&file) == 0o600, "{}", file.display());
        }
    }
}

#[test]
fn a_repair_puts_aside_what_cannot_be_read_and_keeps_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    append(&mut spool, 100, 1_000);
    spool.close().unwrap();
    let file =
        dir.path().join(survey(&Directory::new(dir.path())).unwrap().segments[0].file.clone());
    let mut bytes = fs::read(&file).unwrap();
    bytes[50_000] ^= 1;
    fs::write(&file, bytes).unwrap();
    let disk = Directory::new(dir.path());
    let visited = survey(&disk).unwrap().visit(&disk, |_, _| Ok(())).unwrap();
    let [place] = &visited.unreadable[..] else { panic!("{visited:?}") };
    assert_eq!((place.seqs.clone(), place.offset), (Seq(49)..Seq(50), 49_952));
    let mut spool = open(dir.path());
    spool.repair().unwrap();
    assert_eq!((spool.take_lost(), spool.unsettled()), (vec![Seq(49)..Seq(50)], 99));
    let left = seqs(&drain(&mut spool));
    spool.settle(&left);
    spool.close().unwrap();
    assert!(!file.exists());
    assert!(dir.path().join("quarantine").join(file.file_name().unwrap()).exists());
}

#[test]
fn a_purge_takes_what_is_older_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = open(dir.path());
    let all = append(&mut spool, 100, 100);
    let (purged, seen) = spool.purge_older_than(all[40].rx_ts_ms);
    seen.unwrap();
    assert_eq!(purged, 40);
    spool.close().unwrap();
    assert_eq!(drain(&mut open(dir.path())), all[40..]);
}

#[test]
fn each_refusal_says_what_to_do() {
    for (kind, advice) in [
        (std::io::ErrorKind::PermissionDenied, "give the directory to the user"),
        (std::io::ErrorKind::ReadOnlyFilesystem, "mount it writable"),
        (std::io::ErrorKind::StorageFull, "free some space"),
        (std::io::ErrorKind::Other, "check the disk"),
    ] {
        let error = OpenError::Io { path: "/var/spool/tidegate".into(), source: kind.into() };
        let message = error.to_string();
        assert!(message.contains(advice) && message.contains("/var/spool/tidegate"), "{message}");
    }
}
