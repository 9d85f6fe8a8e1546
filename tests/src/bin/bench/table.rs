//! What was measured, and how it is shown.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;

use crate::subject::Kind;

/// The figures of all runs, in the order in which they were first measured.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    gateway: Vec<f64>,
    bare: Vec<f64>,
}

impl Table {
    /// Notes one figure of one run.
    pub(crate) fn note(&mut self, name: &'static str, kind: Kind, value: f64) {
        let row = match self.rows.iter_mut().position(|row| row.name == name) {
            Some(index) => self.rows.get_mut(index),
            None => {
                self.rows.push(Row { name, gateway: Vec::new(), bare: Vec::new() });
                self.rows.last_mut()
            }
        };
        let Some(row) = row else { return };
        match kind {
            Kind::Gateway => row.gateway.push(value),
            Kind::Bare => row.bare.push(value),
        }
    }

    /// Says how far the benchmark is, aside from its results.
    pub(crate) fn say(&self, what: &str) -> Result<()> {
        writeln!(std::io::stderr(), "{what}")?;
        Ok(())
    }

    /// Prints the medians.
    pub(crate) fn print(&self) -> Result<()> {
        let mut text =
            format!("\n{:44}{:>12}{:>12}{:>8}\n", "medians", "gateway", "bare loop", "ratio");
        for Row { name, gateway, bare } in &self.rows {
            let (gateway, bare) = (median(gateway), median(bare));
            let ratio = if bare > 0.0 { format!("{:.2}", gateway / bare) } else { "-".to_owned() };
            writeln!(text, "{name:44}{:>12}{:>12}{ratio:>8}", figure(gateway), figure(bare))?;
        }
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
    let decimals = match value.abs() {
        0.0 | 100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}
