//! Appends letters under a byte ceiling.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;

use tokio::sync::Notify;
use tracing::warn;

use crate::config::{DeadLetter as Settings, WhenFull};
use crate::limits::GROUP_BYTES_MAX;

use super::directory::{Identity, Stat, named, unless_gone};
use super::{Directory, Letter};

#[cfg(test)]
mod tests;

/// Into how many files the ceiling is divided: dropping the oldest file drops this part of it.
const FILES: u64 = 8;

/// Largest file to which something is appended, in bytes: to take a letter out means to write its
/// file anew.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// What became of letters that were to be kept.
#[derive(Debug, PartialEq, Eq)]
pub enum Appended {
    /// So many of them, the first ones, are on the disk: at least one unless there was none.
    Kept(usize),
    /// The ceiling is reached and the operator said `wait`: nothing was written.
    Full,
}

/// Where letters are appended: one for a directory, in the gateway that runs.
#[derive(Debug)]
pub struct Store {
    directory: Directory,
    bytes_max: u64,
    when_full: WhenFull,
    /// The file written to last. Everything written to it was kept.
    last: Option<Last>,
    dropped: usize,
    appended: Arc<Notify>,
}

#[derive(Debug)]
struct Last {
    number: u64,
    identity: Identity,
    file: File,
}

impl Store {
    /// Opens the directory, creating it if need be.
    ///
    /// # Errors
    /// When it cannot be created, listed or written to.
    pub fn open(settings: &Settings) -> io::Result<Self> {
        let store = Self {
            directory: Directory::new(&settings.dir),
            bytes_max: settings.bytes_max,
            when_full: settings.when_full,
            last: None,
            dropped: 0,
            appended: Arc::default(),
        };
        store.directory.create_dir()?;
        let _lock = store.directory.lock()?;
        store.directory.files()?;
        Ok(store)
    }

    /// Is told each time that letters were kept.
    #[must_use]
    pub fn appended(&self) -> Arc<Notify> {
        Arc::clone(&self.appended)
    }

    /// Keeps the first of `letters`, up to a group: written and synced when this returns, all in one
    /// go. Waits while somebody else changes the files.
    ///
    /// A letter larger than the ceiling is taken when nothing else is there: it would never fit, and
    /// losing it would be worse.
    ///
    /// # Errors
    /// When writing or syncing fails: nothing is known to be kept, and the next call starts a new
    /// file, since a file whose sync failed cannot be trusted.
    pub fn append<'l>(
        &mut self,
        letters: impl IntoIterator<Item = &'l Letter>,
    ) -> io::Result<Appended> {
        let _lock = self.directory.lock()?;
        let mut files = self.directory.files()?;
        let (text, count) = self.group(letters, self.bytes_max.saturating_sub(bytes(&files)))?;
        while bytes(&files) > 0 && bytes(&files) + text.len() as u64 > self.bytes_max {
            match self.when_full {
                WhenFull::Wait => return Ok(Appended::Full),
                WhenFull::DropOldest => self.drop_oldest(&mut files)?,
            }
        }
        self.write(files.back().copied(), &text)?;
        self.appended.notify_one();
        Ok(Appended::Kept(count))
    }

    /// The lines of the first letters, and how many these are: as many as are dropped with one file
    /// to make room, or as there is room for if nothing may be dropped; but at least one.
    fn group<'l>(
        &self,
        letters: impl IntoIterator<Item = &'l Letter>,
        room: u64,
    ) -> io::Result<(Vec<u8>, usize)> {
        let share = (self.bytes_max / FILES).min(GROUP_BYTES_MAX as u64);
        let bytes_max = match self.when_full {
            WhenFull::DropOldest => share,
            WhenFull::Wait => share.min(room),
        };
        let (mut text, mut count) = (Vec::new(), 0);
        for letter in letters {
            let line = letter.line()?;
            if count > 0 && (text.len() + line.len()) as u64 > bytes_max {
                break;
            }
            text.extend(line);
            count += 1;
        }
        Ok((text, count))
    }

    /// How many letters went to make room since this was last asked, whether or not the newer ones
    /// were kept then.
    pub fn take_dropped(&mut self) -> usize {
        std::mem::take(&mut self.dropped)
    }

    fn drop_oldest(&mut self, files: &mut VecDeque<Stat>) -> io::Result<()> {
        let Some(Stat { number, .. }) = files.pop_front() else { return Ok(()) };
        let (letters, counted) = self.directory.count_lines(number);
        match unless_gone(counted) {
            Ok(Some(())) => {}
            Ok(None) => return Ok(()),
            // It would have gone anyhow, and newer letters wait for its room.
            Err(failure) => warn!(
                %failure,
                counted = letters,
                "the oldest dead letters are dropped uncounted: their file cannot be read"
            ),
        }
        let path = self.directory.path(number);
        let removed = fs::remove_file(&path).map_err(|error| named(&path, &error));
        if unless_gone(removed)?.is_some() {
            self.dropped += letters;
        }
        Ok(())
    }

    /// Writes to the newest file if it is the one written to last, is still there and has room, or
    /// else to a new one.
    fn write(&mut self, newest: Option<Stat>, text: &[u8]) -> io::Result<()> {
        let file_bytes_max = FILE_BYTES_MAX.min(self.bytes_max / FILES);
        let last = self.last.take();
        let newest_number = newest.map_or(0, |newest| newest.number);
        // Numbers of files that are gone are not used again.
        let next_number = last.as_ref().map_or(0, |last| last.number).max(newest_number) + 1;
        let again = last.zip(newest).filter(|(last, newest)| {
            let same = last.number == newest.number && last.identity == newest.identity;
            same && newest.bytes < file_bytes_max
        });
        let (mut last, kept) = match again {
            Some((last, newest)) => (last, newest.bytes),
            None => {
                let (file, identity) = self.directory.create(next_number)?;
                (Last { number: next_number, identity, file }, 0)
            }
        };
        let written = last.file.write_all(text).and_then(|()| last.file.sync_data());
        let written = written
            .map_err(|error| named(&self.directory.path(last.number), &error))
            .and_then(|()| self.directory.sync());
        match written {
            Ok(()) => self.last = Some(last),
            // If this fails too, a torn line stays, but nothing will follow it in its file.
            Err(_) => drop(self.take_back(last.number, kept)),
        }
        written
    }

    /// Leaves of a file what was kept in it.
    fn take_back(&self, number: u64, kept: u64) -> io::Result<()> {
        let path = self.directory.path(number);
        if kept == 0 {
            return fs::remove_file(path);
        }
        OpenOptions::new().write(true).open(path)?.set_len(kept)
    }
}

fn bytes(files: &VecDeque<Stat>) -> u64 {
    files.iter().map(|file| file.bytes).sum()
}
