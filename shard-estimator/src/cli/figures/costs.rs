//! What a month costs, by mode.

use super::super::question::Question;
use super::{Rows, row};
use crate::bill::{Bill, Cost, FREE_RETENTION, Mode};

/// The parts of a month's bill, in the order in which they are shown.
pub(in crate::cli) const PARTS: [&str; 5] =
    ["shards or stream", "in", "out", "fan-out", "retention"];

/// How people call a mode.
pub(in crate::cli) fn name(mode: Mode, cost: &Cost) -> &'static str {
    match mode {
        Mode::Provisioned => "provisioned",
        Mode::OnDemand => "on demand",
        Mode::Advantage if cost.at_floor => "advantage, at its floor",
        Mode::Advantage => "advantage",
    }
}

/// Dollars of each of the [`PARTS`].
pub(in crate::cli) fn parts(cost: &Cost) -> [crate::bill::Usd; 5] {
    [cost.capacity, cost.ingest, cost.reads, cost.fan_out, cost.retention]
}

/// Each mode with its parts.
pub(in crate::cli) fn rows(bill: &Bill) -> Rows {
    let head = row(["a month"]).into_iter().chain(row(PARTS)).chain(row(["total"]));
    let modes = bill.modes().map(|(mode, cost)| {
        let cells = parts(&cost).into_iter().chain([cost.total()]);
        std::iter::once(name(mode, &cost).to_owned())
            .chain(cells.map(|dollars| dollars.to_string()))
            .collect()
    });
    std::iter::once(head.collect()).chain(modes).collect()
}

/// Where the prices are from, and what is not in them.
pub(in crate::cli) fn about(question: &Question, bill: &Bill) -> String {
    let Question { region_name, prices_date, .. } = question;
    let firehose = bill
        .firehose
        .map_or_else(String::new, |cost| format!("; delivery by Firehose would add {cost}"));
    format!("prices of {region_name}, {prices_date}{firehose}{}", unpriced(question))
}

/// Why on-demand modes are left out, if the question asks for what has no price in them.
fn unpriced(question: &Question) -> String {
    let goals = question.estimator.goals();
    let asked = [
        (goals.readers.fan_out > 0).then_some("enhanced fan-out"),
        (goals.retention > FREE_RETENTION).then_some("retention beyond 24 hours"),
    ];
    let asked: Vec<_> = asked.into_iter().flatten().collect();
    if asked.is_empty() {
        return String::new();
    }
    let asked = asked.join(" and of ");
    format!("; on-demand prices of {asked} are not known, so those modes are left out")
}
