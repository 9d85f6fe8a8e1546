//! Gateways that share a stream without a word between them, each with the pace of the library:
//! 1 to 1,000 of them, with unequal loads, that come and go, and that come back from an outage all at
//! once. The table in the README is made here.
//!
//! Time goes in slots of 10 ms. A shard counts records strictly by the second. A request is 60 ms on
//! its way; refused records are offered again after a pause with full jitter, and draw again. Of a
//! request that would carry records of several shards each part travels alone, and bytes, which
//! follow the same factor, are not counted.

#![expect(clippy::indexing_slicing, reason = "lanes and slots never become fewer")]
#![expect(clippy::print_stdout, reason = "whoever changes the pace wants to see the table")]

use figures::Figures;
use scene::{Change, Instances, Scene};
use table::Row;

mod bucket;
mod figures;
mod lane;
mod scene;
mod shard;
mod table;
mod wheel;

const README: &str = include_str!("../../../README.md");

/// Shards of the stream.
const SHARDS: u32 = 64;

/// Of shards that do not know of each other some stand for all: so many that there are about as many
/// pairs of a gateway and a shard, and four at least.
const LANES: u32 = 160;

/// Where there is time, no shard stands for others.
fn plays_all() -> bool {
    std::env::var("TIDEGATE_TESTS").is_ok_and(|tests| tests == "long")
}

fn play(scene: &Scene) -> Figures {
    let shards = if plays_all() { SHARDS } else { (LANES / scene.gateways).clamp(4, SHARDS) };
    Figures::sum((0..shards).map(|shard| shard::play(scene, shard)))
}

/// A scene of five minutes in which nothing changes.
fn steady(gateways: u32, load: f64, instances: Instances) -> Scene {
    Scene { gateways, instances, load, change: Change::None, seconds: 300 }
}

fn rows() -> Vec<Row> {
    let outage = Change::Outage { from_s: 60, to_s: 360 };
    let mut rows = Vec::new();
    for (name, load, change, seconds) in [
        ("60 %", 0.6, Change::None, 300),
        ("100 %", 1.0, Change::None, 300),
        ("300 %", 3.0, Change::None, 300),
        ("130 %, joins and leaves", 1.3, Change::Crowd, 360),
        ("50 %, after an outage", 0.5, outage, 960),
    ] {
        for gateways in [1, 10, 100, 1_000] {
            let played = |instances| play(&Scene { gateways, instances, load, change, seconds });
            let (given, unknown) = (played(Instances::Given), played(Instances::Unknown));
            rows.push(Row { name, gateways, change, given, unknown });
        }
    }
    rows
}

#[test]
fn the_table_of_the_readme_is_what_is_played_and_nobody_fares_badly() {
    let rows = rows();
    let table = table::markdown(&rows);
    println!("{table}");
    for row in &rows {
        for figures in [&row.given, &row.unknown] {
            let at = format!("{} gateways at {}", row.gateways, row.name);
            let (refused, goodput) = (figures.settled.refused(), figures.goodput());
            assert!(refused <= 0.05, "{at}: {refused} refused");
            assert!(goodput >= 0.87, "{at}: goodput {goodput}");
            assert!(figures.least() >= 0.33, "{at}: one has {} of its part", figures.least());
        }
        let refused = row.given.whole.refused();
        assert!(refused <= 0.05, "{} gateways at {}: {refused} refused", row.gateways, row.name);
    }
    assert!(plays_all() || README.contains(&table), "README.md has another table than this");
}

#[test]
fn four_with_unequal_load_fill_the_stream_and_none_starves() {
    for (instances, refused_max) in [(Instances::Given, 0.01), (Instances::Unknown, 0.05)] {
        for load in [1.0, 1.2] {
            let figures = play(&steady(4, load, instances));
            assert!(figures.goodput() >= 0.9, "{instances:?}: {}", figures.goodput());
            let refused = figures.settled.refused();
            assert!(refused <= refused_max, "{instances:?}, {load}: {refused} refused");
            assert!(figures.least() >= 0.85, "{instances:?}, {load}: {}", figures.least());
        }
    }
}

#[test]
fn one_alone_that_is_offered_three_times_as_much_uses_the_stream_and_is_hardly_refused() {
    for instances in [Instances::Given, Instances::Unknown] {
        let figures = play(&steady(1, 3.0, instances));
        assert!(figures.goodput() >= 0.88, "{instances:?}: {}", figures.goodput());
        let refused = figures.whole.refused();
        assert!(refused <= 0.005, "{instances:?}: {refused} refused");
    }
}
