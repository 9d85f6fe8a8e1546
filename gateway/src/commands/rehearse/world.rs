//! Broker, local stream and the real gateway between them, in one process.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::oneshot;
use tokio::time::{interval, timeout};

use crate::config::Config;
use crate::deliver::kinesis::{Credentials, Kinesis};
use crate::metrics::{Conservation, Counters};
use crate::pipeline::{self, Ended, Streams};
use crate::rehearsal::broker::{self, Broker};
use crate::rehearsal::stream::{self, LocalStream};

/// How the gateway is set up, beside what a rehearsal always needs.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    /// Where it keeps its state. Must be there until it has stopped.
    pub(super) state_dir: &'a Path,
    /// The filter that it subscribes to.
    pub(super) topics: &'a str,
    /// Lines of `[stream]`.
    pub(super) stream: String,
    /// Whole tables.
    pub(super) tables: String,
}

/// Everything around the fleet.
#[derive(Debug)]
pub(super) struct World {
    pub(super) broker: Broker,
    pub(super) stream: LocalStream,
    gateway: JoinHandle<Result<Ended>>,
    stop: oneshot::Sender<()>,
}

impl World {
    /// Starts it with `shards`; returns when the gateway has subscribed.
    pub(super) async fn start(shards: u32, keep: usize, setup: &Setup<'_>) -> Result<Self> {
        let broker = Broker::start(broker::Settings::default())
            .await
            .context("cannot start the embedded broker")?;
        let settings = stream::Settings { shards, keep, ..stream::Settings::default() };
        let stream = LocalStream::start(settings).await.context("cannot start the local stream")?;
        let text = format!(
            "state_dir = '{}'\n\
             [mqtt]\nurl = '{}'\nclient_id = 'rehearsal'\ntopics = ['{}']\n\
             [stream]\nname = 'telemetry'\nregion = 'us-east-1'\nendpoint = '{}'\n\
             shards = {shards}\n{}{}",
            setup.state_dir.display(),
            broker.url(),
            setup.topics,
            stream.endpoint(),
            setup.stream,
            setup.tables,
        );
        let config = Config::parse(&text).context("the rehearsal's own configuration")?;
        let (stop, stopped) = oneshot::channel();
        let gateway = std::thread::Builder::new()
            .name("gateway".to_owned())
            .spawn(move || gateway(config, stopped))
            .context("cannot start the gateway's thread")?;
        subscribed(&broker).await?;
        Ok(Self { broker, stream, gateway, stop })
    }

    /// Waits until so many records are stored; false if that takes longer than `patience`.
    pub(super) async fn stored(&self, records: u64, patience: Duration) -> bool {
        let all = self.stream.reached(|counts| counts.records >= records);
        timeout(patience, all).await.is_ok()
    }

    /// Stops the gateway.
    pub(super) async fn stop(self) -> Result<Stopped> {
        drop(self.stop);
        let gateway = self.gateway;
        let ended = tokio::task::spawn_blocking(move || gateway.join()).await?;
        let Ok(ended) = ended else { bail!("the gateway's thread failed: please report this") };
        let ledger = ended?.ledger;
        tracing::debug!(%ledger, "gateway ended");
        Ok(Stopped { broker: self.broker, stream: self.stream, ledger })
    }
}

/// What is left when the gateway has ended.
#[derive(Debug)]
pub(super) struct Stopped {
    broker: Broker,
    pub(super) stream: LocalStream,
    pub(super) ledger: Conservation,
}

impl Stopped {
    /// Ends the rest.
    pub(super) async fn end(self) {
        self.broker.stop().await;
        self.stream.stop().await;
    }
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
