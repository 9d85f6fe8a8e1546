//! `tidegate spool repair` and `purge`: what changes the spool, and with it the books.

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;

use crate::books::{Books, LedgerFile, Unread};
use crate::commands::age::Age;
use crate::config::Config;
use crate::spool::{Bounds, Directory, OpenError, Spool};

use super::records;

/// How often the disk is asked: after five refusals of one place the spool passes over it.
const ATTEMPTS: usize = 6;

pub(super) fn repair(config: &Config, disk: Directory, out: &mut impl Write) -> Result<()> {
    let (mut spool, found, lost) = open(config, disk)?;
    patiently(|| spool.repair())?;
    let unreadable = lost + spool.take_corrupted();
    let left = spool.unsettled();
    spool.close().context("spool.dir")?;
    note(config, |books| {
        books.find(found);
        books.corrupt(unreadable);
    })?;
    match unreadable {
        0 => writeln!(out, "nothing to mend")?,
        _ => writeln!(
            out,
            "unreadable: {}; what is left of that is in quarantine, or goes there once the rest of \
             its file is delivered",
            records(unreadable)
        )?,
    }
    writeln!(out, "to be delivered: {}", records(left))?;
    Ok(())
}

pub(super) fn purge(
    config: &Config,
    disk: Directory,
    older_than: Age,
    out: &mut impl Write,
) -> Result<()> {
    let before_ms = older_than.ago_ms(Timestamp::now())?;
    let (mut spool, found, lost) = open(config, disk)?;
    let mut purged = 0;
    patiently(|| {
        purged += spool.purge_older_than(before_ms)?;
        Ok(())
    })?;
    let unreadable = lost + spool.take_corrupted();
    let left = spool.unsettled();
    spool.close().context("spool.dir")?;
    note(config, |books| {
        books.find(found);
        books.corrupt(unreadable);
        books.purge(purged);
    })?;
    writeln!(out, "purged: {}", records(purged))?;
    if unreadable > 0 {
        writeln!(out, "unreadable: {}, see quarantine", records(unreadable))?;
    }
    writeln!(out, "to be delivered: {}", records(left))?;
    Ok(())
}

/// The spool, how many records it held, and how many of them opening found unreadable.
fn open(config: &Config, disk: Directory) -> Result<(Spool<Directory>, u64, u64)> {
    let bounds = Bounds { bytes_max: config.spool.bytes_max, when_full: config.spool.when_full };
    let mut spool = match Spool::open(disk, bounds) {
        Ok((spool, _)) => spool,
        Err(OpenError::Locked { path, pid }) => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            bail!("spool.dir: {}: a gateway is running{pid}: stop it first", path.display());
        }
        Err(error) => return Err(error).context("spool.dir"),
    };
    let lost = spool.take_corrupted();
    let found = spool.unsettled() + lost;
    Ok((spool, found, lost))
}

fn patiently(mut ask: impl FnMut() -> io::Result<()>) -> Result<()> {
    let mut asked = ask();
    for _ in 1..ATTEMPTS {
        if asked.is_ok() {
            break;
        }
        asked = ask();
    }
    asked.context("spool.dir: the disk refuses")
}

/// Notes in the books what became of the spool while no gateway ran.
fn note(config: &Config, note: impl FnOnce(&mut Books)) -> Result<()> {
    let file = LedgerFile::new(&config.state_dir);
    // The spool is ours, so no gateway keeps them now, unless it runs without one.
    let held = file.hold().with_context(|| file.path().display().to_string())?;
    let mut books = match file.read() {
        Ok(books) if held.is_some() => books,
        Ok(_) => bail!("{}: a gateway keeps these books: stop it first", file.path().display()),
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
