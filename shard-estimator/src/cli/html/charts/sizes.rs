//! How large records are.

use std::collections::BTreeMap;

use super::super::chart::{Axis, Chart, Paint, Shape, Side};
use super::per_cent_short;
use crate::cli::question::Question;
use crate::cli::words::bytes;
use crate::number::count_down;

/// How large records are, and where billing rounds them up.
pub(in crate::cli::html) fn sizes(question: &Question) -> Chart {
    /// Bars in an octave.
    const FINE: f64 = 4.0;
    const EDGES: [(u32, &str); 3] =
        [(1_024, "on demand"), (5_120, "Firehose"), (25_600, "PUT unit")];
    let fleet = question.estimator.fleet();
    let mut bars = BTreeMap::<u32, f64>::new();
    for class in fleet.classes() {
        let part = class.records_per_s() / fleet.records_per_s();
        for bin in class.sizes.bins() {
            let place = count_down(f64::from(bin.bytes).log2() * FINE);
            *bars.entry(place).or_default() += part * bin.share;
        }
    }
    let place = |bar: Option<&u32>| bar.map_or(0.0, |bar| f64::from(*bar) / FINE);
    let from = (place(bars.keys().next()).floor() - 1.0).clamp(0.0, 9.0);
    let to = (place(bars.keys().next_back()).ceil() + 1.0).max(17.0);
    let every = if to - from > 6.0 { 2.0 } else { 1.0 };
    let octaves = (0..32).map(f64::from).filter(|octave| {
        (from..=to).contains(octave) && (octave / every - (octave / every).round()).abs() < 1e-9
    });
    let ticks = octaves.map(|octave| (octave, power_of_two(octave))).collect();
    let x = Axis::at("bytes of a record's data", (from, to), ticks);
    let highest = bars.values().copied().fold(0.0, f64::max);
    let y = Axis::round("of all records", (0.0, (highest * 1.45).min(1.45)), per_cent_short);
    let mut shapes: Vec<_> = bars
        .iter()
        .map(|(bar, part)| {
            let at = f64::from(*bar) / FINE;
            Shape::Bar { x: (at, at + 0.92 / FINE), y: (0.0, *part), paint: Paint::First }
        })
        .collect();
    let top = y.ends().1;
    for (row, (edge, words)) in (1..).zip(EDGES) {
        let at = f64::from(edge).log2();
        shapes.push(Shape::plumb(at, &y, Paint::Limit));
        let at = (at, top * (1.0 - 0.08 * f64::from(row)));
        let note = words.to_owned();
        shapes.push(Shape::Note { at, side: Side::Right, text: note, paint: Paint::Limit });
    }
    let mean = fleet.per_record(|class| class.sizes.mean_bytes());
    Chart {
        title: "How large records are",
        about: format!("The mean is {}. Billing rounds up at 1, 5 and 25 KiB.", bytes(mean)),
        x,
        y,
        shapes,
        legend: vec![
            (Paint::First, format!("records, without keys; mean {}", bytes(mean))),
            (Paint::Limit, "billing rounds up: 1, 5, 25 KiB".to_owned()),
        ],
    }
}

fn power_of_two(octave: f64) -> String {
    let bytes = octave.exp2();
    let units = [("MiB", 20.0), ("KiB", 10.0)];
    let unit = units.into_iter().find(|(_, octaves)| octave >= *octaves);
    match unit {
        Some((unit, octaves)) => format!("{:.0} {unit}", (octave - octaves).exp2()),
        None => format!("{bytes:.0} B"),
    }
}
