//! `tidegate plan`: how many shards to buy. The estimator's own command, which can also watch a
//! broker or ask a gateway that runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use shard_estimator::cli;
use tokio::time::sleep;
use tracing::info;

use super::signals::Signals;
use super::{configuration, load_whole, runtime};

mod metrics;
mod watch;

/// What is asked.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
pub struct Arguments {
    #[command(flatten)]
    question: cli::Arguments,
    /// Instead of devices: watches the broker of this configuration, beside the gateway and without
    /// disturbing it, and plans for the records that it would send.
    #[arg(
        long,
        value_name = "FILE",
        requires = "lasts",
        group = "watched",
        conflicts_with = "trace"
    )]
    config: Option<PathBuf>,
    /// Instead of devices: asks a running gateway for its metrics (metrics.listen), plans for what it
    /// received since it started, or within --for, and says whether the shards that there are are
    /// still enough.
    #[arg(long, value_name = "URL", group = "watched", conflicts_with = "trace")]
    from_metrics: Option<String>,
    /// The label of the stream to plan for, where the gateway has several.
    #[arg(long, value_name = "LABEL", requires = "watched")]
    stream: Option<String>,
    /// Watches for so long; SIGINT ends it early, and what was seen until then counts.
    #[arg(long = "for", id = "lasts", value_name = "TIME", value_parser = cli::time, requires = "watched")]
    lasts: Option<Duration>,
}

/// Answers on standard output.
///
/// # Errors
/// When a broker cannot be watched. What is wrong with the question goes to standard error.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { question, config, from_metrics, stream, lasts } = arguments;
    let stream = stream.as_deref();
    match (config, from_metrics, lasts) {
        (Some(path), _, Some(lasts)) => {
            checked(question, || watch_broker(question, (path, stream), *lasts))
        }
        (_, Some(url), lasts) => checked(question, || ask_gateway(question, (url, stream), *lasts)),
        _ => Ok(cli::run(question)),
    }
}

/// Does what takes its time, unless the question is at fault: that is said before anybody waits.
fn checked(
    question: &cli::Arguments,
    patiently: impl FnOnce() -> Result<ExitCode>,
) -> Result<ExitCode> {
    match cli::check(question) {
        Ok(()) => patiently(),
        Err(faults) => Ok(cli::refuse(faults)),
    }
}

fn watch_broker(
    question: &cli::Arguments,
    (path, stream): (&Path, Option<&str>),
    lasts: Duration,
) -> Result<ExitCode> {
    let config = match configuration(load_whole(path))? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let observed = runtime()?.block_on(watch::watch(config, stream, over(lasts)))?;
    Ok(cli::run_observed(question, observed))
}

fn ask_gateway(
    question: &cli::Arguments,
    (url, stream): (&str, Option<&str>),
    lasts: Option<Duration>,
) -> Result<ExitCode> {
    let running = runtime()?.block_on(metrics::ask(url, stream, lasts.map(over)))?;
    Ok(cli::run_observed(question, running))
}

/// Waits until the time is over, or somebody has seen enough. Signals that come before it is polled
/// end the program, as they always do.
async fn over(lasts: Duration) -> Result<()> {
    let mut signals = Signals::listen()?;
    info!(seconds = lasts.as_secs(), "watching; SIGINT ends it early");
    tokio::select! {
        () = sleep(lasts) => {}
        () = signals.next() => info!("planning with what was seen until now"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use shard_estimator::cli::{Arguments, answer};

    use crate::config::{Config, PaceMode, Partitioning};

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// The configuration that a gateway makes of the settings of a plan for 20,000 vehicles.
    fn configured(flags: &str) -> Config {
        let question = format!(
            "plan --devices 20000 --period 1s --sizes 1KiB:1 --key-bytes 17 --format toml {flags}"
        );
        let program = Program::parse_from(question.split_whitespace());
        let answer = answer(&program.arguments, jiff::civil::date(2026, 6, 1)).unwrap();
        let rest = "[mqtt]\nurl = 'mqtt://127.0.0.1:1883'\nclient_id = 'edge-1'\n\
            topics = ['sites/+/devices/+/telemetry']\n[stream]\nname = 'telemetry'\n\
            region = 'us-east-1'\n";
        Config::parse(&answer.text.replace("[stream]\n", rest)).unwrap()
    }

    #[test]
    fn the_settings_of_a_plan_are_read_by_the_gateway() {
        let config = configured("--limiter 0.85 --linger 70ms --gateways 4");
        assert_eq!(config.streams.first().shards, Some(29));
        let pace = &config.streams.first().pace;
        assert_eq!((pace.mode, pace.instances), (PaceMode::Shards, Some(4)));
        assert!((pace.fraction - 0.85).abs() < 1e-9);
        assert_eq!(config.batch.linger.as_millis(), 70);
        assert_eq!(config.streams.first().partitioning, Partitioning::Md5);
        assert!((config.plan.target - 0.8).abs() < 1e-9);
    }

    #[test]
    fn a_plan_with_golden_places_and_another_target_is_carried_out_with_both() {
        let config = configured("--placement golden --target-util 0.6");
        assert_eq!(config.streams.first().partitioning, Partitioning::Golden);
        assert!((config.plan.target - 0.6).abs() < 1e-9);
        assert_eq!(config.streams.first().shards.map(|shards| shards > 33), Some(true));
    }
}
