//! The table that the README shows.

use std::fmt::Write;

use crate::bucket::whole;
use crate::figures::Figures;
use crate::scene::Change;

/// What a number of gateways came to in a scene, with and without being told how many they are.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) gateways: u32,
    pub(crate) change: Change,
    pub(crate) given: Figures,
    pub(crate) unknown: Figures,
}

pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut table = "\
| load | gateways | refused, % | after a minute, % | goodput, % | fairness | least served, % | recovered, s |
|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for row in rows {
        let both = |cell: &dyn Fn(&Figures) -> String| {
            format!("{} / {}", cell(&row.given), cell(&row.unknown))
        };
        let recovered = match row.change {
            Change::None | Change::Crowd => String::new(),
            Change::Outage { to_s, .. } => {
                both(&|figures| figures.recovered_s.saturating_sub(to_s).to_string())
            }
        };
        let cells = [
            row.name.to_owned(),
            row.gateways.to_string(),
            both(&|figures| percent(figures.whole.refused())),
            both(&|figures| percent(figures.settled.refused())),
            both(&|figures| percent(figures.goodput())),
            both(&|figures| format!("{:.2}", figures.fairness())),
            both(&|figures| percent(figures.least().min(1.0))),
            recovered,
        ];
        writeln!(table, "| {} |", cells.join(" | ")).expect("a string takes all");
    }
    table
}

/// A part as people read it. What is almost nothing is not nothing.
fn percent(part: f64) -> String {
    match whole((part * 1_000.0).round()) {
        0 if part > 0.0 => "<0.1".to_owned(),
        tenths if tenths < 100 => format!("{}.{}", tenths / 10, tenths % 10),
        tenths => (tenths + 5).div_euclid(10).to_string(),
    }
}
