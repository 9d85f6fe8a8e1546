//! Predicted beside measured.

use std::fmt;
use std::time::Duration;

use shard_estimator::cli::words::{self, columns};
use shard_estimator::number::within;

use super::{Acts, Figure, Figures};

/// Loads may differ by this part of what is predicted, and by half a hundredth of a limit.
const LOAD_TOLERANCE: f64 = 0.05;
const LOAD_TOLERANCE_MIN: f64 = 0.005;
/// Waits may differ by this part, and by what a machine that is busy with everything else adds.
const WAIT_TOLERANCE: f64 = 0.2;
const WAIT_TOLERANCE_MIN_S: f64 = 0.15;
/// Waits that grow for ever are this part at least of what they should have grown to.
const GROWN_MIN: f64 = 0.5;
/// What catching up takes is steep where a shard is nearly full: at nine tenths a hundredth more load
/// makes it a tenth longer. So it is compared by the load that would make it so long.
const DRAIN_TOLERANCE: f64 = 0.05;
/// It takes a moment to find out that the stream is back, and that nothing is late any more.
const DRAIN_TOLERANCE_MIN_S: f64 = 0.5;

/// What a plan says, what was predicted for what was played of it, and what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// What is allowed.
    pub allowed: Figures,
    /// For the whole fleet, at the plan's risk.
    pub planned: Figures,
    /// For what is played, with its own keys.
    pub predicted: Figures,
    /// What was measured.
    pub measured: Figures,
    /// Whether records may wait longer than is predicted, for each other.
    pub waits_for_others: bool,
    /// The part of its limits that a shard is sent at most.
    pub fraction: f64,
    /// What was played when.
    pub acts: Acts,
    /// When all was over, and catching up was watched no longer.
    pub end: Duration,
    /// Reports that were in the gateway's spool, or with the broker, then.
    pub left: u64,
}

impl Comparison {
    /// The figures that were measured to be above what is allowed.
    #[must_use]
    pub fn broken(&self) -> Vec<Figure> {
        self.measured.broken(&self.allowed)
    }

    /// The figures in which prediction and measurement disagree.
    #[must_use]
    pub fn differing(&self) -> Vec<Figure> {
        Figure::ALL.into_iter().filter(|figure| !self.agrees(*figure)).collect()
    }

    /// Whether prediction and measurement agree: in all figures, and in whether anything is left.
    #[must_use]
    pub fn is_as_predicted(&self) -> bool {
        self.differing().is_empty() && self.leaves_as_predicted()
    }

    /// All is sent, unless catching up was not over, which the drain says, or a shard is offered more
    /// than it is sent.
    fn leaves_as_predicted(&self) -> bool {
        let watched_s = self.watched().as_secs_f64();
        let drains = self.measured.get(Figure::Drain).is_some_and(|drain_s| drain_s >= watched_s);
        let drains = drains && self.acts.outage.is_some();
        self.left == 0 || drains || self.times_full() >= 1.0
    }

    fn agrees(&self, figure: Figure) -> bool {
        let numbers = self.predicted.get(figure).zip(self.measured.get(figure));
        let Some((predicted, measured)) = numbers else { return true };
        let alike = self.holds(figure, measured) == self.holds(figure, predicted);
        match figure {
            Figure::Records | Figure::Bytes => {
                near(measured, predicted * self.sent(), LOAD_TOLERANCE, LOAD_TOLERANCE_MIN)
            }
            Figure::Throttled => alike,
            Figure::P99 if predicted.is_infinite() => {
                alike || measured >= GROWN_MIN * self.grown_wait_s()
            }
            Figure::P99 if self.waits_for_others && measured > predicted => true,
            Figure::P99 => near(measured, predicted, WAIT_TOLERANCE, WAIT_TOLERANCE_MIN_S),
            Figure::Drain => self.drains_alike(measured, predicted),
        }
    }

    fn drains_alike(&self, measured_s: f64, predicted_s: f64) -> bool {
        let outage = self.acts.outage.as_ref();
        let outage_s = outage.map_or(0.0, |outage| (outage.end - outage.start).as_secs_f64());
        let unseen = predicted_s.min(measured_s) > self.watched().as_secs_f64();
        let load = |drain_s| load(drain_s, outage_s);
        unseen
            || near(measured_s, predicted_s, 0.0, DRAIN_TOLERANCE_MIN_S)
            || near(load(measured_s), load(predicted_s), 0.0, DRAIN_TOLERANCE)
    }

    /// How long catching up was watched.
    fn watched(&self) -> Duration {
        let outage = self.acts.outage.as_ref();
        outage.map_or(Duration::ZERO, |outage| self.end - outage.end)
    }

    /// The part that is sent of what the busiest shard is offered: all of it, or what the pace allows.
    fn sent(&self) -> f64 {
        self.times_full().recip().min(1.0)
    }

    /// What a report waits that is due at the end of the steady act, where a shard is offered more
    /// than it is sent: a little more takes its time to be felt.
    fn grown_wait_s(&self) -> f64 {
        (self.times_full() - 1.0) * self.acts.steady.end.as_secs_f64()
    }

    /// What the busiest shard is offered, in times of what the pace allows.
    fn times_full(&self) -> f64 {
        let used = [Figure::Records, Figure::Bytes].map(|figure| self.predicted.get(figure));
        used.into_iter().flatten().fold(0.0, f64::max) / self.fraction
    }

    fn holds(&self, figure: Figure, value: f64) -> bool {
        self.allowed.get(figure).is_none_or(|allowed| within(value, allowed))
    }

    fn row(&self, figure: Figure) -> Option<Vec<String>> {
        let measured = self.measured.get(figure)?;
        let show = |figures: &Figures| {
            figures.get(figure).map_or_else(String::new, |value| figure.show(value))
        };
        let at_least = |text: String| {
            let is_least = figure == Figure::P99 && self.waits_for_others;
            if is_least { format!("{text} or more") } else { text }
        };
        let endless = figure == Figure::Drain && measured.is_infinite();
        let measured_text = if endless {
            format!("not in {}", words::time(self.watched()))
        } else {
            figure.show(measured)
        };
        let mark = |value: Option<f64>, text: String| {
            let holds = value.is_none_or(|value| self.holds(figure, value));
            if holds { text } else { format!("✗ {text}") }
        };
        Some(vec![
            figure.to_string(),
            show(&self.allowed),
            mark(self.planned.get(figure), at_least(show(&self.planned))),
            mark(self.predicted.get(figure), at_least(show(&self.predicted))),
            mark(Some(measured), measured_text),
            if self.holds(figure, measured) { "holds" } else { "fails" }.to_owned(),
            if self.agrees(figure) { "as predicted" } else { "DIFFERS" }.to_owned(),
        ])
    }
}

fn near(measured: f64, predicted: f64, part: f64, least: f64) -> bool {
    (measured - predicted).abs() <= least + part * predicted
}

/// The load, as a part of what can be sent, with which catching up takes so long: T ÷ (T + H).
fn load(drain_s: f64, outage_s: f64) -> f64 {
    if drain_s.is_finite() && outage_s > 0.0 { drain_s / (drain_s + outage_s) } else { 1.0 }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["", "allowed", "planned", "predicted", "measured", "", ""];
        let head = head.map(str::to_owned).to_vec();
        let rows = Figure::ALL.into_iter().filter_map(|figure| self.row(figure));
        let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
        writeln!(f, "{}", columns(&rows))?;
        let mut differing: Vec<_> = self.differing().iter().map(ToString::to_string).collect();
        if !self.leaves_as_predicted() {
            differing.push("all should have been sent when it was over".to_owned());
        }
        match differing.as_slice() {
            [] => writeln!(f, "Prediction and measurement agree.")?,
            some => writeln!(f, "Prediction and measurement differ: {}.", some.join("; "))?,
        }
        if self.left > 0 {
            writeln!(f, "{} records were not delivered when it was over.", self.left)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shard used at 0.75, of at most 0.8, sent 0.9 at most; an outage of 5 s.
    fn comparison() -> Comparison {
        let figures = |records, throttled, p99_s, drain_s| {
            Figures::from_iter([
                (Figure::Records, records),
                (Figure::Bytes, records / 2.0),
                (Figure::Throttled, throttled),
                (Figure::P99, p99_s),
                (Figure::Drain, drain_s),
            ])
        };
        let predicted = figures(0.75, 0.0, 0.9, 25.0);
        let s = Duration::from_secs;
        Comparison {
            allowed: figures(0.8, 0.005, 2.0, 40.0),
            planned: predicted.clone(),
            measured: predicted.clone(),
            predicted,
            waits_for_others: false,
            fraction: 0.9,
            acts: Acts { cycle: None, steady: s(4)..s(19), outage: Some(s(20)..s(25)) },
            end: s(75),
            left: 0,
        }
    }

    fn with(figure: Figure, predicted: f64, measured: f64) -> Comparison {
        let mut comparison = comparison();
        comparison.predicted.set(figure, predicted);
        comparison.measured.set(figure, measured);
        comparison
    }

    #[test]
    fn what_comes_as_predicted_agrees_and_what_does_not_is_named() {
        assert_eq!(comparison().differing(), []);
        for (figure, near, far) in [
            (Figure::Records, 0.77, 0.70),
            (Figure::Bytes, 0.38, 0.40),
            (Figure::Throttled, 0.004, 0.006),
            (Figure::P99, 1.2, 1.3),
            (Figure::P99, 0.6, 0.5),
            (Figure::Drain, 33.0, 45.0),
            (Figure::Drain, 20.0, 15.0),
            (Figure::Drain, 27.0, f64::INFINITY),
        ] {
            let predicted = comparison().predicted.get(figure).unwrap();
            assert_eq!(with(figure, predicted, near).differing(), [], "{figure}: {near}");
            let differs = with(figure, predicted, far);
            assert_eq!(differs.differing(), [figure], "{far}");
            assert!(differs.to_string().contains("DIFFERS"), "{differs}");
        }
    }

    #[test]
    fn what_waits_for_others_may_wait_longer_than_is_predicted_and_no_less() {
        let waits =
            |measured| Comparison { waits_for_others: true, ..with(Figure::P99, 0.9, measured) };
        assert_eq!(waits(1.8).differing(), []);
        assert_eq!(waits(0.5).differing(), [Figure::P99]);
        let fails = waits(2.3);
        assert_eq!((fails.differing(), fails.broken()), (vec![], vec![Figure::P99]));
        assert!(fails.to_string().contains("900 ms or more"), "{fails}");
    }

    #[test]
    fn what_breaks_as_predicted_agrees_and_is_marked() {
        let breaks = with(Figure::Drain, 300.0, f64::INFINITY);
        assert_eq!((breaks.differing(), breaks.broken()), (vec![], vec![Figure::Drain]));
        let text = breaks.to_string();
        assert!(text.contains("✗ not in 50 s") && text.contains("fails"), "{text}");
        let waits = with(Figure::P99, f64::INFINITY, 30.0);
        assert_eq!((waits.differing(), waits.broken()), (vec![], vec![Figure::P99]));
    }

    #[test]
    fn what_is_left_differs_unless_catching_up_is_not_over_or_a_shard_is_too_small() {
        let left = |comparison: Comparison| Comparison { left: 7, ..comparison };
        let steady = |mut comparison: Comparison| {
            comparison.acts.outage = None;
            comparison
        };
        assert!(steady(comparison()).is_as_predicted());
        let differs = left(steady(comparison()));
        assert!(!differs.is_as_predicted());
        let text = differs.to_string();
        assert!(text.contains("differ: all should have been sent"), "{text}");
        assert!(text.contains("7 records were not delivered"), "{text}");
        assert!(!left(comparison()).is_as_predicted(), "catching up was over");
        let endless = with(Figure::Drain, f64::INFINITY, f64::INFINITY);
        assert!(left(endless).is_as_predicted());
        let mut full = steady(with(Figure::P99, f64::INFINITY, 1.5));
        full.predicted.set(Figure::Records, 0.98);
        full.measured.set(Figure::Records, 0.9);
        full.measured.set(Figure::Bytes, 0.375 * 0.9 / 0.98);
        assert!(left(full).is_as_predicted());
    }

    /// A hundredth more than is sent makes reports wait 0.2 s after 19 s, where 2 s are allowed.
    #[test]
    fn waits_that_grow_slowly_are_not_expected_to_be_long_at_once() {
        for (used, near_s, far_s) in
            [(0.9, 0.03, None), (0.91, 0.15, Some(0.05)), (0.98, 1.5, Some(0.5))]
        {
            let mut full = with(Figure::P99, f64::INFINITY, near_s);
            full.predicted.set(Figure::Records, used);
            full.measured.set(Figure::Records, 0.9);
            full.measured.set(Figure::Bytes, 0.375 * 0.9 / used);
            assert_eq!(full.differing(), [], "{used}: {near_s}");
            let Some(far_s) = far_s else { continue };
            full.measured.set(Figure::P99, far_s);
            assert_eq!(full.differing(), [Figure::P99], "{used}: {far_s}");
        }
    }

    /// Two and a half times what the pace lets through.
    #[test]
    fn more_than_is_sent_is_not_expected_to_be_measured() {
        let mut full = with(Figure::Records, 2.25, 0.9);
        full.predicted.set(Figure::Bytes, 0.5);
        full.measured.set(Figure::Bytes, 0.2);
        assert_eq!(full.differing(), []);
        full.measured.set(Figure::Bytes, 0.5);
        assert_eq!(full.differing(), [Figure::Bytes]);
    }
}
