//! The broker without sockets or clock: clients, their sessions, subscriptions and retained
//! publishes. Publishes come in, deliveries go out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::client::Client;
use super::faults::{Faults, Seen};
use super::publish::{Outgoing, Publish};
use super::routes::{Routes, Target};
use super::session::{Session, Terms};
use super::topics::{self, Filter};
use super::vocabulary::{Asked, Farewell, Granted, Hello, Link, Onward, RetainHandling, Welcome};

/// What holds for every session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Publishes that wait for one client. More are dropped, the newest first.
    pub(super) queue_max: usize,
    /// The window of a client that states no receive maximum.
    pub(super) window: u16,
}

/// All clients and all that lies between them.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Misbehaviour in force.
    pub(super) faults: Faults,
    limits: Limits,
    clients: Vec<Client>,
    by_id: HashMap<String, usize>,
    routes: Routes,
    retained: HashMap<Bytes, Arc<Publish>>,
    links: u64,
    received: u64,
    woken: Vec<Link>,
}

impl Exchange {
    /// An exchange without clients.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            faults: Faults::default(),
            limits,
            clients: Vec::new(),
            by_id: HashMap::new(),
            routes: Routes::default(),
            retained: HashMap::new(),
            links: 0,
            received: 0,
            woken: Vec::new(),
        }
    }

    /// Connects a client, `now` after the broker's start. Takes over an older connection.
    pub(super) fn connect(&mut self, hello: Hello, now: Duration) -> Welcome {
        self.expire(now);
        self.links += 1;
        let index = self.client_index(hello.client_id);
        let displaced = self.clients.get(index).and_then(|client| client.link);
        if let Some(older) = displaced {
            self.disconnect(older, Farewell::Lost, now);
        }
        if hello.clean_start {
            self.forget(index);
        }
        let link = Link { client: index, number: self.links };
        let client = self.clients.get_mut(index).expect("client_index answers one that is there");
        let session_present = client.session.is_some();
        let terms = Terms {
            window: hello.receive_maximum.unwrap_or(self.limits.window),
            packet_bytes_max: hello.packet_bytes_max,
        };
        client.session.get_or_insert_with(|| Session::new(terms)).resume(terms);
        client.expiry = hello.expiry;
        client.expires_at = None;
        client.link = Some(link);
        client.will = hello.will;
        client.seen.connects += 1;
        Welcome { link, client_id: client.id.clone(), session_present, displaced }
    }

    /// Ends a connection, and its session if nothing keeps it.
    pub(super) fn disconnect(&mut self, link: Link, farewell: Farewell, now: Duration) {
        let Some(client) = self.linked(link) else { return };
        client.link = None;
        let will = client.will.take();
        let said = match farewell {
            Farewell::Said { expiry } => {
                client.expiry = expiry.unwrap_or(client.expiry);
                true
            }
            Farewell::Lost => false,
        };
        client.expires_at = now.checked_add(client.expiry);
        if client.expiry.is_zero() {
            self.forget(link.client);
        }
        if let Some(will) = will.filter(|_| !said) {
            self.publish(None, &will);
        }
    }

    /// Forgets the sessions whose time is over.
    pub(super) fn expire(&mut self, now: Duration) {
        let over = |client: &Client| client.expires_at.is_some_and(|at| at <= now);
        let expired: Vec<usize> =
            (0..).zip(&self.clients).filter(|(_, client)| over(client)).map(|(i, _)| i).collect();
        for index in expired {
            self.forget(index);
        }
    }

    /// Forgets the session of every client. A connection without a session is told to close.
    pub(super) fn forget_sessions(&mut self) {
        for index in 0..self.clients.len() {
            self.forget(index);
        }
    }

    /// Subscribes, and queues the retained publishes that are due. Answers in the order asked.
    pub(super) fn subscribe(&mut self, link: Link, asked: &[Asked]) -> Vec<Granted> {
        let mut granted = Vec::with_capacity(asked.len());
        for asked in asked {
            let refused = self.faults.refuse_filters.contains(&asked.filter);
            let filter = Filter::parse(&asked.filter);
            let Some(client) = self.linked(link) else { break };
            let answer = match &filter {
                None => Granted::Malformed,
                Some(_) if refused => Granted::NotAuthorised,
                Some(_) => Granted::AtMost(asked.qos),
            };
            let good = filter.filter(|_| matches!(answer, Granted::AtMost(_)));
            client.seen.subscribed.push((asked.filter.clone(), good.as_ref().map(|_| asked.qos)));
            if let Some(filter) = good {
                self.subscribe_one(link, &filter, asked);
            }
            granted.push(answer);
        }
        granted
    }

    fn subscribe_one(&mut self, link: Link, filter: &Filter, asked: &Asked) {
        let target = Target {
            client: link.client,
            qos: asked.qos,
            no_local: asked.no_local,
            retain_as_published: asked.retain_as_published,
        };
        let new = self.routes.subscribe(filter, target);
        let due = match asked.retain_handling {
            RetainHandling::EverySubscribe => true,
            RetainHandling::NewSubscribe => new,
            RetainHandling::Never => false,
        };
        if due && filter.group.is_none() {
            self.deliver_retained(filter, target);
        }
    }

    fn deliver_retained(&mut self, filter: &Filter, target: Target) {
        let fits = |topic: &Bytes| topics::matches(&filter.pattern, topic);
        let kept = self.retained.iter().filter(|(topic, _)| fits(topic));
        let due: Vec<Arc<Publish>> = kept.map(|(_, publish)| Arc::clone(publish)).collect();
        for publish in due {
            self.enqueue(target, &publish, true);
        }
    }

    /// Unsubscribes. Answers which subscriptions there were, in the order asked.
    pub(super) fn unsubscribe(&mut self, link: Link, filters: Vec<String>) -> Vec<bool> {
        let mut existed = Vec::with_capacity(filters.len());
        for text in filters {
            let filter = Filter::parse(&text);
            let Some(client) = self.linked(link) else { break };
            client.seen.unsubscribed.push(text);
            existed.push(filter.is_some_and(|it| self.routes.unsubscribe(&it, link.client)));
        }
        existed
    }

    /// Takes a publish in: from a connection, or from nobody in particular.
    pub(super) fn publish(&mut self, from: Option<Link>, publish: &Arc<Publish>) {
        self.received += 1;
        if publish.retain {
            self.retain(publish);
        }
        let route = self.routes.route(&publish.topic);
        let publisher = from.map(|link| link.client);
        for target in &route.direct {
            if !(target.no_local && publisher == Some(target.client)) {
                let retain = target.retain_as_published && publish.retain;
                self.enqueue(*target, publish, retain);
            }
        }
        for group in &route.groups {
            let clients = &self.clients;
            let connected = |index| clients.get(index).is_some_and(|it: &Client| it.link.is_some());
            if let Some(target) = self.routes.next_member(*group, connected) {
                self.enqueue(target, publish, target.retain_as_published && publish.retain);
            }
        }
    }

    /// Takes a PUBACK.
    pub(super) fn acknowledge(&mut self, link: Link, packet_id: u16) {
        if self.faults.ignore_pubacks {
            return;
        }
        if let Some(client) = self.linked(link) {
            client.acknowledge(packet_id);
        }
    }

    /// Moves what may be sent now to `out`, at least one publish if one may be sent, and no more
    /// once about `bytes` bytes are together.
    pub(super) fn deliver(&mut self, link: Link, bytes: usize, out: &mut Vec<Outgoing>) -> Onward {
        let mut faults = std::mem::take(&mut self.faults);
        let onward = match self.linked(link) {
            Some(client) => client.deliver(bytes, &mut faults, out),
            None => Onward::Close,
        };
        self.faults = faults;
        onward
    }

    /// Sends everything in flight on every connection again.
    pub(super) fn redeliver(&mut self) {
        for client in &mut self.clients {
            if let (Some(session), Some(_)) = (&mut client.session, client.link) {
                session.redeliver();
            }
        }
    }

    /// The connections for which something arrived since last asked.
    pub(super) fn woken(&mut self) -> Vec<Link> {
        std::mem::take(&mut self.woken)
    }

    /// What was seen of a client.
    pub(super) fn seen(&self, client_id: &str) -> Option<Seen> {
        let index = self.by_id.get(client_id)?;
        self.clients.get(*index).map(Client::seen)
    }

    /// Publishes taken in, from anybody.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    fn linked(&mut self, link: Link) -> Option<&mut Client> {
        self.clients.get_mut(link.client).filter(|client| client.link == Some(link))
    }

    fn client_index(&mut self, id: String) -> usize {
        let id = if id.is_empty() { format!("auto-{}", self.links) } else { id };
        let next = self.clients.len();
        let index = *self.by_id.entry(id.clone()).or_insert(next);
        if index == next {
            self.clients.push(Client::new(id));
        }
        index
    }

    fn forget(&mut self, index: usize) {
        self.routes.forget(index);
        let Some(client) = self.clients.get_mut(index) else { return };
        client.session = None;
        client.expires_at = None;
    }

    fn retain(&mut self, publish: &Arc<Publish>) {
        // Copies: a retained publish must not keep the network buffer it came in.
        let topic = Bytes::copy_from_slice(&publish.topic);
        if publish.payload.is_empty() {
            self.retained.remove(&topic);
            return;
        }
        let payload = Bytes::copy_from_slice(&publish.payload);
        let kept = Publish { topic: topic.clone(), payload, ..Publish::clone(publish) };
        self.retained.insert(topic, Arc::new(kept));
    }

    fn enqueue(&mut self, target: Target, publish: &Arc<Publish>, retain: bool) {
        let Some(client) = self.clients.get_mut(target.client) else { return };
        let qos = publish.qos.min(target.qos);
        self.woken.extend(client.enqueue(publish, (qos, retain), self.limits.queue_max));
    }
}

#[cfg(test)]
mod tests;
