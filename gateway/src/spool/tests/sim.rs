//! A disk that keeps what it must and no more.
//!
//! Until a sync, each sector of a file is old or new after a power cut, and so are its length and
//! every change of the directory, each by itself. A sync that fails has forgotten what it did not
//! write: later ones of the same file say that all is well.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use crate::spool::{Disk, LockError};

const SECTOR: usize = 512;

/// One in so many operations fails while faults are on.
const FAULT_EVERY: u32 = 12;

type Inode = usize;

#[derive(Debug, Default, Clone)]
struct Content {
    /// As processes see it.
    seen: Vec<u8>,
    /// As it is without power.
    durable: Vec<u8>,
    /// A sync failed: no later one does anything.
    is_poisoned: bool,
}

/// A change of the directory that is not durable yet.
#[derive(Debug, Clone)]
enum Change {
    Put(String, Inode),
    Take(String),
    Move(String, String, Inode),
}

impl Change {
    fn apply(self, names: &mut BTreeMap<String, Inode>) {
        match self {
            Self::Put(name, inode) => {
                names.insert(name, inode);
            }
            Self::Take(name) => {
                names.remove(&name);
            }
            Self::Move(from, to, inode) => {
                names.remove(&from);
                names.insert(to, inode);
            }
        }
    }
}

#[derive(Debug)]
struct State {
    rng: fastrand::Rng,
    inodes: Vec<Content>,
    names: BTreeMap<String, Inode>,
    durable_names: BTreeMap<String, Inode>,
    changes: Vec<Change>,
    /// Bytes that fit.
    capacity: usize,
    faults: bool,
    reads_refused: u32,
    /// Places that cannot be read, ever.
    broken: Vec<(Inode, u64)>,
    /// A file that cannot be removed.
    pinned: Option<String>,
    is_read_only: bool,
    /// Operations until everything stops, in the middle of one.
    fuse: Option<u32>,
}

/// The disk. A clone is the same disk.
#[derive(Debug, Clone)]
pub(super) struct Sim(Rc<RefCell<State>>);

/// What ends a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    /// `kill -9`: what was written is there.
    Kill,
    /// Only what was synced is sure to be there.
    Power,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            rng: fastrand::Rng::with_seed(seed),
            inodes: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            capacity: usize::MAX,
            faults: false,
            reads_refused: 0,
            broken: Vec::new(),
            pinned: None,
            is_read_only: false,
            fuse: None,
        })))
    }

    /// Everything stops at the operation after `operations` more.
    pub(super) fn stop_after(&self, operations: u32) {
        self.0.borrow_mut().fuse = Some(operations);
    }

    /// Whether everything has stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.0.borrow().fuse == Some(0)
    }

    /// Writes, syncs and removals fail now and then, or no more.
    pub(super) fn set_faults(&self, on: bool) {
        self.0.borrow_mut().faults = on;
    }

    /// The next `times` reads fail.
    pub(super) fn refuse_reads(&self, times: u32) {
        self.0.borrow_mut().reads_refused = times;
    }

    /// From now on the byte at `offset` of `file` cannot be read, nor anything read with it.
    pub(super) fn break_sector(&self, file: &str, offset: u64) {
        let mut state = self.0.borrow_mut();
        let inode = state.names[file];
        state.broken.push((inode, offset));
    }

    /// From now on `file` cannot be removed.
    pub(super) fn pin(&self, file: &str) {
        self.0.borrow_mut().pinned = Some(file.to_owned());
    }

    /// The kernel takes no more changes, or does again.
    pub(super) fn set_read_only(&self, on: bool) {
        self.0.borrow_mut().is_read_only = on;
    }

    /// Nothing more fits but `bytes`; or everything does.
    pub(super) fn set_room(&self, bytes: Option<usize>) {
        let mut state = self.0.borrow_mut();
        state.capacity = bytes.map_or(usize::MAX, |bytes| state.used() + bytes);
    }

    /// The end of the process, and perhaps of the power.
    pub(super) fn crash(&self, crash: Crash) {
        self.come_back();
        if crash == Crash::Power {
            self.0.borrow_mut().lose_power();
        }
    }

    /// Nothing is stopped or refused any more.
    pub(super) fn come_back(&self) {
        let mut state = self.0.borrow_mut();
        state.fuse = None;
        state.broken.clear();
        state.reads_refused = 0;
    }

    /// Every file with its bytes.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.0.borrow();
        let file =
            |(name, inode): (&String, &Inode)| (name.clone(), state.inodes[*inode].seen.clone());
        state.names.iter().map(file).collect()
    }

    /// A disk on which these files are durable.
    pub(super) fn with_files(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let sim = Self::new(0);
        {
            let mut state = sim.0.borrow_mut();
            for (name, bytes) in files {
                let inode = state.inodes.len();
                state.inodes.push(Content {
                    seen: bytes.clone(),
                    durable: bytes.clone(),
                    is_poisoned: false,
                });
                state.names.insert(name.clone(), inode);
            }
            state.durable_names = state.names.clone();
        }
        sim
    }

    /// Does `change` if the disk is up to it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.0.borrow_mut();
        if state.is_read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        if state.burns() || state.is_faulty() {
            return Err(io::Error::other("simulated"));
        }
        change(&mut state)
    }
}

impl State {
    /// Whether everything has stopped, or does now.
    fn burns(&mut self) -> bool {
        if let Some(left) = &mut self.fuse {
            *left = left.saturating_sub(1);
        }
        self.fuse == Some(0)
    }

    fn is_faulty(&mut self) -> bool {
        self.faults && self.rng.u32(0..FAULT_EVERY) == 0
    }

    fn used(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].seen.len()).sum()
    }

    fn lose_power(&mut self) {
        for change in std::mem::take(&mut self.changes) {
            if self.rng.bool() {
                change.apply(&mut self.durable_names);
            }
        }
        self.names = self.durable_names.clone();
        let Self { rng, inodes, .. } = self;
        for content in inodes {
            let len = match rng.u8(0..3) {
                0 => content.durable.len(),
                1 => content.seen.len(),
                _ => {
                    let (a, b) = (content.durable.len(), content.seen.len());
                    rng.usize(a.min(b)..=a.max(b))
                }
            };
            content.survive(rng, len);
            content.is_poisoned = false;
        }
    }
}

impl Content {
    /// Each sector is old or new.
    fn survive(&mut self, rng: &mut fastrand::Rng, len: usize) {
        let mut survived = self.durable.clone();
        survived.resize(len, 0);
        for (at, sector) in survived.chunks_mut(SECTOR).enumerate() {
            let new = self.seen.get(at * SECTOR..).unwrap_or_default();
            if rng.bool() {
                let len = sector.len().min(new.len());
                sector[..len].copy_from_slice(&new[..len]);
            }
        }
        self.durable = survived.clone();
        self.seen = survived;
    }
}

impl Disk for Sim {
    type File = Inode;

    fn lock(&mut self) -> Result<(), LockError> {
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("/sim").join(name)
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let is_here = |(name, _): &(String, Vec<u8>)| !name.contains('/');
        Ok(self.files().into_iter().filter(is_here).map(|(n, b)| (n, b.len() as u64)).collect())
    }

    fn create(&self, name: &str) -> io::Result<Inode> {
        self.change(|state| {
            if state.names.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            if state.used() >= state.capacity {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let inode = state.inodes.len();
            state.inodes.push(Content::default());
            state.names.insert(name.to_owned(), inode);
            state.changes.push(Change::Put(name.to_owned(), inode));
            Ok(inode)
        })
    }

    fn open(&self, name: &str) -> io::Result<Inode> {
        self.open_to_read(name)
    }

    fn open_to_read(&self, name: &str) -> io::Result<Inode> {
        self.0.borrow().names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn append(&self, file: &mut Inode, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        if state.fuse == Some(0) {
            return Err(io::Error::other("stopped"));
        }
        let stops = state.burns() || state.is_faulty();
        let room = state.capacity.saturating_sub(state.used());
        let fits = room.min(if stops { state.rng.usize(0..=bytes.len()) } else { bytes.len() });
        state.inodes[*file].seen.extend(bytes.iter().take(fits));
        match () {
            () if stops => Err(io::Error::other("simulated")),
            () if fits < bytes.len() => Err(io::ErrorKind::StorageFull.into()),
            () => Ok(()),
        }
    }

    fn read_at(&self, file: &Inode, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        if state.reads_refused > 0 {
            state.reads_refused -= 1;
            return Err(io::Error::other("unreadable"));
        }
        let end = offset + buffer.len() as u64;
        if state.broken.iter().any(|(inode, at)| inode == file && (offset..end).contains(at)) {
            return Err(io::Error::other("unreadable"));
        }
        let seen = &state.inodes[*file].seen;
        let from = seen.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let len = buffer.len().min(from.len());
        buffer[..len].copy_from_slice(&from[..len]);
        Ok(len)
    }

    fn sync(&self, file: &Inode) -> io::Result<()> {
        let mut state = self.0.borrow_mut();
        let fails = state.burns() || state.is_faulty();
        let State { rng, inodes, .. } = &mut *state;
        let content = &mut inodes[*file];
        if content.is_poisoned {
            return Ok(());
        }
        if fails {
            // What is seen stays seen, and may never reach the disk.
            let seen = content.seen.clone();
            content.survive(rng, seen.len());
            content.seen = seen;
            content.is_poisoned = true;
            return Err(io::Error::other("simulated"));
        }
        content.durable = content.seen.clone();
        Ok(())
    }

    fn truncate(&self, file: &Inode, len: u64) -> io::Result<()> {
        self.change(|state| {
            state.inodes[*file].seen.resize(usize::try_from(len).unwrap(), 0);
            Ok(())
        })
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|state| {
            let inode = *state.names.get(from).ok_or(io::ErrorKind::NotFound)?;
            let moved = Change::Move(from.to_owned(), to.to_owned(), inode);
            moved.clone().apply(&mut state.names);
            state.changes.push(moved);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|state| {
            if state.pinned.as_deref() == Some(name) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            state.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
            state.changes.push(Change::Take(name.to_owned()));
            Ok(())
        })
    }

    fn quarantine(&self, name: &str) -> io::Result<()> {
        self.rename(name, &format!("quarantine/{name}"))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.change(|state| {
            for change in std::mem::take(&mut state.changes) {
                change.apply(&mut state.durable_names);
            }
            Ok(())
        })
    }
}
