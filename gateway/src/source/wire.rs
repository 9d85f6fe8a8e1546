//! One connection on the wire: rumqttc's packets over a socket of our own.
//!
//! rumqttc's own event loop writes acknowledgements one by one, each with a call of the kernel, and
//! reads nine publishes for each while a broker floods it. Here everything that is to be said goes
//! out in one write, before anything more is read.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep, timeout};

use crate::authorities::distrust;
use crate::config::{Broker, Mqtt};
use crate::telemetry::causes;

use super::socket::{self, Socket};
use super::{Dialect, Event, Fault, Fresh, Request, Welcome};

#[cfg(test)]
mod tests;

/// Room for what is read at once.
const READ_BYTES: usize = 32 << 10;
/// After a read of less than this the connection is not looked at for [`REST`]: at a thousand
/// publishes a second waking up for each costs more than all the rest. A flood fills its reads, and
/// is never waited for.
const REST_BELOW_BYTES: usize = READ_BYTES / 2;
/// Far below the linger of a batch.
const REST: Duration = Duration::from_millis(3);
/// The connection is dead when it was silent for so many halves of the keep-alive: two of them
/// began with a ping.
const SILENT_HALVES_MAX: u32 = 3;

/// Whether more is wanted of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whatever comes.
    On,
    /// Nothing for now: what comes stays in the socket, and the broker behind it waits.
    Paused,
}

/// A connection in one of the two dialects of MQTT.
pub(super) struct Wire<D> {
    dialect: D,
    broker: Broker,
    keep_alive: Duration,
    connect_timeout: Duration,
    link: Option<Link>,
    next_packet_id: u16,
}

/// What exists while there is a connection.
struct Link {
    socket: Box<dyn Socket>,
    inbox: BytesMut,
    outbox: BytesMut,
    unwritten: bool,
    rest: Pin<Box<Sleep>>,
    resting: bool,
    half_keep_alive: Interval,
    silent_halves: u32,
}

impl<D: Dialect> Wire<D> {
    pub(super) fn new(dialect: D, mqtt: &Mqtt) -> Self {
        Self {
            dialect,
            broker: mqtt.broker.clone(),
            keep_alive: mqtt.keep_alive,
            connect_timeout: mqtt.connect_timeout,
            link: None,
            next_packet_id: 1,
        }
    }

    /// Connects, and waits for CONNACK. Not to be dropped unfinished, except to end.
    pub(super) async fn open(&mut self, fresh: Fresh) -> Result<Welcome, Fault> {
        let limit = self.connect_timeout;
        let late = |_elapsed| Err(Fault::passing("no connection in time"));
        timeout(limit, self.greet(fresh)).await.unwrap_or_else(late)
    }

    async fn greet(&mut self, fresh: Fresh) -> Result<Welcome, Fault> {
        let silence_max = self.keep_alive / 2 * SILENT_HALVES_MAX;
        let socket = socket::connect(&self.broker, fresh.tls, silence_max).await;
        let socket = socket.map_err(|error| broken(&error))?;
        let link = self.link.insert(Link::new(socket, self.keep_alive));
        self.dialect.hello(fresh.login, self.keep_alive, &mut link.outbox);
        link.unwritten = true;
        loop {
            self.turn(Reading::On).await?;
            match self.next()? {
                Some(Event::Connected(welcome)) => {
                    if let (Some(keep_alive), Some(link)) = (welcome.keep_alive, &mut self.link) {
                        link.half_keep_alive = halves(keep_alive);
                    }
                    return Ok(welcome);
                }
                Some(_) => return Err(Fault::passing("the broker does not begin with CONNACK")),
                None => {}
            }
        }
    }

    /// Writes what is to be said and waits until something was read; for ever while reading is
    /// paused and nothing is wrong. May be dropped unfinished.
    pub(super) async fn turn(&mut self, reading: Reading) -> Result<(), Fault> {
        let Some(link) = &mut self.link else { return Err(broken(&closed())) };
        let dialect = &self.dialect;
        let turned = poll_fn(|context| {
            link.poll_write(dialect, context)?;
            match reading {
                Reading::On => link.poll_read(context),
                Reading::Paused => {
                    // Its answers are not looked at.
                    link.silent_halves = 0;
                    Poll::Pending
                }
            }
        });
        turned.await.map_err(|error| broken(&error))
    }

    /// The next event of what was read.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Fault> {
        match &mut self.link {
            Some(link) => self.dialect.next(&mut link.inbox),
            None => Ok(None),
        }
    }

    /// Whether everything said so far is on its way.
    pub(super) fn is_written(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.unwritten)
    }

    /// Says something; [`Self::turn`] writes it. `request` is given a packet identifier of ours.
    pub(super) fn say<'a>(&mut self, request: impl FnOnce(u16) -> Request<'a>) {
        let Some(link) = &mut self.link else { return };
        let request = request(self.next_packet_id);
        if !matches!(request, Request::Acknowledge(_)) {
            self.next_packet_id = self.next_packet_id.checked_add(1).unwrap_or(1);
        }
        self.dialect.write(request, &mut link.outbox);
        link.unwritten = true;
        // The broker may have waited for this with more.
        link.resting = false;
    }

    /// Closes the connection.
    pub(super) fn hang_up(&mut self) {
        self.link = None;
    }
}

impl Link {
    fn new(socket: Box<dyn Socket>, keep_alive: Duration) -> Self {
        Self {
            socket,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            unwritten: false,
            rest: Box::pin(sleep(Duration::ZERO)),
            resting: false,
            half_keep_alive: halves(keep_alive),
            silent_halves: 0,
        }
    }

    /// Writes as much as the socket takes, and a ping every half of the keep-alive.
    fn poll_write(&mut self, dialect: &impl Dialect, context: &mut Context<'_>) -> io::Result<()> {
        while self.half_keep_alive.poll_tick(context).is_ready() {
            self.silent_halves += 1;
            if self.silent_halves >= SILENT_HALVES_MAX {
                return Err(io::ErrorKind::TimedOut.into());
            }
            dialect.write(Request::Ping, &mut self.outbox);
            self.unwritten = true;
        }
        if self.unwritten
            && let Poll::Ready(written) = pin!(self.write()).poll(context)
        {
            written?;
        }
        Ok(())
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.resting {
            ready!(self.rest.as_mut().poll(context));
            self.resting = false;
        }
        self.inbox.reserve(READ_BYTES);
        let read = ready!(pin!(self.socket.read_buf(&mut self.inbox)).poll(context))?;
        if read == 0 {
            return Poll::Ready(Err(closed()));
        }
        self.socket.confirm();
        self.silent_halves = 0;
        if read < REST_BELOW_BYTES {
            self.rest.set(sleep(REST));
            self.resting = true;
        }
        Poll::Ready(Ok(()))
    }

    /// Safe to drop: what was written is gone from the outbox.
    async fn write(&mut self) -> io::Result<()> {
        self.socket.write_all_buf(&mut self.outbox).await?;
        self.socket.flush().await?;
        self.unwritten = false;
        Ok(())
    }
}

fn halves(keep_alive: Duration) -> Interval {
    let mut halves = interval(keep_alive / 2);
    halves.set_missed_tick_behavior(MissedTickBehavior::Delay);
    halves.reset();
    halves
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the broker closed the connection")
}

fn broken(error: &io::Error) -> Fault {
    let ours = "the broker wants a certificate of ours, from an authority that it knows, and not of the \
                past: mqtt.tls.cert_file and mqtt.tls.key_file";
    let fix = distrust::advice(error, "mqtt.tls.ca_file");
    let fix = fix.or_else(|| distrust::is_mutual(error).then(|| ours.to_owned()));
    Fault { fix, ..Fault::passing(causes(error)) }
}
