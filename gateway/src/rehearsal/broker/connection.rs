//! One client's connection: bytes in, bytes out, at the exchange's word.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::exchange::Exchange;
use super::faults::Refusal;
use super::publish::{Outgoing, Qos};
use super::shared::{Order, Orders, Shared};
use super::vocabulary::{Farewell, Hello, Link, Onward};
use super::wire::{self, Answer, Closing, Incoming, Level, WireError};

/// How long a client may take to send its CONNECT, and to close what we closed.
const PATIENCE: Duration = Duration::from_secs(5);
/// Read from a socket at once. Publishes keep these buffers alive while they wait.
const INBOX_BYTES: usize = 64 * 1024;
/// Deliveries are fetched while fewer bytes than this wait to be written.
const OUTBOX_BYTES: usize = 128 * 1024;
/// Nothing is read while more bytes than this wait: answers to a client that does not read.
const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// How a connection ended.
enum Ending {
    /// The client said goodbye, or vanished.
    Left(Farewell),
    /// The broker has its reason to close it, and says so where the protocol can.
    Closed(Closing),
    /// Closed once all is written, as a fault.
    Cut,
    /// Dropped on the spot, as a fault.
    Dropped,
}

impl From<WireError> for Ending {
    fn from(error: WireError) -> Self {
        tracing::warn!(%error, "rehearsal broker closes a connection");
        let qos2 = matches!(error, WireError::Qos2);
        Self::Closed(if qos2 { Closing::Qos2 } else { Closing::Violation })
    }
}

/// Serves one connection to its end.
pub(super) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut inbox = BytesMut::with_capacity(INBOX_BYTES);
    let connect = timeout(PATIENCE, first_packet(&mut stream, &mut inbox, &shared)).await;
    let Ok(Some((level, connect))) = connect else { return };
    let Incoming::Connect { hello, login, keep_alive_s } = connect else { return };
    let mut outbox = BytesMut::with_capacity(OUTBOX_BYTES);
    let refusal = refusal(&shared, level, &hello, login.as_ref());
    if let Some(refusal) = refusal {
        write(level, Answer::Refused(refusal), &mut outbox);
        return part(stream, outbox).await;
    }
    let assigned = hello.client_id.is_empty();
    let wake = Arc::new(Notify::new());
    let welcome = shared.connect(*hello, Arc::clone(&wake));
    let assigned_client_id = assigned.then_some(welcome.client_id);
    let session_present = welcome.session_present;
    write(level, Answer::Welcome { session_present, assigned_client_id }, &mut outbox);
    let (link, packets, out) = (welcome.link, Vec::new(), Vec::new());
    let mut connection = Connection { shared, level, link, wake, inbox, outbox, packets, out };
    // Whatever arrived behind the CONNECT is answered first.
    let ending = match connection.take_in() {
        Ok(()) => connection.run(&mut stream, keep_alive_s).await,
        Err(ending) => ending,
    };
    connection.end(stream, ending).await;
}

/// The CONNECT, if one comes.
async fn first_packet(
    stream: &mut TcpStream,
    inbox: &mut BytesMut,
    shared: &Shared,
) -> Option<(Level, Incoming)> {
    loop {
        if let Some(level) = wire::level(inbox).ok()? {
            match wire::read(level, inbox, shared.settings.packet_bytes_max) {
                Ok(Some(packet)) => return Some((level, packet)),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, "rehearsal broker got a bad CONNECT");
                    return None;
                }
            }
        }
        if stream.read_buf(inbox).await.ok()? == 0 {
            return None;
        }
    }
}

fn refusal(
    shared: &Shared,
    level: Level,
    hello: &Hello,
    login: Option<&(String, String)>,
) -> Option<Refusal> {
    let stranger = shared.settings.login.as_ref().is_some_and(|wanted| login != Some(wanted));
    // MQTT 3.1.1 cannot tell a client the identifier under which its session would be kept.
    let nameless = level == Level::V3 && hello.client_id.is_empty() && !hello.clean_start;
    shared
        .lock(|state| state.exchange.faults.refuse)
        .or_else(|| stranger.then_some(Refusal::BadPassword))
        .or_else(|| nameless.then_some(Refusal::BadClientId))
}

/// Appends `answer`. What the codec cannot write was too large to have been read.
fn write(level: Level, answer: Answer, outbox: &mut BytesMut) {
    if let Err(error) = wire::write(level, answer, outbox) {
        tracing::warn!(%error, "rehearsal broker cannot write a packet");
    }
}

/// Writes what is left and waits for the client to close: closing first, with bytes unread, would
/// reset the connection and take from the client what it has not read yet.
async fn part(mut stream: TcpStream, outbox: BytesMut) {
    let farewell = async {
        stream.write_all(&outbox).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 4096];
        while stream.read(&mut ignored).await? > 0 {}
        std::io::Result::Ok(())
    };
    if timeout(PATIENCE, farewell).await.is_err() {
        tracing::debug!("a client did not close its connection");
    }
}

struct Connection {
    shared: Arc<Shared>,
    level: Level,
    link: Link,
    wake: Arc<Notify>,
    inbox: BytesMut,
    outbox: BytesMut,
    /// Reused: packets read and not yet answered.
    packets: Vec<Incoming>,
    /// Reused: deliveries not yet encoded.
    out: Vec<Outgoing>,
}

impl Connection {
    /// Moves bytes until the connection ends.
    async fn run(&mut self, stream: &mut TcpStream, keep_alive_s: u16) -> Ending {
        let silence_max = Duration::from_millis(u64::from(keep_alive_s) * 1500);
        let (mut reader, mut writer) = stream.split();
        let mut heard = now();
        let mut silence = pin!(sleep(silence_max));
        loop {
            let orders = self.fetch();
            match (orders.order, orders.onward) {
                (Some(Order::Drop), _) => return Ending::Dropped,
                (Some(Order::TakenOver), _) => return Ending::Closed(Closing::TakenOver),
                (None, Onward::Close) => return Ending::Cut,
                (None, Onward::Stay) => {}
            }
            if !orders.delay.is_zero() && !self.outbox.is_empty() {
                sleep(orders.delay).await;
            }
            let reads = !orders.stop_reading && self.outbox.len() < OUTBOX_BYTES_MAX;
            if self.inbox.capacity() - self.inbox.len() < INBOX_BYTES / 8 {
                self.inbox.reserve(INBOX_BYTES);
            }
            tokio::select! {
                read = reader.read_buf(&mut self.inbox), if reads => {
                    if !read.is_ok_and(|bytes| bytes > 0) {
                        return Ending::Left(Farewell::Lost);
                    }
                    heard = now();
                    if let Err(ending) = self.take_in() {
                        return ending;
                    }
                }
                written = writer.write_buf(&mut self.outbox), if !self.outbox.is_empty() => {
                    if written.is_err() {
                        return Ending::Left(Farewell::Lost);
                    }
                }
                () = self.wake.notified() => {}
                () = &mut silence, if reads && keep_alive_s > 0 => {
                    let due = heard + silence_max;
                    if due <= now() {
                        return Ending::Closed(Closing::KeepAlive);
                    }
                    silence.as_mut().reset(due);
                }
            }
        }
    }

    /// Fetches orders, and deliveries if there is room for them.
    fn fetch(&mut self) -> Orders {
        let room = OUTBOX_BYTES.saturating_sub(self.outbox.len());
        let orders = self.shared.orders(self.link, room, &mut self.out);
        for outgoing in self.out.drain(..) {
            write(self.level, Answer::Publish(outgoing), &mut self.outbox);
        }
        orders
    }

    /// Answers every whole packet of the inbox.
    fn take_in(&mut self) -> Result<(), Ending> {
        let bytes_max = self.shared.settings.packet_bytes_max;
        let read = loop {
            match wire::read(self.level, &mut self.inbox, bytes_max) {
                Ok(Some(packet)) => self.packets.push(packet),
                Ok(None) => break Ok(()),
                Err(error) => break Err(Ending::from(error)),
            }
        };
        let (level, link, outbox) = (self.level, self.link, &mut self.outbox);
        let packets = &mut self.packets;
        self.shared.lock(|state| {
            for packet in packets.drain(..) {
                if let Some(answer) = answer(&mut state.exchange, link, packet)? {
                    write(level, answer, outbox);
                }
            }
            Ok::<(), Ending>(())
        })?;
        read
    }

    async fn end(mut self, stream: TcpStream, ending: Ending) {
        let farewell = match ending {
            Ending::Left(farewell) => farewell,
            Ending::Closed(_) | Ending::Cut | Ending::Dropped => Farewell::Lost,
        };
        self.shared.disconnect(self.link, farewell);
        match ending {
            Ending::Left(_) | Ending::Dropped => {}
            Ending::Cut => part(stream, self.outbox).await,
            Ending::Closed(closing) => {
                write(self.level, Answer::Disconnect(closing), &mut self.outbox);
                part(stream, self.outbox).await;
            }
        }
    }
}

/// Works on one packet, and answers it unless it ends the connection.
fn answer(exchange: &mut Exchange, link: Link, packet: Incoming) -> Result<Option<Answer>, Ending> {
    match packet {
        Incoming::Connect { .. } => Err(WireError::Unexpected.into()),
        Incoming::Disconnect(farewell) => Err(Ending::Left(farewell)),
        Incoming::Ping => Ok(Some(Answer::Pong)),
        Incoming::Puback(packet_id) => {
            exchange.acknowledge(link, packet_id);
            Ok(None)
        }
        Incoming::Publish { packet_id, publish } => {
            let qos = publish.qos;
            exchange.publish(Some(link), &Arc::new(publish));
            Ok((qos == Qos::AtLeastOnce).then_some(Answer::Puback(packet_id)))
        }
        Incoming::Subscribe { packet_id, asked } => {
            let granted = exchange.subscribe(link, &asked);
            Ok(Some(Answer::Subscribed { packet_id, granted }))
        }
        Incoming::Unsubscribe { packet_id, filters } => {
            let existed = exchange.unsubscribe(link, filters);
            Ok(Some(Answer::Unsubscribed { packet_id, existed }))
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the outermost layer of the broker")]
fn now() -> Instant {
    Instant::now()
}
