//! What there is to say about a plan, in words and rows: the table and the page show the same.

use std::num::NonZeroU32;
use std::time::Duration;

use super::question::Question;
use super::report::{Planned, Reverse};
use super::running::Holding;
use super::words::{bits_per_s, bytes, grouped, number, per_cent, shards, time, wait};
use crate::bill::{Bill, Usd};
use crate::limits::{
    RESHARDS_PER_DAY, SHARD_BYTES_PER_S, SHARD_READ_BYTES_PER_S, SHARD_RECORDS_PER_S,
};
use crate::{Check, Constraint, Footprint, Outlook, Wait, drain_time};

pub(super) mod costs;
pub(super) mod formulas;

/// Rows of cells; the first row is the head, the first cell of each says what the row is about.
pub(super) type Rows = Vec<Vec<String>>;

/// What is planned for: a line for each class, and all of them together.
pub(super) fn fleet(question: &Question) -> Vec<String> {
    let fleet = question.estimator.fleet();
    let class = |class: &crate::Class| {
        format!(
            "{} {}, each with a record of {} every {}",
            grouped(class.count()),
            class.name,
            bytes(class.record_bytes()),
            time(class.period),
        )
    };
    let together = format!(
        "together {} records/s and {}/s, keys included",
        number(fleet.records_per_s()),
        bytes(fleet.bytes_per_s()),
    );
    fleet.classes().iter().map(class).chain([together]).collect()
}

/// What makes the plan as large as it is.
pub(super) fn because(planned: &Planned<'_>) -> String {
    match planned.plan.binding.as_slice() {
        [] => "the least that a stream can have".to_owned(),
        binding => format!("because of {}", list(binding)),
    }
}

/// Whether the shards that a running gateway has are enough.
pub(super) fn holding(question: &Question, planned: &Planned<'_>) -> Vec<String> {
    let Some(holding) = planned.holding else { return Vec::new() };
    let Holding { holds, needed, planned: anew, hottest_used, throttled, warned, .. } = holding;
    let others = (holding.gateways > NonZeroU32::MIN).then(|| {
        format!("This is of this gateway alone: {} share the stream, add theirs.", holding.gateways)
    });
    let planned_for = question.estimator.goals().target.get();
    let verdict = match (holds, holding.shards, needed) {
        (Some(true), Some(there), _) => {
            format!("THE PLAN HOLDS: the stream has {}, and needs no more.", shards(there))
        }
        (Some(false), Some(there), Some(needed)) if needed > there => {
            format!(
                "THE PLAN NO LONGER HOLDS: the stream has {}, and needs {needed}.",
                shards(there)
            )
        }
        (Some(false), Some(there), _) => format!(
            "THE PLAN NO LONGER HOLDS, though {} should be enough: see the gateway's warning.",
            shards(there)
        ),
        (None, Some(there), Some(needed)) => {
            format!("The stream has {}, and this gateway needs {needed} of them.", shards(there))
        }
        (None, ..) | (_, None, _) => {
            "The gateway does not tell shards apart: give --current-shards.".to_owned()
        }
    };
    let hottest = hottest_used.map(|used| {
        format!(
            "There is {} of its limits to send to the hottest shard, planned for {}; {} of the \
             attempts are refused.",
            per_cent(used),
            per_cent(planned_for),
            per_cent(throttled),
        )
    });
    let anew = anew.map(|anew| format!("A new plan would take {}.", shards(anew)));
    let warned = warned.then(|| "The gateway has warned of it in its log.".to_owned());
    let verdict = std::iter::once(verdict).chain(others);
    verdict.chain(hottest).chain(anew).chain(warned).collect()
}

/// What other ways of counting say.
pub(super) fn comparisons(planned: &Planned<'_>) -> Vec<String> {
    let aws = planned.aws_formula.shards;
    let aws = format!("AWS's formula, which knows the mean size alone, says {aws}.");
    let golden = planned.golden_shards.filter(|golden| *golden < planned.plan.shards);
    let golden = golden.map(|golden| format!("With golden-ratio hash keys it would be {golden}."));
    std::iter::once(aws).chain(golden).collect()
}

fn list(constraints: &[Constraint]) -> String {
    constraints.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).into()
}

/// Each constraint, with what it needs and what is used of it with one shard less and more.
pub(super) fn constraints(planned: &Planned<'_>) -> Rows {
    let plan = &planned.plan;
    let outlooks: Vec<_> = plan.less.iter().chain([&plan.chosen, &plan.more]).collect();
    let head = outlooks.iter().map(|outlook| shards(outlook.shards));
    let mut rows = vec![row(["", "allowed", "needs"]).into_iter().chain(head).collect()];
    for check in &plan.chosen.checks {
        let constraint = check.constraint();
        let need = planned.needs.iter().find(|need| need.constraint == constraint);
        let need = need.and_then(|need| need.shards);
        let needs = need.map_or_else(|| "none will do".to_owned(), |need| need.to_string());
        let cells = outlooks.iter().map(|outlook| shown(outlook.check(constraint)));
        rows.push([about(check), allowed(check), needs].into_iter().chain(cells).collect());
    }
    let of_all = |name: &str, cell: &dyn Fn(&Outlook) -> String| -> Vec<String> {
        let start = row([name, "", ""]);
        start.into_iter().chain(outlooks.iter().map(|outlook| cell(outlook))).collect()
    };
    rows.push(of_all("devices on the hottest", &|outlook| grouped(outlook.hottest.devices)));
    rows.push(of_all("times the fair share", &|outlook| format!("{:.2}", outlook.hottest.skew)));
    rows
}

/// Each constraint, and what so many shards use of it.
pub(super) fn checks(outlook: &Outlook) -> Rows {
    let rows =
        outlook.checks.iter().map(|check| vec![about(check), allowed(check), shown(Some(check))]);
    std::iter::once(row(["", "allowed", "used"])).chain(rows).collect()
}

/// What a check is about: the constraint's name, and what it looks at.
pub(super) fn about(check: &Check) -> String {
    let about = match check {
        Check::Records { .. } | Check::Bytes { .. } => "into the hottest shard".to_owned(),
        Check::Reads { .. } => "out of the hottest shard".to_owned(),
        Check::Delay(_) => "p99 of aligned reports".to_owned(),
        Check::Pieces(_) => "p99 of large records, at least".to_owned(),
        Check::Restore(_) => "p99 of what was kept".to_owned(),
        Check::Drain { outage, .. } => format!("catching up after {} away", time(*outage)),
        Check::Growth { .. } => "when the next shard is due".to_owned(),
    };
    format!("{}: {about}", check.constraint())
}

/// What a check allows.
pub(super) fn allowed(check: &Check) -> String {
    match check {
        Check::Records { target, .. } | Check::Bytes { target, .. } => per_cent(target.get()),
        Check::Reads { fraction, .. } => per_cent(fraction.get()),
        Check::Delay(wait) | Check::Restore(wait) => time(wait.allowed),
        Check::Pieces(pieces) => time(pieces.allowed),
        Check::Drain { within, .. } => time(*within),
        Check::Growth { horizon_months, .. } => format!("{horizon_months} months"),
    }
}

/// What is used of it, marked if that is too much.
fn shown(check: Option<&Check>) -> String {
    let Some(check) = check else { return String::new() };
    let mark = if check.holds() { "" } else { BROKEN };
    format!("{mark}{}", used(check))
}

/// Stands before what is too much.
pub(super) const BROKEN: &str = "✗ ";

/// The less, the better.
fn need(check: &Check) -> f64 {
    let seconds = |time: Option<Duration>| time.map_or(f64::INFINITY, |time| time.as_secs_f64());
    match check {
        Check::Records { hottest_per_s, .. }
        | Check::Bytes { hottest_per_s, .. }
        | Check::Reads { hottest_per_s, .. } => *hottest_per_s,
        Check::Pieces(pieces) => pieces.p99.as_secs_f64(),
        Check::Delay(Wait { p99, .. }) | Check::Restore(Wait { p99, .. }) => seconds(*p99),
        Check::Drain { takes, .. } => seconds(*takes),
        Check::Growth { months, .. } => -months.unwrap_or(f64::INFINITY),
    }
}

/// What is used of what a check allows.
pub(super) fn used(check: &Check) -> String {
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
        Check::Pieces(pieces) => time(pieces.p99),
        Check::Delay(Wait { p99, .. }) | Check::Restore(Wait { p99, .. }) => wait(*p99),
        Check::Drain { takes, .. } => wait(*takes),
        Check::Growth { months, .. } => {
            months.map_or_else(|| "never".to_owned(), |months| format!("{months:.1} months"))
        }
    }
}

/// What one shard less would save and break, and what one more would cost and buy.
pub(super) fn neighbours(planned: &Planned<'_>) -> Vec<String> {
    let plan = &planned.plan;
    let dollars = |bill: &Bill| bill.provisioned.map(|cost| cost.total());
    let now = dollars(&planned.bill);
    let apart = |bill: &Bill| now.zip(dollars(bill)).map(|(now, then)| then - now);
    let mut lines = Vec::new();
    if let (Some(less), Some(bill)) = (&plan.less, &planned.bill_less) {
        let saves = apart(bill)
            .map_or_else(String::new, |saved| format!(" save {} a month and", Usd(-saved.0)));
        let broken = less.checks.iter().filter(|check| !check.holds()).map(|check| {
            format!("{} ({}, allowed {})", check.constraint(), used(check), allowed(check))
        });
        let broken = broken.collect::<Vec<_>>().join(", ");
        lines.push(format!("One shard less would{saves} break {broken}."));
    }
    let costs = apart(&planned.bill_more)
        .map_or_else(String::new, |more| format!(" cost {more} a month more and"));
    let changes = |to_the_better: bool| {
        let change = |check: &Check| {
            let more = plan.more.check(check.constraint())?;
            let (before, after) = (used(check), used(more));
            let is_better = need(more) < need(check);
            (before != after && is_better == to_the_better)
                .then(|| format!("{} {before} → {after}", check.constraint()))
        };
        plan.chosen.checks.iter().filter_map(change).collect::<Vec<_>>().join(", ")
    };
    let (bought, worse) = (changes(true), changes(false));
    let bought = if bought.is_empty() { "nothing" } else { &bought };
    let worse = if worse.is_empty() { worse } else { format!(", and make worse {worse}") };
    lines.push(format!("One shard more would{costs} buy {bought}{worse}."));
    lines
}

/// An outage that every plan should be looked at with.
const HOUR: Duration = Duration::from_secs(3_600);

/// How the shards are reached, how they bear an outage, and when the next is due.
pub(super) fn outlook(question: &Question, planned: &Planned<'_>) -> Vec<String> {
    let chosen = &planned.plan.chosen;
    let mut lines = Vec::new();
    if let Some(now) = question.keys.current_shards
        && !planned.ladder.is_empty()
    {
        lines.push(format!(
            "From {} in {} of the {RESHARDS_PER_DAY} steps of a day: {}.",
            shards(now),
            planned.ladder.len(),
            planned.ladder.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        ));
    }
    if chosen.check(Constraint::Drain).is_none() {
        let fraction = question.estimator.goals().fraction.get();
        let used = chosen.hottest.records_used.max(chosen.hottest.bytes_used) / fraction;
        let takes = drain_time(HOUR, used).map_or_else(
            || "never be caught up with".to_owned(),
            |takes| format!("be caught up with in {}", time(takes)),
        );
        lines.push(format!("No outage was asked about: one of an hour would {takes}."));
    }
    if let Some(Check::Growth { months, .. }) = chosen.check(Constraint::Growth) {
        lines.push(months.map_or_else(
            || "The fleet never outgrows them.".to_owned(),
            |months| format!("The next shard is due in {months:.1} months."),
        ));
    }
    lines
}

/// The shards that a growing fleet needs, by month; no rows if it does not grow.
pub(super) fn months(planned: &Planned<'_>) -> Rows {
    if planned.by_month.is_empty() {
        return Rows::new();
    }
    let cell = |shards: &Option<NonZeroU32>| {
        shards.map_or_else(|| "none".to_owned(), |shards| shards.to_string())
    };
    let cells = planned.by_month.iter();
    let months = cells.clone().map(|month| month.months.to_string());
    let needed = cells.map(|month| cell(&month.shards));
    vec![
        std::iter::once("after months".to_owned()).chain(months).collect(),
        std::iter::once("shards".to_owned()).chain(needed).collect(),
    ]
}

/// What a gateway for the whole fleet needs, and each of several that share it.
pub(super) fn machine(question: &Question, planned: &Planned<'_>) -> Vec<String> {
    let each = planned.footprint_each.as_ref().map(|each| {
        let whose = format!("Each of {} gateways with an even part of it", question.gateways());
        machine_of(&whose, each)
    });
    let one = machine_of("A gateway for all of it", &planned.footprint);
    [Some(one), each].into_iter().flatten().flatten().collect()
}

fn machine_of(whose: &str, it: &Footprint) -> Vec<String> {
    let now = format!(
        "{whose} uses {:.3} cores, {} of memory and {} of uplink.",
        it.cores,
        bytes(it.memory_bytes),
        bits_per_s(it.uplink_bits_per_s),
    );
    let catching_up = (it.outage_records > 0.0).then(|| {
        format!(
            "While it catches up, {:.3} cores and {}, with {} records on {} of disk.",
            it.cores_catching_up,
            bits_per_s(it.uplink_bits_per_s_catching_up),
            grouped(it.outage_records),
            bytes(it.disk_bytes),
        )
    });
    std::iter::once(now).chain(catching_up).collect()
}

/// What shards can carry.
pub(super) fn carried(reverse: &Reverse<'_>) -> Vec<String> {
    let Reverse { outlook, carried, .. } = reverse;
    let carries = format!(
        "{} carry {} devices in these proportions, {} times as many: {} records/s.",
        shards(outlook.shards),
        grouped(f64::from(carried.devices)),
        number(carried.times),
        number(carried.records_per_s),
    );
    let outage = carried.outage.map(|outage| match outage {
        Duration::ZERO => "They do not catch up after any outage: more comes than goes.".to_owned(),
        outage => format!("The longest outage that is caught up with in time: {}.", time(outage)),
    });
    std::iter::once(carries).chain(outage).collect()
}
