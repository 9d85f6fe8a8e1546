//! Answers for people.

use std::num::NonZeroU32;

use super::question::{Question, Said};
use super::report::{Planned, Reverse};
use super::words::{bits_per_s, bytes, columns, number, per_cent, shards, time, wait};
use crate::bill::{Bill, Cost, Mode, Usd};
use crate::limits::{
    RESHARDS_PER_DAY, SHARD_BYTES_PER_S, SHARD_READ_BYTES_PER_S, SHARD_RECORDS_PER_S,
};
use crate::{Check, Constraint, Outlook, Wait};

/// A plan.
pub(super) fn of_plan(question: &Question, planned: &Planned, explain: bool) -> String {
    let mut text = headline(question, planned);
    text += "\n";
    text += &columns(&constraints(planned));
    text += "\n";
    text += &neighbours(planned);
    text += &outlook(question, planned);
    text += "\n";
    text += &costs(question, &planned.bill);
    text += "\n";
    text += &machine(planned);
    text += &warnings(&planned.warnings);
    if explain {
        text += &formulas(&planned.plan.chosen);
    }
    text
}

/// What shards can carry.
pub(super) fn of_reverse(question: &Question, reverse: &Reverse, explain: bool) -> String {
    let Reverse { outlook, carried, bill, .. } = reverse;
    let mut text = fleet(question);
    text += &format!(
        "{} carry {} devices in these proportions, {} times as many: {} records/s.\n",
        shards(outlook.shards),
        carried.devices,
        number(carried.times),
        number(carried.records_per_s),
    );
    if let Some(outage) = carried.outage {
        text += &format!("The longest outage that is caught up with in time: {}.\n", time(outage));
    }
    text.push('\n');
    let rows = outlook
        .checks
        .iter()
        .map(|check| vec![check.constraint().to_string(), allowed(check), shown(Some(check))]);
    let head = row(["", "allowed", "used"]);
    text += &columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    text.push('\n');
    text += &costs(question, bill);
    text += &warnings(&reverse.warnings);
    if explain {
        text += &formulas(outlook);
    }
    text
}

/// What is planned for.
fn fleet(question: &Question) -> String {
    let fleet = question.estimator.fleet();
    let classes = fleet.classes().iter().map(|class| {
        format!(
            "{} {}, each {} of {}\n",
            number_of(class.count()),
            class.name,
            time(class.period),
            bytes(class.record_bytes()),
        )
    });
    let all = format!(
        "together {} records/s and {}/s, keys included\n\n",
        number(fleet.records_per_s()),
        bytes(fleet.bytes_per_s()),
    );
    classes.chain([all]).collect()
}

fn number_of(count: f64) -> String {
    format!("{count:.0}")
}

fn headline(question: &Question, planned: &Planned) -> String {
    let plan = &planned.plan;
    let why = match plan.binding.as_slice() {
        [] => "the least that a stream can have".to_owned(),
        binding => format!("because of {}", list(binding)),
    };
    let aws = planned.aws_formula.shards;
    let golden = planned.golden_shards.filter(|golden| *golden < plan.shards);
    let golden = golden.map_or_else(String::new, |golden| {
        format!("With golden-ratio hash keys it would be {golden}.\n")
    });
    format!(
        "{}{}, {why}.\nAWS's formula, which knows the mean size alone, says {aws}.\n{golden}",
        fleet(question),
        shards(plan.shards),
    )
}

fn list(constraints: &[Constraint]) -> String {
    constraints.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

/// Each constraint, with what it needs and what is used of it with one shard less and more.
fn constraints(planned: &Planned) -> Vec<Vec<String>> {
    let plan = &planned.plan;
    let outlooks: Vec<_> = plan.less.iter().chain([&plan.chosen, &plan.more]).collect();
    let of_all = |name: &str, cell: &dyn Fn(&Outlook) -> String| -> Vec<String> {
        let start = [name.to_owned(), String::new(), String::new()];
        start.into_iter().chain(outlooks.iter().map(|outlook| cell(outlook))).collect()
    };
    let head = outlooks.iter().map(|outlook| shards(outlook.shards));
    let mut rows = vec![row(["", "allowed", "needs"]).into_iter().chain(head).collect()];
    for check in &plan.chosen.checks {
        let constraint = check.constraint();
        let need = planned.needs.iter().find(|need| need.constraint == constraint);
        let need = need.and_then(|need| need.shards);
        let needs = need.map_or_else(|| "none will do".to_owned(), |need| need.to_string());
        let cells = outlooks.iter().map(|outlook| shown(outlook.check(constraint)));
        rows.push(
            [constraint.to_string(), allowed(check), needs].into_iter().chain(cells).collect(),
        );
    }
    rows.push(of_all("devices on the hottest", &|outlook| number_of(outlook.hottest.devices)));
    rows.push(of_all("times the fair share", &|outlook| format!("{:.2}", outlook.hottest.skew)));
    rows
}

/// What a check allows.
fn allowed(check: &Check) -> String {
    match check {
        Check::Records { target, .. } | Check::Bytes { target, .. } => per_cent(target.get()),
        Check::Reads { fraction, .. } => per_cent(fraction.get()),
        Check::Delay(wait) | Check::Restore(wait) => time(wait.allowed),
        Check::Drain { within, .. } => time(*within),
        Check::Growth { horizon_months, .. } => format!("{horizon_months} months"),
    }
}

/// What is used of it, marked if that is too much.
fn shown(check: Option<&Check>) -> String {
    let Some(check) = check else { return String::new() };
    let mark = if check.holds() { "" } else { "✗ " };
    format!("{mark}{}", used(check))
}

fn used(check: &Check) -> String {
    match check {
        Check::Records { hottest_per_s, .. } => {
            per_cent(hottest_per_s / f64::from(SHARD_RECORDS_PER_S))
        }
        Check::Bytes { hottest_per_s, .. } => {
            per_cent(hottest_per_s / f64::from(SHARD_BYTES_PER_S))
        }
        Check::Reads { hottest_per_s, sharing, .. } => {
            per_cent(hottest_per_s * f64::from(*sharing) / f64::from(SHARD_READ_BYTES_PER_S))
        }
        Check::Delay(Wait { p99, .. }) | Check::Restore(Wait { p99, .. }) => wait(*p99),
        Check::Drain { takes, .. } => wait(*takes),
        Check::Growth { months, .. } => {
            months.map_or_else(|| "for ever".to_owned(), |months| format!("{months:.1} months"))
        }
    }
}

/// What one shard less would save and break, and what one more would cost and buy.
fn neighbours(planned: &Planned) -> String {
    let plan = &planned.plan;
    let dollars = |bill: &Bill| bill.provisioned.map(|cost| cost.total());
    let now = dollars(&planned.bill);
    let apart = |bill: &Bill| now.zip(dollars(bill)).map(|(now, then)| then - now);
    let mut text = String::new();
    if let (Some(less), Some(bill)) = (&plan.less, &planned.bill_less) {
        let saves = apart(bill)
            .map_or_else(String::new, |saved| format!(" would save {} a month and", Usd(-saved.0)));
        let broken = less.checks.iter().filter(|check| !check.holds()).map(|check| {
            format!("{} ({}, allowed {})", check.constraint(), used(check), allowed(check))
        });
        let broken = broken.collect::<Vec<_>>().join(", ");
        text += &format!("One shard less{saves} break {broken}.\n");
    }
    let costs = apart(&planned.bill_more)
        .map_or_else(String::new, |more| format!(" would cost {more} a month more:"));
    let bought = plan.chosen.checks.iter().filter_map(|check| {
        let (before, after) = (used(check), used(plan.more.check(check.constraint())?));
        (before != after).then(|| format!("{} {before} → {after}", check.constraint()))
    });
    let bought = bought.collect::<Vec<_>>().join(", ");
    text += &format!("One shard more{costs} {bought}.\n");
    text
}

/// How the shards are reached, and when the next is due.
fn outlook(question: &Question, planned: &Planned) -> String {
    let mut text = String::new();
    if let Some(now) = question.keys.current_shards
        && !planned.ladder.is_empty()
    {
        text += &format!(
            "From {} in {} of the {RESHARDS_PER_DAY} steps of a day: {}.\n",
            shards(now),
            planned.ladder.len(),
            planned.ladder.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        );
    }
    if let Some(Check::Growth { months, .. }) = planned.plan.chosen.check(Constraint::Growth) {
        text += &months.map_or_else(
            || "The fleet never outgrows them.\n".to_owned(),
            |months| format!("The next shard is due in {months:.1} months.\n"),
        );
    }
    if !planned.by_month.is_empty() {
        let cell = |shards: &Option<NonZeroU32>| {
            shards.map_or_else(|| "none".to_owned(), |shards| shards.to_string())
        };
        let cells = planned.by_month.iter();
        let months = cells.clone().map(|month| month.months.to_string());
        let needed = cells.map(|month| cell(&month.shards));
        let rows = [
            std::iter::once("after months".to_owned()).chain(months).collect(),
            std::iter::once("shards".to_owned()).chain(needed).collect(),
        ];
        text += &format!("\n{}", columns(&rows));
    }
    text
}

fn costs(question: &Question, bill: &Bill) -> String {
    let mut rows =
        vec![row(["a month", "shards or stream", "in", "out", "fan-out", "retention", "total"])];
    rows.extend(bill.modes().map(|(mode, cost)| {
        let name = match mode {
            Mode::Provisioned => "provisioned",
            Mode::OnDemand => "on demand",
            Mode::Advantage if cost.at_floor => "advantage, at its floor",
            Mode::Advantage => "advantage",
        };
        let Cost { capacity, ingest, reads, fan_out, retention, .. } = cost;
        let parts = [capacity, ingest, reads, fan_out, retention, cost.total()];
        std::iter::once(name.to_owned()).chain(parts.iter().map(ToString::to_string)).collect()
    }));
    let Question { region_name, prices_date, .. } = question;
    let firehose = bill
        .firehose
        .map_or_else(String::new, |cost| format!("; delivery by Firehose would add {cost}"));
    format!("{}prices of {region_name}, {prices_date}{firehose}\n", columns(&rows))
}

/// What a gateway for the whole fleet needs.
fn machine(planned: &Planned) -> String {
    let it = &planned.footprint;
    let mut text = format!(
        "A gateway for all of it uses {:.3} cores, {} of memory and {} of uplink",
        it.cores,
        bytes(it.memory_bytes),
        bits_per_s(it.uplink_bits_per_s),
    );
    if it.outage_records > 0.0 {
        text += &format!(
            "; while it catches up,\n{:.3} cores and {}, with {} records on {} of disk",
            it.cores_catching_up,
            bits_per_s(it.uplink_bits_per_s_catching_up),
            number(it.outage_records),
            bytes(it.disk_bytes),
        );
    }
    text + ".\n"
}

fn warnings(warnings: &[Said]) -> String {
    let lines = warnings.iter().map(|warning| format!("! {}\n", warning.says));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn formulas(outlook: &Outlook) -> String {
    let lines = outlook.checks.iter().map(|check| {
        let verdict = if check.holds() { "holds" } else { "broken" };
        format!("{} ({verdict}): {}\n", check.constraint(), check.explain())
    });
    format!("\nWith {}:\n{}", shards(outlook.shards), lines.collect::<String>())
}
