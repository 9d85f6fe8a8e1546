//! Axes: what is measured, and where it is labelled.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use crate::cli::words::grouped;

/// An axis: what it measures, from where to where, and where it is labelled.
#[derive(Clone)]
pub(in crate::cli::html) struct Axis {
    pub(super) name: &'static str,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Labelled at round numbers.
    pub(in crate::cli::html) fn round(
        name: &'static str,
        (from, to): (f64, f64),
        label: impl Fn(f64) -> String,
    ) -> Self {
        /// About so many labels.
        const LABELS: f64 = 6.0;
        let rough = ((to - from) / LABELS).max(f64::MIN_POSITIVE);
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .map(|digit| digit * power)
            .into_iter()
            .find(|step| *step >= rough * (1.0 - 1e-9))
            .unwrap_or(10.0 * power);
        let first = (from / step).ceil();
        let ticks = (0..=20).map(|n| (first + f64::from(n)) * step).take_while(|at| *at <= to);
        Self { name, from, to, ticks: ticks.map(|at| (at, label(at))).collect() }
    }

    /// The same in whole numbers.
    pub(in crate::cli::html) fn whole(name: &'static str, range: (f64, f64)) -> Self {
        let mut axis = Self::round(name, range, grouped);
        axis.ticks.retain(|(at, _)| (at - at.round()).abs() < 1e-6);
        axis
    }

    /// Labelled where it says.
    pub(in crate::cli::html) fn at(
        name: &'static str,
        (from, to): (f64, f64),
        ticks: Vec<(f64, String)>,
    ) -> Self {
        Self { name, from, to, ticks }
    }

    /// From where to where.
    pub(in crate::cli::html) fn ends(&self) -> (f64, f64) {
        (self.from, self.to)
    }
}

impl Ranged for Axis {
    type ValueType = f64;
    type FormatOption = NoDefaultFormatting;

    fn map(&self, value: &f64, pixels: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.from..self.to).map(value, pixels)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let is_it = |tick: &&(f64, String)| (tick.0 - value).abs() < 1e-9;
        self.ticks.iter().find(is_it).map(|(_, label)| label.clone()).unwrap_or_default()
    }
}
