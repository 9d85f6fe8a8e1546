//! Rows and cells (RFC 4180), as far as the console's file needs them.

use std::borrow::Cow;

use crate::credentials::Fault;
use crate::credentials::text::lines;

/// The cells of one line that is not blank.
pub(super) struct Row<'t> {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) cells: Vec<Cow<'t, str>>,
}

impl Row<'_> {
    /// Empty where there is none.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", |cell| cell)
    }
}

/// The rows of `text`. A cell does not go on in the next line: none of the console's does.
pub(super) fn rows(text: &str) -> Result<Vec<Row<'_>>, Fault> {
    let written = |line: &str| !line.trim().is_empty();
    lines(text).filter(|(_, line)| written(line)).map(|(number, line)| row(number, line)).collect()
}

fn row(line: usize, text: &str) -> Result<Row<'_>, Fault> {
    let mut cells = vec![];
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (cell, after) = match text.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted).map_err(|what| Fault::line(line, what))?,
            None => match text.split_once(',') {
                Some((cell, after)) => (Cow::Borrowed(cell.trim()), Some(after)),
                None => (Cow::Borrowed(text.trim()), None),
            },
        };
        cells.push(cell);
        rest = after;
    }
    Ok(Row { line, cells })
}

/// The cell whose opening quote was passed, and what follows the comma behind it.
fn unquoted(text: &str) -> Result<(Cow<'_, str>, Option<&str>), &'static str> {
    let mut cell = Cow::Borrowed("");
    let mut rest = text;
    loop {
        let Some((piece, after)) = rest.split_once('"') else {
            return Err("has a quote without its pair: the file was cut short");
        };
        cell += piece;
        // Two of them stand for one within.
        let Some(more) = after.strip_prefix('"') else {
            let after = after.trim_start();
            return match after.strip_prefix(',') {
                Some(next) => Ok((cell, Some(next))),
                None if after.is_empty() => Ok((cell, None)),
                None => Err("has something between a quote and the next comma"),
            };
        };
        cell += "\"";
        rest = more;
    }
}
