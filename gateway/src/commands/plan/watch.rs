//! Looks on at what a broker carries, with the gateway's own source, normaliser and router: what is
//! counted are the records that would be sent, and nothing is sent.
//!
//! The gateway beside it is not disturbed: the client id is another one, of an [`onlooker`], and where the
//! broker takes that for the gateway's all the same, nothing is watched ([`knock`]). What the broker had
//! retained is not what devices send, and does not count.
//!
//! [`onlooker`]: source::onlooker
//! [`knock`]: source::knock

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use futures_util::future::join;
use shard_estimator::cli::{Observed, Seen};
use tokio::sync::{mpsc, watch};

use crate::config::{Config, Stream, Streams};
use crate::limits::{INTAKE_BATCHES_MAX, SETTLED_BATCHES_MAX};
use crate::metrics::Counters;
use crate::normalise::Normaliser;
use crate::route::{Router, Routes};
use crate::source::{self, Lane, NotSeen, Publish};

/// Counts what is published for `stream`, or for the only one, until `over` is ready.
///
/// # Errors
/// When the configuration cannot be relied on, it is not clear which stream is meant, or the broker does
/// not let us in as somebody else than the gateway; and those of `over`.
pub(super) async fn watch(
    config: Config,
    stream: Option<&str>,
    over: impl Future<Output = Result<()>>,
) -> Result<Observed> {
    let (place, stream) = asked(&config.streams, stream)?;
    let mut counting = Counting {
        normaliser: Normaliser::new(&config.records).context("records")?,
        routes: Routes::new(&config.streams),
        place,
        router: Router::new(stream.partition_key.as_deref()),
        observed: Observed::new(Seen::AtBroker),
        publishes: 0,
    };
    let client_id = free_client_id(&config).await?;
    let (intake_tx, mut intake) = mpsc::channel(INTAKE_BATCHES_MAX);
    let (settled, settled_rx) = mpsc::channel(SETTLED_BATCHES_MAX);
    let (stop_tx, stop) = watch::channel(false);
    let counters = Arc::new(Counters::default());
    let mqtt = source::onlooker(&config.mqtt, client_id);
    let lane = Lane {
        index: 0,
        config: Arc::new(Config { mqtt, ..config.clone() }),
        intake: intake_tx,
        settled: settled_rx,
        stop,
        away: Duration::ZERO,
        counters: Arc::clone(&counters),
    };
    let count = async {
        while let Some(batch) = intake.recv().await {
            batch.publishes.iter().for_each(|publish| counting.count(publish));
            let receipts = batch.publishes.iter().map(|publish| publish.receipt).collect();
            // A connection that is gone holds nothing that could be settled.
            drop(settled.send(receipts).await);
        }
        // The connection hears that nothing more will be settled, and ends.
        drop(settled);
    };
    let looking = join(source::run_beside(lane, &config.mqtt), count);
    let missed = async {
        let mut looking = pin!(looking);
        tokio::select! {
            waited = over => waited?,
            _ = &mut looking => bail!(
                "the broker takes us for the gateway, which came meanwhile: nothing more can be seen. \
                 Have it keep the client ids that clients say, or look on with a login of its own"
            ),
        }
        // What is left out from now on is left out on purpose.
        let missed = counters.dropped_qos_0.get();
        stop_tx.send_replace(true);
        looking.await;
        Ok(missed)
    };
    let missed = Box::pin(missed).await?;
    counting.observed.miss(missed);
    Ok(counting.observed)
}

/// A name by which the broker knows nobody.
async fn free_client_id(config: &Config) -> Result<String> {
    let client_id = format!("{}-plan-{:08x}", config.mqtt.client_id, fastrand::u32(..));
    let knocked = Box::pin(source::knock(&config.mqtt, &client_id)).await;
    knocked.map_err(|NotSeen { said, fix, .. }| match fix {
        Some(fix) => anyhow!("the broker, as {client_id}: {said}; {fix}"),
        None => anyhow!("the broker, as {client_id}: {said}"),
    })?;
    Ok(client_id)
}

/// The stream that is meant, and its place.
fn asked<'s>(streams: &'s Streams, label: Option<&str>) -> Result<(usize, &'s Stream)> {
    let Some(label) = label else {
        let labels: Vec<_> = streams.iter().map(|stream| stream.label.as_str()).collect();
        ensure!(
            labels.len() == 1,
            "several streams: say --stream with one of {}",
            labels.join(", ")
        );
        return Ok((0, streams.first()));
    };
    let mut numbered = streams.iter().enumerate();
    let found = numbered.find(|(_, stream)| stream.label == label);
    found.with_context(|| format!("--stream {label}: there is no such stream"))
}

/// Makes records of publishes, and counts them.
struct Counting {
    normaliser: Normaliser,
    routes: Routes,
    /// The place of the stream that is planned for.
    place: usize,
    router: Router,
    observed: Observed,
    publishes: u64,
}

impl Counting {
    fn count(&mut self, Publish { topic, payload, rx_ts_ms, .. }: &Publish) {
        self.publishes += 1;
        let named = String::from_utf8_lossy(topic);
        match self.normaliser.normalise(topic, payload, *rx_ts_ms, self.publishes) {
            Ok(records) => {
                let kind = self.normaliser.kind(&named);
                for record in records {
                    if self.routes.of(&record, &named, kind) != Some(self.place) {
                        continue;
                    }
                    let key = self.router.key(&record, &named);
                    let bytes = u32::try_from(record.data.len()).unwrap_or(u32::MAX);
                    self.observed.add(*rx_ts_ms, key.as_str(), bytes);
                }
            }
            Err(reject) => self.observed.leave_out(|| format!("on {named}, {reject}")),
        }
    }
}
