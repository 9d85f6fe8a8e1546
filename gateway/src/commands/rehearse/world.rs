//! Broker, local stream and the real gateway between them, in one process.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::oneshot;
use tokio::time::{interval, timeout};

use crate::commands::runtime;
use crate::config::Config;
use crate::credentials::keys::Keys;
use crate::credentials::{Key, KeyId};
use crate::deliver::kinesis::Kinesis;
use crate::metrics::{Conservation, Counters};
use crate::pipeline::{self, Ended, Streams};
use crate::rehearsal::broker::{self, Broker};
use crate::rehearsal::stream::{self, LocalStream};

/// How long a gateway may take that starts.
const SUBSCRIBED_WITHIN: Duration = Duration::from_secs(10);

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
    gateway: Gateway,
}

impl World {
    /// Starts it with `shards`; returns when the gateway has subscribed.
    ///
    /// # Errors
    /// When a part cannot be started; what the gateway says of itself where it ended.
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
             proxy.url = 'off'\nshards = {shards}\n{}{}",
            setup.state_dir.display(),
            broker.url(),
            setup.topics,
            stream.endpoint(),
            setup.stream,
            setup.tables,
        );
        let config = Config::parse(&text).context("the rehearsal's own configuration")?;
        let gateway = Gateway::start(config)?;
        if !gateway.subscribes_to(&broker).await {
            gateway.stop().await?;
            bail!("the gateway did not subscribe within {} s", SUBSCRIBED_WITHIN.as_secs());
        }
        Ok(Self { broker, stream, gateway })
    }

    /// Waits until so many records are stored; false if that takes longer than `patience`.
    pub(super) async fn stored(&self, records: u64, patience: Duration) -> bool {
        let all = self.stream.reached(|counts| counts.records >= records);
        timeout(patience, all).await.is_ok()
    }

    /// Stops the gateway.
    pub(super) async fn stop(self) -> Result<Stopped> {
        let ledger = self.gateway.stop().await?.ledger;
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
#[derive(Debug)]
struct Gateway {
    thread: JoinHandle<Result<Ended>>,
    stop: oneshot::Sender<()>,
}

impl Gateway {
    fn start(config: Config) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("gateway".to_owned())
            .spawn(move || run(config, stopped))
            .context("cannot start the gateway's thread")?;
        Ok(Self { thread, stop })
    }

    /// Waits until it has subscribed: readings published before would reach nobody. False if it has
    /// ended instead, or that takes too long.
    async fn subscribes_to(&self, broker: &Broker) -> bool {
        let mut ticks = interval(Duration::from_millis(10));
        let has_subscribed =
            || broker.seen("rehearsal").is_some_and(|seen| !seen.subscribed.is_empty());
        let looked = async {
            while !has_subscribed() && !self.thread.is_finished() {
                ticks.tick().await;
            }
        };
        timeout(SUBSCRIBED_WITHIN, looked).await.is_ok() && has_subscribed()
    }

    /// Stops it, if it has not ended by itself.
    async fn stop(self) -> Result<Ended> {
        drop(self.stop);
        let ended = tokio::task::spawn_blocking(move || self.thread.join()).await?;
        ended.unwrap_or_else(|_panic| bail!("the gateway's thread failed: please report this"))
    }
}

fn run(config: Config, stopped: oneshot::Receiver<()>) -> Result<Ended> {
    runtime()?.block_on(async {
        let (id, secret) = (KeyId::new("REHEARSAL"), "rehearsal".into());
        let key = Key { id, secret, token: None, good_for: None };
        let kinesis = [Kinesis::connect(config.streams.first(), Keys::fixed(key)).await?];
        let stop = async { drop(stopped.await) };
        let streams = Streams { records: &kinesis, letters: None };
        pipeline::run(Arc::new(config), streams, Arc::new(Counters::default()), stop).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gateway_that_cannot_start_says_why_and_nobody_waits_for_it() {
        let no_directory = tempfile::NamedTempFile::new().unwrap();
        let setup = Setup {
            state_dir: no_directory.path(),
            topics: "#",
            stream: String::new(),
            tables: String::new(),
        };
        let start = World::start(1, 0, &setup);
        let refused = timeout(SUBSCRIBED_WITHIN / 2, start).await.unwrap().unwrap_err();
        let path = no_directory.path().display().to_string();
        assert!(format!("{refused:#}").contains(&path), "{refused:#}");
    }
}
