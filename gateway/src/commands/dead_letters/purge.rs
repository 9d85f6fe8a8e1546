//! `tidegate dead-letters purge`.

use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;

use crate::commands::age::Age;
use crate::dead_letter::{Directory, Entry};

/// Which ones go: those to which everything applies that is said.
#[derive(Debug, Clone, clap::Args)]
#[group(required = true, multiple = true)]
pub struct Arguments {
    /// Those that arrived longer ago than this: 7d, 12h, 2w.
    #[arg(long, value_name = "AGE", conflicts_with = "all")]
    older_than: Option<Age>,
    /// Those of this reason.
    #[arg(long, conflicts_with = "all")]
    reason: Option<String>,
    /// All of them, with lines that cannot be read.
    #[arg(long)]
    all: bool,
}

pub(super) fn run(directory: &Directory, asked: &Arguments, out: &mut impl Write) -> Result<()> {
    directory.check_owner()?;
    let before_ms = match asked.older_than {
        Some(age) => age.ago_ms(Timestamp::now())?,
        None => i64::MAX,
    };
    let gone = directory.purge(|entry| asked.all || asked.applies(entry, before_ms))?;
    writeln!(out, "{gone} dead letters purged")?;
    Ok(())
}

impl Arguments {
    /// What cannot be read is not known to be meant.
    fn applies(&self, entry: &Entry, before_ms: i64) -> bool {
        let Ok(letter) = entry.letter() else { return false };
        let meant = self.reason.as_ref().is_none_or(|reason| *reason == letter.reason);
        meant && letter.at_ms < before_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_dir::tests::of_somebody_else;

    #[test]
    fn directory_of_somebody_else_is_not_touched() {
        let root = tempfile::tempdir().unwrap();
        let asked = Arguments { older_than: None, reason: None, all: true };
        let mut out = Vec::new();
        let refusal = run(&Directory::new(&of_somebody_else(root.path())), &asked, &mut out);
        assert!(refusal.unwrap_err().to_string().contains("belongs to user"));
        assert_eq!(out, b"");
        run(&Directory::new(root.path()), &asked, &mut out).unwrap();
        assert_eq!(out, b"0 dead letters purged\n");
    }
}
