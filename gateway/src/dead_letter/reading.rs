//! Reading on: group by group what is new in the files, and taking from them what may go.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use tracing::warn;

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
    /// The file as it was when what follows could not be read.
    failed: Option<Stat>,
}

impl Mark {
    /// Whether there is more to read, as far as is known.
    fn is_behind(&self, file: &Stat) -> bool {
        self.bytes < file.bytes && self.failed != Some(*file)
    }

    /// The next lines, as many as are worth one call, or those before one that cannot be read.
    fn group(
        &mut self,
        entries: impl Iterator<Item = io::Result<Entry>>,
    ) -> (Vec<Entry>, io::Result<()>) {
        let (mut group, mut bytes) = (Vec::new(), 0);
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(failure) => return (group, Err(failure)),
            };
            bytes += entry.line.len();
            (self.lines, self.bytes) = (entry.id.line, self.bytes + entry.bytes);
            group.push(entry);
            if group.len() >= GROUP_LINES_MAX || bytes >= GROUP_BYTES_MAX {
                break;
            }
        }
        (group, Ok(()))
    }
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
        files.find(|(file, mark)| mark.is_behind(file)).map(|(file, _)| file.number)
    }

    fn mark(&self, file: &Stat) -> Mark {
        let mark = self.marks.get(&file.number).filter(|mark| mark.identity == file.identity);
        let unread = Mark { identity: file.identity, lines: 0, bytes: 0, failed: None };
        mark.copied().unwrap_or(unread)
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
    /// A file that cannot be read is passed over from there on until it changes, and that is said
    /// once. What was done in it stays, and comes again in the next run.
    ///
    /// # Errors
    /// When the directory cannot be locked or listed, or a file cannot be written. Nothing is
    /// forgotten then.
    pub fn read_on(&self, reading: &mut Reading) -> io::Result<Vec<Entry>> {
        // Whoever is writing has finished the line.
        let _lock = self.lock()?;
        loop {
            let mut next = reading.next(&self.files()?);
            if !reading.goes_on(next) || reading.done.len() >= DONE_LINES_MAX {
                self.take_done(reading)?;
                next = reading.next(&self.files()?);
            }
            let Some((file, mark)) = next.and_then(|file| reading.marks.get_key_value(&file))
            else {
                return Ok(Vec::new());
            };
            let (file, mut mark) = (*file, *mark);
            let (group, read) = self.group(file, &mut mark);
            reading.marks.insert(file, mark);
            reading.file = file;
            if let Err(failure) = &read {
                self.pass_over(reading, failure)?;
            }
            if read.is_ok() || !group.is_empty() {
                return Ok(group);
            }
        }
    }

    /// Takes from the disk what may go, before the end of its file is reached.
    ///
    /// # Errors
    /// As [`Self::read_on`].
    pub fn take(&self, reading: &mut Reading) -> io::Result<()> {
        let _lock = self.lock()?;
        self.take_done(reading)
    }

    fn group(&self, file: u64, mark: &mut Mark) -> (Vec<Entry>, io::Result<()>) {
        match Entries::behind(self, Id { file, line: mark.lines }, mark.bytes) {
            Ok(entries) => mark.group(entries),
            Err(failure) => (Vec::new(), Err(failure)),
        }
    }

    /// Notes that the last file cannot be read on as it is.
    fn pass_over(&self, reading: &mut Reading, failure: &io::Error) -> io::Result<()> {
        let files = self.files()?;
        // Unless somebody took it away just now.
        if let Some(file) = files.iter().find(|file| file.number == reading.file) {
            let mut mark = reading.mark(file);
            if mark.failed.is_none() {
                warn!(
                    %failure,
                    "dead letters cannot be read: the rest of their file is passed over until it \
                     changes or the gateway is started again"
                );
            }
            mark.failed = Some(*file);
            reading.marks.insert(file.number, mark);
        }
        Ok(())
    }

    /// Takes from the last file what may go.
    fn take_done(&self, reading: &mut Reading) -> io::Result<()> {
        let mark = reading.marks.get(&reading.file).filter(|_| !reading.done.is_empty());
        if let Some(mut mark) = mark.copied() {
            let mut done = Tally::default();
            reading.done.iter().for_each(|line| done.note(*line));
            let rewritten = self.rewrite(reading.file, |entry| {
                done.take(entry.fingerprint()).then(|| {
                    mark.lines = mark.lines.saturating_sub(1);
                    mark.bytes = mark.bytes.saturating_sub(entry.bytes);
                    Vec::new()
                })
            });
            if let Err(failure) = rewritten {
                let (_, Err(unread)) = self.count_lines(reading.file) else { return Err(failure) };
                self.pass_over(reading, &unread)?;
            } else if let Some(file) = self.files()?.iter().find(|file| file.number == reading.file)
            {
                reading.marks.insert(file.number, Mark { identity: file.identity, ..mark });
            }
        }
        reading.done.clear();
        Ok(())
    }
}
