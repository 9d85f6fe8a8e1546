use std::fs;
use std::sync::mpsc;

use crate::dead_letter::{Edits, Fingerprint};
use crate::telemetry::tests::{Log, log_of};

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

/// Somebody else removes a line, which is there.
pub(in crate::dead_letter) fn remove(directory: &Directory, line: impl AsRef<[u8]>) {
    let mut edits = Edits::default();
    edits.remove(Fingerprint::of(line.as_ref()));
    assert!(directory.apply(edits).unwrap().is_empty());
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
fn waiting_for_the_lock_is_said_once_it_takes_long() {
    let (dir, directory) = with_files(&[]);
    let lock = directory.lock().unwrap();
    let log = Log::begin();
    let (path, (_, pause)) = (log.path(), TRIES);
    let (_stays, told_nothing) = mpsc::channel::<()>();
    let held = thread::spawn(move || {
        let said = || !fs::read_to_string(&path).unwrap().is_empty();
        // Long after it should be said, the lock is free all the same, and the test red.
        for _ in (0..2_000).take_while(|_| !said()) {
            told_nothing.recv_timeout(pause).unwrap_err();
        }
        drop(lock);
    });
    drop(directory.lock().unwrap());
    held.join().unwrap();
    let log = log.text();
    assert_eq!(log.matches("waiting for somebody else").count(), 1, "{log}");
    assert!(log.contains(&dir.path().join("lock").display().to_string()), "{log}");
    assert!(log.contains("free again"), "{log}");
    assert_eq!(log_of(|| drop(directory.lock().unwrap())), "");
}
