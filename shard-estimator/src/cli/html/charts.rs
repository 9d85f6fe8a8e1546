//! The charts of a plan.

use crate::cli::words::grouped;

mod cost;
mod course;
mod load;
mod sizes;

pub(super) use cost::{cost_by_mode, cost_by_shards};
pub(super) use course::{backlog, shards_by_month};
pub(super) use load::load_by_shard;
pub(super) use sizes::sizes;

/// Room above the highest.
const ROOM: f64 = 1.15;

fn per_cent_short(part: f64) -> String {
    format!("{:.0} %", 100.0 * part)
}

/// `0.5`, `2`, `8,000`, `12k`, `2.4M`.
fn short(number: f64) -> String {
    let (number, unit) = match number {
        _ if number >= 1e6 => (number / 1e6, "M"),
        _ if number >= 1e4 => (number / 1e3, "k"),
        _ if number >= 1e3 => return grouped(number),
        _ => (number, ""),
    };
    let digits = format!("{number:.2}");
    format!("{}{unit}", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_axes_are_short() {
        let labels = [0.0, 0.5, 120.0, 8e3, 12e3, 2.4e6].map(short);
        assert_eq!(labels, ["0", "0.5", "120", "8,000", "12k", "2.4M"]);
    }
}
