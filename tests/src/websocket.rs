//! A door for WebSocket: Debian builds its mosquitto without.

use std::io;
use std::net::Ipv4Addr;

use async_tungstenite::tokio::accept_hdr_async;
use async_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use async_tungstenite::tungstenite::http::HeaderValue;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use ws_stream_tungstenite::WsStream;

/// Unwraps what comes by WebSocket and hands it to a broker; and back. Dropping it closes the door.
#[derive(Debug)]
pub struct Door {
    /// Where it is: loopback.
    pub port: u16,
    _open: JoinSet<()>,
}

impl Door {
    /// Opens a door to the broker at `broker_port`, on the caller's runtime.
    pub async fn open(broker_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let mut open = JoinSet::new();
        open.spawn(async move {
            let mut visits = JoinSet::new();
            while let Ok((visitor, _)) = listener.accept().await {
                visits.spawn(pass(visitor, broker_port));
            }
        });
        Self { port, _open: open }
    }
}

/// One visitor's way; an error is only the end of it.
async fn pass(visitor: TcpStream, broker_port: u16) -> io::Result<()> {
    visitor.set_nodelay(true)?;
    let visitor = accept_hdr_async(visitor, agree).await.map_err(io::Error::other)?;
    let mut visitor = WsStream::new(visitor);
    let mut broker = TcpStream::connect((Ipv4Addr::LOCALHOST, broker_port)).await?;
    broker.set_nodelay(true)?;
    copy_bidirectional(&mut visitor, &mut broker).await.map(|_| ())
}

/// The subprotocol is MQTT's.
#[expect(clippy::result_large_err, clippy::unnecessary_wraps, reason = "the library's signature")]
fn agree(_request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("mqtt"));
    Ok(response)
}
