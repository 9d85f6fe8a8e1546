use std::fs;

use crate::dead_letter::Fingerprint;

use super::*;

/// A directory with files of these texts, numbered from 1.
pub(in crate::dead_letter) fn with_files(texts: &[&str]) -> (tempfile::TempDir, Directory) {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::new(dir.path());
    for (number, text) in (1..).zip(texts) {
        fs::write(directory.path(number), text).unwrap();
    }
    (dir, directory)
}

#[test]
fn errors_name_the_file_and_what_to_do() {
    let said = |kind| named(Path::new("/x/lock"), &io::Error::from(kind)).to_string();
    for (kind, advice) in [
        (io::ErrorKind::PermissionDenied, "let the gateway's user write there"),
        (io::ErrorKind::ReadOnlyFilesystem, "mount it writable, or set dead_letter.dir"),
        (io::ErrorKind::StorageFull, "make room on that disk"),
    ] {
        let said = said(kind);
        assert!(said.starts_with("/x/lock: ") && said.ends_with(advice), "{said}");
    }
    assert_eq!(said(io::ErrorKind::NotADirectory), "/x/lock: not a directory");
}

#[test]
fn the_oldest_lines_come_first_without_those_that_are_passed_over() {
    let (_dir, directory) = with_files(&["a\na\nb\n", "c\n"]);
    let mut passed_over = Tally::default();
    passed_over.note(Fingerprint::of(b"a"));
    passed_over.note(Fingerprint::of(b"b"));
    let oldest = directory.oldest(passed_over).unwrap();
    let ids: Vec<_> = oldest.iter().map(|entry| entry.id.to_string()).collect();
    assert_eq!(ids, ["1:2", "2:1"], "of two equal letters one was passed over");
}

#[test]
fn so_many_lines_are_taken_as_one_call_takes() {
    let many = "x\n".repeat(GROUP_LINES_MAX + 1);
    let (_dir, directory) = with_files(&[&many]);
    assert_eq!(directory.oldest(Tally::default()).unwrap().len(), GROUP_LINES_MAX);
    let long = format!("{}\n", "x".repeat(GROUP_BYTES_MAX / 2));
    let (_dir, directory) = with_files(&[&long.repeat(3)]);
    assert_eq!(directory.oldest(Tally::default()).unwrap().len(), 2);
}
