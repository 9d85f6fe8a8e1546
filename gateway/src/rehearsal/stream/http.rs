//! One request over HTTP: received, performed or met by a fault, answered.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use jiff::Timestamp;

use super::action::Api;
use super::auth;
use super::endpoint::{Done, Endpoint};
use super::faults::{Clock, RequestFault};
use super::names::request_id;
use super::refusal::Refusal;
use super::server::now;
use super::signature::Message;

/// Why a connection ends without an answer.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on demand")
    }
}

impl std::error::Error for Cut {}

/// Answers one request, or ends its connection without an answer.
pub(super) async fn answer(
    endpoint: Arc<Endpoint>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Cut> {
    let (head, body) = request.into_parts();
    let bytes_max = endpoint.with(|service| service.faults.body_bytes_max);
    let Ok(body) = receive(body, bytes_max).await else { return Err(Cut) };
    let other = body.as_deref().and_then(|body| endpoint.other(body));
    let endpoint = other.unwrap_or(endpoint);
    let (api, now) = (Api::of(&head.headers), now());
    let (fault, latency, clock) = endpoint.with(|service| {
        let counted = match api {
            Api::Kinesis => &mut service.counts.requests,
            Api::Sts => &mut service.counts.sts_requests,
        };
        *counted += 1;
        (service.faults.meet(api), service.faults.latency, service.faults.clock)
    });
    let outcome = match (&fault, body) {
        (Some(RequestFault::Refuse(refusal)), _) => Err(refusal.clone()),
        (Some(RequestFault::Hang), _) => pending().await,
        (_, None) => Err(Refusal::page(413)),
        (_, Some(body)) => {
            let request = Message {
                method: head.method.as_str(),
                path: head.uri.path(),
                query: head.uri.query().unwrap_or_default(),
                headers: &head.headers,
                body: &body,
            };
            endpoint.perform(&request, api, now)
        }
    };
    match fault {
        Some(RequestFault::StoreThenHang) => pending().await,
        Some(RequestFault::StoreThenReset) => return Err(Cut),
        Some(RequestFault::Refuse(_) | RequestFault::Hang) | None => {}
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    // Otherwise hyper adds the machine's time.
    let date = matches!(clock, Clock::Checked(_)).then(|| auth::local_time(clock, now));
    Ok(respond(endpoint, outcome, api, date))
}

/// Reads the body into one buffer; `None` if it is too large. Even then it is read to its end, so
/// that the client is ready to hear so.
async fn receive(mut body: Incoming, bytes_max: usize) -> Result<Option<Vec<u8>>, hyper::Error> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = Some(Vec::with_capacity(announced.min(bytes_max)));
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        bytes = bytes.filter(|bytes| bytes.len() + piece.len() <= bytes_max);
        if let Some(bytes) = &mut bytes {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(bytes)
}

fn respond(
    endpoint: Arc<Endpoint>,
    outcome: Result<Done, Refusal>,
    api: Api,
    date: Option<Timestamp>,
) -> Response<Answer> {
    let (status, done) = match outcome {
        Ok(done) => (200, done),
        Err(refusal) => {
            let counted = u64::from(api == Api::Kinesis);
            endpoint.with(|service| service.counts.requests_refused += counted);
            (refusal.status, Done { body: refusal.body(api), stored: 0 })
        }
    };
    let answer = Answer { body: Some(done.body.into()), stored: done.stored, endpoint };
    let mut response = Response::new(answer);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(api.content_type()));
    let mut set = |name, value: String| {
        headers.extend(value.try_into().ok().map(|value: HeaderValue| (name, value)));
    };
    set(HeaderName::from_static("x-amzn-requestid"), request_id());
    if let Some(date) = date {
        set(DATE, date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    }
    response
}

/// The body of an answer. Handing it to the connection is what makes its request answered.
#[derive(Debug)]
pub(super) struct Answer {
    body: Option<Bytes>,
    stored: u64,
    endpoint: Arc<Endpoint>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let body = self.body.take();
        if body.is_some() {
            self.endpoint.answered(self.stored);
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
