use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use crate::dead_letter::directory::tests::with_files;
use crate::dead_letter::{Fingerprint, Unreadable};
use crate::limits::DEAD_LETTER_LINE_BYTES_MAX;

use super::*;

fn texts(directory: &Directory) -> Vec<(u64, String)> {
    let files = directory.files().unwrap();
    let text = |number| fs::read_to_string(directory.path(number)).unwrap();
    files.into_iter().map(|file| (file.number, text(file.number))).collect()
}

fn edits(changes: &[(&str, &str)]) -> Edits {
    let mut edits = Edits::default();
    for (line, instead) in changes {
        edits.replace(Fingerprint::of(line.as_bytes()), instead.as_bytes().to_vec());
    }
    edits
}

#[test]
fn lines_make_way_and_the_others_stay_in_their_order() {
    let (_dir, directory) = with_files(&["a\nb\nc\n", "d\n", "e\nf\n"]);
    let left = directory.apply(edits(&[("b", "x\ny\n"), ("d", ""), ("e", "")])).unwrap();
    assert!(left.is_empty());
    assert_eq!(texts(&directory), [(1, "a\nx\ny\nc\n".to_owned()), (3, "f\n".to_owned())]);
}

#[test]
fn of_equal_lines_as_many_go_as_were_noted() {
    let (_dir, directory) = with_files(&["a\na\n", "a\nb\n"]);
    directory.apply(edits(&[("a", ""), ("a", "")])).unwrap();
    assert_eq!(texts(&directory), [(2, "a\nb\n".to_owned())]);
}

#[test]
fn line_that_is_gone_already_is_given_back_and_nothing_is_written() {
    let (_dir, directory) = with_files(&["a\n"]);
    let before = directory.files().unwrap();
    assert!(!directory.apply(edits(&[("b", "")])).unwrap().is_empty());
    assert_eq!(directory.files().unwrap(), before, "the same file");
}

#[test]
fn torn_line_and_foreign_files_are_left_alone() {
    let (dir, directory) = with_files(&["a\nb\n{\"at\":17"]);
    for name in ["notes.txt", "dead-letters-1.ndjson", "dead-letters-000001.ndjson.bak"] {
        fs::write(dir.path().join(name), "a\n").unwrap();
    }
    directory.apply(edits(&[("a", ""), ("b", "")])).unwrap();
    assert_eq!(texts(&directory), [(1, "{\"at\":17".to_owned())]);
    assert_eq!(directory.purge(|_| true).unwrap(), 1);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3 + 1, "and the lock");
}

#[test]
fn what_a_crash_left_of_a_rewriting_is_no_letter_and_is_overwritten() {
    let (dir, directory) = with_files(&["a\nb\n"]);
    fs::write(dir.path().join(REWRITING), "half of something long").unwrap();
    assert_eq!(directory.entries().unwrap().count(), 2);
    directory.apply(edits(&[("a", "")])).unwrap();
    assert_eq!(texts(&directory), [(1, "b\n".to_owned())]);
    assert!(!dir.path().join(REWRITING).exists());
}

#[test]
fn file_that_was_private_stays_private() {
    let (_dir, directory) = with_files(&["a\nb\n"]);
    let private = Permissions::from_mode(0o600);
    fs::set_permissions(directory.path(1), private.clone()).unwrap();
    directory.apply(edits(&[("a", "")])).unwrap();
    let mode = fs::metadata(directory.path(1)).unwrap().mode();
    assert_eq!(mode & 0o777, private.mode());
}

#[test]
fn rewriting_that_fails_leaves_the_old_file_and_no_half_one() {
    let (dir, directory) = with_files(&["a\nb\n"]);
    let rewriting = dir.path().join(REWRITING);
    // It stands in for a full disk.
    std::os::unix::fs::symlink("/dev/full", &rewriting).unwrap();
    let error = directory.apply(edits(&[("a", "")])).unwrap_err().to_string();
    assert!(error.contains("No space left"), "{error}");
    assert_eq!(texts(&directory), [(1, "a\nb\n".to_owned())]);
    assert!(rewriting.symlink_metadata().is_err(), "it takes no room");

    std::os::unix::fs::symlink("/dev/full", &rewriting).unwrap();
    assert_eq!(directory.purge(|_| true).unwrap(), 2, "that needs no room");
    assert_eq!(texts(&directory), []);
}

proptest! {
    /// Against a naive model: a list of lines.
    #[test]
    fn edits_change_what_they_name_and_nothing_else(
        files in prop::collection::vec(prop::collection::vec("[abc]", 1..6), 0..4),
        changes in prop::collection::vec(("[abcd]", 0..3_usize), 0..8),
    ) {
        let joined = |lines: &Vec<String>| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let texts_of: Vec<String> = files.iter().map(joined).collect();
        let (_dir, directory) = with_files(&texts_of.iter().map(String::as_str).collect::<Vec<_>>());
        // All changes of one line are the same, so that their order does not matter.
        let times: BTreeMap<_, _> = changes.iter().cloned().collect();
        let new = |line: &str| "n\n".repeat(times[line]);
        let all: Vec<_> = changes.iter().map(|(line, _)| (line.clone(), new(line))).collect();
        let all: Vec<_> = all.iter().map(|(line, new)| (line.as_str(), new.as_str())).collect();
        directory.apply(edits(&all)).unwrap();

        let mut left: Vec<_> = changes.iter().map(|(line, _)| line.clone()).collect();
        let mut expected = Vec::new();
        for (number, lines) in (1..).zip(&files) {
            let mut text = String::new();
            for line in lines {
                match left.iter().position(|one| one == line) {
                    Some(at) => {
                        left.remove(at);
                        text += &new(line);
                    }
                    None => text += &format!("{line}\n"),
                }
            }
            if !text.is_empty() {
                expected.push((number, text));
            }
        }
        prop_assert_eq!(texts(&directory), expected);
    }
}

#[test]
fn line_of_any_length_is_held_in_part_and_stays_whole() {
    let long = "x".repeat(3 * DEAD_LETTER_LINE_BYTES_MAX / 2);
    let text = format!("a\n{long}\nb\n{long}");
    let (_dir, directory) = with_files(&[&text]);
    let entries: Vec<_> = directory.entries().unwrap().map(Result::unwrap).collect();
    let held: Vec<_> = entries.iter().map(|entry| entry.line.len()).collect();
    assert_eq!(held, [2, DEAD_LETTER_LINE_BYTES_MAX, 2, DEAD_LETTER_LINE_BYTES_MAX]);
    for long in [&entries[1], &entries[3]] {
        assert!(matches!(long.letter(), Err(Unreadable::TooLong(bytes)) if bytes == long.bytes));
    }
    drop(entries);
    directory.apply(edits(&[("a", ""), ("b", "y\n")])).unwrap();
    assert!(fs::read_to_string(directory.path(1)).unwrap() == format!("{long}\ny\n{long}"));
}
