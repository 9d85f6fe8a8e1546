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

/// Labels of an axis up to `highest`, all in one unit: `0.5`, `8,000`, `12k`, `2.4M`.
fn short(highest: f64) -> impl Fn(f64) -> String {
    let (each, unit) = match highest {
        _ if highest >= 2e6 => (1e6, "M"),
        _ if highest >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    move |number| match number / each {
        0.0 => "0".to_owned(),
        number if number >= 1e3 => format!("{}{unit}", grouped(number)),
        number => {
            let digits = format!("{number:.2}");
            format!("{}{unit}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_an_axis_are_short_and_in_one_unit() {
        assert_eq!([0.0, 0.5, 120.0, 8e3].map(short(8e3)), ["0", "0.5", "120", "8,000"]);
        assert_eq!([0.0, 8e3, 12.5e3, 1e6].map(short(1.1e6)), ["0", "8k", "12.5k", "1,000k"]);
        assert_eq!([5e5, 2.4e6].map(short(2.5e6)), ["0.5M", "2.4M"]);
    }
}
