//! Directories and files of our state: for this user alone, and still there after a power cut.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Payloads may be anybody's secrets.
const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// Creates a directory, and those above it, unless it is there; durable when this returns. One that
/// is there is made durable too: a crash may have come between creating and syncing it.
///
/// # Errors
/// When it cannot be created, or may not be durable.
pub fn create(dir: &Path) -> io::Result<()> {
    let parent = match dir.parent() {
        // The root of all, and what is not a name, like `..`, were never created by us.
        None => return Ok(()),
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
    };
    if dir.is_dir() {
        return match sync(parent) {
            // We may not write there, or nobody can: it was put there by somebody else.
            Err(error) if is_foreign(&error) => Ok(()),
            synced => synced,
        };
    }
    create(parent)?;
    match DirBuilder::new().mode(DIR_MODE).create(dir) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => {}
        created => created?,
    }
    sync(parent)
}

/// Makes durable which names there are in a directory.
///
/// # Errors
/// When they may not be.
pub fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Options for a file that nobody else may read if it is created with them.
#[must_use]
pub fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(FILE_MODE);
    options
}

/// File systems that cannot be written to have nothing to sync and call it an invalid request.
fn is_foreign(error: &io::Error) -> bool {
    let kinds =
        [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem, ErrorKind::InvalidInput];
    kinds.contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_created_is_for_this_user_alone_and_what_was_there_stays_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let there = root.path().join("there");
        DirBuilder::new().mode(0o755).create(&there).unwrap();
        let dir = there.join("a/b");
        for _ in 0..2 {
            create(&dir).unwrap();
        }
        private().create_new(true).write(true).open(dir.join("file")).unwrap();
        assert_eq!([&there, &there.join("a"), &dir].map(|dir| mode(dir)), [0o755, 0o700, 0o700]);
        assert_eq!(mode(&dir.join("file")), 0o600);
    }

    #[test]
    fn directory_that_somebody_else_put_where_nothing_can_be_synced_is_taken_as_it_is() {
        create(Path::new("/proc/self")).unwrap();
        create(Path::new("/proc/nothing_like_this")).unwrap_err();
    }

    #[test]
    fn file_in_the_way_is_told() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        create(&root.path().join("file")).unwrap_err();
        create(&root.path().join("file/dir")).unwrap_err();
    }
}
