//! `tidegate dead-letters purge`.

use std::io::Write;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use jiff::{Span, SpanRelativeTo, Timestamp};

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

/// A time span that is not negative; a day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Age(Duration);

impl FromStr for Age {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let span: Span = text.parse()?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours())?;
        Duration::try_from(duration).map(Self)
    }
}

pub(super) fn run(directory: &Directory, asked: &Arguments, out: &mut impl Write) -> Result<()> {
    let before_ms = match asked.older_than {
        Some(Age(age)) => Timestamp::now().checked_sub(age)?.as_millisecond(),
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

    #[test]
    fn ages_are_read_and_never_negative() {
        let age = |text: &str| text.parse::<Age>().ok().map(|Age(age)| age.as_secs());
        assert_eq!(age("7d"), Some(7 * 86_400));
        assert_eq!((age("2w"), age("12h"), age("0s")), (Some(14 * 86_400), Some(43_200), Some(0)));
        assert_eq!((age("-7d"), age("7"), age("soon"), age("1y")), (None, None, None, None));
    }
}
