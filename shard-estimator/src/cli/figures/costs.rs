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
    let asked = unpriced(question);
    let lacking = lacking(bill, asked.is_some());
    let left_out: Vec<_> = [asked, lacking].into_iter().flatten().collect();
    let left_out: String = left_out.iter().map(|why| format!("; {why}")).collect();
    format!("prices of {region_name}, {prices_date}{firehose}{left_out}")
}

/// Why on-demand modes are left out, if the question asks for what has no price in them.
fn unpriced(question: &Question) -> Option<String> {
    let goals = question.estimator.goals();
    let asked = [
        (goals.readers.fan_out > 0).then_some("enhanced fan-out"),
        (goals.retention > FREE_RETENTION).then_some("retention beyond 24 hours"),
    ];
    let asked: Vec<_> = asked.into_iter().flatten().collect();
    let of = asked.join(" and of ");
    (!asked.is_empty())
        .then(|| format!("on-demand prices of {of} are not known, so those modes are left out"))
}

/// What is left out because the file does not have all that it takes in this region; not what `is_by_shard`
/// leaves out, what is asked having a price only by the shard.
fn lacking(bill: &Bill, is_by_shard: bool) -> Option<String> {
    let lacking = [
        (bill.provisioned.is_none(), "provisioned shards"),
        (bill.on_demand.is_none() && !is_by_shard, "on demand"),
        (bill.advantage.is_none() && !is_by_shard, "on-demand Advantage"),
        (bill.firehose.is_none(), "delivery by Firehose"),
    ];
    let lacking: Vec<_> =
        lacking.iter().filter(|(is_lacking, _)| *is_lacking).map(|(_, what)| *what).collect();
    (!lacking.is_empty()).then(|| {
        format!(
            "the file has no price, or not every one, of {} in this region",
            lacking.join(", of ")
        )
    })
}
