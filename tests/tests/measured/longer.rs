//! More plans and more ways to be too many: what `measured` shows, shown again.

use std::fs;
use std::time::Duration;

use shard_estimator::Estimator;
use shard_estimator::cli::read_plan;
use tidegate::rehearsal::plan::Figure;

use super::pace::{Shared, alone, overload, share};
use super::plans::{breaks, example, file, holds, planned};

/// An example with other words in it.
fn changed(name: &str, changes: &[(&str, &str)]) -> Estimator {
    let mut text = fs::read_to_string(example(name)).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from:?} is not in {name}");
        text = text.replace(from, to);
    }
    let (_folder, path) = file(&text);
    read_plan(&path).unwrap().estimator
}

/// A building needs a single shard, of which none can be taken away; five of them need three.
fn five_buildings() -> Estimator {
    let many = ("\ndevices = 800\n", "\ndevices = 4000\n");
    changed("building", &[many, ("outage = \"4h\"\ndrain = \"1h\"\n", "")])
}

#[tokio::test]
async fn five_buildings_hold_at_the_planned_shards() {
    holds(&five_buildings()).await;
}

#[tokio::test]
async fn five_buildings_wait_too_long_with_two_shards_less() {
    breaks(&five_buildings(), Figure::P99).await;
}

#[tokio::test]
async fn factory_holds_at_the_planned_shards() {
    holds(&planned("factory")).await;
}

#[tokio::test]
async fn factory_is_too_much_for_two_shards_less() {
    let no_outage = ("outage = \"30min\"\ndrain = \"4h\"\n", "");
    breaks(&changed("factory", &[no_outage]), Figure::Records).await;
}

#[tokio::test]
async fn gateway_that_was_not_told_that_it_is_alone_is_hardly_refused_either() {
    let measured = overload(3_000, 0, |world| world).await;
    assert!(measured.refused <= 0.005, "{measured:?}");
    measured.fills_the_shard(|used| used.records);
}

#[tokio::test]
async fn four_gateways_that_do_not_know_their_number_fill_a_shard_and_none_starves() {
    let shared = share(Duration::from_secs(60), |gateway| gateway).await;
    let Shared { together, each, .. } = &shared;
    assert!(together.records >= 0.9 && together.refused <= 0.05, "{shared:?}");
    assert!(each.iter().all(|part| *part >= 0.8), "{shared:?}");
}
