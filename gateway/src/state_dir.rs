//! Directories and files of our state: for this user alone, and still there after a power cut.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
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
    // The root of all, and what is not a name, like `..`, were never created by us.
    let Some(parent) = parent(dir) else { return Ok(()) };
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

/// The directory that a name is in.
fn parent(path: &Path) -> Option<&Path> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })
}

/// Makes durable which names there are in a directory.
///
/// # Errors
/// When they may not be.
pub fn sync(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Replaces the file at `path`, or creates it. Durable when this returns: whatever happens, it is the
/// old one or the new. `path` with `.new` behind it is in use meanwhile.
///
/// # Errors
/// When the disk refuses: the old one is there, unless only its name may not be durable.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = private().create(true).write(true).truncate(true).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    parent(path).map_or(Ok(()), sync)
}

/// Refuses to work on another user's directory, root being nobody special: the files that are
/// written there would be ours, and its owner, the gateway, could neither read nor change them.
///
/// # Errors
/// When the directory is somebody else's, with what to do, or not there.
pub fn check_owner(dir: &Path) -> io::Result<()> {
    let owner_of = |path: &Path| fs::metadata(path).map(|found| found.uid());
    let owner = owner_of(dir)?;
    // It belongs to the user that we act as. Where it is missing nobody can tell.
    let Ok(user) = owner_of(Path::new("/proc/self")) else { return Ok(()) };
    if owner == user {
        return Ok(());
    }
    let refusal = format!(
        "{} belongs to user {owner}, and what user {user} writes there its owner cannot use: run \
         this as the user that the gateway runs as (sudo -u '#{owner}' tidegate …)",
        dir.display()
    );
    Err(io::Error::new(ErrorKind::PermissionDenied, refusal))
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
pub(crate) mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::path::PathBuf;

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
    fn file_that_is_replaced_is_the_old_one_or_the_new_and_for_this_user_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        fs::write(&path, "anybody's").unwrap();
        replace(&path, b"ours").unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"ours".to_vec(), 0o600));
        let in_the_way = dir.path().join("a.json.new");
        DirBuilder::new().create(&in_the_way).unwrap();
        replace(&path, b"newer").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"ours");
    }

    #[test]
    fn directory_that_somebody_else_put_where_nothing_can_be_synced_is_taken_as_it_is() {
        create(Path::new("/proc/self")).unwrap();
        create(Path::new("/proc/nothing_like_this")).unwrap_err();
    }

    /// A directory that is not ours.
    pub(crate) fn of_somebody_else(root: &Path) -> PathBuf {
        let dir = root.join("theirs");
        fs::create_dir(&dir).unwrap();
        match chown(&dir, Some(12_345), None) {
            Ok(()) => dir,
            // Whoever may not give directories away is not root, and that is whose this one is.
            Err(_) => "/".into(),
        }
    }

    #[test]
    fn directory_of_somebody_else_is_refused_with_the_user_to_be() {
        let root = tempfile::tempdir().unwrap();
        check_owner(root.path()).unwrap();
        let theirs = of_somebody_else(root.path());
        let refusal = check_owner(&theirs).unwrap_err().to_string();
        let begin = format!("{} belongs to user ", theirs.display());
        assert!(refusal.starts_with(&begin) && refusal.contains("sudo -u"), "{refusal}");
    }

    #[test]
    fn file_in_the_way_is_told() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        create(&root.path().join("file")).unwrap_err();
        create(&root.path().join("file/dir")).unwrap_err();
    }
}
