//! Reading on: group by group what is new in the files, and taking from them what may go.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use crate::limits::GROUP_BYTES_MAX;

use super::directory::{Identity, Stat};
use super::edits::Tally;
use super::{Directory, Entries, Entry, Fingerprint, Id};

#[cfg(test)]
mod tests;

/// Lines that are handled together: as many as Kinesis takes in a call.
const GROUP_LINES_MAX: usize = 500;
/// So many lines may go before the end of their file is reached: 1 MiB of memory. A file is written
/// anew this rarely, since flash memory wears.
const DONE_LINES_MAX: usize = 64 << 10;

/// How far the files were read, and which lines may go.
#[derive(Debug, Default)]
pub struct Reading {
    marks: BTreeMap<u64, Mark>,
    /// The file of the last group.
    file: u64,
    /// Its lines that may go.
    done: Vec<Fingerprint>,
}

/// How far a file was read.
#[derive(Debug, Clone, Copy)]
struct Mark {
    identity: Identity,
    lines: u64,
    bytes: u64,
}

impl Reading {
    /// Notes that a line of the last group may go.
    pub fn done(&mut self, line: Fingerprint) {
        self.done.push(line);
    }

    /// The oldest file with lines that were not read. One that somebody wrote anew was not read.
    fn next(&mut self, files: &VecDeque<Stat>) -> Option<u64> {
        self.marks = files.iter().map(|file| (file.number, self.mark(file))).collect();
        let mut files = files.iter().zip(self.marks.values());
        files.find(|(file, mark)| mark.bytes < file.bytes).map(|(file, _)| file.number)
    }

    fn mark(&self, file: &Stat) -> Mark {
        let mark = self.marks.get(&file.number).filter(|mark| mark.identity == file.identity);
        mark.copied().unwrap_or(Mark { identity: file.identity, lines: 0, bytes: 0 })
    }

    /// Whether the next group follows the last one in its file.
    fn goes_on(&self, next: Option<u64>) -> bool {
        next == Some(self.file) && self.marks.get(&self.file).is_some_and(|mark| mark.bytes > 0)
    }
}

impl Directory {
    /// The next lines of the oldest file that was not read to its end: as many as are worth one
    /// call, none when everything was read.
    ///
    /// What may go of a file goes before anything else is read than what follows in it: nothing
    /// that is done comes again, though the file be written anew by somebody else.
    ///
    /// # Errors
    /// When the directory cannot be locked, or a file cannot be read or written. Nothing is
    /// forgotten then.
    pub fn read_on(&self, reading: &mut Reading) -> io::Result<Vec<Entry>> {
        // Whoever is writing has finished the line.
        let _lock = self.lock()?;
        let mut next = reading.next(&self.files()?);
        if !reading.goes_on(next) || reading.done.len() >= DONE_LINES_MAX {
            self.take_done(reading)?;
            next = reading.next(&self.files()?);
        }
        let Some((file, mark)) = next.and_then(|file| reading.marks.get_key_value(&file)) else {
            return Ok(Vec::new());
        };
        let (file, mut mark) = (*file, *mark);
        let group = self.group(file, &mut mark)?;
        reading.marks.insert(file, mark);
        reading.file = file;
        Ok(group)
    }

    /// Takes from the disk what may go, before the end of its file is reached.
    ///
    /// # Errors
    /// As [`Self::read_on`].
    pub fn take(&self, reading: &mut Reading) -> io::Result<()> {
        let _lock = self.lock()?;
        self.take_done(reading)
    }

    fn group(&self, file: u64, mark: &mut Mark) -> io::Result<Vec<Entry>> {
        let (mut group, mut bytes) = (Vec::new(), 0);
        for entry in Entries::behind(self, Id { file, line: mark.lines }, mark.bytes)? {
            let entry = entry?;
            bytes += entry.line.len();
            (mark.lines, mark.bytes) = (entry.id.line, mark.bytes + entry.bytes);
            group.push(entry);
            if group.len() >= GROUP_LINES_MAX || bytes >= GROUP_BYTES_MAX {
                break;
            }
        }
        Ok(group)
    }

    /// Takes from the last file what may go.
    fn take_done(&self, reading: &mut Reading) -> io::Result<()> {
        let mark = reading.marks.get(&reading.file).filter(|_| !reading.done.is_empty());
        if let Some(mut mark) = mark.copied() {
            let mut done = Tally::default();
            reading.done.iter().for_each(|line| done.note(*line));
            self.rewrite(reading.file, |entry| {
                done.take(entry.fingerprint()).then(|| {
                    mark.lines = mark.lines.saturating_sub(1);
                    mark.bytes = mark.bytes.saturating_sub(entry.bytes);
                    Vec::new()
                })
            })?;
            if let Some(file) = self.files()?.iter().find(|file| file.number == reading.file) {
                reading.marks.insert(file.number, Mark { identity: file.identity, ..mark });
            }
        }
        reading.done.clear();
        Ok(())
    }
}
