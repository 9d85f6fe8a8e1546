//! Keys that are placed by their number: a record waits here until the number of its key is on the
//! disk. One write at a time, away from the flow's thread, of all numbers given since the last.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use anyhow::{Context, Result};
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::{info, warn};

use crate::config::{Config, Partitioning, Stream};
use crate::custody::Outcome;
use crate::limits::{REGISTER_KEYS_MAX, REGISTER_RETRY};
use crate::queue::Incoming;
use crate::record::PartitionKey;
use crate::register::{Register, RegisterFile};
use crate::state_dir;

use super::joined;

mod anew;
#[cfg(test)]
mod tests;

/// What has keys numbered.
const SETTING: &str = "stream.partitioning = \"golden\"";

/// Makes partition keys, and lets their records pass.
#[derive(Debug)]
pub(super) struct Numbering {
    /// Absent where the hash of a key places it.
    register: Option<Register>,
    /// Here unless it is being written to, or there is none.
    file: Option<RegisterFile>,
    write: Option<JoinHandle<Written>>,
    /// Records whose keys have numbers that are not on the disk, in order.
    waiting: VecDeque<Incoming>,
    /// Set while writes fail.
    retry_at: Option<Instant>,
    /// Whether it was said that there are no more numbers.
    said_full: bool,
}

/// A write that ended.
#[derive(Debug)]
pub(super) struct Written {
    file: RegisterFile,
    keys: usize,
    result: io::Result<()>,
}

impl Numbering {
    /// Looks whether [`Self::open`] could go on with what lies there, and writes nothing.
    ///
    /// # Errors
    /// When the register cannot be relied on, or would begin while another lies unused.
    pub(super) fn look(config: &Config, stream: &Stream) -> Result<()> {
        if stream.partitioning == Partitioning::Md5 {
            return Ok(());
        }
        let dir = stream.within(&config.state_dir);
        let look = || match RegisterFile::path_in(&dir).exists() {
            true => Ok(RegisterFile::look(&dir)?),
            false => anew::check(config, stream),
        };
        look().context(SETTING)
    }

    /// Opens the register, if keys are placed by their numbers.
    ///
    /// # Errors
    /// When it cannot be relied on, or is in use.
    pub(super) fn open(config: &Config, stream: &Stream) -> Result<Self> {
        let (file, register) = match stream.partitioning {
            Partitioning::Md5 => (None, None),
            Partitioning::Golden => {
                let dir = stream.within(&config.state_dir);
                state_dir::create(&dir).context(SETTING)?;
                let (file, register) = RegisterFile::open(&dir).context(SETTING)?;
                info!(
                    numbered = register.len(),
                    before = register.before(),
                    file = %file.path().display(),
                    "devices are placed by their numbers"
                );
                (Some(file), Some(register))
            }
        };
        let (waiting, retry_at, said_full) = (VecDeque::new(), None, false);
        Ok(Self { register, file, write: None, waiting, retry_at, said_full })
    }

    /// The partition key of this text.
    pub(super) fn key(&mut self, text: &str) -> PartitionKey {
        let Some(register) = &mut self.register else { return PartitionKey::new(text) };
        let key = PartitionKey::placed(text, |key| register.number(key));
        if key.number().is_none() && !std::mem::replace(&mut self.said_full, true) {
            warn!(
                keys_max = REGISTER_KEYS_MAX,
                "no more devices are numbered: others are placed by the hash of their keys"
            );
        }
        key
    }

    /// Places the keys of what was read from the disk.
    pub(super) fn place(&mut self, outcome: &mut Outcome) {
        if self.register.is_none() {
            return;
        }
        let read = outcome.read.iter_mut().flat_map(|read| &mut read.entries);
        let entries = outcome.fetched.iter_mut().flatten().chain(read.map(|(_, entry)| entry));
        for entry in entries {
            entry.key = self.key(entry.key.as_str());
        }
    }

    /// Lets a record pass, or keeps it until the number of its key is on the disk.
    pub(super) fn admit(&mut self, incoming: Incoming) -> Option<Incoming> {
        if self.is_durable(&incoming.key) {
            return Some(incoming);
        }
        self.waiting.push_back(incoming);
        None
    }

    fn is_durable(&self, key: &PartitionKey) -> bool {
        let (Some(register), Some(number)) = (&self.register, key.number()) else { return true };
        register.is_durable(number)
    }

    /// Starts to write new numbers, if there are any, none are being written and no write failed
    /// just now.
    pub(super) fn start(&mut self, now: Instant) {
        let fresh = self.register.as_ref().map(Register::fresh).unwrap_or_default();
        if fresh.is_empty() || self.retry_at.is_some_and(|at| at > now) {
            return;
        }
        let Some(mut file) = self.file.take() else { return };
        let keys = fresh.to_vec();
        self.write = Some(spawn_blocking(move || {
            let result = file.append(&keys);
            Written { file, keys: keys.len(), result }
        }));
    }

    /// When to call [`Self::start`] again, if the last write failed.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| self.write.is_none())
    }

    /// Waits for the write that is running; for ever if none is.
    pub(super) async fn written(&mut self) -> Written {
        match &mut self.write {
            Some(write) => joined(write).await,
            None => std::future::pending().await,
        }
    }

    /// Takes a write that ended; gives the records that may pass now, those of a key in their order.
    pub(super) fn finish(&mut self, written: Written, now: Instant) -> Vec<Incoming> {
        let Written { file, keys, result } = written;
        self.write = None;
        if let Err(error) = result {
            if self.retry_at.is_none() {
                warn!(
                    %error,
                    file = %file.path().display(),
                    "new devices cannot be numbered: their records wait until they can"
                );
            }
            (self.file, self.retry_at) = (Some(file), Some(now + REGISTER_RETRY));
            return Vec::new();
        }
        self.file = Some(file);
        if self.retry_at.take().is_some() {
            info!("new devices are numbered again");
        }
        if let Some(register) = &mut self.register {
            register.written(keys);
        }
        let waiting = std::mem::take(&mut self.waiting);
        let (pass, wait) = waiting.into_iter().partition(|record| self.is_durable(&record.key));
        self.waiting = wait;
        Vec::from(pass)
    }
}
