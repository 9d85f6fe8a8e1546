//! What can't be made a record, or can never be accepted, is kept on disk with the reason.
//!
//! Files of newline-delimited JSON under a byte ceiling, oldest dropped first or nothing taken more,
//! as the operator chose. [`Store::append`] returns after the bytes are on the disk.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
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
    /// On the disk. So many older letters went to make room.
    Kept {
        /// Letters in the files that were removed.
        dropped: usize,
    },
    /// The ceiling is reached and the operator said `wait`: nothing was written.
    Full,
}

/// The files.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    bytes_max: u64,
    when_full: WhenFull,
    /// Number and size of every file, oldest first. Only the last is written to.
    files: VecDeque<(u64, u64)>,
    last: Option<File>,
}

impl Store {
    /// Opens the directory, creating it if need be.
    ///
    /// # Errors
    /// When it cannot be created or listed.
    pub fn open(settings: &Settings) -> io::Result<Self> {
        fs::create_dir_all(&settings.dir)?;
        let mut files = Vec::new();
        for entry in fs::read_dir(&settings.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok());
            if let Some(number) = number {
                files.push((number, entry.metadata()?.len()));
            }
        }
        files.sort_unstable();
        Ok(Self {
            dir: settings.dir.clone(),
            bytes_max: settings.bytes_max,
            when_full: settings.when_full,
            files: files.into(),
            last: None,
        })
    }

    /// Keeps `letters`: written and synced when this returns, all in one go.
    ///
    /// # Errors
    /// When writing or syncing fails: nothing is known to be kept, and the next call starts a new
    /// file, since a file whose sync failed cannot be trusted.
    pub fn append(&mut self, letters: &[Letter]) -> io::Result<Appended> {
        let mut text = Vec::new();
        for letter in letters {
            text.extend(letter.line()?);
        }
        let size = text.len() as u64;
        if self.when_full == WhenFull::Wait && self.bytes() + size > self.bytes_max {
            return Ok(Appended::Full);
        }
        let dropped = self.make_room(size)?;
        let written = self.write(&text);
        if written.is_err() {
            self.last = None;
        }
        written.map(|()| Appended::Kept { dropped })
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }

    /// Removes the oldest files until `size` more fit. A single group larger than the ceiling is
    /// written all the same: losing it would be worse.
    fn make_room(&mut self, size: u64) -> io::Result<usize> {
        let mut dropped = 0;
        while self.bytes() + size > self.bytes_max {
            let Some((number, _)) = self.files.front().copied() else { break };
            let path = self.path(number);
            dropped += fs::read(&path)?.iter().filter(|byte| **byte == b'\n').count();
            fs::remove_file(path)?;
            self.files.pop_front();
            if self.files.is_empty() {
                self.last = None;
            }
        }
        if dropped > 0 {
            sync_dir(&self.dir)?;
        }
        Ok(dropped)
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let full = |size: u64| size >= self.bytes_max / FILES;
        if self.last.is_none() || self.files.back().is_none_or(|(_, size)| full(*size)) {
            let number = self.files.back().map_or(1, |(number, _)| number + 1);
            let file = OpenOptions::new().create_new(true).append(true).open(self.path(number))?;
            self.files.push_back((number, 0));
            self.last = Some(file);
            sync_dir(&self.dir)?;
        }
        let (Some(file), Some((_, size))) = (&mut self.last, self.files.back_mut()) else {
            return Ok(());
        };
        *size += text.len() as u64;
        file.write_all(text)?;
        file.sync_data()
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{PREFIX}{number:06}{SUFFIX}"))
    }
}

/// Makes created and removed names durable.
fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
