//! An MQTT broker for rehearsals and tests, small and honest, that misbehaves on demand.
//!
//! MQTT 3.1.1 and 5 on one port, QoS 0 and 1, persistent sessions with offline queues, receive
//! maximum, redelivery in order and under the old packet identifiers, retained publishes, shared
//! subscriptions, last will, keep-alive and session take-over.
//! Not offered, and said so where the protocol can: QoS 2 (a subscription at 2 is granted at 1, a
//! publish at 2 ends the connection), topic aliases, subscription identifiers. A will delay counts
//! as 0 and message expiry is only handed on. Nothing is kept on disk.
//!
//! Reading order: [`publish`](Publish) and `topics` → `routes` → `session` → `exchange`, which
//! decides without sockets or clock → `wire`, bytes and packets → `connection`, the shell.

mod client;
mod connection;
mod exchange;
mod faults;
mod publish;
mod routes;
mod session;
mod shared;
mod topics;
mod vocabulary;
mod wire;

#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use self::faults::{Faults, PUBACKS_REMEMBERED, Refusal, Seen};
pub use self::publish::{Publish, Qos};
use self::shared::{Order, Shared};

/// How often sessions whose time is over are looked for.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(1);
/// The pause after a failed accept: most often the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a broker is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen. Port 0 takes a free one.
    pub address: SocketAddr,
    /// User name and password that every client must give; anonymous clients otherwise.
    pub login: Option<(String, String)>,
    /// How many un-acknowledged publishes a client has that states no receive maximum, at most.
    pub window: u16,
    /// How many publishes wait for one client, at most. More are dropped and counted.
    pub queue_max: usize,
    /// The largest packet taken, in bytes without its fixed header. Larger ones end the connection.
    pub packet_bytes_max: u32,
}

impl Default for Settings {
    /// A free port on loopback, anonymous clients, mosquitto's window of 20, a million publishes
    /// a queue and packets of at most 16 MiB.
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            login: None,
            window: 20,
            queue_max: 1_000_000,
            packet_bytes_max: 16 * 1024 * 1024,
        }
    }
}

/// A running broker. Ends, and forgets everything, when dropped.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Broker {
    /// Starts a broker on the runtime of the caller.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.address).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(settings));
        let mut tasks = JoinSet::new();
        tasks.spawn(listen(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, tasks })
    }

    /// Ends the broker: its connections close without a word, as if it had been killed.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `mqtt://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://{}", self.address)
    }

    /// Publishes without a connection.
    pub fn publish(&self, publish: Publish) {
        self.shared.lock(|state| state.exchange.publish(None, &Arc::new(publish)));
    }

    /// Changes the faults in force.
    pub fn misbehave(&self, change: impl FnOnce(&mut Faults)) {
        self.shared.lock(|state| change(&mut state.exchange.faults));
        self.shared.wake_all(None);
    }

    /// Drops every connection. Sessions stay as they are.
    pub fn drop_connections(&self) {
        self.shared.wake_all(Some(Order::Drop));
    }

    /// Forgets every session and drops every connection.
    pub fn forget_sessions(&self) {
        self.shared.lock(|state| state.exchange.forget_sessions());
        self.drop_connections();
    }

    /// Sends everything in flight again, with the DUP flag and on the same connections. A broker
    /// may do so only after a reconnect; some have done it.
    pub fn redeliver(&self) {
        self.shared.lock(|state| state.exchange.redeliver());
        self.shared.wake_all(None);
    }

    /// What was seen of a client. `None` if it never connected.
    #[must_use]
    pub fn seen(&self, client_id: &str) -> Option<Seen> {
        self.shared.lock(|state| state.exchange.seen(client_id))
    }

    /// How many publishes were taken in, from clients and from [`Broker::publish`].
    #[must_use]
    pub fn received(&self) -> u64 {
        self.shared.lock(|state| state.exchange.received())
    }

    /// How many clients are connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections()
    }
}

/// Accepts connections until the broker is dropped, and with it the set they run in.
async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut expiry = tokio::time::interval(EXPIRY_INTERVAL);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection ended before it began");
                    }
                    connections.spawn(connection::serve(stream, Arc::clone(&shared)));
                }
                Err(error) => {
                    tracing::warn!(%error, "rehearsal broker cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = expiry.tick() => shared.expire(),
        }
    }
}
