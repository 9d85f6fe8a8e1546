//! `tidegate run`: the gateway.

use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::oneshot;
use tracing::{info, warn};

use crate::config::{Config, LetterStream};
use crate::deliver::kinesis::{Kinesis, Presence};
use crate::metrics::Counters;
use crate::pipeline::{self, Drained, Streams};

use super::signals::Signals;
use super::streams::Connected;
use super::{configuration, load_whole, runtime};

/// Stopped before everything was settled; the broker will send the rest again.
const EXIT_NOT_DRAINED: u8 = 3;
/// A second signal ended the program at once.
const EXIT_INTERRUPTED: i32 = 130;

/// Runs the gateway with the configuration at `path` until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start: state directory, TLS roots, signal handlers.
pub fn run(path: &Path) -> Result<ExitCode> {
    let config = match configuration(load_whole(path))? {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let runtime = runtime()?;
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
        "tidegate starts"
    );
    for stream in config.streams.iter() {
        let (label, name, region) = (&stream.label, stream.target.as_str(), &stream.region);
        info!(label, stream = name, region, "records go to this stream");
    }
    let connected = Connected::of(&config).await?;
    let letters = config.dead_letter.stream.as_ref().and_then(|LetterStream { target, with }| {
        let mut connections = config.streams.iter().zip(&connected.kinesis);
        let (_, with) = connections.find(|(stream, _)| stream.label == *with)?;
        Some(with.beside(target))
    });
    let streams = Streams { records: &connected.kinesis, letters: letters.as_ref() };
    let (stop, stopped) = oneshot::channel::<()>();
    let twice = async {
        signals.next().await;
        drop(stop);
        signals.next().await;
    };
    let counters = Arc::new(Counters::default());
    let ended = tokio::select! {
        ended = pipeline::run(Arc::clone(&config), streams, counters, async { drop(stopped.await) }) => ended?,
        never = look(letters.as_ref()) => match never {},
        never = connected.keep_keys() => match never {},
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

/// Says whether the stream of the dead letters is there, as far as the key may know; keeps nobody
/// waiting.
async fn look(letters: Option<&Kinesis>) -> Infallible {
    if let Some(stream) = letters {
        let name = stream.target().as_str();
        match stream.presence().await {
            Presence::There => info!(stream = name, "dead_letter.stream is there"),
            Presence::Missing => warn!(
                stream = name,
                "dead_letter.stream does not exist: dead letters stay on the disk until it does; \
                 create it, or correct the name"
            ),
            Presence::Unknown(detail) => {
                info!(stream = name, detail, "whether dead_letter.stream exists is not known yet");
            }
        }
    }
    std::future::pending().await
}
