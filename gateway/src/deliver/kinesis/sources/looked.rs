//! Whether files say something else than before: times do not tell on every file system, and a key
//! that is lent is not to be asked for each time that somebody touches a file.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;

use crate::credentials::disk::Disk;
use crate::credentials::file::contents_of;

/// What some files said when they were looked at last.
#[derive(Debug, Default)]
pub(super) struct Looked(Cell<Option<u64>>);

impl Looked {
    /// Whether they say something else than last time, as far as the disk answers.
    pub(super) async fn anew(&self, paths: Vec<PathBuf>, disk: &Disk) -> bool {
        let Ok(said) = disk.read(move || io::Result::Ok(digest(&paths))).await else {
            return false;
        };
        self.0.replace(Some(said)) != Some(said)
    }
}

fn digest(paths: &[PathBuf]) -> u64 {
    let mut digest = DefaultHasher::new();
    for path in paths {
        match contents_of(path) {
            Ok(contents) => (contents.bytes.as_slice(), contents.exposed).hash(&mut digest),
            Err(why) => why.to_string().hash(&mut digest),
        }
    }
    digest.finish()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn only_what_a_file_says_counts_and_who_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["one", "two"].map(|name| dir.path().join(name));
        let (looked, disk) = (Looked::default(), Disk::default());
        let anew = || looked.anew(paths.to_vec(), &disk);
        let [one, _] = &paths;
        assert!(anew().await, "for the first time");
        assert!(!anew().await, "neither is there");
        fs::write(one, "key").unwrap();
        assert!(anew().await);
        fs::write(one, "key").unwrap();
        assert!(!anew().await, "it was only touched");
        fs::write(one, "another").unwrap();
        assert!(anew().await);
        fs::set_permissions(one, Permissions::from_mode(0o640)).unwrap();
        assert!(anew().await);
        fs::remove_file(one).unwrap();
        assert!(anew().await);
    }
}
