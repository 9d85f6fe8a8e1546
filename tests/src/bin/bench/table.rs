//! What was measured, and how it is shown.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;

/// The figures of all runs, in the order in which they were first measured.
#[derive(Debug)]
pub(crate) struct Table {
    columns: &'static [&'static str],
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    /// The figures of each column.
    figures: Vec<Vec<f64>>,
}

impl Table {
    /// No figures yet.
    pub(crate) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Notes one figure of one run.
    pub(crate) fn note(&mut self, name: &'static str, column: &str, value: f64) {
        let row = match self.rows.iter_mut().position(|row| row.name == name) {
            Some(index) => self.rows.get_mut(index),
            None => {
                self.rows.push(Row { name, figures: vec![Vec::new(); self.columns.len()] });
                self.rows.last_mut()
            }
        };
        let column = self.columns.iter().position(|name| *name == column);
        if let Some(figures) = row.zip(column).and_then(|(row, at)| row.figures.get_mut(at)) {
            figures.push(value);
        }
    }

    /// Says how far the benchmark is, aside from its results.
    pub(crate) fn say(&self, what: &str) -> Result<()> {
        writeln!(std::io::stderr(), "{what}")?;
        Ok(())
    }

    /// Prints the medians.
    pub(crate) fn print(&self) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut text = format!("\n{:52}", "medians");
        self.columns.iter().try_for_each(|column| write!(text, "{column:>12}"))?;
        for Row { name, figures } in &self.rows {
            write!(text, "\n{name:52}")?;
            figures.iter().try_for_each(|all| write!(text, "{:>12}", figure(median(all))))?;
        }
        text.push('\n');
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    match sorted.len() % 2 {
        0 => f64::midpoint(upper, sorted.get(middle.wrapping_sub(1)).copied().unwrap_or(f64::NAN)),
        _ => upper,
    }
}

/// Three figures or so.
fn figure(value: f64) -> String {
    if value.is_nan() {
        return "-".to_owned();
    }
    let decimals = match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}
