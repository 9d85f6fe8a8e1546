use std::path::Path;

use super::*;

fn letter(payload: impl Into<Bytes>) -> Letter {
    Letter {
        at_ms: 1_763_692_404_123,
        reason: "not_json",
        detail: "expected value at line 1 column 1".to_owned(),
        origin: "sites/1".to_owned(),
        payload: payload.into(),
    }
}

fn store(dir: &Path, bytes_max: u64, when_full: WhenFull) -> Store {
    Store::open(&Settings { dir: dir.join("dead"), bytes_max, when_full }).unwrap()
}

fn lines(dir: &Path) -> Vec<serde_json::Value> {
    let mut files: Vec<_> =
        fs::read_dir(dir.join("dead")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn letter_keeps_reason_origin_and_the_original_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = store(dir.path(), 1 << 20, WhenFull::DropOldest);
    let letters = [letter("{oops"), letter(vec![0xff, 0x00]), letter(vec![b'x'; 65 * 1024])];
    assert_eq!(store.append(&letters).unwrap(), Appended::Kept { dropped: 0 });
    let lines = lines(dir.path());
    assert_eq!(lines[0]["payload"], "{oops");
    assert_eq!(lines[0]["reason"], "not_json");
    assert_eq!(lines[0]["origin"], "sites/1");
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
        let Appended::Kept { dropped: now } =
            store.append(&[letter(format!("{n:0>900}"))]).unwrap()
        else {
            panic!("drops, never waits")
        };
        dropped += now;
        assert!(store.bytes() <= 20_000);
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
    assert_eq!(store.append(&[letter(vec![b'x'; 900])]).unwrap(), Appended::Kept { dropped: 0 });
    assert_eq!(store.append(&[letter(vec![b'x'; 1900])]).unwrap(), Appended::Full);
    assert_eq!(lines(dir.path()).len(), 1);
}

#[test]
fn letters_of_an_earlier_run_are_kept_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    store(dir.path(), 1 << 20, WhenFull::DropOldest).append(&[letter("a")]).unwrap();
    fs::write(dir.path().join("dead/notes.txt"), "not ours").unwrap();
    let mut second = store(dir.path(), 1 << 20, WhenFull::DropOldest);
    assert!(second.bytes() > 0);
    second.append(&[letter("b")]).unwrap();
    fs::remove_file(dir.path().join("dead/notes.txt")).unwrap();
    assert_eq!(lines(dir.path()).len(), 2);
}
