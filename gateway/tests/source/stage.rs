//! A connection between the embedded broker and a test that plays the rest of the gateway.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tidegate::ack::Receipt;
use tidegate::config::{Config, MqttVersion};
use tidegate::metrics::Counters;
use tidegate::rehearsal::broker::{Broker, Publish, Seen, Settings};
use tidegate::source::{self, Intake, Lane};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// For how long there was no gateway before the one of a stage.
pub(crate) const AWAY: Duration = Duration::from_secs(600);

pub(crate) fn both_versions() -> [MqttVersion; 2] {
    [MqttVersion::V5, MqttVersion::V3]
}

/// A broker, a connection to it, and what came in.
pub(crate) struct Stage {
    pub(crate) broker: Broker,
    pub(crate) counters: Arc<Counters>,
    pub(crate) window_exhausted: bool,
    /// For how long nothing could come.
    pub(crate) away: Duration,
    client_id: String,
    came_in: Vec<String>,
    waiting: Vec<Receipt>,
    intake: mpsc::Receiver<Intake>,
    settled: mpsc::Sender<Vec<Receipt>>,
    stop: watch::Sender<bool>,
    connection: JoinHandle<()>,
    state: Arc<TempDir>,
}

/// A broker that outlives its stage, with the state that the gateway remembers.
pub(crate) struct Kept(Broker, Arc<TempDir>);

impl Stage {
    /// Starts a broker and a connection that has subscribed to `t/#` at QoS 1.
    pub(crate) async fn set(version: MqttVersion, change: impl FnOnce(&mut Config)) -> Self {
        Self::set_after(|_| {}, version, change).await
    }

    /// The same, with something done to the broker first.
    pub(crate) async fn set_after(
        before: impl FnOnce(&Broker),
        version: MqttVersion,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let broker = Broker::start(Settings::default()).await.unwrap();
        before(&broker);
        let state = Arc::new(tempfile::tempdir().unwrap());
        Self::set_again(Kept(broker, state), version, change).await
    }

    /// The same, with the broker and the state of an earlier stage.
    pub(crate) async fn set_again(
        Kept(broker, state): Kept,
        version: MqttVersion,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::parse(&format!(
            "[mqtt]\nurl = '{}'\nclient_id = 'edge-1'\ntopics = ['t/#']\nversion = 5\n\
             reconnect_ms_min = 10\nreconnect_ms_max = 50\n\
             [stream]\nname = 'telemetry'\nregion = 'us-east-1'\n",
            broker.url()
        ))
        .unwrap();
        config.mqtt.version = version;
        config.state_dir = state.path().to_owned();
        change(&mut config);
        let client_id = config.mqtt.client_id.clone();
        let connects = broker.seen(&client_id).map_or(0, |seen| seen.connects);
        let counters = Arc::new(Counters::default());
        let (intake_tx, intake) = mpsc::channel(4);
        let (settled, settled_rx) = mpsc::channel(4);
        let (stop, stop_rx) = watch::channel(false);
        let lane = Lane {
            index: 0,
            config: Arc::new(config),
            intake: intake_tx,
            settled: settled_rx,
            stop: stop_rx,
            away: AWAY,
            counters: Arc::clone(&counters),
        };
        #[expect(clippy::disallowed_methods, reason = "the stage awaits it")]
        let connection = tokio::task::spawn(source::run(lane));
        let stage = Self {
            broker,
            counters,
            window_exhausted: false,
            away: Duration::ZERO,
            client_id,
            came_in: Vec::new(),
            waiting: Vec::new(),
            intake,
            settled,
            stop,
            connection,
            state,
        };
        stage.until(|seen| seen.connects > connects && !seen.subscribed.is_empty()).await;
        stage
    }

    /// Publishes these numbers to topic `t/1`.
    pub(crate) fn publish(&self, numbers: Range<usize>) {
        self.publish_padded(numbers, 0);
    }

    /// The same, each with so many bytes of white space behind it.
    pub(crate) fn publish_padded(&self, numbers: Range<usize>, padding: usize) {
        for number in numbers {
            let payload = format!("{number}{}", " ".repeat(padding));
            self.broker.publish(Publish::new("t/1", payload));
        }
    }

    /// Waits until so many more publishes came in, and not more in the next moment.
    pub(crate) async fn receive(&mut self, count: usize) -> Vec<Receipt> {
        while self.waiting.len() < count {
            let intake = timeout(PATIENCE, self.intake.recv()).await;
            let intake = intake.unwrap_or_else(|_| {
                panic!("{} of {count} came in; {:?}", self.waiting.len(), self.seen())
            });
            self.take(intake.expect("the connection ended"));
        }
        self.quiet().await;
        while let Ok(intake) = self.intake.try_recv() {
            self.take(intake);
        }
        assert_eq!(self.waiting.len(), count, "more came in than expected: {:?}", self.came_in);
        std::mem::take(&mut self.waiting)
    }

    /// Waits until something more comes in, and takes what is there.
    pub(crate) async fn receive_some(&mut self) -> Vec<Receipt> {
        let intake = timeout(PATIENCE, self.intake.recv()).await;
        self.take(intake.expect("nothing came in").expect("the connection ended"));
        std::mem::take(&mut self.waiting)
    }

    /// Takes what comes in until the connection says that nothing more comes.
    pub(crate) async fn receive_until_exhausted(&mut self) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        while !std::mem::take(&mut self.window_exhausted) {
            receipts.extend(self.receive_some().await);
        }
        receipts
    }

    fn take(&mut self, intake: Intake) {
        self.window_exhausted |= intake.window_exhausted;
        self.away += intake.away;
        for publish in intake.publishes {
            self.waiting.push(publish.receipt);
            self.came_in.push(String::from_utf8(publish.payload.to_vec()).unwrap());
        }
    }

    pub(crate) fn settle(&self, receipts: &[Receipt]) {
        self.settled.try_send(receipts.to_vec()).unwrap();
    }

    /// Payloads as they came in.
    pub(crate) fn payloads(&self) -> Vec<&str> {
        self.came_in.iter().map(String::as_str).collect()
    }

    /// Payloads as they came in, as numbers.
    pub(crate) fn contents(&self) -> Vec<usize> {
        self.came_in.iter().map(|text| text.trim().parse().unwrap()).collect()
    }

    pub(crate) fn seen(&self) -> Seen {
        self.broker.seen(&self.client_id).unwrap_or_default()
    }

    pub(crate) fn violations(&self) -> u64 {
        let seen = self.seen();
        seen.pubacks_not_in_flight + seen.pubacks_out_of_order
    }

    /// Waits until the broker has seen this.
    pub(crate) async fn until(&self, expected: impl Fn(&Seen) -> bool) {
        let wait = async {
            while !expected(&self.seen()) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        if timeout(PATIENCE, wait).await.is_err() {
            panic!("not seen in time: {:?}", self.seen());
        }
    }

    /// Waits until the connection has counted this.
    pub(crate) async fn counted(&self, expected: impl Fn(&Counters) -> bool) {
        let wait = async {
            while !expected(&self.counters) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(timeout(PATIENCE, wait).await.is_ok(), "{:?}", self.counters);
    }

    /// Gives what should not happen a moment to happen.
    pub(crate) async fn quiet(&self) {
        sleep(Duration::from_millis(50)).await;
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until nothing more will come in.
    pub(crate) async fn intake_closed(&mut self) {
        let wait = async { while self.intake.recv().await.is_some() {} };
        timeout(PATIENCE, wait).await.unwrap();
    }

    /// Stops the connection as the pipeline does, and waits for its end.
    pub(crate) async fn end_and_keep_broker(self) -> Kept {
        self.stop();
        drop(self.settled);
        timeout(PATIENCE, self.connection).await.unwrap().unwrap();
        Kept(self.broker, self.state)
    }

    /// The same, and stops the broker.
    pub(crate) async fn end(self) {
        let Kept(broker, _) = self.end_and_keep_broker().await;
        broker.stop().await;
    }
}
