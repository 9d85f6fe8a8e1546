//! `tidegate audit`: what became of every record since the books began, held against the disk.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::books::{Books, LedgerFile, Span};
use crate::config::Config;
use crate::dead_letter::{self, Origin};
use crate::spool::{self, survey};

use super::{configuration, read_to_the_end};

mod report;
#[cfg(test)]
mod tests;

/// What to audit, and how to tell.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The gateway's configuration file: it says where the books lie.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// The books, and what they are held against.
#[derive(Debug)]
struct Audit {
    /// As of the last checkpoint, if a gateway runs.
    books: Books,
    gateway_runs: bool,
    /// How many records there can be in the spool.
    spool: Span,
    /// How many letters can ever have been written.
    letters_most: u64,
    found: Found,
}

/// What is on disk.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// Records in the spools, of streams that are not configured any more too, that must be delivered.
    spooled: u64,
    /// Dead letters.
    letters: u64,
    /// Those of them that are of records. A replay may have put several in the place of one letter,
    /// so nothing says how many there can be.
    letters_of_records: u64,
}

/// Audits; the exit code says whether everything is accounted for.
///
/// # Errors
/// When there are no books, or the disk refuses.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = match configuration(Config::load(&arguments.config))? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    read_to_the_end(audit(&config, arguments.json))
}

fn audit(config: &Config, json: bool) -> Result<ExitCode> {
    let file = LedgerFile::new(&config.state_dir);
    let gateway_runs = file.is_held().unwrap_or(false);
    let books = file.read().context("no books: has the gateway run with this state_dir?")?;
    let (letters, letters_of_records) = letters(&config.dead_letter.dir)?;
    let spooled = spool::directories(&config.spool.dir).context("spool.dir")?;
    let spooled = spooled.iter().map(|dir| spooled_in(dir)).sum::<Result<_>>()?;
    let found = Found { spooled, letters, letters_of_records };
    let audit = Audit::of(books, gateway_runs, found);
    let out = &mut io::stdout().lock();
    match json {
        true => writeln!(out, "{}", audit.json())?,
        false => audit.write(out)?,
    }
    Ok(if audit.balances() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn spooled_in(dir: &Path) -> Result<u64> {
    Ok(survey(&spool::Directory::new(dir)).context("spool.dir")?.unsettled())
}

/// How many dead letters there are, and how many of them are of records.
fn letters(dir: &Path) -> io::Result<(u64, u64)> {
    let (mut all, mut of_records) = (0, 0);
    if !dir.is_dir() {
        return Ok((all, of_records));
    }
    for entry in dead_letter::Directory::new(dir).entries()? {
        let origin = entry?.letter().map(|letter| letter.origin);
        all += 1;
        of_records += u64::from(matches!(origin, Ok(Origin::Record { .. })));
    }
    Ok((all, of_records))
}

impl Audit {
    fn of(mut books: Books, gateway_runs: bool, found: Found) -> Self {
        // What may have happened since the checkpoint of a run that goes on.
        let since = match books.running {
            Some(run) if gateway_runs => run.headroom + run.ledger.in_flight + run.ledger.spooled,
            _ => 0,
        };
        if !gateway_runs {
            books.end_crashed();
        }
        let now = books.so_far();
        let spool = match gateway_runs {
            true => Span::up_to(now.spooled.most.saturating_add(since)),
            false => now.spooled,
        };
        if !gateway_runs {
            books.find(found.spooled);
        }
        let written = now.letters_before.saturating_add(now.terms.dead_lettered.most);
        let letters_most = written.saturating_add(since);
        Self { books, gateway_runs, spool, letters_most, found }
    }

    fn balances(&self) -> bool {
        let nothing_vanished = self.books.missing == 0;
        self.books.balance().holds()
            && nothing_vanished
            && self.spool_agrees()
            && self.letters_agree()
    }

    fn spool_agrees(&self) -> bool {
        self.spool.meets(Span::exact(self.found.spooled))
    }

    /// Letters may be taken away at any time, and are never added but by the gateway.
    fn letters_agree(&self) -> bool {
        self.found.letters - self.found.letters_of_records <= self.letters_most
    }
}
