//! What lies on the disk, opened before anything is taken in.

use anyhow::{Context, Result};

use crate::books::Spooled;
use crate::config::{Config, Stream};
use crate::custody::Found;
use crate::dead_letter::{Directory, Store};
use crate::metrics::StreamCounts;
use crate::state_dir;
use crate::telemetry::of_stream;

use super::bookkeeping::Bookkeeping;
use super::numbering::Numbering;
use super::spooling::Spooling;
use super::{clock, left};

/// The state, in use by this run.
#[derive(Debug)]
pub(super) struct Opened {
    /// Takes dead letters.
    pub(super) store: Store,
    /// What lies there of each stream.
    pub(super) streams: Vec<OnDisk>,
    pub(super) books: Bookkeeping,
}

/// What lies there of one stream.
#[derive(Debug)]
pub(super) struct OnDisk {
    pub(super) spooling: Spooling,
    /// What the spool holds.
    pub(super) found: Found,
    pub(super) numbering: Numbering,
    /// What is counted so far: what was found.
    pub(super) counts: StreamCounts,
}

impl Opened {
    /// Opens everything, and counts what an earlier run left in the spools. Takes as long as the disk
    /// does: not for the thread that everything else runs on.
    ///
    /// # Errors
    /// When the state directory, the dead letters, the spool or the register cannot be used.
    pub(super) fn open(config: &Config) -> Result<Self> {
        state_dir::create(&config.state_dir)
            .with_context(|| format!("state_dir: cannot create {}", config.state_dir.display()))?;
        let store = Store::open(&config.dead_letter).with_context(|| {
            format!("dead_letter.dir: cannot use {}", config.dead_letter.dir.display())
        })?;
        let streams: Vec<_> = config
            .streams
            .iter()
            .map(|stream| OnDisk::open(config, stream))
            .collect::<Result<_>>()?;
        let taken = streams.iter().map(|stream| stream.counts.recovered).sum();
        let found = Spooled { taken, left: left::records(config) };
        // Last: from here on the books say that a run has begun, and one that ends without a word
        // has crashed.
        let letters = || Directory::new(&config.dead_letter.dir).count();
        let (now, unix_ms) = (clock::now(), clock::unix_ms());
        let books = Bookkeeping::open(&config.state_dir, found, letters, now, unix_ms);
        Ok(Self { store, streams, books })
    }
}

impl OnDisk {
    fn open(config: &Config, stream: &Stream) -> Result<Self> {
        let _within = of_stream(stream).entered();
        let (spooling, found, counts) = Spooling::open(config, stream)?;
        Ok(Self { spooling, found, numbering: Numbering::open(config, stream)?, counts })
    }
}
