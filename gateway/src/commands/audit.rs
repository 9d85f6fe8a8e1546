//! `tidegate audit`: what became of every record since the books began, held against the disk.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::books::{Books, LedgerFile, Span, count_letters};
use crate::config::Config;
use crate::spool::{Directory, survey};

use super::{configuration, read_to_the_end};

mod report;

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
    spool: Compared,
    letters: Compared,
}

/// What the books expect on disk, and what is there.
#[derive(Debug, Clone, Copy)]
struct Compared {
    expected: Span,
    found: u64,
}

impl Compared {
    fn agrees(self) -> bool {
        self.expected.meets(Span::exact(self.found))
    }
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
    let gateway_runs = file.is_held();
    let books = file.read().context("no books: has the gateway run with this state_dir?")?;
    let spooled = spooled(&config.spool.dir)?;
    let dir = &config.dead_letter.dir;
    let letters = count_letters(dir).with_context(|| dir.display().to_string())?;
    let audit = Audit::of(books, gateway_runs, spooled, letters);
    let out = &mut io::stdout().lock();
    match json {
        true => writeln!(out, "{}", audit.json())?,
        false => audit.write(out)?,
    }
    Ok(if audit.balances() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn spooled(dir: &Path) -> Result<u64> {
    if !dir.is_dir() {
        return Ok(0);
    }
    Ok(survey(&Directory::new(dir)).context("spool.dir")?.unsettled())
}

impl Audit {
    fn of(mut books: Books, gateway_runs: bool, spooled: u64, letters: u64) -> Self {
        // What may have happened since the checkpoint of a run that goes on.
        let since = match books.running {
            Some(run) if gateway_runs => run.headroom + run.ledger.in_flight + run.ledger.spooled,
            _ => 0,
        };
        if !gateway_runs {
            books.end_crashed();
        }
        let now = books.so_far();
        let expected = match gateway_runs {
            true => Span::up_to(now.spooled.most.saturating_add(since)),
            false => now.spooled,
        };
        let spool = Compared { expected, found: spooled };
        if !gateway_runs {
            books.find(spooled);
        }
        // Letters may be taken away at any time, and are never added but by the gateway.
        let written = now.letters_before.saturating_add(now.terms.dead_lettered.most);
        let kept = written.saturating_sub(now.beside.dead_letters_dropped);
        let expected = Span::up_to(kept.saturating_add(since));
        let letters = Compared { expected, found: letters };
        Self { books, gateway_runs, spool, letters }
    }

    fn balances(&self) -> bool {
        let nothing_vanished = self.books.missing == 0;
        self.books.balance().holds()
            && nothing_vanished
            && self.spool.agrees()
            && self.letters.agrees()
    }
}
