//! The seam to the disk: one directory of files that only grow.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::config::APART;
use crate::state_dir;

/// The file that is locked while somebody writes here. It holds the number of their process.
pub(super) const LOCK: &str = "lock";
/// The file that says for which stream the records are: its name or ARN, and its region.
pub const TARGET: &str = "target";
/// The same while it is being replaced.
pub(super) const TARGET_NEW: &str = "target.new";
/// Where files go that could not be read.
const QUARANTINE: &str = "quarantine";

/// One directory. Names are of files in it.
///
/// Nothing is durable before it is synced: bytes by [`sync`](Self::sync), and that a file exists, is
/// gone or is called otherwise by [`sync_dir`](Self::sync_dir).
pub trait Disk {
    /// An open file.
    type File;

    /// Makes this the only process that may write here, until it is dropped.
    ///
    /// # Errors
    /// When another has it, or when the directory cannot be written to.
    fn lock(&mut self) -> Result<(), LockError>;

    /// Where `name` lies, for messages.
    fn path(&self, name: &str) -> PathBuf;

    /// Names and lengths of the files.
    ///
    /// # Errors
    /// When the directory cannot be read.
    fn list(&self) -> io::Result<Vec<(String, u64)>>;

    /// A new, empty file.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], or that it cannot be created.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// A file that is there, to read and to append to.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or that it cannot be opened.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// A file that is there, to read.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or that it cannot be opened.
    fn open_to_read(&self, name: &str) -> io::Result<Self::File>;

    /// Writes all of `bytes` behind what the file holds.
    ///
    /// # Errors
    /// When any of it was not written. What was is there.
    fn append(&self, file: &mut Self::File, bytes: &[u8]) -> io::Result<()>;

    /// Reads from `offset` on until `buffer` is full or the file ends; how many bytes.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read_at(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes what was written durable.
    ///
    /// # Errors
    /// When it may not be. A second try would say nothing: the first has forgotten what failed.
    fn sync(&self, file: &Self::File) -> io::Result<()>;

    /// Cuts the file to `len` bytes.
    ///
    /// # Errors
    /// When it cannot be cut.
    fn truncate(&self, file: &Self::File, len: u64) -> io::Result<()>;

    /// Calls `from` by the name `to`, in place of a file that was called so.
    ///
    /// # Errors
    /// When that fails.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Takes the file away.
    ///
    /// # Errors
    /// When that fails.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Puts the file aside, where nobody deletes it.
    ///
    /// # Errors
    /// When that fails: it is where it was.
    fn quarantine(&self, name: &str) -> io::Result<()>;

    /// Makes durable which files there are.
    ///
    /// # Errors
    /// When it may not be.
    fn sync_dir(&self) -> io::Result<()>;
}

/// Why a directory is not ours to write to.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it: its number, where it can be read.
    Held(Option<u32>),
    /// It cannot be written to.
    Io(io::Error),
}

/// A directory of the file system.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    lock: Option<File>,
}

impl Directory {
    /// The directory at `path`, which need not be there before [`Disk::lock`].
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None }
    }

    /// A name in the quarantine that nobody has.
    fn place_in_quarantine(&self, name: &str) -> PathBuf {
        let dir = self.path.join(QUARANTINE);
        let plain = dir.join(name);
        let numbered = (1..).map(|n: u32| dir.join(format!("{name}.{n}")));
        std::iter::once(plain).chain(numbered).find(|path| !path.exists()).unwrap_or(dir)
    }
}

impl Disk for Directory {
    type File = File;

    fn lock(&mut self) -> Result<(), LockError> {
        state_dir::create(&self.path).map_err(LockError::Io)?;
        let mut options = state_dir::private();
        let file =
            options.read(true).write(true).create(true).truncate(false).open(self.path(LOCK));
        let mut file = file.map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let pid =
                    file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
                return Err(LockError::Held(pid));
            }
            Err(TryLockError::Error(e)) => return Err(LockError::Io(e)),
        }
        // A disk too full for our number is no reason not to deliver what it holds.
        let named = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(error) = named {
            tracing::debug!(%error, "the lock file does not say who holds it");
        }
        self.lock = Some(file);
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let meta = match entry.metadata() {
                // Another process took it away meanwhile.
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                meta => meta?,
            };
            if meta.is_file() {
                files.push((entry.file_name().to_string_lossy().into_owned(), meta.len()));
            }
        }
        Ok(files)
    }

    fn create(&self, name: &str) -> io::Result<File> {
        state_dir::private().read(true).append(true).create_new(true).open(self.path(name))
    }

    fn open(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).open(self.path(name))
    }

    fn open_to_read(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name))
    }

    fn append(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn truncate(&self, file: &File, len: u64) -> io::Result<()> {
        file.set_len(len)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn quarantine(&self, name: &str) -> io::Result<()> {
        let dir = self.path.join(QUARANTINE);
        state_dir::create(&dir)?;
        fs::rename(self.path(name), self.place_in_quarantine(name))?;
        state_dir::sync(&dir)
    }

    fn sync_dir(&self) -> io::Result<()> {
        state_dir::sync(&self.path)
    }
}

/// Every directory in which a spool may be of those that a gateway has in `root`: that of its only
/// stream, and those of streams that have their own, in the order of their names. Not all of them are
/// there for sure, nor hold one.
///
/// # Errors
/// When `root` cannot be read; not if there is none.
pub fn directories(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    let entries = match fs::read_dir(root.join(APART)) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        entries => Some(entries?),
    };
    for entry in entries.into_iter().flatten() {
        let path = entry?.path();
        directories.extend(path.is_dir().then_some(path));
    }
    directories.sort_unstable();
    directories.extend(root.is_dir().then(|| root.to_owned()));
    Ok(directories)
}
