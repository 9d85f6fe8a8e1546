//! `tidegate rehearse`: the real pipeline between an embedded broker and a local stream.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::config::Config;
use crate::deliver::kinesis::{Credentials, Kinesis};
use crate::metrics::Counters;
use crate::pipeline::{self, Ended, Streams};
use crate::rehearsal::broker::{self, Broker};
use crate::rehearsal::fleet::{Fleet, Progress, READING_BYTES_MIN};
use crate::rehearsal::stream::{self, LocalStream};
use crate::rehearsal::verdict::Report;

/// Readings are kept in memory until they are compared.
const READINGS_MAX: u64 = 4_000_000;

/// How long the last readings may take from the broker to the stream.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// Shards of the local stream, each with the limits of a real one.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub shards: u32,
    /// Bytes of a reading.
    #[arg(long, default_value_t = 1024)]
    pub size: usize,
}

/// Rehearses; fails when anything is lost.
///
/// # Errors
/// When the parts cannot be started, or the arguments ask for more than fits.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
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
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let report = runtime.block_on(rehearse(&fleet, arguments.shards))?;
    writeln!(std::io::stdout(), "\n{report}")?;
    Ok(if report.lost() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn rehearse(fleet: &Fleet, shards: u32) -> Result<Report> {
    let broker = Broker::start(broker::Settings::default())
        .await
        .context("cannot start the embedded broker")?;
    let keep = usize::try_from(READINGS_MAX * 2).unwrap_or(usize::MAX);
    let settings = stream::Settings { shards, keep, ..stream::Settings::default() };
    let stream = LocalStream::start(settings).await.context("cannot start the local stream")?;
    let state = tempfile::tempdir().context("cannot make a directory for the state")?;
    let text = configuration(&broker.url(), &stream.endpoint(), shards, state.path());
    let config = Config::parse(&text).context("the rehearsal's own configuration")?;

    let (stop, stopped) = oneshot::channel();
    let gateway = std::thread::Builder::new()
        .name("gateway".to_owned())
        .spawn(move || gateway(config, stopped))
        .context("cannot start the gateway's thread")?;
    subscribed(&broker).await?;
    let progress = Progress::default();
    watch(fleet, &broker, &stream, &progress).await;
    let sent = progress.acknowledged();
    let all = stream.reached(|counts| counts.records >= sent);
    if timeout(PATIENCE, all).await.is_err() {
        tracing::error!("readings are still missing {} s after the last", PATIENCE.as_secs());
    }
    drop(stop);
    let ended = tokio::task::spawn_blocking(move || gateway.join()).await?;
    let Ok(ended) = ended else { bail!("the gateway's thread failed: please report this") };
    tracing::debug!(ledger = %ended?.ledger, "gateway ended");
    let report = Report::new(sent, stream.counts().records_throttled, &stream.records());
    broker.stop().await;
    stream.stop().await;
    Ok(report)
}

fn configuration(broker: &str, endpoint: &str, shards: u32, state_dir: &std::path::Path) -> String {
    format!(
        "state_dir = '{}'\n\
         [mqtt]\nurl = '{broker}'\nclient_id = 'rehearsal'\n\
         topics = ['sites/+/devices/+/telemetry']\n\
         [stream]\nname = 'telemetry'\nregion = 'us-east-1'\nendpoint = '{endpoint}'\n\
         shards = {shards}\n\
         [pace]\ninstances = 1\n",
        state_dir.display()
    )
}

/// The gateway as it runs in the field: one thread, one runtime of its own.
fn gateway(config: Config, stopped: oneshot::Receiver<()>) -> Result<Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let key = Credentials::fixed("REHEARSAL", "rehearsal");
        let kinesis = Kinesis::connect(&config.stream, key).await?;
        let stop = async { drop(stopped.await) };
        let streams = Streams { records: &kinesis, letters: None };
        pipeline::run(Arc::new(config), streams, Arc::new(Counters::default()), stop).await
    })
}

/// Waits until the gateway has subscribed: readings published before would reach nobody.
async fn subscribed(broker: &Broker) -> Result<()> {
    let mut ticks = interval(Duration::from_millis(10));
    let subscribed = async {
        while broker.seen("rehearsal").is_none_or(|seen| seen.subscribed.is_empty()) {
            ticks.tick().await;
        }
    };
    timeout(Duration::from_secs(10), subscribed)
        .await
        .context("the gateway did not subscribe within 10 s")
}

/// Runs the fleet and shows how far it is.
async fn watch(fleet: &Fleet, broker: &Broker, stream: &LocalStream, progress: &Progress) {
    let bar = bar(fleet.readings());
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut running = std::pin::pin!(fleet.run(broker.address(), progress));
    loop {
        tokio::select! {
            () = &mut running => break,
            _ = ticks.tick() => {
                let counts = stream.counts();
                bar.set_position(counts.records);
                bar.set_message(format!(
                    "sent {}, stored {}, throttled {}",
                    progress.acknowledged(), counts.records, counts.records_throttled
                ));
                if bar.is_hidden() {
                    tracing::info!(
                        sent = progress.acknowledged(),
                        stored = counts.records,
                        throttled = counts.records_throttled,
                        "rehearsing"
                    );
                }
            }
        }
    }
    bar.finish_and_clear();
}

/// A bar on a terminal, nothing elsewhere.
fn bar(readings: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = match std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    ProgressBar::with_draw_target(Some(readings), target).with_style(style)
}
