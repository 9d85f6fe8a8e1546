//! The files on the disk, and how they are changed.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Edits, Entries, Entry, Tally};

#[cfg(test)]
mod tests;

/// Held by whoever changes a file.
const LOCK: &str = "lock";
/// A file that is being rewritten. What a crash leaves of it is overwritten by the next.
const REWRITING: &str = "rewriting";

/// Lines that are handled together: as many as Kinesis takes in a call.
const GROUP_LINES_MAX: usize = 500;
/// The same in bytes; the last line may exceed it.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// The directory of dead letters. Files with other names than ours are left alone.
#[derive(Debug, Clone)]
pub struct Directory {
    dir: PathBuf,
}

/// What is known of a file without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) number: u64,
    pub(super) bytes: u64,
    /// Tells a file from another that took its name.
    pub(super) inode: u64,
}

/// The right to change files, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    /// Closing it unlocks.
    _file: File,
}

impl Directory {
    /// Names a directory. Nothing is touched.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
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

    /// The oldest lines, as many as are worth one call, without those of `passed_over`.
    ///
    /// # Errors
    /// When the directory cannot be locked or a file cannot be read.
    pub fn oldest(&self, mut passed_over: Tally) -> io::Result<Vec<Entry>> {
        // Whoever is writing has finished the line.
        let _lock = self.lock()?;
        let (mut oldest, mut bytes) = (Vec::new(), 0);
        for entry in self.entries()? {
            let entry = entry?;
            if passed_over.take(entry.fingerprint()) {
                continue;
            }
            bytes += entry.line.len();
            oldest.push(entry);
            if oldest.len() >= GROUP_LINES_MAX || bytes >= GROUP_BYTES_MAX {
                break;
            }
        }
        Ok(oldest)
    }

    /// Makes the changes, oldest files first, and makes them durable: each file is the old one or
    /// the new one, whatever happens. Gives back the edits whose lines were not found: somebody
    /// else was faster.
    ///
    /// # Errors
    /// When a file cannot be read or written. What was changed before stays so.
    pub fn apply(&self, mut edits: Edits) -> io::Result<Edits> {
        let _lock = self.lock()?;
        for file in self.files()? {
            if edits.is_empty() {
                break;
            }
            self.rewrite(file.number, |entry| edits.take(entry.fingerprint()))?;
        }
        Ok(edits)
    }

    /// Removes every line of which `goes` is true; returns how many went.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn purge(&self, mut goes: impl FnMut(&Entry) -> bool) -> io::Result<usize> {
        let _lock = self.lock()?;
        let mut gone = 0;
        for file in self.files()? {
            self.rewrite(file.number, |entry| {
                goes(entry).then(|| {
                    gone += 1;
                    Vec::new()
                })
            })?;
        }
        Ok(gone)
    }

    /// Puts what `instead` says in the place of lines, and keeps those of which it says nothing.
    /// Removes the file when no line is left.
    fn rewrite(
        &self,
        number: u64,
        instead: impl FnMut(&Entry) -> Option<Vec<u8>>,
    ) -> io::Result<()> {
        let rewritten = self.try_rewrite(number, instead);
        if rewritten.is_err() {
            // Half a file would take the room that may be what is missing.
            drop(fs::remove_file(self.dir.join(REWRITING)));
        }
        rewritten
    }

    fn try_rewrite(
        &self,
        number: u64,
        mut instead: impl FnMut(&Entry) -> Option<Vec<u8>>,
    ) -> io::Result<()> {
        let mut kept_bytes = 0;
        let mut changed = false;
        // Only begun when there is something to write: a full disk can be purged, too.
        let mut rewriting: Option<BufWriter<File>> = None;
        for entry in Entries::new(self, VecDeque::from([number])) {
            let entry = entry?;
            let lines = match instead(&entry) {
                None if !changed => {
                    kept_bytes += entry.line.len() as u64;
                    continue;
                }
                None => entry.line,
                Some(lines) => lines,
            };
            changed = true;
            let file = match &mut rewriting {
                Some(file) => file,
                None if lines.is_empty() && kept_bytes == 0 => continue,
                None => rewriting.insert(self.begin(number, kept_bytes)?),
            };
            file.write_all(&lines).map_err(|error| named(&self.dir.join(REWRITING), &error))?;
        }
        match rewriting {
            Some(file) => self.put_in_place(number, file),
            None if changed => self.remove(number),
            None => Ok(()),
        }
    }

    /// A file to be, that begins with so many bytes of an old one.
    fn begin(&self, number: u64, kept_bytes: u64) -> io::Result<BufWriter<File>> {
        let path = self.dir.join(REWRITING);
        let begun = || {
            let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path)?;
            let mut file = BufWriter::new(file);
            io::copy(&mut self.open(number)?.take(kept_bytes), &mut file)?;
            Ok(file)
        };
        begun().map_err(|error: io::Error| named(&path, &error))
    }

    fn put_in_place(&self, number: u64, file: BufWriter<File>) -> io::Result<()> {
        let (from, to) = (self.dir.join(REWRITING), self.path(number));
        let replaced = file.into_inner().map_err(io::Error::from).and_then(|file| {
            file.sync_all()?;
            fs::rename(&from, &to)
        });
        replaced.map_err(|error| named(&from, &error))?;
        self.sync()
    }

    fn remove(&self, number: u64) -> io::Result<()> {
        let path = self.path(number);
        fs::remove_file(&path).map_err(|error| named(&path, &error))?;
        self.sync()
    }

    /// Waits until nobody else changes files. Creates the directory if need be.
    pub(super) fn lock(&self) -> io::Result<Lock> {
        fs::create_dir_all(&self.dir).map_err(|error| named(&self.dir, &error))?;
        let path = self.dir.join(LOCK);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let locked = file.and_then(|file| file.lock().map(|()| Lock { _file: file }));
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
                files.push(Stat { number, bytes: stat.len(), inode: stat.ino() });
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
    pub(super) fn create(&self, number: u64) -> io::Result<(File, u64)> {
        let path = self.path(number);
        let file = OpenOptions::new().create_new(true).append(true).open(&path);
        file.and_then(|file| file.metadata().map(|stat| (file, stat.ino())))
            .map_err(|error| named(&path, &error))
    }

    /// Makes created and removed names durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        let synced = File::open(&self.dir).and_then(|dir| dir.sync_all());
        synced.map_err(|error| named(&self.dir, &error))
    }

    /// Counts lines without holding the text: a file may be larger than the memory.
    pub(super) fn count_lines(&self, number: u64) -> io::Result<usize> {
        count_lines(self.open(number)?)
    }

    pub(super) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(file_name(number))
    }
}

fn file_name(number: u64) -> String {
    format!("dead-letters-{number:06}.ndjson")
}

/// The number of a file of ours.
fn number(name: &str) -> Option<u64> {
    let number = name.strip_prefix("dead-letters-")?.strip_suffix(".ndjson")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

pub(super) fn count_lines(file: impl Read) -> io::Result<usize> {
    let mut reader = BufReader::new(file);
    let mut lines = 0;
    while reader.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
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
