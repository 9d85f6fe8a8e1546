//! What each shard is sent.

use std::num::NonZeroU32;

use super::super::chart::{Axis, Chart, Paint, Shape};
use super::{ROOM, per_cent_short};
use crate::cli::question::Question;
use crate::cli::words::{per_cent, shards};
use crate::number::real;
use crate::{Estimator, Outlook, Placement};

/// What each shard is sent, the hottest first.
pub(in crate::cli::html) fn load_by_shard(question: &Question, outlook: &Outlook) -> Chart {
    let estimator = &question.estimator;
    let goals = estimator.goals();
    let planned_for = outlook.hottest.records_used.max(outlook.hottest.bytes_used);
    let placed = hottest_first(estimator, outlook.shards);
    let golden = question.golden().map(|golden| hottest_first(&golden, outlook.shards));
    let highest = placed.iter().map(|(_, used)| *used).fold(planned_for.max(1.0), f64::max);
    let count = f64::from(outlook.shards.get());
    let width = count / real(placed.len() as u64);
    let x = Axis::whole("shards, the hottest first", (0.0, count));
    let y = Axis::round("of a shard's limit", (0.0, highest * ROOM), per_cent_short);
    let target = goals.target.get();
    // Between very many bars it would be finer than a pixel.
    let gap = if placed.len() > 60 { 0.0 } else { 0.1 * width };
    let bar = |&(at, used): &(f64, f64)| Shape::Bar {
        x: (at + gap, at + width - gap),
        y: (0.0, used),
        paint: Paint::First,
    };
    let mut shapes: Vec<_> = placed.iter().map(bar).collect();
    shapes.extend(golden.as_ref().map(|golden| {
        let ends = golden.iter().flat_map(|&(at, used)| [(at, used), (at + width, used)]);
        Shape::Line { points: ends.collect(), paint: Paint::Third }
    }));
    shapes.push(Shape::level(&x, planned_for, Paint::Second));
    shapes.push(Shape::level(&x, target, Paint::Fifth));
    shapes.push(Shape::level(&x, 1.0, Paint::Limit));
    let mut legend = vec![
        (Paint::First, placement_words(goals.placement).to_owned()),
        (Paint::Second, format!("planned for: {}", per_cent(planned_for))),
        (Paint::Fifth, format!("target: {}", per_cent(target))),
        (Paint::Limit, "limit".to_owned()),
    ];
    if golden.is_some() {
        legend.insert(1, (Paint::Third, "golden-ratio keys".to_owned()));
    }
    Chart {
        title: "What each shard is sent",
        about: format!(
            "Of {}, the hottest uses {} of its nearer limit; planned for are {}.",
            shards(outlook.shards),
            per_cent(placed.first().map_or(0.0, |(_, used)| *used)),
            per_cent(planned_for),
        ),
        x,
        y,
        shapes,
        legend,
    }
}

fn placement_words(placement: Placement) -> &'static str {
    match placement {
        Placement::Md5 => "MD5 of the key",
        Placement::Golden => "golden-ratio keys",
        Placement::Even => "even shares",
    }
}

/// Each shard's place in the row, and what it uses; of very many shards, some.
fn hottest_first(estimator: &Estimator, shards: NonZeroU32) -> Vec<(f64, f64)> {
    const BARS: usize = 160;
    let mut used = estimator.used_by_shard(shards);
    used.sort_unstable_by(|one, other| other.total_cmp(one));
    let every = used.len().div_ceil(BARS);
    let placed = used.into_iter().enumerate().step_by(every);
    placed.map(|(place, used)| (real(place as u64), used)).collect()
}
