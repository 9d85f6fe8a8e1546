//! `tidegate run`: the gateway.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::config::Config;
use crate::deliver::kinesis::{Credentials, Kinesis};
use crate::metrics::Counters;
use crate::pipeline::{self, Drained};

use super::configuration;

/// Stopped before everything was settled; the broker will send the rest again.
const EXIT_NOT_DRAINED: u8 = 3;
/// A second signal ended the program at once.
const EXIT_INTERRUPTED: i32 = 130;

/// Runs the gateway with the configuration at `path` until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start: state directory, TLS roots, signal handlers.
pub fn run(path: &Path) -> Result<ExitCode> {
    let checked = Config::load(path).and_then(|config| {
        config.check_files(&path.display().to_string())?;
        Ok(config)
    });
    let config = match configuration(checked)? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(gateway(Arc::new(config)));
    // What still blocks a thread, a disk or a name server that hangs, is not waited for.
    runtime.shutdown_background();
    let ended = ended?;
    Ok(match ended.drained {
        Drained::Clean => ExitCode::SUCCESS,
        Drained::TimedOut => EXIT_NOT_DRAINED.into(),
    })
}

async fn gateway(config: Arc<Config>) -> Result<pipeline::Ended> {
    let mut signals = Signals::listen()?;
    info!(
        version = env!("CARGO_PKG_VERSION"),
        broker = config.mqtt.broker.host,
        port = config.mqtt.broker.port,
        client_id = config.mqtt.client_id,
        stream = config.stream.target.as_str(),
        region = config.stream.region,
        "tidegate starts"
    );
    let kinesis = Kinesis::connect(&config.stream, Credentials::Environment).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let twice = async {
        signals.next().await;
        drop(stop);
        signals.next().await;
    };
    let counters = Arc::new(Counters::default());
    let ended = tokio::select! {
        ended = pipeline::run(config, &kinesis, counters, async { drop(stopped.await) }) => ended?,
        () = twice => std::process::exit(EXIT_INTERRUPTED),
    };
    match ended.drained {
        Drained::Clean => info!("stopped, everything settled"),
        Drained::TimedOut => warn!(
            in_flight = ended.ledger.in_flight,
            "stopped before everything was settled: the broker will send the rest again"
        ),
    }
    Ok(ended)
}

/// The signals that stop the program.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
