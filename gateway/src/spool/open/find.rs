//! Which segments are there, and how each of them ends.

use std::io;

use super::OpenError;
use crate::spool::Disk;
use crate::spool::codec::{
    FOOTER_BYTES, Footer, HEADER_BYTES, Header, Seed, SpoolId, Times, decode_header,
};
use crate::spool::disk::{LOCK, TARGET, TARGET_NEW};
use crate::spool::progress::{CURSOR, CURSOR_NEW, JOURNAL, RESERVE};
use crate::spool::segment::{Name, Segment};
use crate::spool::walk::{Step, Tail, Walk};
use crate::spool::window::{Patience, Window};

const HEADER: u64 = HEADER_BYTES as u64;
const FOOTER: u64 = FOOTER_BYTES as u64;

/// The end of a segment on its way to the quarantine.
pub(in crate::spool) const TORN: &str = "torn";

/// The files that are no segments.
const OURS: [&str; 8] = [LOCK, TARGET, TARGET_NEW, CURSOR, CURSOR_NEW, JOURNAL, RESERVE, TORN];

/// A segment as it was found.
pub(in crate::spool) struct Found {
    pub(in crate::spool) segment: Segment,
    pub(in crate::spool) times: Times,
    pub(in crate::spool) state: State,
}

/// How a segment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spool) enum State {
    /// With its footer.
    Sealed,
    /// Without: it was appended to last.
    Open,
    /// The same, and the last entries were not written whole: their group was never acknowledged.
    Torn,
    /// Header or end are not what was written.
    Damaged,
    /// The disk does not give its end, and no later segment tells which seqs are in it.
    Unread,
}

/// What there is in a directory.
pub(in crate::spool) struct Inventory {
    pub(in crate::spool) id: SpoolId,
    pub(in crate::spool) found: Vec<Found>,
    /// Files of somebody else, or of another spool.
    pub(in crate::spool) foreign: Vec<String>,
}

/// Looks at `files`, which are those of `disk`. Without the `id` of a cursor it is that of the first
/// segment that tells.
pub(in crate::spool) fn find<D: Disk>(
    disk: &D,
    files: Vec<(String, u64)>,
    id: Option<SpoolId>,
) -> Result<Inventory, OpenError> {
    let mut foreign = Vec::new();
    let mut named = Vec::new();
    for (file, bytes) in files {
        match Name::parse(&file) {
            Some(name) => {
                named.extend(read_header(disk, &file, bytes)?.map(|header| (name, bytes, header)));
            }
            None if OURS.contains(&file.as_str()) => {}
            None => foreign.push(file),
        }
    }
    let told = named.iter().find_map(|(_, _, header)| match header {
        Header::Known { id, .. } => Some(*id),
        Header::Newer(_) | Header::Unreadable => None,
    });
    let id = id.or(told).unwrap_or_else(SpoolId::random);
    let mut found = Vec::new();
    for (name, bytes, header) in named {
        match header {
            Header::Known { id: of, base } if (of, base) != (id, name.base) => {
                foreign.push(name.to_string());
            }
            Header::Known { .. } | Header::Newer(_) | Header::Unreadable => {
                found.extend(inspect(disk, id, (name, bytes), &header)?);
            }
        }
    }
    found.sort_by_key(|found| found.segment.name);
    end_at_the_next(&mut found);
    Ok(Inventory { id, found, foreign })
}

/// Gives the segments of which the end can't be read what precedes the next one: it is looked for
/// there, and counted if it does not come back.
fn end_at_the_next(found: &mut [Found]) {
    let mut next = None;
    for Found { segment, state, .. } in found.iter_mut().rev() {
        if let (State::Unread, Some(next)) = (*state, next) {
            (segment.end, *state) = (next, State::Damaged);
        }
        next = Some(segment.name.base);
    }
}

/// The header of a segment, or none when the file is gone: its process has removed it.
fn read_header<D: Disk>(disk: &D, file: &str, bytes: u64) -> Result<Option<Header>, OpenError> {
    let path = disk.path(file);
    let header = disk.open_to_read(file).and_then(|open| {
        // What can't be read is no header; the entries behind it are looked for.
        let mut window = Window::new(disk, &open, bytes.min(HEADER), Patience::PassOver);
        window.at(0, HEADER).map(decode_header)
    });
    match header {
        Ok(Header::Newer(version)) => Err(OpenError::Newer { file: path, version }),
        Ok(header) => Ok(Some(header)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenError::Io { path, source }),
    }
}

/// How a segment ends; none when the file is gone.
fn inspect<D: Disk>(
    disk: &D,
    id: SpoolId,
    (name, bytes): (Name, u64),
    header: &Header,
) -> Result<Option<Found>, OpenError> {
    let file = name.to_string();
    let looked = disk.open_to_read(&file).and_then(|open| {
        let seed = Seed::new(id, name.base);
        let mut window = Window::new(disk, &open, bytes, Patience::PassOver);
        if let Some(at) = bytes.checked_sub(FOOTER).filter(|at| *at >= HEADER)
            && let Some(footer) = Footer::decode(seed, window.at(at, FOOTER)?)
        {
            let segment = Segment { name, end: footer.end, entries_end: at, bytes };
            return Ok(Found { segment, times: footer.times, state: State::Sealed });
        }
        look_through(Walk::new(window, id, name.base), name, bytes)
    });
    let mut found = match looked {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(OpenError::Io { path: disk.path(&file), source }),
        Ok(found) => found,
    };
    // The header of a file that was hardly begun may be missing; of one with entries, it may not.
    let has_no_footer = [State::Open, State::Torn].contains(&found.state);
    if has_no_footer && *header == Header::Unreadable && found.segment.end > name.base {
        found.state = State::Damaged;
    }
    Ok(Some(found))
}

/// Finds the end of a segment that has no footer.
fn look_through<D: Disk>(mut walk: Walk<'_, D>, name: Name, bytes: u64) -> io::Result<Found> {
    let mut times = Times::NONE;
    // Where the entries begin that were not written whole, if none follows that was.
    let mut torn = None;
    let tail = loop {
        match walk.step()? {
            Step::Entry(place, header) if walk.is_torn(place, &header)? => {
                torn = torn.or(Some((u64::from(place.offset), header.seq)));
            }
            Step::Entry(_, header) => {
                times.include(header.rx_ts_ms());
                torn = None;
            }
            // Reading will come here too, and count what is missing.
            Step::Gap => torn = None,
            Step::End(tail) => break tail,
        }
    };
    let (offset, expected) = (walk.offset().min(bytes), walk.expected());
    let (state, end, entries_end) = match (tail, torn) {
        (Tail::Clean | Tail::Torn, Some((offset, first))) => (State::Torn, first, offset),
        (Tail::Clean | Tail::Torn, None) => (State::Open, expected, offset),
        // It was an entry at least, or may have been.
        (Tail::Garbage, _) => (State::Damaged, expected.next(), offset),
        (Tail::Unread, _) => (State::Unread, expected.next(), bytes),
    };
    let segment = Segment { name, end, entries_end, bytes };
    Ok(Found { segment, times, state })
}
