//! Asks a running gateway for its metrics.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use shard_estimator::cli::Running;
use tokio::time::timeout;

use crate::telemetry::causes;

/// Longest wait for a page: the gateway makes it between two steps.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Largest page that is read: ours have some 60 KiB with a hundred shards.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// What the gateway at `url` shows of `stream`, or of its only one; of the time between two looks, if `between` is the wait for the
/// second, or else since it started.
pub(super) async fn ask(
    url: &str,
    stream: Option<&str>,
    between: Option<impl Future<Output = Result<()>>>,
) -> Result<Running> {
    let look = async || -> Result<Running> {
        let page = timeout(ANSWER_MAX, page(url)).await;
        let page = page.with_context(|| format!("no answer within {ANSWER_MAX:?}"))??;
        Running::read(&page, stream).map_err(anyhow::Error::msg)
    };
    let seen = async {
        let first = look().await?;
        match between {
            None => Ok(first),
            Some(between) => {
                between.await?;
                look().await?.since(&first).map_err(anyhow::Error::msg)
            }
        }
    };
    seen.await.with_context(|| format!("--from-metrics {url}"))
}

async fn page(url: &str) -> Result<String> {
    let uri: Uri = url.parse().context("no URL")?;
    ensure!(uri.scheme_str() == Some("http"), "metrics are served over http:// only");
    let request = Request::get(uri).body(Empty::<Bytes>::new()).context("no URL")?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = match client.request(request).await {
        Ok(answer) => answer,
        Err(error) => bail!(
            "{}: does the gateway run, and does metrics.listen say this address?",
            causes(&error)
        ),
    };
    ensure!(answer.status() == StatusCode::OK, "the answer is {}", answer.status());
    let body = Limited::new(answer.into_body(), PAGE_BYTES_MAX).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("cannot be read: {error}"))?;
    String::from_utf8(body.to_bytes().into()).context("not in Prometheus' text format")
}
