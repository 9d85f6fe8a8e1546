//! Every key has one number for ever, whatever happens to the gateway, the power and the file.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use proptest::prelude::*;
use shard_estimator::HashKey;
use tempfile::TempDir;

use super::codec::{self, Unreadable};
use super::*;

const SECTOR_BYTES: usize = 512;
const MARK_BYTES: usize = 20;

#[derive(Debug, Clone)]
enum Event {
    /// A record of this device comes.
    Sight(u16),
    /// So many devices come that were never seen.
    Crowd(u16),
    /// What is new is written.
    Write,
    /// The gateway is killed; what it wrote is there.
    Kill,
    /// The power fails, perhaps while what is new is written: of each sector that was not synced
    /// either is there, the old or the new.
    PowerCut { writing: bool, seed: u64 },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..60_u16).prop_map(Event::Sight),
        1 => (1..300_u16).prop_map(Event::Crowd),
        3 => Just(Event::Write),
        1 => Just(Event::Kill),
        2 => (any::<bool>(), any::<u64>())
            .prop_map(|(writing, seed)| Event::PowerCut { writing, seed }),
    ]
}

/// A register on its disk, and what it has promised.
struct World {
    dir: TempDir,
    file: Option<RegisterFile>,
    register: Register,
    /// What a power cut cannot take.
    synced: Vec<u8>,
    /// The numbers that may have been used.
    used: HashMap<String, NonZeroU32>,
    crowd: u32,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (file, register) = RegisterFile::open(dir.path()).unwrap();
        let (synced, used) = (Vec::new(), HashMap::new());
        let mut world = Self { dir, file: Some(file), register, synced, used, crowd: 0 };
        world.note_synced();
        world
    }

    fn path(&self) -> PathBuf {
        self.file.as_ref().unwrap().path().to_owned()
    }

    fn sight(&mut self, key: String) {
        let number = self.register.number(&key).unwrap();
        let before = self.used.get(&key);
        assert!(before.is_none_or(|before| *before == number), "{key}: {before:?}, then {number}");
        if self.register.is_durable(number) {
            self.used.insert(key, number);
        }
    }

    fn write(&mut self) {
        let keys = self.register.fresh().to_vec();
        self.file.as_mut().unwrap().append(&keys).unwrap();
        self.register.written(keys.len());
        self.note_synced();
    }

    /// All but the mark.
    fn note_synced(&mut self) {
        self.synced = fs::read(self.path()).unwrap();
        self.synced.truncate(self.synced.len() - MARK_BYTES);
    }

    fn power_cut(&mut self, writing: bool, seed: u64) {
        let mut images = vec![self.synced.clone(), fs::read(self.path()).unwrap()];
        let keys = self.register.fresh().to_vec();
        if writing && !keys.is_empty() {
            self.file.as_mut().unwrap().append(&keys).unwrap();
            let mut written = fs::read(self.path()).unwrap();
            // The mark is written after the sync.
            written.truncate(written.len() - MARK_BYTES);
            images.push(written);
        }
        let mut chance = fastrand::Rng::with_seed(seed);
        let longest = images.iter().map(Vec::len).max().unwrap();
        images.iter_mut().for_each(|image| image.resize(longest, 0));
        let mut left = Vec::new();
        for from in (0..longest).step_by(SECTOR_BYTES) {
            let to = longest.min(from + SECTOR_BYTES);
            left.extend_from_slice(&chance.choice(&images).unwrap()[from..to]);
        }
        left.truncate(chance.usize(self.synced.len()..=longest));
        fs::write(self.path(), left).unwrap();
        self.open();
    }

    fn open(&mut self) {
        self.file = None;
        let (file, register) = RegisterFile::open(self.dir.path()).unwrap();
        (self.file, self.register) = (Some(file), register);
        self.note_synced();
    }

    fn live(&mut self, event: &Event) {
        match *event {
            Event::Sight(device) => self.sight(format!("device-{device}")),
            Event::Crowd(devices) => {
                for _ in 0..devices {
                    self.crowd += 1;
                    self.sight(format!("of the crowd: {}", self.crowd));
                }
            }
            Event::Write => self.write(),
            Event::Kill => self.open(),
            Event::PowerCut { writing, seed } => self.power_cut(writing, seed),
        }
        let numbers: HashSet<_> = self.used.values().collect();
        assert_eq!(numbers.len(), self.used.len(), "no number twice");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn every_key_has_one_number_for_ever_through_any_history(
        events in prop::collection::vec(event(), 1..40)
    ) {
        let mut world = World::new();
        events.iter().for_each(|event| world.live(event));
        // And it goes on: all of them can be numbered, and numbers stay small.
        let known: Vec<_> = world.used.clone().into_iter().collect();
        for device in 0..60 {
            world.sight(format!("device-{device}"));
        }
        world.write();
        world.open();
        for (key, number) in known {
            prop_assert_eq!(world.register.number(&key), Some(number), "{}", key);
        }
        for device in 0..60 {
            let number = world.register.number(&format!("device-{device}")).unwrap();
            prop_assert!(world.register.is_durable(number));
            prop_assert!(number.get() - world.register.before() <= 60 + world.crowd);
        }
    }
}

/// A file of three groups.
fn three_groups() -> (TempDir, PathBuf, Vec<Fingerprint>) {
    let dir = tempfile::tempdir().unwrap();
    let (mut file, mut register) = RegisterFile::open(dir.path()).unwrap();
    let mut keys = Vec::new();
    for group in 0..3 {
        for device in 0..=group {
            register.number(&format!("{group}-{device}")).unwrap();
        }
        keys.extend(register.fresh());
        file.append(register.fresh()).unwrap();
        register.written(register.fresh().len());
    }
    let path = file.path().to_owned();
    (dir, path, keys)
}

#[test]
fn flipped_bit_is_told_or_costs_no_number() {
    let (_dir, path, keys) = three_groups();
    let intact = fs::read(path).unwrap();
    let last_mark = intact.len() - MARK_BYTES;
    for bit in 0..intact.len() * 8 {
        let mut bytes = intact.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match codec::read(&bytes) {
            Ok(found) => assert_eq!((found.keys, bit / 8 >= last_mark), (keys.clone(), true)),
            Err(Unreadable::Damaged { at }) => assert!(at <= bit / 8 && bit / 8 < last_mark),
            Err(Unreadable::Newer(version)) => panic!("{version}"),
        }
    }
}

/// The last mark is synced with the next group only: a power cut may take it.
#[test]
fn flipped_bit_in_a_group_with_another_behind_it_is_told_without_any_mark() {
    let (_dir, path, keys) = three_groups();
    let mut intact = fs::read(path).unwrap();
    intact.truncate(intact.len() - MARK_BYTES);
    let last_group = intact.len() - MARK_BYTES - 3 * 8;
    for bit in 0..intact.len() * 8 {
        let mut bytes = intact.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match codec::read(&bytes) {
            Ok(found) => {
                assert_eq!((found.keys.as_slice(), bit / 8 >= last_group), (&keys[..3], true));
            }
            Err(Unreadable::Damaged { at }) => assert!(at <= bit / 8 && bit / 8 < last_group),
            Err(Unreadable::Newer(version)) => panic!("{version}"),
        }
    }
}

/// Small fleets with a gateway each, all on one stream: were their numbers the same, the shards of
/// the first points would have a device of every one.
#[test]
fn registers_of_many_gateways_are_together_no_less_even_than_hashing() {
    let (gateways, devices, shards) = (100, 20, 64_u32);
    let mut on_each = vec![0; 64];
    for _ in 0..gateways {
        let dir = tempfile::tempdir().unwrap();
        let mut register = RegisterFile::open(dir.path()).unwrap().1;
        for device in 0..devices {
            let number = register.number(&device.to_string()).unwrap();
            let HashKey(place) = HashKey::golden(number.get());
            let shard = ((place >> 64) * u128::from(shards)) >> 64;
            on_each[usize::try_from(shard).unwrap()] += 1;
        }
    }
    // One play in a million of hashing has so many.
    assert!(on_each.iter().max() < Some(&70), "{on_each:?}");
}

#[test]
fn file_cut_short_keeps_the_numbers_of_whole_groups() {
    let (_dir, path, keys) = three_groups();
    let intact = fs::read(path).unwrap();
    let counts: Vec<_> =
        (0..=intact.len()).map(|len| codec::read(&intact[..len]).unwrap().keys.len()).collect();
    assert!(counts.is_sorted() && counts.iter().all(|count| [0, 1, 3, 6].contains(count)));
    assert_eq!((counts.last(), keys.len()), (Some(&6), 6));
}

#[test]
fn damaged_register_is_refused_with_file_and_remedy_and_left_as_it_is() {
    let (dir, path, _) = three_groups();
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let refusal = RegisterFile::open(dir.path()).unwrap_err().to_string();
    let begin = format!("{}: damaged from byte 20 on; put a copy", path.display());
    assert!(refusal.starts_with(&begin) && refusal.contains("move it away"), "{refusal}");
    assert_eq!(fs::read(&path).unwrap(), bytes);

    fs::remove_file(path).unwrap();
    assert!(RegisterFile::open(dir.path()).unwrap().1.is_empty());
}

#[test]
fn append_that_fails_leaves_the_register_as_it_was_with_its_mark() {
    let (dir, path, keys) = three_groups();
    let intact = fs::read(&path).unwrap();
    let (mut file, _) = RegisterFile::open(dir.path()).unwrap();
    let fresh = [Fingerprint(7), Fingerprint(8)];
    let full = |_: &File| Err(io::Error::from(io::ErrorKind::StorageFull));
    file.append_synced_by(full, &fresh).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), intact);

    file.append(&fresh).unwrap();
    let found = codec::read(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(found.keys, [keys.as_slice(), &fresh].concat(), "the next time");
}

#[test]
fn register_of_a_newer_version_and_one_in_use_are_refused() {
    let (dir, path, _) = three_groups();
    let held = RegisterFile::open(dir.path()).unwrap();
    assert!(matches!(RegisterFile::open(dir.path()), Err(OpenError::Held(_))));
    drop(held);
    let mut newer = b"TGNUMBER\x02\0\0\0\0\0\0\0".to_vec();
    newer.extend(crc32c::crc32c(&newer).to_le_bytes());
    fs::write(&path, newer).unwrap();
    let refused = RegisterFile::open(dir.path());
    assert!(matches!(refused, Err(OpenError::Newer { version: 2, .. })), "{refused:?}");
}

#[test]
fn full_register_numbers_nobody_new_and_everybody_known() {
    let known = (0..u64::from(REGISTER_KEYS_MAX) - 1).map(Fingerprint);
    let mut register = Register::new(BEFORE_MAX, known);
    let last = register.number("last");
    assert_eq!(last.map(NonZeroU32::get), Some(u32::MAX));
    assert_eq!(register.number("one too many"), None);
    assert_eq!((register.number("last"), register.len()), (last, REGISTER_KEYS_MAX));
    assert_eq!(register.fresh().len(), 1);
}

#[test]
fn number_may_be_used_once_it_is_written() {
    let mut register = Register::default();
    let [a, b, c] = ["a", "b", "c"].map(|key| register.number(key).unwrap());
    assert_eq!([a, b, c].map(NonZeroU32::get), [1, 2, 3]);
    let durable = |register: &Register| [a, b, c].map(|number| register.is_durable(number));
    assert_eq!(durable(&register), [false; 3]);
    register.written(2);
    assert_eq!(durable(&register), [true, true, false]);
    register.written(1);
    assert_eq!(durable(&register), [true; 3]);
}
