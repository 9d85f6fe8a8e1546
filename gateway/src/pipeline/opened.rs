//! What lies on the disk, opened before anything is taken in.

use anyhow::{Context, Error, Result};

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

/// With what of all that lies on the disk no start would go on, each with what to do. A start asks this
/// first, and who wants to know before can ask it at any time: nothing is written, and a gateway that
/// runs with the same configuration is none.
#[must_use]
pub fn refusals(config: &Config) -> Vec<Error> {
    let of_stream = |stream| [Spooling::look(config, stream), Numbering::look(config, stream)];
    config.streams.iter().flat_map(of_stream).filter_map(Result::err).collect()
}

impl Opened {
    /// Opens everything, and counts what an earlier run left in the spools. Takes as long as the disk
    /// does: not for the thread that everything else runs on.
    ///
    /// # Errors
    /// When there are [`refusals`], or the state directory, the dead letters, the spool or the register
    /// cannot be used.
    pub(super) fn open(config: &Config) -> Result<Self> {
        // Before anything is made, so that who does as one of them says finds everything as it was.
        if let Some(refusal) = refusals(config).into_iter().next() {
            return Err(refusal);
        }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::pipeline::tests::config;

    use super::*;

    /// What lies below `dir`.
    fn files(dir: &Path) -> Vec<String> {
        let listed = std::process::Command::new("find").arg(dir).output().unwrap();
        let mut files: Vec<_> =
            String::from_utf8(listed.stdout).unwrap().lines().map(str::to_owned).collect();
        files.sort_unstable();
        files
    }

    #[test]
    fn a_start_says_what_who_asked_before_was_told_and_makes_nothing() {
        let damaged = |state: &Path| fs::write(state.join("golden.register"), [7; 100]).unwrap();
        let unused = |state: &Path| {
            fs::create_dir_all(state.join("streams/gone")).unwrap();
            fs::write(state.join("streams/gone/golden.register"), "").unwrap();
        };
        let newer = |state: &Path| {
            fs::create_dir(state.join("spool")).unwrap();
            let mut cursor = b"TGCURSOR\x02\0\0\0what comes then".to_vec();
            cursor.extend(crc32c::crc32c(&cursor).to_le_bytes());
            fs::write(state.join("spool/cursor"), cursor).unwrap();
        };
        let golden = "stream.shards = 4\nstream.partitioning = 'golden'";
        let cases = [
            (golden, damaged as fn(&Path), "damaged from byte 0"),
            (golden, unused, "which no stream uses"),
            ("", newer, "has format version 2"),
        ];
        for (settings, lie, words) in cases {
            let dir = tempfile::tempdir().unwrap();
            let config = config(dir.path(), settings);
            assert!(refusals(&config).is_empty(), "{words}");
            lie(dir.path());
            let before = files(dir.path());
            let [told] = &refusals(&config)[..] else { panic!("one: {words}") };
            assert!(format!("{told:#}").contains(words), "{told:#}");
            let refused = Opened::open(&config).unwrap_err();
            assert_eq!(format!("{refused:#}"), format!("{told:#}"));
            assert_eq!(files(dir.path()), before);
        }
    }
}
