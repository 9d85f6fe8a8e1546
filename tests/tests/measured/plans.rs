//! The example plans, played by the real gateway against a stream with real limits: what they
//! predict is what is measured. At the planned shards they hold, and with two shards less they break
//! as predicted.
#![expect(clippy::unwrap_used, reason = "a failure to set up is a failure of the test")]

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use shard_estimator::Estimator;
use shard_estimator::cli::read_plan;
use tempfile::TempDir;
use tests::effort::ordinary_or_long;
use tests::root;
use tidegate::commands::rehearse::plan::{Played, rehearse};
use tidegate::rehearsal::plan::{Asked, Figure, Part, THROTTLED_MAX};

use super::STAGE;
use super::world::PROGRAM;

pub(super) fn example(name: &str) -> PathBuf {
    root().join("configs").join(format!("plan-{name}.toml"))
}

/// A file in a folder of its own, which lives as long as the folder.
pub(super) fn file(text: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    fs::write(&path, text).unwrap();
    (folder, path)
}

pub(super) fn planned(name: &str) -> Estimator {
    read_plan(&example(name)).unwrap().estimator
}

/// A machine that is too busy to report in time measures itself: that is no rehearsal.
const REHEARSALS_MAX: usize = 5;

/// A folder in memory, where there is such a thing: disks that are busy with everything else are
/// another matter.
pub(super) fn memory() -> TempDir {
    let in_memory = Path::new("/dev/shm");
    if in_memory.is_dir() { TempDir::new_in(in_memory) } else { TempDir::new() }.unwrap()
}

async fn performed(part: &Part) -> Played {
    let _alone = STAGE.lock().await;
    let mut rehearsals = 0;
    loop {
        let state = memory();
        let played = rehearse(part, state.path()).await.unwrap();
        rehearsals += 1;
        if !played.is_late() || rehearsals == REHEARSALS_MAX {
            return played;
        }
    }
}

/// What a small machine carries, for four seconds.
const ASKED: Asked =
    Asked { shards: None, scale: None, seconds: 4, seed: 1, gateways: NonZeroU32::MIN };

/// Plays one shard, the busiest; or as many as this machine should carry, for longer.
async fn played(plan: &Estimator, shards: NonZeroU32) -> Played {
    let (scale, seconds) = ordinary_or_long((Some(1e-6), 6), (None, 20));
    let asked = Asked { shards: Some(shards), scale, seconds, ..ASKED };
    let part = Part::of(plan, asked).unwrap();
    performed(&part).await
}

pub(super) async fn holds(plan: &Estimator) {
    let played = played(plan, plan.plan().unwrap().shards).await;
    let measured = &played.comparison.measured;
    assert!(played.is_as_predicted(), "{played}");
    assert_eq!(played.comparison.broken(), [], "{played}");
    assert!(measured.get(Figure::Throttled).unwrap() <= THROTTLED_MAX, "{played}");
    assert_eq!((played.lost, played.comparison.left), (0, 0), "{played}");
}

/// With two shards less, `constraint` is predicted and measured to break. What else is measured may
/// differ: a shard that is nearly full has no time to spare for what else the machine does.
pub(super) async fn breaks(plan: &Estimator, constraint: Figure) {
    let shards = NonZeroU32::new(plan.plan().unwrap().shards.get() - 2).unwrap();
    let played = played(plan, shards).await;
    let comparison = &played.comparison;
    let predicted = comparison.predicted.broken(&comparison.allowed);
    assert!(predicted.contains(&constraint), "{played}");
    assert!(comparison.broken().contains(&constraint), "{played}");
    assert!(!comparison.differing().contains(&constraint), "{played}");
    assert_eq!(played.lost, 0, "{played}");
}

#[tokio::test]
async fn building_holds_at_the_planned_shard() {
    holds(&planned("building")).await;
}

#[tokio::test]
async fn fleet_holds_at_the_planned_shards() {
    holds(&planned("fleet")).await;
}

#[tokio::test]
async fn fleet_does_not_catch_up_in_time_with_two_shards_less() {
    breaks(&planned("fleet"), Figure::Drain).await;
}

/// Twice what its shard takes.
#[tokio::test]
async fn what_a_shard_cannot_carry_stays_in_the_spool_and_is_not_lost() {
    let text = "[plan]\noutage = '1h'\n[[class]]\nname = 'pumps'\ndevices = 2000\n\
        period = '1s'\nrecord_bytes = 300\n";
    let (_folder, path) = file(text);
    let plan = read_plan(&path).unwrap().estimator;
    let asked = Asked { shards: NonZeroU32::new(1), ..ASKED };
    let played = performed(&Part::of(&plan, asked).unwrap()).await;
    assert!(played.is_as_predicted(), "{played}");
    assert!(played.comparison.left > 5_000, "{played}");
    assert_eq!(
        played.comparison.broken(),
        [Figure::Records, Figure::P99, Figure::Drain],
        "{played}"
    );
}

fn typed(plan: &Path, flags: &[&str]) -> Output {
    let state = memory();
    let mut command = Command::new(PROGRAM);
    command.env("TMPDIR", state.path()).args(["rehearse", "--plan"]).arg(plan).args(flags);
    command.output().unwrap()
}

#[test]
fn rehearsal_of_a_plan_prints_what_was_predicted_beside_what_was_measured() {
    let text = "[plan]\noutage = '1h'\n[[class]]\nname = 'pumps'\ndevices = 200\n\
        period = '1s'\nrecord_bytes = 300\n";
    let (_folder, path) = file(text);
    let _alone = STAGE.blocking_lock();
    let played = || {
        let output = typed(&path, &["--seconds", "3", "--scale", "1", "--seed", "3"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let is_late = |(_, text): &(_, String)| text.contains("published late");
    let mut all = std::iter::repeat_with(played).take(REHEARSALS_MAX);
    let (code, text) = all.find(|played| !is_late(played)).expect("a machine with time for it");
    assert_eq!(code, Some(0), "{text}");
    for words in [
        "All of 1 shard, with 200 pumps: 200.0 records/s.",
        "An outage of 1 s stands for one of 1 h",
        "Not played: reads.",
        "predicted",
        "p99, publish to accepted",
        "Prediction and measurement agree.",
    ] {
        assert!(text.contains(words), "{words:?} is not in: {text}");
    }
}

#[track_caller]
fn refused(plan: &str, flags: &[&str], code: i32, words: &[&str]) {
    let (_folder, path) = file(plan);
    let output = typed(&path, flags);
    let fault = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{fault}");
    for word in words {
        assert!(fault.contains(word), "{word:?} is not in: {fault}");
    }
}

#[test]
fn what_cannot_be_rehearsed_is_refused_with_what_to_do() {
    let pumps = "[[class]]\nname = 'pumps'\ndevices = 20\nperiod = '1s'\nrecord_bytes = 300\n";
    refused("[[class]]\nperod = '1s'\n", &[], 64, &["plan.toml:2", "class.perod", "no such key"]);
    refused("[plan]\n", &[], 64, &["period is missing"]);
    refused(
        &format!("[plan]\nplacement = 'golden'\n{pumps}"),
        &[],
        64,
        &["plan with placement md5"],
    );
    refused(&format!("[plan]\naggregate = '25 KiB'\n{pumps}"), &[], 64, &["aggregate off"]);
    refused(&pumps.replace("300", "4"), &[], 64, &["pumps", "say 8 or more"]);
    for scale in ["0", "-1", "1.01", "NaN", "5%"] {
        let flag = format!("--scale={scale}");
        refused(pumps, &[&flag], 2, &["--scale", "above 0 and at most 1"]);
    }
    refused(pumps, &["--shards", "0"], 2, &["--shards", "1..=1000"]);
    refused(pumps, &["--devices", "5"], 2, &["--plan", "cannot be used with", "--devices"]);
    let missing = typed(Path::new("no-such-plan.toml"), &[]);
    let fault = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(64), "{fault}");
    assert!(fault.contains("cannot read no-such-plan.toml"), "{fault}");
    let scale_alone = Command::new(PROGRAM).args(["rehearse", "--scale", "1"]).output().unwrap();
    assert_eq!(scale_alone.status.code(), Some(2));
}
