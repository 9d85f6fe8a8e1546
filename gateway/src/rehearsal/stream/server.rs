//! The shell: sockets and the clock. The accept loop and its connections are the only tasks; the
//! connections end with the loop.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::endpoint::Endpoint;
use super::faults::Link;
use super::http::answer;
use super::store::Moment;

/// Connections at once; further ones are closed.
const CONNECTIONS_MAX: usize = 1_024;

/// Pause after a failed accept or bind, lest a lasting cause makes a busy loop.
const SOCKET_PAUSE: Duration = Duration::from_millis(10);

/// Asks both clocks.
#[expect(clippy::disallowed_methods, reason = "the outermost layer of this server")]
pub(super) fn now() -> Moment {
    Moment { instant: std::time::Instant::now(), epoch_ms: jiff::Timestamp::now().as_millisecond() }
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
    let mut before = Link::Up;
    loop {
        let link = *links.borrow_and_update();
        if link != before {
            connections.shutdown().await;
            before = link;
        }
        match link {
            Link::Refusing => listener = None,
            Link::Up | Link::Closing | Link::Silent if listener.is_none() => {
                listener = bind(address).await;
            }
            Link::Up | Link::Closing | Link::Silent => {}
        }
        tokio::select! {
            _ = &mut stop => break,
            _ = links.changed() => {}
            Some(_) = connections.join_next() => {}
            socket = accept(listener.as_ref()) => {
                if let Some(socket) = socket
                    && connections.len() < CONNECTIONS_MAX
                {
                    match link {
                        Link::Up => connections.spawn(connection(socket, Arc::clone(&endpoint))),
                        Link::Silent => connections.spawn(silence(socket)),
                        Link::Closing | Link::Refusing => continue,
                    };
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

/// Holds a connection open.
async fn silence(_socket: TcpStream) {
    pending::<()>().await;
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
