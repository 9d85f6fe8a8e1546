//! A broker, a stream and a gateway between them.

use tests::installation::Installation;
use tests::mosquitto::{self, Mosquitto};
use tests::patience::{PATIENCE, in_time};
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{self, Action, Link, LocalStream};
use tokio::time::timeout;

/// The program under test.
pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_gateway");

/// A broker, a stream and a gateway between them.
pub(super) struct World {
    pub(super) broker: Mosquitto,
    pub(super) stream: LocalStream,
    pub(super) gateway: Installation,
}

impl World {
    /// A patient broker, a stream of 4 shards with real limits, a gateway not yet started.
    pub(super) async fn new() -> Self {
        Self::with(mosquitto::Settings::patient(), stream::Settings::default()).await
    }

    pub(super) async fn with(broker: mosquitto::Settings, stream: stream::Settings) -> Self {
        let broker = Mosquitto::start(broker).await;
        let stream = LocalStream::start(stream).await.expect("a free port");
        let gateway = Installation::new(PROGRAM, &broker.url(), &stream.endpoint());
        Self { broker, stream, gateway }
    }

    /// Configures the gateway.
    pub(super) fn set(mut self, key: &str, value: &str) -> Self {
        self.gateway = self.gateway.set(key, value);
        self
    }

    /// A gateway that shows its metrics, on a free port.
    pub(super) fn with_metrics(self) -> Self {
        self.set("metrics.listen", "\"127.0.0.1:0\"")
    }

    /// A gateway whose key may only put, and to which nothing was said of the shards.
    pub(super) fn with_unknown_shards(mut self) -> Self {
        self.gateway = self.gateway.unset("stream.shards");
        self.stream.faults(|faults| faults.permitted = Action::PUTS.to_vec());
        self
    }

    /// A gateway whose commands are interrupted.
    pub(super) fn interrupted_after_3_s(mut self) -> Self {
        self.gateway = self.gateway.interrupted_after_3_s();
        self
    }

    /// A gateway that keeps next to nothing of its spool in memory.
    pub(super) fn with_little_memory(self) -> Self {
        self.set("memory_bytes_max", "\"6 MiB\"").set("mqtt.packet_bytes_max", "\"64 KiB\"")
    }

    /// Runs the gateway for a moment: from now on the broker keeps for it what is published.
    pub(super) async fn begin_session(&self) {
        self.gateway.start().await.stop().await.books();
    }

    /// Waits until the stream has stored so many records since its start.
    pub(super) async fn stored(&self, records: u64) {
        let enough = |counts: &stream::Counts| counts.records >= records;
        in_time(&format!("{records} records are stored"), self.stream.reached(enough)).await;
    }

    /// The link to the stream changes.
    pub(super) fn link(&self, link: Link) {
        self.stream.faults(|faults| faults.link = link);
    }

    /// The readings in the stream, in the order of storing.
    pub(super) fn arrived(&self) -> Vec<Reading> {
        let records = self.stream.records();
        let reading = |data: &[u8]| Reading::of_record(data).expect("a record of a reading");
        records.iter().map(|record| reading(&record.data)).collect()
    }

    /// Waits until all of `published` is in the stream, and compares.
    pub(super) async fn all_arrive(&self, published: &[Reading]) -> Comparison {
        let mut counted = 0;
        let arrived = async {
            loop {
                let news = |counts: &stream::Counts| counts.records > counted;
                counted = self.stream.reached(news).await.records;
                if counted >= published.len() as u64
                    && Comparison::of(published, &self.arrived()).lost.is_empty()
                {
                    return;
                }
            }
        };
        let in_time = timeout(PATIENCE, arrived).await;
        let comparison = Comparison::of(published, &self.arrived());
        let Comparison { lost, .. } = &comparison;
        assert!(in_time.is_ok(), "{} of {} lost, {:.99?}", lost.len(), published.len(), lost);
        comparison
    }
}
