//! Reading: in order, or by place.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::codec::{EntryHeader, Seed, entry_bytes};
use super::reclaim::is_full;
use super::segment::{Name, Segment};
use super::settled::Settled;
use super::walk::{Step, Walk};
use super::window::{Patience, Window};
use super::{Disk, Entry, Place, Seq, Spool};

/// How often the disk may refuse to read one place before that counts as unreadable. Transient
/// faults pass; a bad sector must not hold back what lies behind it for ever.
pub(super) const ATTEMPTS_MAX: u32 = 5;

/// How many such places are remembered. One is enough while the same is asked again and again.
const REFUSED_MAX: usize = 256;

/// Entries, and where to go on.
#[derive(Debug)]
pub struct Read {
    /// In order.
    pub entries: Vec<(Place, Entry)>,
    /// Where the next read should begin; the spool's next seq when there is no more.
    pub next: Seq,
}

/// What is remembered from one read to the next.
#[derive(Debug)]
pub(super) struct Reader<F> {
    file: Option<(Name, F)>,
    /// Where the last read ended: its segment, offset and the seq that follows.
    end: Option<(Name, u64, Seq)>,
    /// Where the disk refused, and how often; at 0, to open the file.
    refused: BTreeMap<(Name, u64), u32>,
}

impl<F> Default for Reader<F> {
    fn default() -> Self {
        Self { file: None, end: None, refused: BTreeMap::new() }
    }
}

impl<F> Reader<F> {
    /// Whether some place of `name` was refused as often as it may be.
    fn is_exhausted(&self, name: Name) -> bool {
        self.refused.range((name, 0)..=(name, u64::MAX)).any(|(_, times)| *times >= ATTEMPTS_MAX)
    }

    /// Remembers that the disk refused, and returns what it said.
    fn refuse(&mut self, name: Name, offset: u64, error: io::Error) -> io::Error {
        if self.refused.len() >= REFUSED_MAX {
            self.refused.pop_first();
        }
        *self.refused.entry((name, offset)).or_default() += 1;
        // It may be the handle that is bad.
        self.file = None;
        error
    }

    /// Forgets the refusals at these offsets of `name`, which were read or given up.
    fn pass(&mut self, name: Name, offsets: Range<u64>) {
        self.refused.retain(|(at, offset), _| *at != name || !offsets.contains(offset));
    }

    /// Forgets the segment called `name`, so that nothing holds its disk space.
    pub(super) fn forget(&mut self, name: Name) {
        self.file.take_if(|(at, _)| *at == name);
        self.end.take_if(|(at, _, _)| *at == name);
        self.pass(name, 0..u64::MAX);
    }
}

/// What a walk through a segment found.
pub(super) struct Found {
    pub(super) entries: Vec<(Place, Entry)>,
    bytes: usize,
    /// Seqs that are not there, each range with where it should be.
    pub(super) lost: Vec<(Range<Seq>, u64)>,
    /// Where to go on.
    pub(super) next: Seq,
}

impl Found {
    pub(super) fn nothing_before(next: Seq) -> Self {
        Self { entries: Vec::new(), bytes: 0, lost: Vec::new(), next }
    }

    /// Walks until `bytes_max` bytes are found, or to `end`, the seq after the segment's last.
    pub(super) fn collect<D: Disk>(
        &mut self,
        walk: &mut Walk<'_, D>,
        end: Seq,
        settled: &Settled,
        bytes_max: usize,
    ) -> io::Result<()> {
        while self.bytes < bytes_max && walk.expected() < end {
            let (offset, expected) = (walk.offset(), walk.expected());
            match walk.step()? {
                Step::Gap => self.lost.push((expected..expected, offset)),
                Step::End(_) => {
                    self.lost.push((expected..end, offset));
                    break;
                }
                Step::Entry(place, header) => {
                    if header.seq > expected {
                        self.lost.push((expected..header.seq.min(end), offset));
                    }
                    if header.seq >= end {
                        break;
                    }
                    if header.seq >= self.next && !settled.contains(header.seq) {
                        self.take(walk, place, header)?;
                    }
                }
            }
        }
        // What follows is in another segment, or begins where the walk stopped.
        let next = if self.bytes < bytes_max { end } else { walk.expected() };
        self.next = next.max(self.next);
        Ok(())
    }

    fn take<D: Disk>(
        &mut self,
        walk: &mut Walk<'_, D>,
        place: Place,
        header: EntryHeader,
    ) -> io::Result<()> {
        match walk.bytes(place) {
            Ok(bytes) => match header.entry(bytes) {
                Some(entry) => {
                    self.bytes += usize::try_from(entry_bytes(&entry)).unwrap_or(usize::MAX);
                    self.entries.push((place, entry));
                }
                None => self.lost.push((header.seq..header.seq.next(), u64::from(place.offset))),
            },
            Err(e) => {
                walk.go_to(u64::from(place.offset), header.seq);
                return Err(e);
            }
        }
        self.next = header.seq.next();
        Ok(())
    }
}

impl<D: Disk> Spool<D> {
    /// The entries from `from` on that are not settled, in order, until they are about `bytes_max`
    /// bytes or the disk refuses. What cannot be read is passed over, said and
    /// [told](Self::take_lost).
    ///
    /// # Errors
    /// When the disk refuses at `from`. The same may be asked again; after some times the place
    /// counts as unreadable.
    pub fn read(&mut self, from: Seq, bytes_max: usize) -> io::Result<Read> {
        let mut read = Read { entries: Vec::new(), next: from };
        let mut left = bytes_max.max(1);
        loop {
            read.next = self.progress.settled.first_unsettled(read.next).min(self.next);
            if read.next == self.next || left == 0 {
                return Ok(read);
            }
            match self.read_segment(read.next, left) {
                Ok(found) => {
                    left = left.saturating_sub(found.bytes);
                    read.next = found.next;
                    read.entries.extend(found.entries);
                }
                Err(_) if read.next > from => return Ok(read),
                Err(e) => return Err(e),
            }
        }
    }

    /// The entries at `places`, in that order. Those that were settled or dropped since, or can't be
    /// read any more, are left out.
    ///
    /// # Errors
    /// When the disk refuses. As with [`read`](Self::read), the same may be asked again.
    pub fn fetch(&mut self, places: &[Place]) -> io::Result<Vec<Entry>> {
        let mut lost = BTreeMap::new();
        let fetched = self.fetch_and_note(places, &mut lost);
        for (name, lost) in lost {
            self.lose(name, &lost);
        }
        fetched
    }

    /// Fetches, and notes of each segment what is not there.
    fn fetch_and_note(
        &mut self,
        places: &[Place],
        lost: &mut BTreeMap<Name, Vec<(Range<Seq>, u64)>>,
    ) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::with_capacity(places.len());
        for place in places {
            if self.progress.settled.contains(place.seq) {
                continue;
            }
            let Some(Segment { name, .. }) = self.segments.holding(place.seq).cloned() else {
                continue;
            };
            let patience = match lost.contains_key(&name) {
                true => Patience::PassOver,
                false => self.patience(name),
            };
            match self.read_place(name, *place, patience)? {
                Some(entry) => entries.push(entry),
                None => {
                    let seqs = place.seq..place.seq.next();
                    lost.entry(name).or_default().push((seqs, u64::from(place.offset)));
                }
            }
        }
        Ok(entries)
    }

    fn read_segment(&mut self, from: Seq, bytes_max: usize) -> io::Result<Found> {
        let Some(segment) = self.segments.holding(from).cloned() else {
            // That nobody has it was noticed, and counted, when the spool opened.
            let next = self.segments.base_after(from).unwrap_or(self.next);
            return Ok(Found::nothing_before(next));
        };
        let patience = self.patience(segment.name);
        let file = match self.open_to_read(segment.name) {
            Ok(file) => file,
            Err(_) if patience == Patience::PassOver => {
                self.lose(segment.name, &[(from..segment.end, 0)]);
                return Ok(Found::nothing_before(segment.end));
            }
            Err(e) => return Err(self.reader.refuse(segment.name, 0, e)),
        };
        let window = Window::new(&self.disk, &file, segment.entries_end, patience);
        let mut walk = Walk::new(window, self.progress.id, segment.name.base);
        if let Some((name, offset, seq)) = self.reader.end
            && name == segment.name
            && seq <= from
        {
            walk.go_to(offset, seq);
        }
        let began = walk.offset();
        let mut found = Found::nothing_before(from);
        let walked = found.collect(&mut walk, segment.end, &self.progress.settled, bytes_max);
        let (offset, expected) = (walk.offset(), walk.expected());
        self.reader.file = Some((segment.name, file));
        self.reader.end = Some((segment.name, offset, expected));
        match walked {
            Err(e) if found.entries.is_empty() => {
                return Err(self.reader.refuse(segment.name, offset, e));
            }
            Err(_) => {}
            Ok(()) => self.reader.pass(segment.name, began..offset),
        }
        self.lose(segment.name, &found.lost);
        Ok(found)
    }

    fn read_place(
        &mut self,
        name: Name,
        place: Place,
        patience: Patience,
    ) -> io::Result<Option<Entry>> {
        let offset = u64::from(place.offset);
        let opened = self.open_to_read(name);
        let read = opened.and_then(|file| {
            let end = offset + u64::from(place.bytes);
            let mut window = Window::new(&self.disk, &file, end, patience);
            let seed = Seed::new(self.progress.id, name.base);
            let bytes = window.at(offset, u64::from(place.bytes))?;
            let header = EntryHeader::decode(seed, bytes).filter(|at| at.seq == place.seq);
            let entry = header.and_then(|header| header.entry(bytes));
            self.reader.file = Some((name, file));
            Ok(entry)
        });
        match read {
            Err(_) if patience == Patience::PassOver => Ok(None),
            Err(e) => Err(self.reader.refuse(name, offset, e)),
            Ok(entry) => {
                self.reader.pass(name, offset..offset + 1);
                Ok(entry)
            }
        }
    }

    /// A place that is refused again and again is bad, unless the whole disk is away: then it cannot
    /// be written to either, and nothing is given up.
    fn patience(&mut self, name: Name) -> Patience {
        if !self.reader.is_exhausted(name) {
            return Patience::Fail;
        }
        match self.save() {
            Err(e) if !is_full(&e) => Patience::Fail,
            _ => Patience::PassOver,
        }
    }

    fn open_to_read(&mut self, name: Name) -> io::Result<D::File> {
        let file = match self.reader.file.take() {
            Some((open, file)) if open == name => file,
            _ => self.disk.open_to_read(&name.to_string())?,
        };
        self.reader.pass(name, 0..1);
        Ok(file)
    }

    /// Notes that seqs of a segment are not there.
    fn lose(&mut self, name: Name, lost: &[(Range<Seq>, u64)]) {
        if lost.is_empty() {
            return;
        }
        for (range, offset) in lost {
            let unsettled = self.progress.settled.unsettled_in(range.clone());
            let entries: u64 = unsettled.iter().map(|range| range.end.0 - range.start.0).sum();
            self.lost.extend(unsettled);
            let file = self.disk.path(&name.to_string());
            tracing::warn!(file = %file.display(), offset, entries, "entries of the spool cannot be read");
            self.progress.settled.insert(range.clone());
        }
        // Durably, so that the file is put aside and not deleted even if nobody reads it again.
        self.progress.damaged.insert(name.base);
        drop(self.save());
        self.reclaim_all();
    }
}
