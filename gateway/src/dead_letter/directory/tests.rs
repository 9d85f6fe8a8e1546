use std::fs;

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
