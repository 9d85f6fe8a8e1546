//! `tidegate dead-letters list`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use crate::dead_letter::{Directory, Id, Letter};

use super::{printable, readable, time};

/// Which ones, and how.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Only those of this reason, such as not_json.
    #[arg(long)]
    reason: Option<String>,
    /// One JSON object a line, without payloads and counts.
    #[arg(long)]
    json: bool,
}

/// One letter as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    id: String,
    time: String,
    reason: &'a str,
    detail: &'a str,
    from: Cow<'a, str>,
    bytes: usize,
}

pub(super) fn run(directory: &Directory, asked: &Arguments, out: &mut impl Write) -> Result<()> {
    let mut counts = BTreeMap::new();
    for entry in directory.entries()? {
        let entry = entry?;
        let Some(letter) = readable(&entry) else { continue };
        if asked.reason.as_ref().is_some_and(|reason| *reason != letter.reason) {
            continue;
        }
        match asked.json {
            true => write_json(entry.id, &letter, out)?,
            false => write_text(entry.id, &letter, out)?,
        }
        *counts.entry(letter.reason).or_insert(0_usize) += 1;
    }
    if !asked.json {
        writeln!(out, "{}", counted(&counts))?;
    }
    Ok(())
}

fn write_text(id: Id, letter: &Letter, out: &mut impl Write) -> std::io::Result<()> {
    let (time, bytes) = (time(letter.at_ms), letter.payload.bytes());
    let (reason, from) = (printable(&letter.reason), printable(&letter.origin.text()));
    writeln!(out, "{id:<8} {time}  {reason:<18} {from}  {bytes} bytes", id = id.to_string())
}

fn write_json(id: Id, letter: &Letter, out: &mut impl Write) -> Result<()> {
    let line = Line {
        id: id.to_string(),
        time: time(letter.at_ms),
        reason: &letter.reason,
        detail: &letter.detail,
        from: letter.origin.text(),
        bytes: letter.payload.bytes(),
    };
    writeln!(out, "{}", serde_json::to_string(&line)?)?;
    Ok(())
}

/// `3 dead letters: 2 not_json, 1 empty`.
pub(super) fn counted(counts: &BTreeMap<Cow<'static, str>, usize>) -> String {
    let total: usize = counts.values().sum();
    let each: Vec<_> =
        counts.iter().map(|(reason, count)| format!("{count} {}", printable(reason))).collect();
    let colon = if each.is_empty() { "" } else { ": " };
    format!("{total} dead letters{colon}{}", each.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_by_reason() {
        assert_eq!(counted(&BTreeMap::new()), "0 dead letters");
        let counts = BTreeMap::from([("not_json".into(), 2), ("a\u{1b}b".into(), 1)]);
        assert_eq!(counted(&counts), "3 dead letters: 1 a\\u{1b}b, 2 not_json");
    }
}
