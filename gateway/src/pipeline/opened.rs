//! What lies on the disk, opened before anything is taken in.

use anyhow::{Context, Result};

use crate::config::{Config, SpoolMode};
use crate::custody::Found;
use crate::dead_letter::{Directory, Store};
use crate::metrics::Counters;
use crate::state_dir;

use super::bookkeeping::{Bookkeeping, Opening};
use super::clock;
use super::numbering::Numbering;
use super::spooling::Spooling;

/// The state, in use by this run.
#[derive(Debug)]
pub(super) struct Opened {
    /// Takes dead letters.
    pub(super) store: Store,
    pub(super) on_disk: OnDisk,
    pub(super) books: Bookkeeping,
}

/// What lies there of one branch.
#[derive(Debug)]
pub(super) struct OnDisk {
    pub(super) spooling: Spooling,
    /// What the spool holds.
    pub(super) found: Found,
    pub(super) numbering: Numbering,
}

impl Opened {
    /// Opens everything, and counts what an earlier run left in the spool. Takes as long as the disk
    /// does: not for the thread that everything else runs on.
    ///
    /// # Errors
    /// When the state directory, the dead letters, the spool or the register cannot be used.
    pub(super) fn open(config: &Config, counters: &Counters) -> Result<Self> {
        state_dir::create(&config.state_dir)
            .with_context(|| format!("state_dir: cannot create {}", config.state_dir.display()))?;
        let store = Store::open(&config.dead_letter).with_context(|| {
            format!("dead_letter.dir: cannot use {}", config.dead_letter.dir.display())
        })?;
        let (spooling, found) = Spooling::open(&config.spool, counters)?;
        let opening = Opening {
            spooled: counters.recovered.get() + Spooling::left(&config.spool),
            takes_over: config.spool.mode != SpoolMode::Off,
        };
        let numbering = Numbering::open(config)?;
        // Last: from here on the books say that a run has begun, and one that ends without a word
        // has crashed.
        let letters = || Directory::new(&config.dead_letter.dir).count();
        let (now, unix_ms) = (clock::now(), clock::unix_ms());
        let books = Bookkeeping::open(&config.state_dir, opening, letters, now, unix_ms);
        Ok(Self { store, on_disk: OnDisk { spooling, found, numbering }, books })
    }
}
