//! The charts of a plan.

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
