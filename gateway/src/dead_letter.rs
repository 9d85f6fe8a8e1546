//! What can't be made a record, or can never be accepted, is kept on disk with the reason.
//!
//! Files of newline-delimited JSON under a byte ceiling, oldest dropped first or nothing taken more,
//! as the operator chose. [`Store::append`] returns after the bytes are on the disk. The directory is
//! read anew each time: the operator may take files away.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Serialize;
use twox_hash::XxHash3_128;

use crate::config::{DeadLetter as Settings, WhenFull};
use crate::limits::DEAD_LETTER_PAYLOAD_BYTES_MAX;

#[cfg(test)]
mod tests;

/// Into how many files the ceiling is divided: dropping the oldest file drops this part of it.
const FILES: u64 = 8;
const PREFIX: &str = "dead-letters-";
const SUFFIX: &str = ".ndjson";

/// Something that could not be sent, and why.
#[derive(Debug, Clone)]
pub struct Letter {
    /// When it arrived, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// The kind of reason, in stable words.
    pub reason: &'static str,
    /// What exactly was found.
    pub detail: String,
    /// Where it came from: the topic, or the partition key of a record that the stream refused.
    pub origin: String,
    /// The bytes as they came.
    pub payload: Bytes,
}

/// One line of a file.
#[derive(Serialize)]
struct Line<'a> {
    at: i64,
    reason: &'a str,
    detail: &'a str,
    origin: &'a str,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload_xxh3_128: Option<String>,
}

impl Letter {
    /// The letter as one line. A payload that is not UTF-8 is kept in base64; of one over
    /// [`DEAD_LETTER_PAYLOAD_BYTES_MAX`] length and hash are kept.
    fn line(&self) -> io::Result<Vec<u8>> {
        let kept = self.payload.len() <= DEAD_LETTER_PAYLOAD_BYTES_MAX;
        let text = std::str::from_utf8(&self.payload).ok().filter(|_| kept);
        let binary = kept && text.is_none();
        let mut line = serde_json::to_vec(&Line {
            at: self.at_ms,
            reason: self.reason,
            detail: &self.detail,
            origin: &self.origin,
            bytes: self.payload.len(),
            payload: text,
            payload_base64: binary.then(|| BASE64.encode(&self.payload)),
            payload_xxh3_128: (!kept)
                .then(|| format!("{:032x}", XxHash3_128::oneshot(&self.payload))),
        })?;
        line.push(b'\n');
        Ok(line)
    }
}

/// What became of letters that were to be kept.
#[derive(Debug, PartialEq, Eq)]
pub enum Appended {
    /// On the disk.
    Kept,
    /// The ceiling is reached and the operator said `wait`: nothing was written.
    Full,
}

/// Number and size of every file, oldest first.
type Files = VecDeque<(u64, u64)>;

/// The files.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    bytes_max: u64,
    when_full: WhenFull,
    /// The file written to last, with its number. Everything written to it was kept.
    last: Option<(u64, File)>,
    dropped: usize,
}

impl Store {
    /// Opens the directory, creating it if need be.
    ///
    /// # Errors
    /// When it cannot be created or listed.
    pub fn open(settings: &Settings) -> io::Result<Self> {
        let store = Self {
            dir: settings.dir.clone(),
            bytes_max: settings.bytes_max,
            when_full: settings.when_full,
            last: None,
            dropped: 0,
        };
        store.files()?;
        Ok(store)
    }

    /// Keeps `letters`: written and synced when this returns, all in one go.
    ///
    /// A single group larger than the ceiling is taken when nothing else is there: it would never
    /// fit, and losing it would be worse.
    ///
    /// # Errors
    /// When writing or syncing fails: nothing is known to be kept, and the next call starts a new
    /// file, since a file whose sync failed cannot be trusted.
    pub fn append(&mut self, letters: &[Letter]) -> io::Result<Appended> {
        let mut text = Vec::new();
        for letter in letters {
            text.extend(letter.line()?);
        }
        let mut files = self.files()?;
        while bytes(&files) > 0 && bytes(&files) + text.len() as u64 > self.bytes_max {
            match self.when_full {
                WhenFull::Wait => return Ok(Appended::Full),
                WhenFull::DropOldest => self.drop_oldest(&mut files)?,
            }
        }
        self.write(files.back().copied(), &text)?;
        Ok(Appended::Kept)
    }

    /// How many letters went to make room since this was last asked, whether or not the newer ones
    /// were kept then.
    pub fn take_dropped(&mut self) -> usize {
        std::mem::take(&mut self.dropped)
    }

    fn files(&self) -> io::Result<Files> {
        fs::create_dir_all(&self.dir)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok());
            let Some(number) = number else { continue };
            if let Some(metadata) = unless_gone(entry.metadata())? {
                files.push((number, metadata.len()));
            }
        }
        files.sort_unstable();
        Ok(files.into())
    }

    fn drop_oldest(&mut self, files: &mut Files) -> io::Result<()> {
        let Some((number, _)) = files.pop_front() else { return Ok(()) };
        let path = self.path(number);
        let Some(file) = unless_gone(File::open(&path))? else { return Ok(()) };
        let letters = count_lines(file)?;
        if unless_gone(fs::remove_file(path))?.is_some() {
            self.dropped += letters;
        }
        Ok(())
    }

    /// Writes to the newest file if it is the one written to last, is still there and has room, or
    /// else to a new one.
    fn write(&mut self, newest: Option<(u64, u64)>, text: &[u8]) -> io::Result<()> {
        let (newest, size) = newest.unwrap_or_default();
        let last = self.last.take();
        let (number, kept, mut file) = match last {
            Some((number, file)) if number == newest && size < self.bytes_max / FILES => {
                (number, size, file)
            }
            _ => (newest + 1, 0, create(&self.path(newest + 1))?),
        };
        let written =
            file.write_all(text).and_then(|()| file.sync_data()).and_then(|()| sync_dir(&self.dir));
        match written {
            Ok(()) => self.last = Some((number, file)),
            // If this fails too, a torn line stays, but nothing will follow it in its file.
            Err(_) => drop(self.take_back(number, kept)),
        }
        written
    }

    /// Leaves of a file what was kept in it.
    fn take_back(&self, number: u64, kept: u64) -> io::Result<()> {
        let path = self.path(number);
        if kept == 0 {
            return fs::remove_file(path);
        }
        OpenOptions::new().write(true).open(path)?.set_len(kept)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{PREFIX}{number:06}{SUFFIX}"))
    }
}

fn bytes(files: &Files) -> u64 {
    files.iter().map(|(_, size)| size).sum()
}

/// Counts without holding the text: a file may be larger than the memory.
fn count_lines(file: impl Read) -> io::Result<usize> {
    let mut reader = BufReader::new(file);
    let mut lines = 0;
    while reader.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
}

/// Nothing, if somebody took the file away meanwhile.
fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().create_new(true).append(true).open(path)
}

/// Makes created and removed names durable.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
