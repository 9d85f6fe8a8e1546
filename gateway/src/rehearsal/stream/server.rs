//! The shell: sockets, HTTP, the clock, and the faults that need them. The accept loop and its
//! connections are the only tasks, and end with the loop.

use std::convert::Infallible;
use std::fmt;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, DATE, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::action::Action;
use super::auth;
use super::faults::{Clock, Link, RequestFault};
use super::put::Put;
use super::refusal::Refusal;
use super::service::{Counts, Service};
use super::store::Moment;

/// Largest body that is read: 10 MiB of records in base64, and room for their JSON.
const BODY_BYTES_MAX: usize = 16 << 20;

/// Connections at once; further ones are closed.
const CONNECTIONS_MAX: usize = 1_024;

/// Pause after a failed accept or bind, lest a lasting cause makes a busy loop.
const SOCKET_PAUSE: Duration = Duration::from_millis(10);

/// Asks both clocks.
#[expect(clippy::disallowed_methods, reason = "the outermost layer of this server")]
pub(super) fn now() -> Moment {
    Moment { instant: std::time::Instant::now(), epoch_ms: jiff::Timestamp::now().as_millisecond() }
}

/// The service, shared by the connections and whoever watches.
#[derive(Debug)]
pub(super) struct Endpoint {
    service: Mutex<Service>,
    pub(super) counts: watch::Sender<Counts>,
    pub(super) link: watch::Sender<Link>,
}

impl Endpoint {
    pub(super) fn new(service: Service) -> Self {
        Self {
            link: watch::Sender::new(service.faults.link),
            counts: watch::Sender::new(service.counts),
            service: Mutex::new(service),
        }
    }

    /// Does something with the service, and tells those who wait for counts.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Service) -> T) -> T {
        // A panic elsewhere has been seen already; what is counted stays worth reading.
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = act(&mut service);
        self.counts.send_replace(service.counts);
        outcome
    }
}

/// Accepts connections until `stop` is dropped, then closes them.
pub(super) async fn run(
    listener: TcpListener,
    endpoint: Arc<Endpoint>,
    mut stop: oneshot::Receiver<Infallible>,
) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = Some(listener);
    let mut links = endpoint.link.subscribe();
    let mut connections = JoinSet::new();
    loop {
        let link = *links.borrow_and_update();
        if link != Link::Up {
            connections.shutdown().await;
        }
        match link {
            Link::Refusing => listener = None,
            Link::Up | Link::Closing if listener.is_none() => listener = bind(address).await,
            Link::Up | Link::Closing => {}
        }
        tokio::select! {
            _ = &mut stop => break,
            _ = links.changed() => {}
            Some(_) = connections.join_next() => {}
            socket = accept(listener.as_ref()) => {
                if let Some(socket) = socket
                    && link == Link::Up
                    && connections.len() < CONNECTIONS_MAX
                {
                    connections.spawn(connection(socket, Arc::clone(&endpoint)));
                }
            }
        }
    }
    connections.shutdown().await;
}

async fn bind(address: SocketAddr) -> Option<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(_) => {
            tokio::time::sleep(SOCKET_PAUSE).await;
            None
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    let Some(listener) = listener else { return pending().await };
    match listener.accept().await {
        Ok((socket, _)) => Some(socket),
        Err(_) => {
            tokio::time::sleep(SOCKET_PAUSE).await;
            None
        }
    }
}

async fn connection(socket: TcpStream, endpoint: Arc<Endpoint>) {
    if socket.set_nodelay(true).is_err() {
        return; // Gone already.
    }
    let service = service_fn(move |request| Box::pin(answer(Arc::clone(&endpoint), request)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    let end = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    if end.is_err_and(|error| error.is_user()) {
        // Closing without lingering is what makes the kernel send a reset.
        let socket = connection.into_parts().io.into_inner();
        if socket.set_zero_linger().is_err() {
            tracing::debug!("connection closed instead of reset");
        }
    }
}

/// Why a connection ends without an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on demand")
    }
}

impl std::error::Error for Cut {}

async fn answer(
    endpoint: Arc<Endpoint>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Cut> {
    let (head, body) = request.into_parts();
    let Ok(body) = receive(body).await else { return Err(Cut) };
    let now = now();
    let (fault, latency, clock) = endpoint.with(|service| {
        service.counts.requests += 1;
        (service.faults.meet(), service.faults.latency, service.faults.clock)
    });
    let outcome = match (&fault, body) {
        (Some(RequestFault::Refuse(refusal)), _) => Err(refusal.clone()),
        (Some(RequestFault::Hang), _) => pending().await,
        (_, None) => Err(too_large()),
        (_, Some(body)) => perform(&endpoint, &head.headers, &body, now),
    };
    match fault {
        Some(RequestFault::StoreThenHang) => pending().await,
        Some(RequestFault::StoreThenReset) => return Err(Cut),
        Some(RequestFault::Refuse(_) | RequestFault::Hang) | None => {}
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    Ok(respond(endpoint, outcome, clock, now))
}

/// Reads the body into one buffer; `None` if it is too large. Even then it is read to its end, so
/// that the client is ready to hear so.
async fn receive(mut body: Incoming) -> Result<Option<Vec<u8>>, hyper::Error> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = Some(Vec::with_capacity(announced.min(BODY_BYTES_MAX)));
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        bytes = bytes.filter(|bytes| bytes.len() + piece.len() <= BODY_BYTES_MAX);
        if let Some(bytes) = &mut bytes {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(bytes)
}

fn too_large() -> Refusal {
    Refusal { status: 413, ..Refusal::new("RequestEntityTooLarge", "The request is too large.") }
}

/// What was done, and how many records were stored on the way.
struct Done {
    body: Vec<u8>,
    stored: u64,
}

fn perform(
    endpoint: &Endpoint,
    headers: &HeaderMap,
    body: &[u8],
    now: Moment,
) -> Result<Done, Refusal> {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let action = target
        .and_then(Action::from_target)
        .ok_or_else(|| Refusal::new("UnknownOperationException", ""))?;
    let rules = endpoint.with(|service| {
        auth::check(headers, service.faults.clock, now)?;
        service.permit(action)
    })?;
    // Reading the body is the bulk of the work and needs no lock.
    let put = match action {
        Action::PutRecords => Some(Put::records(body, rules)?),
        Action::PutRecord => Some(Put::record(body, rules)?),
        Action::DescribeStreamSummary
        | Action::ListShards
        | Action::GetShardIterator
        | Action::GetRecords => None,
    };
    endpoint.with(|service| {
        let before = service.counts.records;
        let body = match (action, &put) {
            (Action::PutRecord, Some(put)) => service.put_record(put, now),
            (_, Some(put)) => service.put_records(put, now),
            (_, None) => service.look(action, body, now),
        }?;
        let stored = service.counts.records - before;
        service.counts.requests_unanswered += u64::from(stored > 0);
        service.counts.records_unanswered += stored;
        Ok(Done { body, stored })
    })
}

fn respond(
    endpoint: Arc<Endpoint>,
    outcome: Result<Done, Refusal>,
    clock: Clock,
    now: Moment,
) -> Response<Answer> {
    let (status, done) = match outcome {
        Ok(done) => (200, done),
        Err(refusal) => {
            endpoint.with(|service| service.counts.requests_refused += 1);
            (refusal.status, Done { body: refusal.body(), stored: 0 })
        }
    };
    let answer = Answer { body: Some(done.body.into()), stored: done.stored, endpoint };
    let mut response = Response::new(answer);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let mut set = |name, value: String| {
        if let Ok(value) = value.try_into() {
            headers.insert(name, value);
        }
    };
    set(CONTENT_TYPE, "application/x-amz-json-1.1".to_owned());
    let id = fastrand::u128(..);
    set(
        hyper::header::HeaderName::from_static("x-amzn-requestid"),
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            (id >> 80) & 0xffff,
            (id >> 64) & 0xffff,
            (id >> 48) & 0xffff,
            id & 0xffff_ffff_ffff
        ),
    );
    if let Clock::Checked(ahead) = clock {
        let date = auth::local_time(now, ahead).strftime("%a, %d %b %Y %H:%M:%S GMT");
        set(DATE, date.to_string());
    }
    response
}

/// The body of an answer. Handing it to the connection is what makes its request answered.
struct Answer {
    body: Option<Bytes>,
    stored: u64,
    endpoint: Arc<Endpoint>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let body = self.body.take();
        if body.is_some() && self.stored > 0 {
            self.endpoint.with(|service| {
                service.counts.requests_unanswered -= 1;
                service.counts.records_unanswered -= self.stored;
            });
        }
        Poll::Ready(body.map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}
