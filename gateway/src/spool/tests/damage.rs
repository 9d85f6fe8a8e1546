//! Every truncation and every flipped bit of a small directory.

use std::collections::BTreeMap;

use super::sim::Sim;
use super::*;

const BOUNDS: Bounds = Bounds { bytes_max: 4_096, when_full: WhenFull::Wait };

type Files = BTreeMap<String, Vec<u8>>;

/// A directory, and what is owed from it.
struct Sample {
    files: Files,
    owed: BTreeMap<Seq, Entry>,
    /// Whether a lost end of a segment would be noticed.
    is_closed: bool,
}

fn entry(seq: u64, data: Vec<u8>) -> Entry {
    let key = PartitionKey::new("pump");
    Entry { seq: Seq(seq), key, rx_ts_ms: 1_000, data: data.into() }
}

/// Three segments and both small files; five of eleven entries are settled.
fn sample(is_closed: bool) -> Sample {
    let disk = Sim::new(0);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    let mut owed = BTreeMap::new();
    for (count, bytes) in [(3, 90), (3, 50), (2, 100), (3, 20)] {
        let first = spool.next_seq().0;
        let group: Vec<Entry> =
            (first..first + count).map(|seq| entry(seq, vec![b'x'; bytes])).collect();
        assert!(matches!(spool.append(&group), Ok(Appended::Kept)));
        owed.extend(group.into_iter().map(|entry| (entry.seq, entry)));
        let settled = [Seq(first + 1)];
        spool.settle(&settled);
        owed.remove(&settled[0]);
        if first == 4 {
            // A cursor in the middle, so that the journal adds to it.
            spool.save().unwrap();
        }
    }
    if is_closed {
        spool.close().unwrap();
    }
    let files = disk.files();
    assert!(files.keys().filter(|name| name.starts_with("segment-")).count() >= 2);
    assert!(is_closed || !files[progress::JOURNAL].is_empty());
    Sample { files, owed, is_closed }
}

/// How many entries the spool lost since it was last asked.
fn lost(spool: &mut Spool<Sim>) -> u64 {
    spool.take_lost().iter().map(|range| range.end.0 - range.start.0).sum()
}

/// What is read from damaged files.
struct Outcome {
    read: BTreeMap<Seq, Entry>,
    corrupted: u64,
    /// After all was settled and the spool closed.
    files: Files,
}

fn read(files: &Files) -> Outcome {
    let disk = Sim::with_files(files);
    let (mut spool, Recovery { corrupted, .. }) = Spool::open(disk.clone(), BOUNDS).unwrap();
    let mut read = BTreeMap::new();
    let mut from = Seq::FIRST;
    while from < spool.next_seq() {
        let part = spool.read(from, 200).unwrap();
        read.extend(part.entries.into_iter().map(|(_, entry)| (entry.seq, entry)));
        from = part.next;
    }
    assert_eq!(spool.unsettled(), read.len() as u64);
    let corrupted = corrupted + lost(&mut spool);
    spool.settle(&read.keys().copied().collect::<Vec<_>>());
    spool.close().unwrap();
    Outcome { read, corrupted, files: disk.files() }
}

impl Sample {
    /// Checks what holds after any damage to `file`, and returns what is missing.
    fn check(&self, file: &str, damaged: &[u8]) -> (Vec<Seq>, Outcome) {
        let mut files = self.files.clone();
        files.insert(file.to_owned(), damaged.to_vec());
        let outcome = read(&files);
        for (seq, entry) in &outcome.read {
            assert!(self.owed.get(seq).is_none_or(|owed| owed == entry), "{seq:?} is another");
            let is_small_file = [progress::CURSOR, progress::JOURNAL].contains(&file);
            assert!(self.owed.contains_key(seq) || is_small_file, "{seq:?} comes again");
        }
        let missing: Vec<Seq> =
            self.owed.keys().filter(|seq| !outcome.read.contains_key(seq)).copied().collect();
        if self.is_closed {
            assert!(outcome.corrupted >= missing.len() as u64, "{missing:?} not counted");
        }
        (missing, outcome)
    }

    /// Where each owed entry of `file` lies.
    fn extents(&self, file: &str) -> Vec<(Seq, std::ops::Range<usize>)> {
        let Some(name) = segment::Name::parse(file) else { return Vec::new() };
        let mut at = codec::HEADER_BYTES;
        let mut extents = Vec::new();
        let header = codec::decode_header(&self.files[file]);
        let codec::Header::Known { id, .. } = header else { panic!("{header:?}") };
        let seed = codec::Seed::new(id, name.base);
        while let Some(header) = codec::EntryHeader::decode(seed, &self.files[file][at..]) {
            let end = at + usize::try_from(header.entry_bytes()).unwrap();
            extents.push((header.seq, at..end));
            at = end;
        }
        extents.retain(|(seq, _)| self.owed.contains_key(seq));
        extents
    }
}

#[test]
fn a_flipped_bit_costs_the_entry_it_is_in_and_no_other() {
    for sample in [sample(false), sample(true)] {
        for (file, bytes) in &sample.files {
            let extents = sample.extents(file);
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let (missing, outcome) = sample.check(file, &damaged);
                let hit = extents.iter().find(|(_, extent)| extent.contains(&(bit / 8)));
                let expected: Vec<Seq> = hit.map(|(seq, _)| *seq).into_iter().collect();
                assert_eq!(missing, expected, "{file}, bit {bit}");
                if let Some(seq) = hit {
                    assert_eq!(outcome.corrupted, 1, "{file}, bit {bit}");
                    let aside = &outcome.files[&format!("quarantine/{file}")];
                    assert!(aside.starts_with(&damaged), "{seq:?} of {file} is gone");
                }
            }
        }
    }
}

#[test]
fn a_truncated_file_costs_what_was_cut_and_nothing_before() {
    for sample in [sample(false), sample(true)] {
        for (file, bytes) in &sample.files {
            let extents = sample.extents(file);
            for len in 0..bytes.len() {
                let (missing, _) = sample.check(file, &bytes[..len]);
                let cut = extents.iter().filter(|(_, extent)| extent.end > len);
                let expected: Vec<Seq> = cut.map(|(seq, _)| *seq).collect();
                assert_eq!(missing, expected, "{file}, {len} bytes");
            }
        }
    }
}

#[test]
fn a_missing_segment_is_counted() {
    let sample = sample(true);
    let (file, _) = sample.files.iter().find(|(name, _)| name.starts_with("segment-")).unwrap();
    let mut files = sample.files.clone();
    files.remove(file);
    let surveyed = survey(&Sim::with_files(&files)).unwrap().missing;
    let outcome = read(&files);
    let lost = sample.extents(file).len();
    let told: u64 = surveyed.iter().map(|range| range.end.0 - range.start.0).sum();
    assert_eq!(told, lost as u64);
    assert!(lost > 0);
    assert_eq!((outcome.corrupted, outcome.read.len()), (lost as u64, sample.owed.len() - lost));
}

#[test]
fn a_bad_sector_holds_nothing_back_for_ever() {
    let sample = sample(true);
    let (file, _) = sample.files.iter().find(|(name, _)| name.starts_with("segment-")).unwrap();
    let disk = Sim::with_files(&sample.files);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    let (bad, extent) = sample.extents(file)[0].clone();
    disk.break_sector(file, extent.start as u64 + 40);
    let refused = (0..9).take_while(|_| spool.read(Seq::FIRST, usize::MAX).is_err()).count();
    assert_eq!(refused, 5);
    let read = spool.read(Seq::FIRST, usize::MAX).unwrap().entries;
    let seqs: Vec<Seq> = read.iter().map(|(place, _)| place.seq()).collect();
    // The simulated sector is as large as the file: what shares it is lost, what follows is not.
    assert!(!seqs.contains(&bad) && seqs.contains(&Seq(11)));
    assert_eq!(lost(&mut spool), (sample.owed.len() - seqs.len()) as u64);
}

#[test]
fn a_bad_sector_does_not_hold_back_what_is_fetched_with_it() {
    let sample = sample(true);
    let disk = Sim::with_files(&sample.files);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    let read = spool.read(Seq::FIRST, usize::MAX).unwrap().entries;
    let places: Vec<Place> = read.iter().map(|(place, _)| *place).collect();
    // In one segment with others that are good.
    let (at, file) = (1, spool.segments.holding(places[1].seq()).unwrap().name.to_string());
    disk.break_sector(&file, u64::from(places[at].offset) + 40);
    let refused = (0..9).take_while(|_| spool.fetch(&places).is_err()).count();
    assert_eq!(refused, 5);
    let mut owed = sample.owed.clone();
    owed.remove(&places[at].seq());
    assert!(spool.fetch(&places).unwrap().iter().eq(owed.values()));
    assert_eq!(lost(&mut spool), 1);
}

#[test]
fn on_a_disk_that_takes_no_changes_nothing_is_given_up() {
    let sample = sample(true);
    let disk = Sim::with_files(&sample.files);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    disk.set_read_only(true);
    disk.refuse_reads(u32::MAX);
    assert!((0..50).all(|_| spool.read(Seq::FIRST, usize::MAX).is_err()));
    disk.set_read_only(false);
    disk.come_back();
    let read = spool.read(Seq::FIRST, usize::MAX).unwrap().entries;
    assert!(read.iter().map(|(_, entry)| entry).eq(sample.owed.values()));
    assert_eq!(lost(&mut spool), 0);
}

#[test]
fn an_end_of_the_log_that_cannot_be_read_is_not_cut() {
    let sample = sample(false);
    let (file, bytes) =
        sample.files.iter().rfind(|(name, _)| name.starts_with("segment-")).unwrap();
    for at in codec::HEADER_BYTES..bytes.len() {
        let disk = Sim::with_files(&sample.files);
        disk.break_sector(file, at as u64);
        let message = Spool::open(disk.clone(), BOUNDS).map(drop).unwrap_err().to_string();
        assert!(message.contains(file) && message.contains("move the file"), "{message}");
        assert_eq!(disk.files(), sample.files);
        disk.come_back();
        assert_eq!(read(&disk.files()).read, sample.owed);
    }
}

#[test]
fn an_older_segment_that_cannot_be_read_for_a_while_is_delivered_after() {
    let sample = sample(false);
    let (file, bytes) = sample.files.iter().find(|(name, _)| name.starts_with("segment-")).unwrap();
    for at in 0..bytes.len() {
        let disk = Sim::with_files(&sample.files);
        disk.break_sector(file, at as u64);
        let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
        disk.come_back();
        let read = spool.read(Seq::FIRST, usize::MAX).unwrap().entries;
        assert!(read.iter().map(|(_, entry)| entry).eq(sample.owed.values()), "byte {at}");
        assert_eq!(lost(&mut spool), 0);
    }
}

#[test]
fn a_disk_that_was_away_for_long_has_lost_nothing() {
    let sample = sample(true);
    let disk = Sim::with_files(&sample.files);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    disk.refuse_reads(u32::MAX);
    disk.stop_after(1);
    assert!((0..50).all(|_| spool.read(Seq::FIRST, usize::MAX).is_err()));
    disk.come_back();
    let read = spool.read(Seq::FIRST, usize::MAX).unwrap().entries;
    assert!(read.iter().map(|(_, entry)| entry).eq(sample.owed.values()));
    assert_eq!(lost(&mut spool), 0);
}

#[test]
fn a_newer_segment_is_not_touched() {
    let mut files = sample(true).files;
    let name = segment::Name { base: Seq(99), attempt: 0 }.to_string();
    let mut header = b"TGSPOOL\n\x02\0\0\0................".to_vec();
    codec::put_crc(0, &mut header, 0);
    files.insert(name.clone(), header);
    let disk = Sim::with_files(&files);
    let message = Spool::open(disk.clone(), BOUNDS).unwrap_err().to_string();
    assert!(message.contains(&name) && message.contains("version 2"), "{message}");
    assert_eq!(disk.files(), files);
}

#[test]
fn a_segment_of_another_spool_in_a_payload_is_not_taken_for_entries() {
    let elsewhere = sample(true);
    let (_, inner) = elsewhere.files.iter().rfind(|(at, _)| at.starts_with("segment-")).unwrap();
    let disk = Sim::new(0);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    spool.append(&[entry(1, inner.clone()), entry(2, b"last".to_vec())]).unwrap();
    drop(spool);
    let mut files = disk.files();
    let (_, bytes) = files.iter_mut().find(|(name, _)| name.starts_with("segment-")).unwrap();
    bytes[codec::HEADER_BYTES + 3] ^= 1;
    let outcome = read(&files);
    assert_eq!(outcome.read.into_values().collect::<Vec<_>>(), [entry(2, b"last".to_vec())]);
    assert_eq!(outcome.corrupted, 1);
}

/// Breaks the first sector of the first `count` segments; gives how many owed entries follow them.
fn break_segments(sample: &Sample, disk: &Sim, count: usize) -> usize {
    let segments = sample.files.keys().filter(|name| name.starts_with("segment-"));
    segments.clone().take(count).for_each(|file| disk.break_sector(file, 40));
    segments.skip(count).map(|file| sample.extents(file).len()).sum()
}

#[test]
fn repair_passes_over_every_bad_place() {
    let sample = sample(true);
    let disk = Sim::with_files(&sample.files);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    let behind = break_segments(&sample, &disk, 2) as u64;
    spool.repair().unwrap();
    assert_eq!(spool.unsettled(), behind);
    assert_eq!(lost(&mut spool) + behind, sample.owed.len() as u64);
}

#[test]
fn purge_tells_what_it_took_before_the_disk_refused() {
    let sample = sample(true);
    let disk = Sim::with_files(&sample.files);
    let mut spool = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    let last = sample.files.keys().rfind(|name| name.starts_with("segment-")).unwrap();
    disk.break_sector(last, 40);
    disk.set_read_only(true);
    let (purged, seen) = spool.purge_older_than(i64::MAX);
    let left = sample.extents(last).len() as u64;
    assert_eq!((purged, spool.unsettled()), (sample.owed.len() as u64 - left, left));
    assert!(purged > 0 && seen.is_err());
}

/// A segment of one small entry and two large ones, in files; `seq` of them has a sector that was
/// never written.
fn with_unwritten_sector(groups: &[&[u64]], seqs: &[u64]) -> (String, Files) {
    let disk = Sim::new(0);
    let mut spool = Spool::open(disk.clone(), Bounds { bytes_max: 1 << 20, ..BOUNDS }).unwrap().0;
    for group in groups {
        let group: Vec<Entry> = group.iter().map(|seq| entry(*seq, vec![b'x'; 5_000])).collect();
        spool.append(&group).unwrap();
    }
    let file = spool.segments.iter().next().unwrap().name.to_string();
    drop(spool);
    let mut files = disk.files();
    for seq in seqs {
        let start = codec::HEADER_BYTES + (usize::try_from(*seq).unwrap() - 1) * 5_036;
        let sector = (start + 2_000).next_multiple_of(512);
        files.get_mut(&file).unwrap()[sector..sector + 512].fill(0);
    }
    (file, files)
}

#[test]
fn a_group_that_was_not_written_whole_is_cut_kept_aside_and_not_counted() {
    for unwritten in [&[2, 3][..], &[3]] {
        let (file, files) = with_unwritten_sector(&[&[1], &[2, 3]], unwritten);
        let outcome = read(&files);
        let read: Vec<u64> = outcome.read.keys().map(|seq| seq.0).collect();
        assert_eq!(read, (1..unwritten[0]).collect::<Vec<_>>());
        assert_eq!(outcome.corrupted, 0);
        assert!(files[&file].ends_with(&outcome.files["quarantine/torn"]));
    }
    let (file, files) = with_unwritten_sector(&[&[1, 2]], &[1, 2]);
    let outcome = read(&files);
    assert_eq!((outcome.read.len(), outcome.corrupted), (0, 0));
    assert_eq!(outcome.files[&format!("quarantine/{file}")], files[&file]);
}

#[test]
fn an_unwritten_sector_before_an_intact_entry_is_a_loss() {
    let (file, files) = with_unwritten_sector(&[&[1], &[2, 3]], &[2]);
    let outcome = read(&files);
    assert_eq!(outcome.read.into_keys().collect::<Vec<_>>(), [Seq(1), Seq(3)]);
    assert_eq!(outcome.corrupted, 1);
    assert!(outcome.files.contains_key(&format!("quarantine/{file}")));
}

#[test]
fn a_sector_that_cannot_be_read_is_not_taken_for_one_that_was_not_written() {
    let (file, files) = with_unwritten_sector(&[&[1], &[2, 3]], &[]);
    let disk = Sim::with_files(&files);
    disk.break_sector(&file, 13_000);
    let opened = Spool::open(disk.clone(), BOUNDS).unwrap().0;
    assert_eq!(opened.next_seq(), Seq(4));
    assert_eq!(disk.files()[&file][..15_000], files[&file][..15_000]);
    disk.come_back();
    assert_eq!(read(&disk.files()).read.len(), 3);
}
