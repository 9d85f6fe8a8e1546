//! Shows metrics to whoever asks: HTTP/1.1, `GET /metrics`. Each page is made by the flow, between
//! two of its steps, so that its numbers belong together.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::page::MEDIA_TYPE;
use crate::limits::{METRICS_CONNECTION_MAX, METRICS_CONNECTIONS_MAX, METRICS_RETRY};

/// Asks for a page.
pub type Asked = oneshot::Sender<String>;

/// Serves until it is dropped, connections included. Pages come from whoever receives what is
/// `asking`.
pub async fn run(listener: TcpListener, asking: mpsc::Sender<Asked>) -> Infallible {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = connections.next() => {}
            socket = accept(&listener), if connections.len() < METRICS_CONNECTIONS_MAX => {
                connections.push(connection(socket, &asking));
            }
        }
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return socket,
            // Out of file descriptors, at worst: no reason to spin.
            Err(error) => tracing::debug!(%error, "a connection for metrics failed"),
        }
        sleep(METRICS_RETRY).await;
    }
}

/// One request and its answer. Who is slow is cut off, so that others find a place.
async fn connection(socket: TcpStream, asking: &mpsc::Sender<Asked>) {
    let service = service_fn(|request| answer(request, asking));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false);
    let served = http.serve_connection(TokioIo::new(socket), service);
    match timeout(METRICS_CONNECTION_MAX, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection for metrics broke"),
        Err(_) => tracing::debug!("a connection for metrics took too long"),
    }
}

async fn answer(
    request: Request<Incoming>,
    asking: &mpsc::Sender<Asked>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => match page(asking).await {
            Some(page) => {
                let mut response = Response::new(page.into());
                let media_type = HeaderValue::from_static(MEDIA_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, media_type);
                response
            }
            None => plain(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping\n"),
        },
        (_, "/metrics") => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
        _ => plain(StatusCode::NOT_FOUND, "metrics are at /metrics\n"),
    })
}

/// Asks for a page; `None` if nobody makes them any more.
async fn page(asking: &mpsc::Sender<Asked>) -> Option<String> {
    let (asked, page) = oneshot::channel();
    asking.send(asked).await.ok()?;
    page.await.ok()
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
