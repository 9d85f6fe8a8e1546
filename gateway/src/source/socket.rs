//! The way to the broker: TCP, with TLS or WebSocket or both over it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_tungstenite::tokio::{TokioAdapter, client_async};
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::http::HeaderValue;
use rumqttc::tokio_rustls::TlsConnector;
use rumqttc::tokio_rustls::client::TlsStream;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use ws_stream_tungstenite::WsStream;

use crate::config::Broker;

/// A stream of bytes to the broker.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    /// Has the kernel confirm now what was received. A broker with Nagle's algorithm, mosquitto by
    /// default, keeps the next small packet back until then, and the kernel of a client that does
    /// not answer at once may take 40 ms.
    fn confirm(&self);
}

impl Socket for TcpStream {
    fn confirm(&self) {
        // Where this cannot be asked for, publishes come a little later.
        #[cfg(target_os = "linux")]
        drop(self.set_quickack(true));
    }
}

impl Socket for TlsStream<TcpStream> {
    fn confirm(&self) {
        self.get_ref().0.confirm();
    }
}

impl<S> Socket for WsStream<TokioAdapter<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    /// The socket below a WebSocket is out of reach.
    fn confirm(&self) {}
}

/// Connects. With `tls` the broker's name is checked. The connection is dead once the other side
/// has not confirmed for `silence_max` what was written.
pub(super) async fn connect(
    broker: &Broker,
    tls: Option<Arc<ClientConfig>>,
    silence_max: Duration,
) -> io::Result<Box<dyn Socket>> {
    let tcp = TcpStream::connect((broker.host.as_str(), broker.port)).await?;
    tcp.set_nodelay(true)?;
    give_up_after(&tcp, silence_max)?;
    let Some(tls) = tls else {
        return match &broker.websocket_path {
            None => Ok(Box::new(tcp)),
            Some(path) => websocket(broker, path, tcp).await,
        };
    };
    let name = ServerName::try_from(broker.host.clone()).map_err(io::Error::other)?;
    let encrypted = TlsConnector::from(tls).connect(name, tcp).await?;
    match &broker.websocket_path {
        None => Ok(Box::new(encrypted)),
        Some(path) => websocket(broker, path, encrypted).await,
    }
}

/// Has the kernel give up what nobody confirms: while reading is paused, answers to pings are not
/// seen, and by itself the kernel tries for a quarter of an hour.
fn give_up_after(tcp: &TcpStream, silence_max: Duration) -> io::Result<()> {
    // Elsewhere a link that dies while reading is paused is noticed later.
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(tcp).set_tcp_user_timeout(Some(silence_max))?;
    Ok(())
}

async fn websocket<S>(broker: &Broker, path: &str, below: S) -> io::Result<Box<dyn Socket>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Broker { host, port, .. } = broker;
    let mut request =
        format!("ws://{host}:{port}{path}").into_client_request().map_err(io::Error::other)?;
    let mqtt = HeaderValue::from_static("mqtt");
    request.headers_mut().insert("Sec-WebSocket-Protocol", mqtt.clone());
    let (stream, response) = client_async(request, below).await.map_err(io::Error::other)?;
    if response.headers().get("Sec-WebSocket-Protocol") != Some(&mqtt) {
        return Err(io::Error::other("the server does not speak MQTT over WebSocket"));
    }
    Ok(Box::new(WsStream::new(stream)))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn kernel_gives_up_what_nobody_confirms() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        give_up_after(&tcp, Duration::from_secs(45)).unwrap();
        let timeout = socket2::SockRef::from(&tcp).tcp_user_timeout().unwrap();
        assert_eq!(timeout, Some(Duration::from_secs(45)));
    }
}
