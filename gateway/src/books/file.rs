//! The books on disk: one small file, replaced as a whole.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::state_dir;

use super::Books;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

/// How often the books are asked for, and the pause after each time that they were not to be had: a
/// look at them may be what is in the way, and is over at once.
const HOLD_ATTEMPTS: usize = 10;
const HOLD_PAUSE: Duration = Duration::from_millis(10);

/// `ledger.json` in the state directory.
#[derive(Debug, Clone)]
pub struct LedgerFile {
    path: PathBuf,
}

/// The right to keep the books, until it is dropped.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "closing the file unlocks it")] File);

/// Why there are no books to go on with.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// Nobody has kept any.
    #[error("{}: there is none", .0.display())]
    Missing(PathBuf),
    /// Torn, damaged, of a newer version, not ours, or refused by the disk.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
}

/// What the file holds. The checksum is of the books as they are written.
#[derive(Serialize, Deserialize)]
struct Content<'a> {
    version: u32,
    crc32c: u32,
    #[serde(borrow)]
    books: &'a RawValue,
}

/// What every version of the file says.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl LedgerFile {
    /// The file in `state_dir`.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self { path: state_dir.join("ledger.json") }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes this the process that keeps the books; `None` while another does. Waits a tenth of a
    /// second before it says so.
    ///
    /// # Errors
    /// When the directory cannot be written to.
    #[expect(clippy::disallowed_methods, reason = "at a start, and only if the books are in use")]
    pub fn hold(&self) -> io::Result<Option<Held>> {
        self.hold_between(|| std::thread::sleep(HOLD_PAUSE))
    }

    pub(super) fn hold_between(&self, mut pause: impl FnMut()) -> io::Result<Option<Held>> {
        let path = self.path.with_extension("lock");
        let file = state_dir::private().create(true).append(true).open(path)?;
        for _ in 0..HOLD_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Held(file))),
                Err(TryLockError::WouldBlock) => pause(),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether a process keeps the books now. Writes nothing, and two that look do not see each
    /// other.
    ///
    /// # Errors
    /// When that cannot be seen.
    pub fn is_held(&self) -> io::Result<bool> {
        match File::open(self.path.with_extension("lock")) {
            Ok(file) => Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The books.
    ///
    /// # Errors
    /// When there are none, or none that can be relied on.
    pub fn read(&self) -> Result<Books, Unread> {
        match fs::read(&self.path) {
            Ok(text) => decode(&text).map_err(|why| self.unreadable(why)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Unread::Missing(self.path.clone()))
            }
            Err(error) => Err(self.unreadable(error.to_string())),
        }
    }

    /// How long before `unix_ms`, in milliseconds since 1970-01-01 UTC, the books were last written: no
    /// time if there are none.
    #[must_use]
    pub fn age(&self, unix_ms: i64) -> Duration {
        let written = fs::metadata(&self.path).and_then(|file| file.modified());
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(unix_ms).unwrap_or(0));
        written.ok().and_then(|written| now.duration_since(written).ok()).unwrap_or_default()
    }

    fn unreadable(&self, why: String) -> Unread {
        Unread::Unreadable { path: self.path.clone(), why }
    }

    /// Replaces the file. Durable when this returns: whatever happens, it is the old one or the new.
    ///
    /// # Errors
    /// When the disk refuses: the old one is there.
    pub fn write(&self, books: &Books) -> io::Result<()> {
        state_dir::replace(&self.path, &encode(books)?)
    }

    /// Puts the file aside, where it is not read: `ledger.json.aside`.
    ///
    /// # Errors
    /// When it cannot be renamed: it is where it was.
    pub fn set_aside(&self) -> io::Result<PathBuf> {
        let aside = self.path.with_extension("json.aside");
        fs::rename(&self.path, &aside)?;
        Ok(aside)
    }
}

pub(super) fn encode(books: &Books) -> io::Result<Vec<u8>> {
    let books = serde_json::value::to_raw_value(books)?;
    let crc32c = crc32c::crc32c(books.get().as_bytes());
    Ok(serde_json::to_vec(&Content { version: VERSION, crc32c, books: &books })?)
}

/// The books, or what is wrong with them.
pub(super) fn decode(text: &[u8]) -> Result<Books, String> {
    let no_ledger = |error: serde_json::Error| format!("no ledger: {error}");
    let Versioned { version } = serde_json::from_slice(text).map_err(no_ledger)?;
    if version != VERSION {
        return Err(format!("has version {version}, and this gateway knows {VERSION}"));
    }
    let content: Content<'_> = serde_json::from_slice(text).map_err(no_ledger)?;
    if crc32c::crc32c(content.books.get().as_bytes()) != content.crc32c {
        return Err("is damaged: its checksum is wrong".to_owned());
    }
    serde_json::from_str(content.books.get()).map_err(no_ledger)
}
