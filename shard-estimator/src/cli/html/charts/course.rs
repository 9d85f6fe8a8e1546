//! What happens in the course of hours, and of months.

use std::time::Duration;

use super::super::chart::{Axis, Chart, Paint, Shape};
use super::{ROOM, short};
use crate::cli::question::Question;
use crate::cli::report::Planned;
use crate::cli::words::{shards, time, wait};
use crate::{Check, Constraint, Outlook};

/// What waits for the hottest shard after an outage; `None` if none was asked about.
pub(in crate::cli::html) fn backlog(outlooks: &[(Paint, &Outlook)]) -> Option<Chart> {
    let (_, chosen) = outlooks.iter().find(|(paint, _)| *paint == Paint::First)?;
    let Some(Check::Drain { outage, takes, within, .. }) = chosen.check(Constraint::Drain) else {
        return None;
    };
    let hours = |time: Duration| time.as_secs_f64() / 3_600.0;
    let (gone, within_h) = (hours(*outage), hours(*within));
    let longest = takes.map_or(within_h, hours).max(within_h);
    let x_end = gone + 1.08 * longest;
    let curves: Vec<_> = outlooks
        .iter()
        .filter_map(|(paint, outlook)| {
            Some((*paint, outlook.shards, waiting(outlook, gone, x_end)?))
        })
        .collect();
    let highest = curves.iter().flat_map(|(.., points)| points).map(|(_, waits)| *waits);
    let highest = highest.fold(0.0, f64::max);
    let x = Axis::round("hours since the outage began", (0.0, x_end), short(x_end));
    let y = Axis::round("records waiting, hottest shard", (0.0, highest * ROOM), short(highest));
    let mut shapes = vec![Shape::Bar { x: (0.0, gone), y: y.ends(), paint: Paint::Shade }];
    shapes.push(Shape::plumb(gone + within_h, &y, Paint::Limit));
    let mut legend = vec![
        (Paint::Shade, "the stream is away".to_owned()),
        (Paint::Limit, format!("should be done: after {} more", time(*within))),
    ];
    for (paint, count, points) in curves {
        shapes.push(Shape::Line { points, paint });
        legend.push((paint, shards(count)));
    }
    Some(Chart {
        title: "What waits after an outage",
        about: format!(
            "Records waiting for the hottest shard while the stream is away for {} and after it; \
             with {} it takes {} to catch up.",
            time(*outage),
            shards(chosen.shards),
            wait(*takes),
        ),
        x,
        y,
        shapes,
        legend,
    })
}

/// Hours since the outage began, and the records that wait then.
fn waiting(outlook: &Outlook, gone_h: f64, end_h: f64) -> Option<Vec<(f64, f64)>> {
    let Some(Check::Drain { used, takes, .. }) = outlook.check(Constraint::Drain) else {
        return None;
    };
    let per_h = outlook.hottest.records_per_s * 3_600.0;
    let most = per_h * gone_h;
    let drained_h = takes.map(|takes| gone_h + takes.as_secs_f64() / 3_600.0);
    let tail = match drained_h {
        Some(at) if at <= end_h => vec![(at, 0.0), (end_h, 0.0)],
        Some(_) | None => {
            // What comes in, less what the limiter lets out.
            let grows_per_h = per_h * (1.0 - used.recip());
            vec![(end_h, most + grows_per_h * (end_h - gone_h))]
        }
    };
    Some([(0.0, 0.0), (gone_h, most)].into_iter().chain(tail).collect())
}

/// Labels up to a month, as many as are legible.
fn quarters(last: u32) -> Vec<(f64, String)> {
    let apart = 3 * last.div_ceil(24).max(1);
    let months = (0..=last / apart).map(|n| n * apart);
    months.map(|month| (f64::from(month), month.to_string())).collect()
}

/// Shards that a growing fleet needs; `None` if it does not grow.
pub(in crate::cli::html) fn shards_by_month(
    question: &Question,
    planned: &Planned<'_>,
) -> Option<Chart> {
    let horizon = f64::from(question.estimator.goals().growth?.horizon_months);
    let needed: Vec<(f64, f64)> = planned
        .by_month
        .iter()
        .filter_map(|month| Some((f64::from(month.months), f64::from(month.shards?.get()))))
        .collect();
    let last = needed.last()?.0;
    let pick = f64::from(planned.plan.shards.get());
    let highest = needed.iter().map(|(_, shards)| *shards).fold(pick, f64::max);
    let x = Axis::at(
        "months from now",
        (0.0, (last * 1.03).max(1.0)),
        quarters(planned.by_month.last()?.months),
    );
    let y = Axis::whole("shards", (0.0, highest * ROOM));
    let dots = needed.iter().map(|at| Shape::Dot { at: *at, paint: Paint::First });
    let mut shapes = vec![
        Shape::plumb(horizon.min(last), &y, Paint::Fifth),
        Shape::level(&x, pick, Paint::Ink),
        Shape::Line { points: needed.clone(), paint: Paint::First },
    ];
    shapes.extend(dots);
    Some(Chart {
        title: "Shards needed as the fleet grows",
        about: format!("The plan's {pick} shards should suffice for {horizon} months."),
        x,
        y,
        shapes,
        legend: vec![
            (Paint::First, "needed".to_owned()),
            (Paint::Ink, format!("the plan: {pick}")),
            (Paint::Fifth, format!("the horizon: {horizon} months")),
        ],
    })
}
