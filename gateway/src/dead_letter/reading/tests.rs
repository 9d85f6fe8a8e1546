use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};

use crate::dead_letter::directory::tests::{remove, with_files};
use crate::telemetry::tests::log_of;

use super::*;

/// Reads on and gives back the places and lines, those in `done` noted as such.
fn read_on(directory: &Directory, reading: &mut Reading, done: &str) -> String {
    let group = directory.read_on(reading).unwrap();
    let mut read = Vec::new();
    for entry in &group {
        let line = str::from_utf8(&entry.line).unwrap().trim_end();
        if done.contains(line) {
            reading.done(entry.fingerprint());
        }
        read.push(format!("{} {line}", entry.id));
    }
    read.join(", ")
}

/// What is in the file of this number, if it is there.
fn text(directory: &Directory, number: u64) -> Option<String> {
    fs::read_to_string(directory.path(number)).ok()
}

fn add(directory: &Directory, number: u64, text: &str) {
    let mut file = OpenOptions::new().append(true).open(directory.path(number)).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn each_line_is_read_once_and_files_that_grow_are_read_on() {
    let (_dir, directory) = with_files(&["a\na\n", "b\n"]);
    let reading = &mut Reading::default();
    assert_eq!(read_on(&directory, reading, ""), "1:1 a, 1:2 a");
    assert_eq!(read_on(&directory, reading, ""), "2:1 b");
    assert_eq!(read_on(&directory, reading, ""), "");
    add(&directory, 2, "c\nd\n");
    assert_eq!(read_on(&directory, reading, ""), "2:2 c, 2:3 d");
    assert_eq!(read_on(&directory, reading, ""), "");
}

#[test]
fn what_is_done_goes_once_its_file_is_read_and_the_rest_does_not_come_again() {
    let (_dir, directory) = with_files(&["a\na\nb\n", "c\n"]);
    let reading = &mut Reading::default();
    assert_eq!(read_on(&directory, reading, "a"), "1:1 a, 1:2 a, 1:3 b");
    assert_eq!(text(&directory, 1).unwrap(), "a\na\nb\n");
    assert_eq!(read_on(&directory, reading, "c"), "2:1 c");
    assert_eq!(text(&directory, 1).unwrap(), "b\n");
    assert_eq!(read_on(&directory, reading, ""), "");
    assert_eq!(text(&directory, 2), None);
    add(&directory, 1, "d\n");
    assert_eq!(read_on(&directory, reading, ""), "1:2 d");
}

#[test]
fn file_of_many_groups_is_written_anew_once_and_no_sooner() {
    let lines: String = (0..3 * GROUP_LINES_MAX).map(|n| format!("{n}\n")).collect();
    let (_dir, directory) = with_files(&[&format!("{lines}left\n")]);
    let inode = || fs::metadata(directory.path(1)).unwrap().ino();
    let (before, reading) = (inode(), &mut Reading::default());
    for _ in 0..4 {
        assert_ne!(read_on(&directory, reading, &lines), "");
        assert_eq!(inode(), before);
    }
    assert_eq!(read_on(&directory, reading, ""), "");
    assert_eq!(text(&directory, 1).unwrap(), "left\n");
}

#[test]
fn of_what_is_done_no_more_is_remembered_than_fits_the_memory() {
    let groups = DONE_LINES_MAX.div_ceil(GROUP_LINES_MAX);
    let (_dir, directory) = with_files(&[&"x\n".repeat((groups + 1) * GROUP_LINES_MAX)]);
    let reading = &mut Reading::default();
    for _ in 0..groups {
        assert_ne!(read_on(&directory, reading, "x"), "");
    }
    assert!(read_on(&directory, reading, "x").starts_with("1:1 x, "), "the others are gone");
    assert_eq!(reading.done.len(), GROUP_LINES_MAX);
    assert_eq!(read_on(&directory, reading, ""), "");
    assert_eq!(text(&directory, 1), None);
}

#[test]
fn file_that_somebody_wrote_anew_is_read_from_its_beginning_without_what_is_done() {
    let (_dir, directory) = with_files(&["a\nb\nc\nd\n"]);
    let reading = &mut Reading::default();
    read_on(&directory, reading, "a");
    // Twice: the second may be written where the first was.
    remove(&directory, "b");
    remove(&directory, "c");
    assert_eq!(read_on(&directory, reading, ""), "1:1 d");
    assert_eq!(text(&directory, 1).unwrap(), "d\n");
    remove(&directory, "d");
    assert_eq!(read_on(&directory, reading, ""), "", "it is gone");
}

#[test]
fn what_cannot_be_taken_is_not_forgotten() {
    let (dir, directory) = with_files(&["a\nb\n", "c\n"]);
    let reading = &mut Reading::default();
    read_on(&directory, reading, "a");
    // A directory in the place of the new file.
    let in_the_way = dir.path().join("rewriting");
    fs::create_dir(&in_the_way).unwrap();
    for _ in 0..2 {
        directory.read_on(reading).unwrap_err();
    }
    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(read_on(&directory, reading, ""), "2:1 c");
    assert_eq!(text(&directory, 1).unwrap(), "b\n");
}

#[test]
fn file_that_cannot_be_read_is_passed_over_and_said_once_until_it_changes() {
    let (_dir, directory) = with_files(&["", "b\n"]);
    let (bad, reading) = (directory.path(1), &mut Reading::default());
    fs::remove_file(&bad).unwrap();
    // Nobody can read at the beginning of a memory.
    symlink("/proc/self/mem", &bad).unwrap();
    let log = log_of(|| {
        assert_eq!(read_on(&directory, reading, "b"), "2:1 b");
        for line in ["c", "d"] {
            add(&directory, 2, &format!("{line}\n"));
            assert!(read_on(&directory, reading, "").ends_with(line));
        }
    });
    assert_eq!(log.matches("cannot be read").count(), 1, "{log}");
    assert!(log.contains("dead-letters-000001.ndjson: Input/output error"), "{log}");
    fs::remove_file(&bad).unwrap();
    fs::write(&bad, "a\n").unwrap();
    assert_eq!(read_on(&directory, reading, ""), "1:1 a");
}

#[test]
fn what_was_read_before_a_file_fails_is_given_and_holds_up_nothing() {
    let (dir, directory) = with_files(&["", "c\n"]);
    let (failing, reading) = (directory.path(1), &mut Reading::default());
    fs::remove_file(&failing).unwrap();
    let readable = dir.path().join("readable");
    fs::write(&readable, "a\nb\n").unwrap();
    symlink(&readable, &failing).unwrap();
    assert_eq!(read_on(&directory, reading, "a b"), "1:1 a, 1:2 b");
    fs::remove_file(&readable).unwrap();
    // From now on a directory is in its place.
    fs::create_dir(&readable).unwrap();
    assert_eq!(read_on(&directory, reading, "c"), "2:1 c");
    assert_eq!(read_on(&directory, reading, ""), "");
    assert_eq!(text(&directory, 2), None, "others go as ever");
}

#[test]
fn lines_before_the_one_that_cannot_be_read_are_a_group() {
    let entry = |line| Entry { id: Id { file: 1, line }, line: b"a\n".to_vec(), bytes: 2 };
    let (_dir, directory) = with_files(&[""]);
    let file = directory.files().unwrap()[0];
    let mut mark = Reading::default().mark(&file);
    let failing = [Ok(entry(1)), Ok(entry(2)), Err(io::Error::other("no"))];
    let (group, failure) = mark.group(failing.into_iter());
    assert_eq!((group.len(), mark.lines, mark.bytes), (2, 2, 4));
    failure.unwrap_err();
}

#[test]
fn so_many_lines_are_taken_as_one_call_takes() {
    let many = "x\n".repeat(GROUP_LINES_MAX + 1);
    let long = format!("{}\n", "x".repeat(GROUP_BYTES_MAX / 2));
    for (text, group) in [(many, GROUP_LINES_MAX), (long.repeat(3), 2)] {
        let (_dir, directory) = with_files(&[&text]);
        let reading = &mut Reading::default();
        for expected in [group, 1, 0] {
            assert_eq!(directory.read_on(reading).unwrap().len(), expected);
        }
    }
}
