//! Wires the stages, and says in which order they stop. The only place that spawns what carries records.
//!
//! Two kinds of tasks: one for each connection ([`source`]), and one, the flow, for everything
//! between: normalise, route, queue, dispatch, settle. All of them run on one thread: at a thousand
//! records a second waking up costs more than working, and one core carries a hundred thousand.
//!
//! A stop travels with ownership. Only the connections hear the signal: each drops its sender of
//! publishes, keeps its connection alive and goes on acknowledging. The flow ends when every sender
//! is gone and nothing is held, or at the deadline; it drops its senders of receipts. Each
//! connection, hearing that nothing more will be settled, writes its last acknowledgements,
//! disconnects and ends.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tracing::{Instrument, info, info_span};

use crate::clock;
use crate::config::Config;
use crate::deliver::Stream;
use crate::limits::{INTAKE_BATCHES_MAX, METRICS_ASKED_MAX, SETTLED_BATCHES_MAX};
use crate::metrics::server::{self, Asked};
use crate::metrics::{Conservation, Counters};
use crate::source::{self, Lane};

mod bookkeeping;
mod branch;
mod ends;
mod flow;
mod forecast;
mod forwarder;
mod left;
mod letters;
mod news;
mod numbering;
mod opened;
mod sender;
mod settlement;
mod spooling;
#[cfg(test)]
mod tests;
mod watching;

pub use opened::refusals;
pub use sender::{Sender, Sent, Unsent};

use flow::{Flow, Occasions};
use forwarder::Forwarder;
use opened::Opened;
use settlement::Settlement;

/// How often the log says how the spool drains.
const FORECAST_EVERY: Duration = Duration::from_secs(10);
/// The ledger is logged once a minute.
const FORECASTS_PER_LEDGER: u32 = 6;

/// How a run ended. Either way everything that was acknowledged is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Nothing was held any more.
    Clean,
    /// The deadline came first: the broker will send the rest again.
    TimedOut,
}

/// How a run ended, and its books.
#[derive(Debug, Clone, Copy)]
pub struct Ended {
    /// Whether everything was settled.
    pub drained: Drained,
    /// The ledger at the end.
    pub ledger: Conservation,
}

/// Where everything goes in the end.
#[derive(Debug, Clone, Copy)]
pub struct Streams<'a, S> {
    /// Take the records, in the order of the configuration.
    pub records: &'a [S],
    /// Takes the dead letters from the disk.
    pub letters: Option<&'a S>,
}

/// Runs the gateway until `stop` is ready, then drains.
///
/// # Errors
/// When the configuration cannot be relied on, metrics cannot be served or the state cannot be used,
/// or `stop` is ready before it can: nothing is started then.
pub async fn run(
    config: Arc<Config>,
    streams: Streams<'_, impl Stream>,
    counters: Arc<Counters>,
    stop: impl Future<Output = ()>,
) -> Result<Ended> {
    let (stop_tx, stop_rx) = watch::channel(false);
    let (intake_tx, intake_rx) = mpsc::channel(INTAKE_BATCHES_MAX);
    let (settled_tx, settled_rx): (Vec<_>, Vec<_>) =
        config.mqtt.lanes.iter().map(|_| mpsc::channel(SETTLED_BATCHES_MAX)).unzip();
    let settlement = Settlement::new(settled_tx);
    // Before the books say that a run has begun: this may fail.
    let (_metrics, asked) = serve_metrics(&config).await?;
    let mut stop = pin!(stop);
    // Before anything is taken in: what is kept on disk must be there.
    let for_state = Arc::clone(&config);
    let opened = tokio::select! {
        opened = spawn_blocking(move || Opened::open(&for_state)) => opened??,
        () = &mut stop => bail!("stopped before the state could be used"),
    };
    let mut forwarder = streams
        .letters
        .map(|stream| Forwarder::new(&config, &opened.store, stream, Arc::clone(&counters)));
    let flow = Flow::new(&config, streams.records, opened, settlement, Arc::clone(&counters))?;
    let mut lanes = JoinSet::new();
    for (index, settled) in settled_rx.into_iter().enumerate() {
        lanes.spawn(source::run(Lane {
            index: u16::try_from(index).context("too many lanes")?,
            config: Arc::clone(&config),
            intake: intake_tx.clone(),
            settled,
            stop: stop_rx.clone(),
            away: flow.away(),
            counters: Arc::clone(&counters),
        }));
    }
    drop(intake_tx);
    let flow = flow.run(intake_rx, Occasions::new(asked), stop_tx, stop);
    // What is not forwarded by then is on the disk: no stop waits for it.
    let ended = tokio::select! {
        ended = flow => ended,
        never = forward(forwarder.as_mut()) => match never {},
    };
    while let Some(lane) = lanes.join_next().await {
        lane.context("a connection failed: please report this")?;
    }
    if let Some(forwarder) = forwarder {
        forwarder.close().await;
    }
    Ok(ended)
}

/// Serves metrics where the configuration says, until what is returned is dropped.
async fn serve_metrics(config: &Config) -> Result<(JoinSet<Infallible>, mpsc::Receiver<Asked>)> {
    let (asking, asked) = mpsc::channel(METRICS_ASKED_MAX);
    let mut server = JoinSet::new();
    if let Some(address) = config.metrics.listen {
        let cannot = || format!("metrics.listen: cannot listen on {address}");
        let listener = TcpListener::bind(address).await.with_context(cannot)?;
        let address = listener.local_addr().with_context(cannot)?;
        info!(url = format!("http://{address}/metrics"), "metrics are served");
        server.spawn(server::run(listener, asking));
    }
    Ok((server, asked))
}

async fn forward(forwarder: Option<&mut Forwarder<'_, impl Stream>>) -> Infallible {
    match forwarder {
        Some(forwarder) => forwarder.run().instrument(info_span!("dead letters")).await,
        None => std::future::pending().await,
    }
}

/// What a job that was given to another thread comes to. Its panic is ours.
async fn joined<T>(job: impl Future<Output = Result<T, JoinError>>) -> T {
    job.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
}
