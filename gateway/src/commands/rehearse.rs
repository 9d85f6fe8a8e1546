//! `tidegate rehearse`: the real pipeline between an embedded broker and a local stream.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use shard_estimator::cli::read_plan;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::rehearsal::fleet::{Fleet, Progress, READING_BYTES_MIN};
use crate::rehearsal::plan::{Asked, Part};
use crate::rehearsal::verdict::Report;

use self::watch::watch;
use self::world::{Setup, World};
use super::{EXIT_CONFIGURATION, runtime};

pub mod plan;
mod watch;
mod world;

/// Readings are kept in memory until they are compared.
const READINGS_MAX: u64 = 4_000_000;
/// How long the last readings may take from the broker to the stream.
const PATIENCE: Duration = Duration::from_secs(60);
/// Shards of the local stream, unless a plan says otherwise.
const SHARDS: u32 = 4;

/// What is rehearsed.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// Devices that publish.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub devices: u32,
    /// Readings a second, of all devices together.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,
    /// For how long.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    pub seconds: u32,
    /// Shards of the local stream, each with the limits of a real one [default: 4, or those of the
    /// plan].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub shards: Option<u32>,
    /// Bytes of a reading.
    #[arg(long, default_value_t = 1024)]
    pub size: usize,
    /// Instead: plays the fleet of a file as `tidegate plan` reads it, with its outage, and prints
    /// what was predicted beside what is measured. Fails when they differ.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["devices", "rate", "size"])]
    pub plan: Option<PathBuf>,
    /// The part of the plan's shards that is played, the busiest ones [default: what a small machine
    /// carries].
    #[arg(long, value_name = "PART", requires = "plan", value_parser = scale)]
    pub scale: Option<f64>,
    /// Chooses the partition keys of the plan's devices, and when they report.
    #[arg(long, value_name = "N", requires = "plan", default_value_t = 1)]
    pub seed: u64,
}

fn scale(text: &str) -> Result<f64, String> {
    let scale = text.parse().ok().filter(|scale| *scale > 0.0 && *scale <= 1.0);
    scale
        .ok_or_else(|| "must be above 0 and at most 1, such as 0.05: 1 plays all shards".to_owned())
}

/// Rehearses; fails when anything is lost, or a plan's prediction does not come true.
///
/// # Errors
/// When the parts cannot be started, or the arguments ask for more than fits.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.plan {
        Some(file) => run_plan(file, arguments),
        None => run_fleet(arguments),
    }
}

fn run_plan(file: &Path, arguments: &Arguments) -> Result<ExitCode> {
    let asked = |gateways| Asked {
        shards: arguments.shards.and_then(NonZeroU32::new),
        scale: arguments.scale,
        seconds: arguments.seconds,
        seed: arguments.seed,
        gateways,
    };
    let part = read_plan(file).map_err(|faults| faults.to_string()).and_then(|plan| {
        let part = Part::of(&plan.estimator, asked(plan.gateways));
        part.map_err(|fault| fault.to_string())
    });
    let part = match part {
        Ok(part) => part,
        Err(faults) => {
            writeln!(std::io::stderr(), "{faults}")?;
            return Ok(EXIT_CONFIGURATION.into());
        }
    };
    let state = state()?;
    let played = runtime()?.block_on(plan::rehearse(&part, state.path()))?;
    write!(std::io::stdout(), "\n{played}")?;
    Ok(if played.is_as_predicted() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_fleet(arguments: &Arguments) -> Result<ExitCode> {
    let fleet = Fleet {
        devices: usize::try_from(arguments.devices).unwrap_or(usize::MAX),
        rate_per_s: arguments.rate,
        seconds: arguments.seconds,
        record_bytes: arguments.size,
        ..Fleet::default()
    };
    if fleet.readings() > READINGS_MAX {
        bail!("--rate × --seconds = {}: at most {READINGS_MAX} readings", fleet.readings());
    }
    if !(READING_BYTES_MIN..=40_000).contains(&arguments.size) {
        bail!("--size = {}: must be {READING_BYTES_MIN} to 40000 bytes", arguments.size);
    }
    let report = runtime()?.block_on(rehearse(&fleet, arguments.shards.unwrap_or(SHARDS)))?;
    writeln!(std::io::stdout(), "\n{report}")?;
    Ok(if report.lost() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn state() -> Result<TempDir> {
    tempfile::tempdir().context("cannot make a directory for the gateway's state")
}

async fn rehearse(fleet: &Fleet, shards: u32) -> Result<Report> {
    let state = state()?;
    let setup = Setup {
        state_dir: state.path(),
        topics: "sites/+/devices/+/telemetry",
        stream: String::new(),
        tables: "[pace]\ninstances = 1\n".to_owned(),
    };
    let keep = usize::try_from(READINGS_MAX * 2).unwrap_or(usize::MAX);
    let world = World::start(shards, keep, &setup).await?;
    let progress = Progress::default();
    let running = fleet.run(world.broker.address(), &progress);
    watch(running, fleet.readings(), &world.stream, &progress).await;
    let sent = progress.acknowledged();
    if !world.stored(sent, PATIENCE).await {
        tracing::error!("readings are still missing {} s after the last", PATIENCE.as_secs());
    }
    let stopped = world.stop().await?;
    let throttled = stopped.stream.counts().records_throttled;
    let report = Report::new(sent, throttled, &stopped.stream.records());
    stopped.end().await;
    Ok(report)
}

#[expect(clippy::disallowed_methods, reason = "a rehearsal is played by the clock")]
fn now() -> Instant {
    Instant::now()
}
