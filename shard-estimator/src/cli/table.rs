//! Answers for people.

use super::figures::costs;
use super::figures::formulas::{self, Formula};
use super::figures::{
    because, carried, checks, comparisons, constraints, fleet, holding, machine, months,
    neighbours, outlook,
};
use super::question::{Question, Said};
use super::report::{Planned, Reverse};
use super::words::{columns, printable, shards};
use crate::bill::Bill;

/// A plan.
pub(super) fn of_plan(question: &Question, planned: &Planned<'_>, explain: bool) -> String {
    let headline = format!("{}, {}.", shards(planned.plan.shards), because(planned));
    let parts = [
        lines(&fleet(question)),
        lines(&holding(question, planned)),
        lines(&[vec![headline], comparisons(planned)].concat()),
        columns(&constraints(planned)),
        lines(&[neighbours(planned), outlook(question, planned)].concat()),
        columns(&months(planned)),
        costs(question, &planned.bill),
        lines(&machine(question, planned)),
        warnings(&planned.warnings),
        explained(explain, || formulas::of(question, &planned.plan.chosen, &planned.bill)),
    ];
    paragraphs(&parts)
}

/// What shards can carry.
pub(super) fn of_reverse(question: &Question, reverse: &Reverse<'_>, explain: bool) -> String {
    let parts = [
        lines(&fleet(question)),
        lines(&carried(reverse)),
        columns(&checks(&reverse.outlook)),
        costs(question, &reverse.bill),
        warnings(&reverse.warnings),
        explained(explain, || formulas::of(question, &reverse.outlook, &reverse.bill)),
    ];
    paragraphs(&parts)
}

/// Those that say something, with an empty line between them.
fn paragraphs(parts: &[String]) -> String {
    let said: Vec<_> = parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
    said.join("\n")
}

fn lines(lines: &[String]) -> String {
    lines.iter().map(|line| printable(line) + "\n").collect()
}

fn costs(question: &Question, bill: &Bill) -> String {
    format!("{}{}\n", columns(&costs::rows(bill)), costs::about(question, bill))
}

fn warnings(warnings: &[Said]) -> String {
    warnings.iter().map(|warning| format!("! {}\n", printable(&warning.says))).collect()
}

fn explained(explain: bool, formulas: impl FnOnce() -> Vec<Formula>) -> String {
    if explain { formulas().iter().map(Formula::to_string).collect() } else { String::new() }
}
