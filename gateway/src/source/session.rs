//! The life of one connection: connect, subscribe, take in, acknowledge, end.
//!
//! One task polls. It never waits for anything but its events: publishes wait in an outbox until
//! the next stage takes them, acknowledgements are queued without waiting. Backpressure is withheld
//! acknowledgements, never a stopped poll.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use twox_hash::XxHash3_64;

use crate::ack::{Arrival, Ledger, Receipt, Received};
use crate::config::{Config, Mqtt, MqttVersion, Qos, Retained};
use crate::deliver::backoff::Backoff;
use crate::limits::{FILTERS_PER_SUBSCRIBE_MAX, GOODBYE_MAX};
use crate::metrics::Counters;

use super::subscriptions::Subscriptions;
use super::window::Window;
use super::{Connection, Delivery, Event, Fault, Fresh, Intake, Publish, Requests};
use super::{login, tls, unix_ms, v3, v5};

/// What a connection is given.
#[derive(Debug)]
pub struct Lane {
    /// Its number, from 0.
    pub index: u16,
    /// The configuration of the gateway.
    pub config: Arc<Config>,
    /// Where its publishes go. Dropped when it stops taking in.
    pub intake: mpsc::Sender<Intake>,
    /// Receipts of what is safe. When it ends, nothing more will be settled.
    pub settled: mpsc::Receiver<Vec<Receipt>>,
    /// True once the program is to stop.
    pub stop: watch::Receiver<bool>,
    /// What is counted.
    pub counters: Arc<Counters>,
}

/// Runs one connection until everything is settled after a stop, or the next stage is gone.
pub async fn run(lane: Lane) {
    let mqtt = &lane.config.mqtt;
    let client_id = match lane.index {
        0 => mqtt.client_id.clone(),
        index => format!("{}-{}", mqtt.client_id, index + 1),
    };
    let status_topic = mqtt.status_topic.then(|| format!("tidegate/{client_id}/status"));
    let status = status_topic.as_deref();
    match mqtt.version {
        MqttVersion::V5 => {
            let (connection, requests) = v5::open(mqtt, &client_id, status);
            let window = Window::new(Some(mqtt.receive_maximum));
            live(connection, Session::new(lane, requests, window, client_id, status_topic)).await;
        }
        MqttVersion::V3 => {
            let (connection, requests) = v3::open(mqtt, &client_id, status);
            let window = Window::new(None);
            live(connection, Session::new(lane, requests, window, client_id, status_topic)).await;
        }
    }
}

/// Connects again and again until the session is over.
async fn live<C: Connection>(mut connection: C, mut session: Session<C::Requests>) {
    let mqtt = session.config.mqtt.clone();
    let backoff = Backoff::new(mqtt.reconnect);
    let mut failures = 0;
    loop {
        let end = match fresh(&mqtt) {
            Ok(fresh) => {
                connection.prepare(fresh);
                session.converse(&mut connection).await
            }
            Err(error) => End::Fault(Fault { refused: true, detail: format!("{error:#}") }),
        };
        connection.hang_up();
        session.disconnected();
        let fault = match end {
            End::Over => return,
            End::Full => {
                session.until_half_empty().await;
                continue;
            }
            End::Fault(fault) => fault,
        };
        failures = if session.was_connected { 1 } else { failures + 1 };
        let pause = match fault.refused {
            true => mqtt.reconnect.1.mul_f64(0.5 + 0.5 * fastrand::f64()),
            false => backoff.pause(failures, fastrand::f64()),
        };
        session.say(&fault, pause);
        if session.wait(pause).await.is_break() {
            return;
        }
    }
}

fn fresh(mqtt: &Mqtt) -> anyhow::Result<Fresh> {
    Ok(Fresh {
        login: mqtt.login.as_ref().map(login::read).transpose()?,
        tls: mqtt.broker.tls.as_ref().map(tls::client_config).transpose()?,
    })
}

/// Why a conversation ended.
enum End {
    /// Everything is settled and said.
    Over,
    /// The memory budget is used up.
    Full,
    Fault(Fault),
}

/// What is remembered between connections.
struct Session<R> {
    index: u16,
    config: Arc<Config>,
    client_id: String,
    status_topic: Option<String>,
    requests: R,
    subscriptions: Subscriptions,
    /// Filters asked for and not answered, and filters to unsubscribe that are not answered.
    unanswered: (usize, usize),
    ledger: Ledger,
    window: Window,
    budget_bytes: usize,
    /// `None` once nothing more is taken in.
    intake: Option<mpsc::Sender<Intake>>,
    outbox: Vec<Publish>,
    window_exhausted: bool,
    settled: mpsc::Receiver<Vec<Receipt>>,
    stop: watch::Receiver<bool>,
    counters: Arc<Counters>,
    connected: bool,
    /// Whether the last conversation got as far as a CONNACK.
    was_connected: bool,
    full: bool,
    last_fault: Option<String>,
}

impl<R: Requests> Session<R> {
    fn new(
        lane: Lane,
        requests: R,
        window: Window,
        client_id: String,
        status_topic: Option<String>,
    ) -> Self {
        let config = &lane.config;
        let index = usize::from(lane.index);
        Self {
            index: lane.index,
            subscriptions: Subscriptions::new(&config.mqtt, index, &client_id, &config.state_dir),
            budget_bytes: config.memory_bytes_max / config.mqtt.lanes.len().max(1),
            client_id,
            status_topic,
            requests,
            unanswered: (0, 0),
            ledger: Ledger::new(lane.index),
            window,
            config: lane.config,
            intake: Some(lane.intake),
            outbox: Vec::new(),
            window_exhausted: false,
            settled: lane.settled,
            stop: lane.stop,
            counters: lane.counters,
            connected: false,
            was_connected: false,
            full: false,
            last_fault: None,
        }
    }

    /// One connection, from connect to end.
    async fn converse<C: Connection<Requests = R>>(&mut self, connection: &mut C) -> End {
        self.was_connected = false;
        loop {
            let event = {
                // Pinned, not restarted: a dropped poll loses a connect in progress.
                let mut poll = pin!(connection.poll());
                loop {
                    tokio::select! {
                        biased;
                        news = self.attend() => if news.is_break() {
                            break None;
                        },
                        event = &mut poll => break Some(event),
                    }
                }
            };
            match event {
                None => {
                    self.goodbye(connection).await;
                    return End::Over;
                }
                Some(Err(fault)) => return End::Fault(fault),
                Some(Ok(event)) => self.hear(event),
            }
            while let Some(event) = connection.buffered() {
                self.hear(event);
            }
            if self.full {
                return End::Full;
            }
            self.hand_on();
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Publish(delivery) => self.take_in(delivery),
            Event::AckWritten => self.ledger.written(),
            Event::Connected { session_present } => self.greet(session_present),
            Event::Subscribed(answers) => self.subscribed(&answers),
            Event::Unsubscribed => {
                self.unanswered.1 = self.unanswered.1.saturating_sub(1);
                self.remember();
            }
            Event::Other => {}
        }
    }

    fn take_in(&mut self, delivery: Delivery) {
        if self.intake.is_none() || self.full {
            // Not acknowledged: the broker keeps it.
            return;
        }
        let Delivery { topic, payload, packet_id, dup, retain } = delivery;
        let bytes = topic.len() + payload.len();
        if self.ledger.held() > 0 && self.ledger.held_bytes() + bytes > self.budget_bytes {
            if packet_id == 0 {
                self.counters.received.add(1);
                self.counters.dropped_memory.add(1);
            } else {
                self.full = true;
            }
            return;
        }
        let packet_id = (packet_id != 0).then_some(packet_id);
        let fingerprint = XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(&topic), &payload);
        match self.ledger.receive(Arrival { packet_id, dup, fingerprint, bytes }) {
            Received::Adopted => {
                self.counters.adopted.add(1);
                self.acknowledge();
            }
            Received::New(receipt) if retain && self.config.mqtt.retained == Retained::Skip => {
                self.counters.received.add(1);
                self.counters.dropped_retained.add(1);
                self.settle(&[receipt]);
            }
            Received::New(receipt) => {
                self.window_exhausted |= self.window.received(self.ledger.unacknowledged());
                self.outbox.push(Publish { topic, payload, rx_ts_ms: unix_ms(), receipt });
            }
        }
    }

    /// Waits for news that do not come from the broker, and deals with them. Breaks when nothing
    /// more will be settled. May be dropped unfinished.
    async fn attend(&mut self) -> ControlFlow<()> {
        tokio::select! {
            biased;
            receipts = self.settled.recv() => match receipts {
                Some(receipts) => self.settle(&receipts),
                None => return ControlFlow::Break(()),
            },
            () = room(self.intake.as_ref(), !self.outbox.is_empty()) => self.hand_on(),
            () = stopped(&mut self.stop, self.intake.is_some()) => self.stop_taking_in(),
        }
        ControlFlow::Continue(())
    }

    /// Hands the outbox to the next stage, if it has room at once.
    fn hand_on(&mut self) {
        let Some(intake) = self.intake.as_ref().filter(|_| !self.outbox.is_empty()) else { return };
        let gone = match intake.try_reserve() {
            Ok(permit) => {
                permit.send(Intake {
                    publishes: std::mem::take(&mut self.outbox),
                    window_exhausted: std::mem::take(&mut self.window_exhausted),
                });
                false
            }
            Err(full_or_closed) => full_or_closed == TrySendError::Closed(()),
        };
        if gone {
            self.stop_taking_in();
        }
    }

    fn settle(&mut self, receipts: &[Receipt]) {
        self.window.acknowledging(self.ledger.unacknowledged());
        for receipt in receipts {
            self.ledger.settle(*receipt);
        }
        self.acknowledge();
    }

    fn acknowledge(&mut self) {
        while let Some(packet_id) = self.ledger.next_due() {
            self.requests.acknowledge(packet_id);
        }
    }

    /// A connection is made: subscribe, whether the broker knows the session or not. It may have
    /// been made by a run with other filters.
    fn greet(&mut self, session_present: bool) {
        info!(lane = self.index, client_id = self.client_id, session_present, "broker connected");
        (self.connected, self.was_connected, self.last_fault) = (true, true, None);
        self.ledger.connected(session_present);
        let unwanted = self.subscriptions.unwanted();
        for filter in &unwanted {
            info!(filter, "unsubscribing from a filter that is no longer configured");
            self.requests.unsubscribe(filter);
        }
        self.unanswered = (self.subscriptions.wanted().len(), unwanted.len());
        for filters in self.subscriptions.wanted().chunks(FILTERS_PER_SUBSCRIBE_MAX) {
            self.requests.subscribe(filters);
        }
    }

    /// Answers come in the order of the requests, one for each filter.
    fn subscribed(&mut self, answers: &[Result<Qos, String>]) {
        let wanted = self.subscriptions.wanted();
        let first = wanted.len().saturating_sub(self.unanswered.0);
        for (subscription, answer) in wanted.iter().skip(first).zip(answers) {
            let filter = &subscription.filter;
            match answer {
                Ok(granted) if *granted != subscription.qos => {
                    warn!(filter, ?granted, asked = ?subscription.qos, "subscribed at another QoS");
                }
                Ok(_) => info!(filter, "subscribed"),
                Err(reason) => warn!(
                    filter,
                    reason, "the broker refuses this subscription: check its access list"
                ),
            }
        }
        self.unanswered.0 = self.unanswered.0.saturating_sub(answers.len());
        self.remember();
        if let (Some(topic), 0) = (&self.status_topic, self.unanswered.0) {
            self.requests.publish_retained(topic, "online");
        }
    }

    /// Writes down what the broker was asked for, once it has answered everything.
    fn remember(&self) {
        if self.unanswered != (0, 0) {
            return;
        }
        if let Err(error) = self.subscriptions.remember(&[]) {
            warn!(%error, "cannot remember the subscriptions: a filter removed from the \
                   configuration would stay subscribed");
        }
    }

    fn disconnected(&mut self) {
        self.connected = false;
        self.ledger.disconnected();
    }

    /// Publishes that wait in the outbox are forgotten with the stop: the broker keeps them.
    fn stop_taking_in(&mut self) {
        self.intake = None;
        self.outbox.clear();
    }

    fn say(&mut self, fault: &Fault, pause: Duration) {
        if self.last_fault.as_ref() != Some(&fault.detail) {
            let (lane, pause_ms) = (self.index, pause.as_millis());
            warn!(lane, fault = fault.detail, pause_ms, "broker not connected, trying again");
            self.last_fault = Some(fault.detail.clone());
        }
    }

    /// Waits before the next connect; settles meanwhile. Breaks when nothing is left to do.
    async fn wait(&mut self, pause: Duration) -> ControlFlow<()> {
        let mut pause = pin!(sleep(pause));
        loop {
            tokio::select! {
                biased;
                news = self.attend() => if news.is_break() {
                    return news;
                },
                () = &mut pause => return ControlFlow::Continue(()),
            }
        }
    }

    /// Waits, disconnected, until half of the memory budget is free again.
    async fn until_half_empty(&mut self) {
        self.counters.hang_ups.add(1);
        warn!(
            lane = self.index,
            budget_bytes = self.budget_bytes,
            "memory budget used up: disconnected, the broker keeps what comes"
        );
        while self.ledger.held_bytes() > self.budget_bytes / 2 {
            if self.wait(Duration::from_millis(100)).await.is_break() {
                return;
            }
        }
        self.full = false;
    }

    /// Writes the last acknowledgements and leaves.
    async fn goodbye<C: Connection>(&mut self, connection: &mut C) {
        if !self.connected {
            return;
        }
        if let Some(topic) = &self.status_topic {
            self.requests.publish_retained(topic, v3::OFFLINE);
        }
        self.requests.disconnect();
        let closed = async { while connection.poll().await.is_ok() {} };
        if timeout(GOODBYE_MAX, closed).await.is_err() {
            warn!(lane = self.index, "the broker did not take our leave in time");
        }
    }
}

/// Ready when the next stage has room, or is gone. Never while nothing waits.
async fn room(intake: Option<&mpsc::Sender<Intake>>, waiting: bool) {
    match intake {
        Some(intake) if waiting => drop(intake.reserve().await),
        _ => std::future::pending().await,
    }
}

/// Ready once the program is to stop, unless that is known already.
async fn stopped(stop: &mut watch::Receiver<bool>, unknown: bool) {
    if !unknown || stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}
