//! The life of one connection: connect, subscribe, take in, acknowledge, end.
//!
//! One task polls. It never waits for anything but its events: publishes wait in an outbox until
//! the next stage takes them, acknowledgements are said without waiting. Backpressure is withheld
//! acknowledgements; a broker that sends on all the same is not read. Nor is any while more is held
//! than the memory allows: the connection lives on pings until there is room.

use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use twox_hash::XxHash3_64;

use crate::ack::{Arrival, Ledger, Receipt};
use crate::config::{Config, Retained};
use crate::limits::{CONNECTION_PROVEN_AFTER_MS, GOODBYE_MAX, PUBLISH_OVERHEAD_BYTES};
use crate::metrics::Counters;

use super::outbox::Outbox;
use super::subscriptions::Subscriptions;
use super::window::Window;
use super::wire::{Reading, Wire};
use super::{
    Delivery, Dialect, Event, Fault, Fresh, Lane, OFFLINE, ONLINE, Publish, Request, Welcome,
    unix_ms,
};

#[cfg(test)]
mod tests;

/// Why a conversation ended.
pub(super) enum End {
    /// Everything is settled and said.
    Over,
    Fault(Fault),
}

/// What is remembered between connections.
pub(super) struct Session {
    index: u16,
    pub(super) config: Arc<Config>,
    client_id: String,
    status_topic: Option<String>,
    subscriptions: Subscriptions,
    pub(super) ledger: Ledger,
    window: Window,
    held_bytes_max: usize,
    /// Whether more is held than that.
    full: bool,
    outbox: Outbox,
    settled: mpsc::Receiver<Vec<Receipt>>,
    stop: watch::Receiver<bool>,
    counters: Arc<Counters>,
    /// When this conversation, or the last one, got as far as a CONNACK, if it did.
    connected_ms: Option<i64>,
    /// When the broker was last heard; before that, when a gateway last ran.
    heard_ms: i64,
    last_fault: Option<String>,
}

impl Session {
    pub(super) fn new(
        lane: Lane,
        window: Window,
        client_id: String,
        status_topic: Option<String>,
    ) -> Self {
        let config = &lane.config;
        let index = usize::from(lane.index);
        Self {
            index: lane.index,
            subscriptions: Subscriptions::new(&config.mqtt, index, &client_id, &config.state_dir),
            held_bytes_max: config.intake_bytes_max(),
            full: false,
            client_id,
            status_topic,
            ledger: Ledger::new(lane.index),
            window,
            config: lane.config,
            outbox: Outbox::new(lane.intake),
            settled: lane.settled,
            stop: lane.stop,
            counters: lane.counters,
            connected_ms: None,
            heard_ms: unix_ms() - i64::try_from(lane.away.as_millis()).unwrap_or(i64::MAX),
            last_fault: None,
        }
    }

    /// One connection, from connect to end.
    pub(super) async fn converse<D: Dialect>(&mut self, wire: &mut Wire<D>, fresh: Fresh) -> End {
        self.connected_ms = None;
        match self.open(wire, fresh).await {
            ControlFlow::Break(()) => return End::Over,
            ControlFlow::Continue(Err(fault)) => return End::Fault(fault),
            ControlFlow::Continue(Ok(welcome)) => self.greet(wire, welcome.session_present),
        }
        loop {
            let reading = self.reading();
            let turned = tokio::select! {
                biased;
                news = self.attend() => if news.is_break() {
                    self.goodbye(wire).await;
                    return End::Over;
                } else {
                    Ok(())
                },
                turned = wire.turn(reading) => turned.inspect(|()| self.heard_ms = unix_ms()),
            };
            // Also of a connection that broke: what was written may have arrived, and then the
            // packet identifier is the broker's to use again.
            if wire.is_written() {
                self.ledger.written();
            }
            if let Err(fault) = turned {
                return End::Fault(fault);
            }
            loop {
                match wire.next() {
                    Ok(Some(event)) => self.hear(event, wire),
                    Ok(None) => break,
                    Err(fault) => return End::Fault(fault),
                }
            }
            self.acknowledge(wire);
            if self.subscriptions.are_due(unix_ms()) {
                self.subscriptions.ask(wire);
            }
        }
    }

    /// Connects; breaks when nothing is left to do.
    async fn open<D: Dialect>(
        &mut self,
        wire: &mut Wire<D>,
        fresh: Fresh,
    ) -> ControlFlow<(), Result<Welcome, Fault>> {
        let mut opened = pin!(wire.open(fresh));
        loop {
            tokio::select! {
                biased;
                news = self.attend() => news?,
                opened = &mut opened => return ControlFlow::Continue(opened),
            }
        }
    }

    fn greet(&mut self, wire: &mut Wire<impl Dialect>, session_present: bool) {
        info!(lane = self.index, client_id = self.client_id, session_present, "broker connected");
        let now_ms = unix_ms();
        if session_present {
            let away_ms = u64::try_from(now_ms.saturating_sub(self.heard_ms)).unwrap_or(0);
            self.outbox.tell_away(Duration::from_millis(away_ms));
        }
        self.heard_ms = now_ms;
        (self.connected_ms, self.last_fault) = (Some(now_ms), None);
        self.ledger.connected(session_present);
        self.subscriptions.ask(wire);
    }

    /// Whether more is wanted. What is not read waits in the socket, and then with the broker.
    fn reading(&mut self) -> Reading {
        let was_full = self.full;
        self.full = self.holds_too_much();
        if self.full && !was_full {
            self.outbox.tell_exhausted();
        }
        // Brokers that overrun their window: mosquitto 2.0.11 sends up to as much again for each
        // acknowledgement.
        let window = usize::from(self.config.mqtt.receive_maximum);
        match self.full || self.ledger.unacknowledged() >= window {
            true => Reading::Paused,
            false => Reading::On,
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
            () = self.outbox.hand_on() => {}
            () = self.subscriptions.due(unix_ms()) => {}
            () = stopped(&mut self.stop), if self.outbox.is_open() => self.outbox.close(),
        }
        ControlFlow::Continue(())
    }

    fn hear(&mut self, event: Event, wire: &mut Wire<impl Dialect>) {
        match event {
            Event::Publish(delivery) => self.take_in(delivery),
            Event::Subscribed(answers) => {
                let complete = self.subscriptions.subscribed(&answers, unix_ms());
                if let (Some(topic), true) = (&self.status_topic, complete) {
                    let payload = ONLINE;
                    wire.say(|packet_id| Request::PublishRetained { packet_id, topic, payload });
                }
            }
            Event::Unsubscribed => self.subscriptions.unsubscribed(),
            Event::Connected(_) | Event::Other => {}
        }
    }

    /// Whether this conversation, or the last one, got as far as a CONNACK.
    pub(super) fn was_connected(&self) -> bool {
        self.connected_ms.is_some()
    }

    /// Whether the last conversation ended before it was worth anything.
    pub(super) fn was_brief(&self) -> bool {
        self.connected_ms.is_none_or(|since| unix_ms() - since < CONNECTION_PROVEN_AFTER_MS)
    }

    fn take_in(&mut self, delivery: Delivery) {
        let Delivery { topic, payload, packet_id, dup, retain } = delivery;
        let topic_hash = XxHash3_64::oneshot(&topic);
        let arrival = Arrival {
            packet_id: (packet_id != 0).then_some(packet_id),
            dup,
            fingerprint: XxHash3_64::oneshot_with_seed(topic_hash, &payload),
            bytes: topic.len() + payload.len() + PUBLISH_OVERHEAD_BYTES,
        };
        if self.ledger.adopt(&arrival) {
            return self.counters.adopted.add(1);
        }
        // Nothing more is read once too much is held, so QoS 1 is always taken in. QoS 0 fills the
        // memory and no more: a connection that waited for it would stall for what is worth least.
        let fits = self.ledger.held_bytes() + arrival.bytes <= self.held_bytes_max;
        if !self.outbox.is_open() || (arrival.packet_id.is_none() && !fits) {
            return self.leave_out(&arrival);
        }
        let receipt = self.ledger.receive(&arrival);
        if retain && self.config.mqtt.retained == Retained::Skip {
            self.counters.received.add(1);
            self.counters.dropped_retained.add(1);
            return self.settle(&[receipt]);
        }
        self.outbox.push(Publish { topic, payload, rx_ts_ms: unix_ms(), receipt });
        if self.window.received(self.ledger.unacknowledged()) {
            self.outbox.tell_exhausted();
        }
    }

    /// At QoS 0 the broker keeps nothing: what is left out is lost, and counted. At QoS 1 it stays
    /// with the broker, unacknowledged.
    fn leave_out(&self, arrival: &Arrival) {
        if arrival.packet_id.is_none() {
            self.counters.received.add(1);
            self.counters.dropped_qos_0.add(1);
        }
    }

    fn settle(&mut self, receipts: &[Receipt]) {
        let unacknowledged = self.ledger.unacknowledged();
        for receipt in receipts {
            self.ledger.settle(*receipt);
        }
        // What settles behind one that does not is acknowledged with it: the window still fills.
        if self.ledger.is_due() {
            self.window.acknowledging(unacknowledged);
        }
        // Whoever hears that something settled thinks that more comes; not before there is room, and
        // what is first in line is settled, too.
        let is_stuck =
            !self.ledger.is_due() && self.window.is_exhausted(self.ledger.unacknowledged());
        if is_stuck || self.holds_too_much() {
            self.outbox.tell_exhausted();
        }
    }

    fn holds_too_much(&self) -> bool {
        self.ledger.held_bytes() > self.held_bytes_max
    }

    fn acknowledge(&mut self, wire: &mut Wire<impl Dialect>) {
        while let Some(packet_id) = self.ledger.next_due() {
            wire.say(|_| Request::Acknowledge(packet_id));
        }
    }

    pub(super) fn say(&mut self, fault: &Fault, pause: Duration) {
        let fault = fault.to_string();
        if self.last_fault.as_ref() != Some(&fault) {
            let (lane, pause_ms) =
                (self.index, u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
            warn!(lane, fault, pause_ms, "broker not connected, trying again");
            self.last_fault = Some(fault);
        }
    }

    /// Waits before the next connect; settles meanwhile. Breaks when nothing is left to do.
    pub(super) async fn wait(&mut self, pause: Duration) -> ControlFlow<()> {
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

    /// Leaves for good: writes the last acknowledgements and disconnects. Returns when the broker has
    /// closed the connection: one that we close with something unread is reset, and the broker may
    /// then forget acknowledgements that it has not read.
    async fn goodbye<D: Dialect>(&mut self, wire: &mut Wire<D>) {
        if let Some(topic) = &self.status_topic {
            let payload = OFFLINE;
            wire.say(|packet_id| Request::PublishRetained { packet_id, topic, payload });
        }
        self.acknowledge(wire);
        wire.say(|_| Request::Disconnect);
        // What still comes stays with the broker: it is not acknowledged.
        let closed = async {
            while wire.turn(Reading::On).await.is_ok() {
                while matches!(wire.next(), Ok(Some(_))) {}
            }
        };
        if timeout(GOODBYE_MAX, closed).await.is_err() {
            warn!(lane = self.index, "the broker did not take our leave in time");
        }
    }
}

/// Ready once the program is to stop, or nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
