//! What all connections share: the exchange, under one lock, and a door to each connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Settings;
use super::exchange::{Exchange, Limits};
use super::publish::Outgoing;
use super::vocabulary::{Farewell, Hello, Link, Onward, Welcome};

/// What a connection is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// End at once, without a word.
    Drop,
    /// Another connection has the session.
    TakenOver,
}

/// What a connection has to heed before it reads or writes on.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) order: Option<Order>,
    pub(super) onward: Onward,
    pub(super) stop_reading: bool,
    pub(super) delay: Duration,
}

/// How a connection is reached.
#[derive(Debug)]
struct Door {
    wake: Arc<Notify>,
    order: Option<Order>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) exchange: Exchange,
    doors: HashMap<Link, Door>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    started: Instant,
    state: Mutex<State>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        let limits = Limits { queue_max: settings.queue_max, window: settings.window };
        let state = State { exchange: Exchange::new(limits), doors: HashMap::new() };
        Self { settings, started: now(), state: Mutex::new(state) }
    }

    /// Works on the state, then wakes the connections for which something arrived. The lock is
    /// never held across an await.
    pub(super) fn lock<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = work(&mut state);
        for link in state.exchange.woken() {
            if let Some(door) = state.doors.get(&link) {
                door.wake.notify_one();
            }
        }
        result
    }

    /// Connects a client and makes its door.
    pub(super) fn connect(&self, hello: Hello, wake: Arc<Notify>) -> Welcome {
        let now = self.started.elapsed();
        self.lock(|state| {
            let welcome = state.exchange.connect(hello, now);
            state.doors.insert(welcome.link, Door { wake, order: None });
            if let Some(door) = welcome.displaced.and_then(|link| state.doors.get_mut(&link)) {
                door.order = Some(Order::TakenOver);
                door.wake.notify_one();
            }
            welcome
        })
    }

    /// Ends a connection and removes its door.
    pub(super) fn disconnect(&self, link: Link, farewell: Farewell) {
        let now = self.started.elapsed();
        self.lock(|state| {
            state.doors.remove(&link);
            state.exchange.disconnect(link, farewell, now);
        });
    }

    /// Forgets the sessions whose time is over.
    pub(super) fn expire(&self) {
        let now = self.started.elapsed();
        self.lock(|state| state.exchange.expire(now));
    }

    /// What a connection has to heed, and about `bytes` bytes of deliveries for it.
    pub(super) fn orders(&self, link: Link, bytes: usize, out: &mut Vec<Outgoing>) -> Orders {
        self.lock(|state| Orders {
            order: state.doors.get(&link).and_then(|door| door.order),
            onward: state.exchange.deliver(link, bytes, out),
            stop_reading: state.exchange.faults.stop_reading,
            delay: state.exchange.faults.delay,
        })
    }

    /// Has every connection look at its orders and at the faults in force.
    pub(super) fn wake_all(&self, order: Option<Order>) {
        self.lock(|state| {
            for door in state.doors.values_mut() {
                door.order = door.order.or(order);
                door.wake.notify_one();
            }
        });
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.lock(|state| state.doors.len())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the outermost layer of the broker")]
fn now() -> Instant {
    Instant::now()
}
