//! `tidegate spool repair` and `purge`: what changes the spool, and with it the books.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::books::{Books, Held, LedgerFile, Unread};
use crate::commands::age::Age;
use crate::config::{Config, Spool as Settings};
use crate::spool::{self, Bounds, Directory, OpenError, Recovery, Spool, survey};
use crate::state_dir;

use super::{count, records};

/// What a change of the spool came to. All of it is in the books, even if the disk stopped it.
struct Changed {
    purged: u64,
    unreadable: u64,
    /// How many records are to be delivered.
    left: u64,
    /// Whether it was done to the end.
    ended: io::Result<()>,
}

pub(super) fn repair(config: &Config, settings: &Settings, out: &mut impl Write) -> Result<()> {
    let Changed { unreadable, left, ended, .. } =
        change(config, settings, |spool| (0, spool.repair()))?;
    match unreadable {
        0 if ended.is_err() => {}
        0 => writeln!(out, "nothing to mend")?,
        _ => writeln!(
            out,
            "unreadable: {}; what is left of that is in quarantine, or goes there once the rest of \
             its file is delivered",
            records(unreadable)
        )?,
    }
    writeln!(out, "to be delivered: {}", records(left))?;
    ended.context("spool.dir: the disk refuses: mend it and ask again")
}

pub(super) fn purge(
    config: &Config,
    settings: &Settings,
    older_than: Age,
    out: &mut impl Write,
) -> Result<()> {
    let before_ms = older_than.ago_ms(Timestamp::now())?;
    let Changed { purged, unreadable, left, ended } =
        change(config, settings, |spool| spool.purge_older_than(before_ms))?;
    writeln!(out, "purged: {}", records(purged))?;
    if unreadable > 0 {
        writeln!(out, "unreadable: {}, see quarantine", records(unreadable))?;
    }
    writeln!(out, "to be delivered: {}", records(left))?;
    ended.context("spool.dir: the disk refuses: mend it and ask again")
}

/// Opens the spool, lets `purge` change it, and closes it and notes that, however far it came.
fn change(
    config: &Config,
    settings: &Settings,
    purge: impl FnOnce(&mut Spool<Directory>) -> (u64, io::Result<()>),
) -> Result<Changed> {
    for (key, dir) in [("spool.dir", &settings.dir), ("state_dir", &config.state_dir)] {
        state_dir::check_owner(dir).context(key)?;
    }
    let file = LedgerFile::new(&config.state_dir);
    // Before anything is changed, and until that is noted: a gateway that does not use the spool
    // keeps the books all the same.
    let _held = hold(&file)?;
    let (mut spool, Recovery { unsettled, corrupted, .. }) = open(settings)?;
    let elsewhere = elsewhere(config, settings)?;
    let (purged, seen) = purge(&mut spool);
    let lost: u64 = spool.take_lost().iter().map(|range| count(range.start, range.end)).sum();
    let unreadable = corrupted + lost;
    let left = spool.unsettled();
    let closed = spool.close();
    note(&file, |books| {
        books.find(elsewhere + unsettled + corrupted);
        books.corrupt(unreadable);
        books.purge(purged);
    })?;
    Ok(Changed { purged, unreadable, left, ended: seen.and(closed) })
}

fn hold(file: &LedgerFile) -> Result<Held> {
    let path = file.path().display();
    let held = file.hold().with_context(|| path.to_string())?;
    held.with_context(|| {
        format!("{path}: a gateway is running and keeps these books: stop it first")
    })
}

/// How many records lie in spools of other streams: the books count them together.
fn elsewhere(config: &Config, settings: &Settings) -> Result<u64> {
    let spools = spool::directories(&config.spool.dir).context("spool.dir")?;
    let others = spools.into_iter().filter(|dir| *dir != settings.dir);
    let left = |dir: PathBuf| Ok(survey(&Directory::new(&dir)).context("spool.dir")?.unsettled());
    others.map(left).sum()
}

fn open(settings: &Settings) -> Result<(Spool<Directory>, Recovery)> {
    let bounds = Bounds { bytes_max: settings.bytes_max, when_full: settings.when_full };
    match Spool::open(Directory::new(&settings.dir), bounds) {
        Ok(opened) => Ok(opened),
        Err(OpenError::Locked { path, pid }) => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            bail!("spool.dir: {}: a gateway is running{pid}: stop it first", path.display());
        }
        Err(error) => Err(error).context("spool.dir"),
    }
}

/// Notes in the books, which are ours, what became of the spool.
fn note(file: &LedgerFile, note: impl FnOnce(&mut Books)) -> Result<()> {
    let mut books = match file.read() {
        Ok(books) => books,
        // Those that begin with the next start take the spool as it is then.
        Err(Unread::Missing(_)) => return Ok(()),
        Err(error) => {
            tracing::warn!(%error, "the books cannot be read: this is not in them");
            return Ok(());
        }
    };
    books.end_crashed();
    note(&mut books);
    file.write(&books).with_context(|| file.path().display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_of_another_user_is_left_alone_and_the_fix_is_told() {
        let root = tempfile::tempdir().unwrap();
        let theirs = state_dir::tests::of_somebody_else(root.path());
        let config = Config::parse(&format!(
            "mqtt = {{ url = 'mqtt://b', client_id = 'c', topics = ['t'] }}\n\
             stream = {{ name = 's', region = 'us-east-1' }}\n\
             spool = {{ dir = {:?} }}",
            theirs.display().to_string()
        ))
        .unwrap();
        let refusal = repair(&config, &config.spool, &mut Vec::new()).unwrap_err();
        assert!(format!("{refusal:#}").contains("sudo -u"), "{refusal:#}");
        assert!(!theirs.join("lock").exists());
    }
}
