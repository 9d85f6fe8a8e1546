//! Changes of the files: each is the old one or the new one, whatever happens in between.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use super::directory::named;
use super::{Directory, Edits, Entries, Entry};

#[cfg(test)]
mod tests;

/// A file that is being rewritten. What a crash leaves of it is overwritten by the next.
const REWRITING: &str = "rewriting";

impl Directory {
    /// Makes the changes, oldest files first, and makes them durable. Gives back the edits whose
    /// lines were not found: somebody else was faster.
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
    pub(super) fn rewrite(
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
        let (mut end, mut kept_bytes) = (0, 0);
        let mut changed = false;
        // Only begun when there is something to write: a full disk can be purged, too.
        let mut rewriting: Option<BufWriter<File>> = None;
        for entry in Entries::new(self, VecDeque::from([number])) {
            let entry = entry?;
            let begin = end;
            end += entry.bytes;
            let (lines, unread) = match instead(&entry) {
                None if !changed => {
                    kept_bytes = end;
                    continue;
                }
                None => {
                    let unread = begin + entry.line.len() as u64..end;
                    (entry.line, unread)
                }
                Some(lines) => (lines, end..end),
            };
            changed = true;
            let file = match &mut rewriting {
                Some(file) => file,
                None if lines.is_empty() && kept_bytes == 0 => continue,
                None => rewriting.insert(self.begin(number, kept_bytes)?),
            };
            let written = file.write_all(&lines).and_then(|()| self.copy(number, unread, file));
            written.map_err(|error| named(&self.dir.join(REWRITING), &error))?;
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
            let old = self.open(number)?.metadata()?;
            let mut options = OpenOptions::new();
            // Whoever could not read the old file cannot read the new one.
            options.mode(old.mode() & 0o777).create(true).write(true).truncate(true);
            let mut file = BufWriter::new(options.open(&path)?);
            self.copy(number, 0..kept_bytes, &mut file)?;
            Ok(file)
        };
        begun().map_err(|error: io::Error| named(&path, &error))
    }

    /// Copies a part of a file.
    fn copy(&self, number: u64, part: Range<u64>, to: &mut impl Write) -> io::Result<()> {
        if part.is_empty() {
            return Ok(());
        }
        let mut file = self.open(number)?;
        file.seek(SeekFrom::Start(part.start))?;
        io::copy(&mut file.take(part.end - part.start), to)?;
        Ok(())
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
}
