//! The lines of all files, oldest first, each with its place.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::num::ParseIntError;
use std::str::FromStr;

use crate::limits::DEAD_LETTER_LINE_BYTES_MAX;

use super::directory::{Directory, named, unless_gone};
use super::{Fingerprint, Letter, Unreadable};

/// Where a line stands now: written `file:line`, both counted from 1. It changes when lines before
/// it go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    /// The number of the file.
    pub file: u64,
    /// The number of the line in it.
    pub line: u64,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why a text is no [`Id`].
#[derive(Debug, thiserror::Error)]
pub enum NoId {
    /// There is no colon.
    #[error("must be file:line, as `list` shows it")]
    NoColon,
    /// One of the numbers is none.
    #[error("must be file:line, as `list` shows it: {0}")]
    NoNumber(#[from] ParseIntError),
}

impl FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let (file, line) = text.split_once(':').ok_or(NoId::NoColon)?;
        Ok(Self { file: file.parse()?, line: line.parse()? })
    }
}

/// One line and its place.
#[derive(Debug)]
pub struct Entry {
    /// Its place.
    pub id: Id,
    /// As it was read; without a newline at its end it was cut off, or it is too long for a letter
    /// and this is its beginning.
    pub line: Vec<u8>,
    /// How many bytes it has in the file.
    pub bytes: u64,
}

impl Entry {
    /// What it says.
    ///
    /// # Errors
    /// Why it is no letter.
    pub fn letter(&self) -> Result<Letter, Unreadable> {
        if self.bytes > self.line.len() as u64 {
            return Err(Unreadable::TooLong(self.bytes));
        }
        Letter::of_line(&self.line)
    }

    /// What it is known by.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.line)
    }
}

/// The lines of the files that there were at the beginning, one in memory at a time. Each file is
/// read as it was when its turn came; files that are gone by then are passed over.
#[derive(Debug)]
pub struct Entries<'a> {
    directory: &'a Directory,
    numbers: VecDeque<u64>,
    reading: Option<(Id, BufReader<File>)>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(directory: &'a Directory, numbers: VecDeque<u64>) -> Self {
        Self { directory, numbers, reading: None }
    }

    /// The lines of one file behind `id`, which ends at `bytes`.
    pub(super) fn behind(directory: &'a Directory, id: Id, bytes: u64) -> io::Result<Self> {
        let mut file = directory.open(id.file)?;
        let sought = file.seek(SeekFrom::Start(bytes));
        sought.map_err(|error| named(&directory.path(id.file), &error))?;
        Ok(Self { directory, numbers: VecDeque::new(), reading: Some((id, BufReader::new(file))) })
    }

    fn read(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some((id, reader)) = &mut self.reading else {
                let Some(number) = self.numbers.pop_front() else { return Ok(None) };
                if let Some(file) = unless_gone(self.directory.open(number))? {
                    self.reading = Some((Id { file: number, line: 0 }, BufReader::new(file)));
                }
                continue;
            };
            let read = read_line(reader);
            let (line, bytes) =
                read.map_err(|error| named(&self.directory.path(id.file), &error))?;
            if bytes > 0 {
                id.line += 1;
                return Ok(Some(Entry { id: *id, line, bytes }));
            }
            self.reading = None;
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read();
        if read.is_err() {
            // What cannot be read now is not asked for again and again.
            (self.reading, self.numbers) = (None, VecDeque::new());
        }
        read.transpose()
    }
}

/// The next line, or the beginning of one that is too long, and how many bytes it has.
fn read_line(reader: &mut BufReader<File>) -> io::Result<(Vec<u8>, u64)> {
    let mut line = Vec::new();
    let read =
        reader.by_ref().take(DEAD_LETTER_LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    let is_cut = read == DEAD_LETTER_LINE_BYTES_MAX && !line.ends_with(b"\n");
    let passed_over = if is_cut { reader.skip_until(b'\n')? } else { 0 };
    Ok((line, (read + passed_over) as u64))
}
