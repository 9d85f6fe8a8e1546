//! The local stream: a small, faithful Kinesis endpoint over plain HTTP on loopback.
//!
//! It speaks the part of the API that writers and readers of one stream use, places records by the
//! MD5 of their partition key, enforces each shard's quota with the service's own errors inside
//! answers of status 200, and misbehaves on demand. It accepts any key until its [`Account`] is given
//! some: then signatures are computed, keys have permissions and an end, and the token service, at the
//! same address, lets them assume roles. What it does not do: encrypt, limit readers, read from a time
//! on, or outlive its process.
//!
//! `service` decides (pure, over `shards`, `store` and `faults`); `put` and `read` know the requests
//! and answers; `auth`, over `signature` and `keys`, tells who asks, and `sts` is the token service;
//! `endpoint`, `http` and `server` are the shell around them, from the inside out.
//!
//! ```
//! # use tidegate::rehearsal::stream::{LocalStream, Settings};
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let stream = LocalStream::start(Settings::default()).await?;
//! assert!(stream.endpoint().starts_with("http://127.0.0.1:"));
//! stream.stop().await;
//! # std::io::Result::Ok(())
//! # })?;
//! # std::io::Result::Ok(())
//! ```

mod action;
mod auth;
mod bucket;
mod endpoint;
mod faults;
mod hash;
mod http;
mod keys;
mod names;
mod put;
mod read;
mod refusal;
mod request;
mod server;
mod service;
mod shards;
mod signature;
mod store;
mod sts;
mod xml;

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use action::Action;
pub use faults::{
    Clock, Encryption, Faults, Link, RECORD_BYTES_MAX, RecordError, RecordFault, RequestFault,
    StreamStatus,
};
pub use hash::{HashKey, HashRange};
pub use keys::{Account, Key, KeyStatus, Permissions};
pub use names::{SequenceNumber, ShardId};
pub use refusal::{KmsTrouble, Refusal};
pub use service::Counts;
pub use shards::{
    Impossible, Limits, Placement, Reshard, SHARD_BYTES_PER_SECOND, SHARD_RECORDS_PER_SECOND,
};
pub use store::{Moment, StoredRecord};
pub use sts::Role;

use endpoint::Endpoint;
use names::StreamName;
use service::Service;
use shards::Shards;

/// How a local stream begins.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens. Default: a free port of 127.0.0.1.
    pub address: SocketAddr,
    /// The stream's name. Default: `telemetry`.
    pub name: String,
    /// The region in its ARN. Default: `us-east-1`.
    pub region: String,
    /// How many shards. Zero counts as one. Default: 4.
    pub shards: u32,
    /// Whether shards enforce their quotas. Default: they do.
    pub limits: Limits,
    /// Who places records. Default: their keys.
    pub placement: Placement,
    /// How many records are retained, the newest. With 0 they are only counted, and their base64 is
    /// not decoded. Default: 1,000,000; memory is needed only for what is stored.
    pub keep: usize,
    /// What goes wrong from the start. Default: nothing.
    pub faults: Faults,
    /// Seed of the faults by chance. Default: 0.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            name: "telemetry".to_owned(),
            region: "us-east-1".to_owned(),
            shards: 4,
            limits: Limits::Enforced,
            placement: Placement::ByKey,
            keep: 1_000_000,
            faults: Faults::default(),
            seed: 0,
        }
    }
}

/// A running local stream. Dropping it closes its port and its connections.
#[derive(Debug)]
pub struct LocalStream {
    address: SocketAddr,
    endpoint: Arc<Endpoint>,
    /// The accept loop, which owns the connections.
    server: JoinSet<()>,
    /// Dropped to end the loop.
    stop: oneshot::Sender<Infallible>,
}

impl LocalStream {
    /// Starts a stream on the caller's tokio runtime, which needs time and I/O enabled.
    ///
    /// # Errors
    ///
    /// When its address cannot be listened on.
    pub async fn start(settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.address).await?;
        let address = listener.local_addr()?;
        let endpoint = Arc::new(Endpoint::new(service(settings)));
        let (stop, stopped) = oneshot::channel();
        let mut server = JoinSet::new();
        server.spawn(server::run(listener, Arc::clone(&endpoint), stopped));
        Ok(Self { address, endpoint, server, stop })
    }

    /// Creates another stream at the same address and of the same account, known by its name. It ends with this one, which
    /// says whether clients can connect; its own address and link mean nothing. Iterators are those
    /// of the first stream: what this one stored is read by [`Self::records`].
    #[must_use]
    pub fn beside(&self, settings: Settings) -> Self {
        let endpoint = self.endpoint.beside(service(settings));
        let (stop, _) = oneshot::channel();
        Self { address: self.address, endpoint, server: JoinSet::new(), stop }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, as an SDK wants it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The stream's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        self.endpoint.with(|service| service.name.arn.clone())
    }

    /// Changes what goes wrong, from the next request on. A change of the link cuts or opens
    /// connections soon after.
    pub fn faults(&self, change: impl FnOnce(&mut Faults)) {
        let link = self.endpoint.with(|service| {
            change(&mut service.faults);
            service.faults.link
        });
        self.endpoint.link.send_if_modified(|current| std::mem::replace(current, link) != link);
    }

    /// Changes who may do what, from the next request on.
    pub fn account<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        self.endpoint.with_account(change)
    }

    /// Changes the shards at once. Children begin with full quotas; what their parents hold stays
    /// readable there.
    ///
    /// # Errors
    ///
    /// When the change does not fit the open shards; then nothing is changed.
    pub fn reshard(&self, change: Reshard) -> Result<(), Impossible> {
        let now = server::now();
        self.endpoint.with(|service| service.shards.reshard(change, now.instant))
    }

    /// Changes who places records, from the next one on.
    pub fn place_by(&self, placement: Placement) {
        self.endpoint.with(|service| service.shards.place_by(placement));
    }

    /// The open shards and what they own, by range.
    #[must_use]
    pub fn open_shards(&self) -> Vec<(ShardId, HashRange)> {
        self.endpoint.with(|service| service.shards.open().collect())
    }

    /// The records retained, in the order of storing.
    #[must_use]
    pub fn records(&self) -> Vec<StoredRecord> {
        self.endpoint.with(|service| service.shards.store().records())
    }

    /// What happened since the start.
    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.endpoint.counts.borrow()
    }

    /// Waits until the counts satisfy `goal`, and returns those that did. Bound it with a time-out.
    pub async fn reached(&self, goal: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.endpoint.counts.subscribe();
        // The sender lives in `self.endpoint`, so the wait cannot end any other way.
        counts.wait_for(goal).await.map_or_else(|_closed| self.counts(), |reached| *reached)
    }

    /// Stops listening, cuts every connection, and returns when all of that is done.
    pub async fn stop(self) {
        let Self { stop, mut server, .. } = self;
        drop(stop);
        while server.join_next().await.is_some() {}
    }
}

fn service(settings: Settings) -> Service {
    let now = server::now();
    let shards = Shards::new(settings.shards, settings.keep, now.instant);
    let mut shards = shards.with_limits(settings.limits);
    shards.place_by(settings.placement);
    Service {
        name: StreamName::new(&settings.name, &settings.region),
        shards,
        faults: settings.faults,
        counts: Counts::default(),
        created_ms: now.epoch_ms,
        dice: fastrand::Rng::with_seed(settings.seed),
    }
}
