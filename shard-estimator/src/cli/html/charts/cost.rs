//! What months cost.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::super::chart::{Axis, Chart, Paint, Shape, Side};
use super::{ROOM, short};
use crate::bill::{Bill, Cost};
use crate::cli::figures::costs::{PARTS, name, parts};
use crate::cli::question::Question;
use crate::cli::report::Planned;
use crate::cli::words::{grouped, shards};
use crate::number::real;

/// What the months cost with fewer and more shards, and which are too few.
pub(in crate::cli::html) fn cost_by_shards(
    question: &Question,
    planned: &Planned<'_>,
) -> Option<Chart> {
    /// Numbers of shards that are looked at, at most.
    const LOOKS: u32 = 40;
    let plan = &planned.plan;
    let pick = plan.shards.get();
    let (from, to) = ((pick / 2).max(1), (pick + pick / 2).max(pick + 4));
    let step = (to - from).div_ceil(LOOKS).max(1);
    let candidates =
        (from..=to).filter(|n| n.abs_diff(pick) % step == 0).filter_map(NonZeroU32::new);
    let cost = |shards| Bill::of(&question.estimator, shards, &question.region).provisioned;
    let costs: Vec<(NonZeroU32, Cost)> =
        candidates.map(|shards| Some((shards, cost(shards)?))).collect::<Option<_>>()?;
    let y = dollars(costs.iter().map(|(_, cost)| cost.total().0));
    let half = f64::from(step) / 2.0;
    let x = Axis::whole("shards", (f64::from(from) - half, f64::from(to) + half));
    let shown: Vec<_> = costs.iter().map(|(shards, _)| *shards).collect();
    let too_few: BTreeSet<_> = question.estimator.too_few(&shown).into_iter().collect();
    let suffices = |shards| !too_few.contains(&shards);
    let mut shapes = Vec::new();
    for run in costs.chunk_by(|one, next| suffices(one.0) == suffices(next.0)) {
        if let [(first, _), ..] = run
            && let [.., (last, _)] = run
            && !suffices(*first)
        {
            let x = (f64::from(first.get()) - half, f64::from(last.get()) + half);
            shapes.push(Shape::Bar { x, y: y.ends(), paint: Paint::Shade });
        }
    }
    for (shards, cost) in &costs {
        let at = f64::from(shards.get());
        let rest = (cost.total() - cost.capacity).0;
        let x = (at - 0.8 * half, at + 0.8 * half);
        shapes.push(Shape::Bar { x, y: (0.0, rest), paint: Paint::Second });
        shapes.push(Shape::Bar { x, y: (rest, cost.total().0), paint: Paint::First });
    }
    let total = planned.bill.provisioned?.total();
    let at = (f64::from(pick), total.0);
    let above = (at.0, 0.93 * y.ends().1);
    shapes.push(Shape::Line { points: vec![at, above], paint: Paint::Ink });
    shapes.push(Shape::Dot { at, paint: Paint::Ink });
    let text = format!("{}: {total}", grouped(at.0));
    shapes.push(Shape::Note { at: above, side: Side::Above, text, paint: Paint::Ink });
    Some(Chart {
        title: "What a month costs, by shards",
        about: format!(
            "{} cost {total} a month. Of the numbers from {from} to {to} that are shown, {} break a goal.",
            shards(plan.shards),
            too_few.len(),
        ),
        x,
        y,
        shapes,
        legend: vec![
            (Paint::First, "shards".to_owned()),
            (Paint::Second, "PUT units and the rest".to_owned()),
            (Paint::Shade, "too few: a goal is broken".to_owned()),
            (Paint::Ink, "the plan".to_owned()),
        ],
    })
}

/// What a month costs in each mode; `None` where no price is known.
pub(in crate::cli::html) fn cost_by_mode(bill: &Bill) -> Option<Chart> {
    const PAINTS: [Paint; 5] =
        [Paint::First, Paint::Second, Paint::Third, Paint::Fourth, Paint::Fifth];
    let modes: Vec<_> = bill.modes().collect();
    let count = real(modes.len() as u64);
    let cheapest = modes.iter().map(|(_, cost)| cost.total().0).min_by(f64::total_cmp)?;
    let y = dollars(modes.iter().map(|(_, cost)| cost.total().0));
    let (mut shapes, mut ticks, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for (n, (mode, cost)) in modes.iter().enumerate() {
        let middle = real(n as u64) + 0.5;
        let mut below = 0.0;
        for (part, paint) in parts(cost).into_iter().zip(PAINTS) {
            let (x, y) = ((middle - 0.28, middle + 0.28), (below, below + part.0));
            below += part.0;
            shapes.extend((part.0 > 0.0).then_some(Shape::Bar { x, y, paint }));
        }
        let is_cheapest = cost.total().0 <= cheapest;
        let paint = if is_cheapest { Paint::Ink } else { Paint::Muted };
        let at = (middle, below);
        let text = cost.total().to_string();
        said.push(format!("{} {text}", name(*mode, cost)));
        shapes.push(Shape::Note { at, side: Side::Above, text, paint });
        ticks.push((middle, name(*mode, cost).to_owned()));
    }
    let is_used = |part: usize| {
        modes.iter().any(|(_, cost)| parts(cost).get(part).is_some_and(|part| part.0 > 0.0))
    };
    let legend = PARTS.into_iter().zip(PAINTS).enumerate();
    Some(Chart {
        title: "What a month costs, by mode",
        about: format!("{}.", said.join("; ")),
        x: Axis::at("", (0.0, count), ticks),
        y,
        shapes,
        legend: legend
            .filter(|(part, _)| is_used(*part))
            .map(|(_, (part, paint))| (paint, part.to_owned()))
            .collect(),
    })
}

fn dollars(totals: impl Iterator<Item = f64>) -> Axis {
    let highest = totals.fold(0.01, f64::max);
    let short = short(highest);
    let label = |dollars| format!("${}", short(dollars));
    Axis::round("US dollars a month", (0.0, highest * ROOM), label)
}
