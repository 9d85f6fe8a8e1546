//! The register on disk: one file that only grows.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::state_dir;

use super::codec::{self, Found, Unreadable};
use super::{BEFORE_MAX, Fingerprint, Register};

/// What the file is called in the state directory.
const NAME: &str = "golden.register";

/// Why the register cannot be used. Each names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{}: in use by another process; one gateway a state_dir", .0.display())]
    Held(PathBuf),
    /// It was written by a newer version.
    #[error(
        "{}: has format version {version}, and this gateway knows 1; run the version that wrote it",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version of its format.
        version: u32,
    },
    /// It is not what was written.
    #[error(
        "{}: damaged from byte {at} on; put a copy of an earlier day in its place, or move it \
         away: then all devices are numbered anew, and most go on on another shard",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage begins.
        at: usize,
    },
    /// The disk says no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

/// The file, for one process alone until this is dropped.
#[derive(Debug)]
pub struct RegisterFile {
    file: File,
    path: PathBuf,
    /// Behind the last group.
    end: u64,
    /// The last number in it; before there is any, what precedes all.
    last: u32,
}

impl RegisterFile {
    /// Where the register of `state_dir` is, if there is one.
    #[must_use]
    pub fn path_in(state_dir: &Path) -> PathBuf {
        state_dir.join(NAME)
    }

    /// Opens the register in `state_dir`, or begins one. All numbers of it are durable when this
    /// returns; what a crash left of others is cut off.
    ///
    /// # Errors
    /// When it cannot be relied on: nothing is changed then.
    pub fn open(state_dir: &Path) -> Result<(Self, Register), OpenError> {
        let path = Self::path_in(state_dir);
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let mut options = state_dir::private();
        let mut file = options.create(true).read(true).write(true).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::Held(path)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let mut found = read(&path, &bytes)?;
        if found.end == 0 {
            found.before = fastrand::u32(..=BEFORE_MAX);
        }
        let register = Register::new(found.before, found.keys.iter().copied());
        let last = found.before + register.len();
        let mut this = Self { file, path: path.clone(), end: 0, last };
        this.take_up(&found, state_dir).map_err(failed)?;
        Ok((this, register))
    }

    /// Whether the register in `state_dir` can be relied on, or one can be begun. Changes nothing; while
    /// another process writes, it may seem damaged.
    ///
    /// # Errors
    /// When it cannot.
    pub fn look(state_dir: &Path) -> Result<(), OpenError> {
        let path = Self::path_in(state_dir);
        match fs::read(&path) {
            Ok(bytes) => read(&path, &bytes).map(drop),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(OpenError::Io { path, source }),
        }
    }

    /// Makes durable what was found: a process that was killed may have written and not synced it.
    fn take_up(&mut self, found: &Found, state_dir: &Path) -> io::Result<()> {
        if found.end == 0 {
            self.put(&codec::header(found.before))?;
        }
        self.end = found.end.max(codec::HEADER_BYTES) as u64;
        self.file.set_len(self.end)?;
        self.file.sync_all()?;
        state_dir::sync(state_dir)?;
        self.mark();
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds keys, which have the next numbers. Durable when this returns.
    ///
    /// # Errors
    /// When they may not be: then they have no numbers yet.
    pub fn append(&mut self, keys: &[Fingerprint]) -> io::Result<()> {
        self.append_synced_by(File::sync_data, keys)
    }

    /// The same, where `sync` is what makes it durable.
    pub(super) fn append_synced_by(
        &mut self,
        sync: impl FnOnce(&File) -> io::Result<()>,
        keys: &[Fingerprint],
    ) -> io::Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let group = codec::group(self.last + 1, keys);
        if let Err(error) = self.put(&group).and_then(|()| sync(&self.file)) {
            // All of it is written again next time: what a sync has failed to write it forgets.
            drop(self.file.set_len(self.end));
            // The group took its place.
            self.mark();
            return Err(error);
        }
        self.end += group.len() as u64;
        self.last = self.last.saturating_add(u32::try_from(keys.len()).unwrap_or(u32::MAX));
        self.mark();
        Ok(())
    }

    /// Says that all before is durable. The next sync will do for this, and without it damage to the
    /// last group looks like a crash, no more.
    fn mark(&self) {
        drop(self.put(&codec::group(self.last + 1, &[])));
    }

    /// Writes behind the last group.
    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)
    }
}

fn read(path: &Path, bytes: &[u8]) -> Result<Found, OpenError> {
    codec::read(bytes).map_err(|unreadable| match unreadable {
        Unreadable::Newer(version) => OpenError::Newer { path: path.to_owned(), version },
        Unreadable::Damaged { at } => OpenError::Damaged { path: path.to_owned(), at },
    })
}

#[cfg(test)]
impl RegisterFile {
    /// On a disk that is full.
    pub(crate) fn full() -> Self {
        let path = PathBuf::from("/dev/full");
        let file = File::options().write(true).open(&path).unwrap();
        Self { file, path, end: 0, last: 0 }
    }
}
