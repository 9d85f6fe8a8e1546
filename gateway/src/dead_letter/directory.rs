//! The files on the disk: found, read, locked.

use std::collections::VecDeque;
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use tracing::{info, warn};

use crate::state_dir;

use super::Entries;

#[cfg(test)]
pub(super) mod tests;

/// Held by whoever changes a file.
const LOCK: &str = "lock";

/// How often the lock is tried, and the pause between two tries, before it is said who is waited
/// for: files of the largest size are written anew in less.
const TRIES: (u32, Duration) = (100, Duration::from_millis(10));

/// The directory of dead letters. Files with other names than ours are left alone.
#[derive(Debug, Clone)]
pub struct Directory {
    pub(super) dir: PathBuf,
}

/// What is known of a file without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) number: u64,
    pub(super) bytes: u64,
    pub(super) identity: Identity,
    /// When it last changed, or who may read it: seconds since 1970-01-01 UTC, and nanoseconds.
    changed: (i64, i64),
}

/// Tells a file from another that took its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    inode: u64,
    /// Inodes of files that are gone are used again. Not every file system knows this.
    born: Option<SystemTime>,
}

/// The right to change files, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    /// Closing it unlocks.
    _file: File,
}

impl Identity {
    pub(super) fn of(file: &Metadata) -> Self {
        Self { inode: file.ino(), born: file.created().ok() }
    }
}

impl Directory {
    /// Names a directory. Nothing is touched.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Refuses to change the files of another user.
    ///
    /// # Errors
    /// As [`state_dir::check_owner`].
    pub fn check_owner(&self) -> io::Result<()> {
        state_dir::check_owner(&self.dir)
    }

    /// The lines of all files, oldest first. Nothing is locked or written: a running gateway may
    /// be in the midst of the last line.
    ///
    /// # Errors
    /// When the directory is not there or cannot be listed.
    pub fn entries(&self) -> io::Result<Entries<'_>> {
        let files = self.files()?;
        Ok(Entries::new(self, files.iter().map(|file| file.number).collect()))
    }

    /// How many lines there are in all files, of those that can be read; the others are logged.
    ///
    /// # Errors
    /// As [`Self::entries`].
    pub fn count(&self) -> io::Result<u64> {
        let count = |file: &Stat| {
            let (lines, read) = self.count_lines(file.number);
            if let Err(error) = read {
                warn!(%error, lines, "a file of dead letters cannot be counted to its end");
            }
            lines as u64
        };
        Ok(self.files()?.iter().map(count).sum())
    }

    /// Creates the directory if need be, and makes it durable in any case.
    pub(super) fn create_dir(&self) -> io::Result<()> {
        state_dir::create(&self.dir).map_err(|error| named(&self.dir, &error))
    }

    /// Waits until nobody else changes files, and says so if that takes long. Creates the directory if need be.
    pub(super) fn lock(&self) -> io::Result<Lock> {
        if !self.dir.is_dir() {
            self.create_dir()?;
        }
        let path = self.dir.join(LOCK);
        let file = state_dir::private().create(true).append(true).open(&path);
        let locked = file.and_then(|file| wait_for(&file, &path).map(|()| Lock { _file: file }));
        locked.map_err(|error| named(&path, &error))
    }

    /// The files, oldest first.
    pub(super) fn files(&self) -> io::Result<VecDeque<Stat>> {
        self.list().map_err(|error| named(&self.dir, &error))
    }

    fn list(&self) -> io::Result<VecDeque<Stat>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let Some(number) = entry.file_name().to_str().and_then(number) else { continue };
            if let Some(stat) = unless_gone(entry.metadata())? {
                let changed = (stat.ctime(), stat.ctime_nsec());
                let (bytes, identity) = (stat.len(), Identity::of(&stat));
                files.push(Stat { number, bytes, identity, changed });
            }
        }
        files.sort_unstable_by_key(|file| file.number);
        Ok(files.into())
    }

    pub(super) fn open(&self, number: u64) -> io::Result<File> {
        let path = self.path(number);
        File::open(&path).map_err(|error| named(&path, &error))
    }

    /// A new file, which must not be there yet, and what tells it from others of its name.
    pub(super) fn create(&self, number: u64) -> io::Result<(File, Identity)> {
        let path = self.path(number);
        let file = state_dir::private().create_new(true).append(true).open(&path);
        file.and_then(|file| file.metadata().map(|stat| (file, Identity::of(&stat))))
            .map_err(|error| named(&path, &error))
    }

    /// Makes created and removed names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        state_dir::sync(&self.dir).map_err(|error| named(&self.dir, &error))
    }

    /// Counts lines without holding the text: a file may be larger than the memory. One that fails
    /// has at least so many.
    pub(super) fn count_lines(&self, number: u64) -> (usize, io::Result<()>) {
        match self.open(number) {
            Ok(file) => {
                let (lines, read) = count_lines(file);
                (lines, read.map_err(|error| named(&self.path(number), &error)))
            }
            Err(error) => (0, Err(error)),
        }
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(file_name(number))
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever waits for a lock blocks its thread anyhow")]
fn wait_for(lock: &File, path: &Path) -> io::Result<()> {
    let (tries, pause) = TRIES;
    for _ in 0..tries {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(pause),
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
    warn!(
        lock = %path.display(),
        "waiting for somebody else who changes the dead letters: `fuser -v` tells who has the lock; \
         resume or end it"
    );
    lock.lock()?;
    info!("the dead letters are free again");
    Ok(())
}

fn file_name(number: u64) -> String {
    format!("dead-letters-{number:06}.ndjson")
}

/// The number of a file of ours.
fn number(name: &str) -> Option<u64> {
    let number = name.strip_prefix("dead-letters-")?.strip_suffix(".ndjson")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

pub(super) fn count_lines(file: impl Read) -> (usize, io::Result<()>) {
    let mut reader = BufReader::new(file);
    let mut lines = 0;
    loop {
        match reader.skip_until(b'\n') {
            Ok(0) => return (lines, Ok(())),
            Ok(_) => lines += 1,
            Err(error) => return (lines, Err(error)),
        }
    }
}

/// Nothing, if somebody took the file away meanwhile.
pub(super) fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// The error with the file that it is about, and what to do where that is known.
pub(super) fn named(path: &Path, error: &io::Error) -> io::Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others speak for themselves")]
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "; let the gateway's user write there",
        io::ErrorKind::ReadOnlyFilesystem => "; mount it writable, or set dead_letter.dir",
        io::ErrorKind::StorageFull => "; make room on that disk",
        _ => "",
    };
    io::Error::new(error.kind(), format!("{}: {error}{advice}", path.display()))
}
