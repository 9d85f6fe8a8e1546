use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::dead_letter::directory::count_lines;
use crate::dead_letter::directory::tests::remove;
use crate::dead_letter::{Origin, Payload};
use crate::telemetry::tests::log_of;

use super::*;

fn letter(payload: impl AsRef<[u8]>) -> Letter {
    Letter {
        at_ms: 1_763_692_404_123,
        reason: "not_json".into(),
        detail: "expected value at line 1 column 1".to_owned(),
        origin: Origin::of_publish(b"sites/1"),
        payload: Payload::of_publish(payload.as_ref()),
    }
}

fn store(dir: &Path, bytes_max: u64, when_full: WhenFull) -> Store {
    Store::open(&Settings { dir: dir.join("dead"), bytes_max, when_full, stream: None }).unwrap()
}

fn lines(dir: &Path) -> Vec<serde_json::Value> {
    let mut files: Vec<_> =
        fs::read_dir(dir.join("dead")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("dead/dead-letters-{number:06}.ndjson"))
}

fn on_disk(dir: &Path) -> u64 {
    fs::read_dir(dir.join("dead"))
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

/// The names in the directory that are not the lock's.
fn names(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join("dead")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "lock").collect()
}

/// From now on the disk is full for the file of this number, which is there.
fn fill_disk(store: &mut Store, dir: &Path, number: u64) {
    let identity = Identity::of(&fs::metadata(path(dir, number)).unwrap());
    let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
    store.last = Some(Last { number, identity, file });
}

#[test]
fn letter_keeps_reason_origin_and_the_original_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1 << 20, WhenFull::DropOldest);
    let letters = [letter("{oops"), letter(vec![0xff, 0x00]), letter(vec![b'x'; 65 * 1024])];
    assert_eq!(store.append(&letters).unwrap(), Appended::Kept(3));
    let lines = lines(dir.path());
    assert_eq!(lines[0]["payload"], "{oops");
    assert_eq!(lines[0]["reason"], "not_json");
    assert_eq!(lines[0]["topic"], "sites/1");
    assert_eq!(lines[1]["payload_base64"], "/wA=");
    assert_eq!(lines[2]["bytes"], 65 * 1024);
    assert_eq!(lines[2].get("payload"), None, "too long to keep");
    assert_eq!(lines[2]["payload_xxh3_128"].as_str().unwrap().len(), 32);
}

#[test]
fn at_the_ceiling_the_oldest_letters_go_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 20_000, WhenFull::DropOldest);
    let mut dropped = 0;
    for n in 0..100 {
        assert_eq!(store.append(&[letter(format!("{n:0>900}"))]).unwrap(), Appended::Kept(1));
        dropped += store.take_dropped();
        assert!(on_disk(dir.path()) <= 20_000);
    }
    let kept = lines(dir.path());
    assert_eq!(kept.len() + dropped, 100);
    assert!(kept.len() >= 10, "only the oldest part goes");
    let newest = kept.last().unwrap()["payload"].as_str().unwrap();
    assert!(newest.ends_with("99"));
}

#[test]
fn at_the_ceiling_nothing_more_is_taken_if_the_operator_prefers_to_wait() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 2_000, WhenFull::Wait);
    assert_eq!(store.append(&[letter(vec![b'x'; 900])]).unwrap(), Appended::Kept(1));
    assert_eq!(store.append(&[letter(vec![b'x'; 1900])]).unwrap(), Appended::Full);
    assert_eq!(lines(dir.path()).len(), 1);
}

#[test]
fn letters_of_an_earlier_run_are_kept_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), 1 << 20, WhenFull::DropOldest).append(&[letter("a")]).unwrap();
    fs::write(dir.path().join("dead/notes.txt"), "not ours").unwrap();
    let mut second = store(dir.path(), 1 << 20, WhenFull::DropOldest);
    second.append(&[letter("b")]).unwrap();
    fs::remove_file(dir.path().join("dead/notes.txt")).unwrap();
    assert_eq!(lines(dir.path()).len(), 2);
}

#[test]
fn letters_are_kept_though_the_operator_took_files_away() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 8_000, WhenFull::DropOldest);
    for _ in 0..7 {
        store.append(&[letter(vec![b'x'; 900])]).unwrap();
    }
    for number in [1, 3, 7] {
        fs::remove_file(path(dir.path(), number)).unwrap();
    }
    for n in 0..3 {
        assert_eq!(store.append(&[letter(format!("{n:0>900}"))]).unwrap(), Appended::Kept(1));
    }
    assert_eq!(lines(dir.path()).len(), 4 + 3, "none is written to a file that is gone");
    assert_eq!(store.take_dropped(), 0, "the operator made room enough");
    fs::remove_dir_all(dir.path().join("dead")).unwrap();
    assert_eq!(store.append(&[letter("{oops")]).unwrap(), Appended::Kept(1));
    assert_eq!(lines(dir.path()).len(), 1);
}

#[test]
fn room_that_the_operator_makes_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 2_000, WhenFull::Wait);
    store.append(&[letter(vec![b'x'; 900])]).unwrap();
    let larger_than_all = [letter(vec![b'y'; 2500])];
    assert_eq!(store.append(&larger_than_all).unwrap(), Appended::Full);
    fs::remove_file(path(dir.path(), 1)).unwrap();
    assert_eq!(store.append(&larger_than_all).unwrap(), Appended::Kept(1));
    assert_eq!(store.append(&[letter("{oops")]).unwrap(), Appended::Full);
    assert_eq!(lines(dir.path()).len(), 1);
}

#[test]
fn failed_write_takes_no_room_and_leaves_no_empty_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 2_000, WhenFull::Wait);
    for _ in 0..10 {
        fs::write(path(dir.path(), 1), "").unwrap();
        fill_disk(&mut store, dir.path(), 1);
        let error = store.append(&[letter(vec![b'x'; 900])]).unwrap_err().to_string();
        assert!(error.contains("dead-letters-000001.ndjson: No space left"), "{error}");
        assert!(error.ends_with("make room on that disk"), "{error}");
        assert_eq!(names(dir.path()), Vec::<String>::new());
    }
    assert_eq!(store.append(&[letter(vec![b'x'; 900])]).unwrap(), Appended::Kept(1));
    assert_eq!(lines(dir.path()).len(), 1);
}

#[test]
fn nothing_follows_a_failed_write_in_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1 << 20, WhenFull::Wait);
    store.append(&[letter("kept")]).unwrap();
    let kept = fs::read(path(dir.path(), 1)).unwrap();
    fill_disk(&mut store, dir.path(), 1);
    store.append(&[letter("failed")]).unwrap_err();
    store.append(&[letter("after")]).unwrap();
    assert_eq!(fs::read(path(dir.path(), 1)).unwrap(), kept);
    assert_eq!(lines(dir.path()).len(), 2);
}

#[test]
fn torn_line_is_taken_back_and_what_was_kept_before_it_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path(), 1 << 20, WhenFull::Wait);
    fs::write(path(dir.path(), 1), "{}\n{\"at\":17636").unwrap();
    store.take_back(1, 3).unwrap();
    assert_eq!(fs::read_to_string(path(dir.path(), 1)).unwrap(), "{}\n");
    store.take_back(1, 0).unwrap();
    assert!(!path(dir.path(), 1).exists());
}

#[test]
fn dropped_letters_are_counted_even_if_the_newer_ones_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 2_000, WhenFull::DropOldest);
    let line = format!("\"{:600}\"\n", "");
    fs::write(path(dir.path(), 1), line.repeat(3)).unwrap();
    fs::write(path(dir.path(), 2), "{}\n").unwrap();
    fill_disk(&mut store, dir.path(), 2);
    store.append(&[letter(vec![b'x'; 900])]).unwrap_err();
    assert_eq!((store.take_dropped(), store.take_dropped()), (3, 0));
    assert_eq!(lines(dir.path()).len(), 1, "only as many as needed go");
}

#[test]
fn oldest_file_goes_though_it_cannot_be_read_and_that_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 2_000, WhenFull::DropOldest);
    // Nobody can read at the beginning of a memory.
    symlink("/proc/self/mem", path(dir.path(), 1)).unwrap();
    fs::write(path(dir.path(), 2), format!("\"{:1900}\"\n", "")).unwrap();
    let log = log_of(|| {
        let kept = store.append(&[letter(vec![b'x'; 900])]).unwrap();
        assert_eq!(kept, Appended::Kept(1));
    });
    assert!(log.contains("dead-letters-000001.ndjson: Input/output error"), "{log}");
    assert_eq!(store.take_dropped(), 1, "those that are known");
    assert_eq!(lines(dir.path()).len(), 1, "the newest");
}

/// Empty lines until none are left; remembers the most it was asked for.
struct Lines {
    left: usize,
    asked: usize,
}

impl Read for &mut Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.asked = self.asked.max(buffer.len());
        let size = buffer.len().min(self.left);
        self.left -= size;
        buffer[..size].fill(b'\n');
        Ok(size)
    }
}

#[test]
fn lines_are_counted_without_holding_the_file() {
    let mut file = Lines { left: 1_000_000, asked: 0 };
    let (lines, read) = count_lines(&mut file);
    read.unwrap();
    assert_eq!(lines, 1_000_000);
    assert!(file.asked <= 64 * 1024, "{} bytes at once", file.asked);
}

#[test]
fn nothing_is_written_to_a_file_that_somebody_else_wrote_anew() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1 << 20, WhenFull::Wait);
    store.append(&[letter("a"), letter("b")]).unwrap();
    remove(&store.directory, letter("a").line().unwrap());
    store.append(&[letter("c")]).unwrap();
    let payloads: Vec<_> = lines(dir.path()).iter().map(|line| line["payload"].clone()).collect();
    assert_eq!(payloads, ["b", "c"]);
}

#[test]
fn numbers_of_files_that_are_gone_are_not_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1 << 20, WhenFull::Wait);
    store.append(&[letter("a")]).unwrap();
    assert_eq!(store.directory.purge(|_| true).unwrap(), 1);
    assert_eq!(names(dir.path()), Vec::<String>::new());
    store.append(&[letter("b")]).unwrap();
    assert_eq!(names(dir.path()), ["dead-letters-000002.ndjson"]);
}

#[test]
fn store_waits_while_somebody_else_changes_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1 << 20, WhenFull::Wait);
    let lock = store.directory.lock().unwrap();
    let (done, appended) = std::sync::mpsc::channel();
    let writer = std::thread::spawn(move || {
        done.send(store.append(&[letter("a")]).unwrap()).unwrap();
    });
    appended.recv_timeout(Duration::from_millis(50)).expect_err("it waits");
    drop(lock);
    assert_eq!(appended.recv(), Ok(Appended::Kept(1)));
    writer.join().unwrap();
    assert_eq!(lines(dir.path()).len(), 1);
}

#[test]
fn directory_that_is_in_the_way_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let settings = Settings {
        dir: file.join("dead"),
        bytes_max: 1 << 20,
        when_full: WhenFull::Wait,
        stream: None,
    };
    let error = Store::open(&settings).unwrap_err().to_string();
    assert!(error.starts_with(&file.join("dead").display().to_string()), "{error}");
}

#[test]
fn letters_are_for_this_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1 << 20, WhenFull::Wait);
    store.append(&[letter("a"), letter("b")]).unwrap();
    remove(&store.directory, letter("a").line().unwrap());
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(dir.path().join("dead")), 0o700);
    assert_eq!(mode(dir.path().join("dead/lock")), 0o600);
    assert_eq!(mode(path(dir.path(), 1)), 0o600);
}

/// Letters with payloads of 100 bytes, each of which JSON writes as six.
fn letters_of_escapes() -> Vec<Letter> {
    vec![letter(vec![1; 100]); 500]
}

#[test]
fn groups_are_as_small_as_the_room_whatever_becomes_of_the_bytes_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 40_000, WhenFull::Wait);
    let letters = letters_of_escapes();
    let mut kept = 0;
    while let Appended::Kept(count) = store.append(&letters[kept..]).unwrap() {
        kept += count;
    }
    let line = letters[0].line().unwrap().len();
    assert_eq!(kept, 40_000 / line, "as many as there is room for");
    fs::remove_file(path(dir.path(), 1)).unwrap();
    assert!(matches!(store.append(&letters).unwrap(), Appended::Kept(1..)), "room is used");
}

#[test]
fn no_group_takes_the_place_of_all_older_letters() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 40_000, WhenFull::DropOldest);
    let letters = letters_of_escapes();
    let (mut left, mut on_disk_before) = (&letters[..], 0);
    while let Appended::Kept(count @ 1..) = store.append(left).unwrap() {
        left = &left[count..];
        let on_disk = on_disk(dir.path());
        assert!(on_disk <= 40_000 && on_disk + 2 * 40_000 / FILES > on_disk_before);
        on_disk_before = on_disk;
    }
    assert_eq!(lines(dir.path()).len() + store.take_dropped(), letters.len());
}
