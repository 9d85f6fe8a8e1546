//! What time it is: here the machines, which never ask, are told.

use std::time::{Instant, SystemTime};

use tokio::time::sleep_until;

#[expect(clippy::disallowed_methods, reason = "where the machines are told the time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The same, in milliseconds since 1970-01-01 UTC.
#[expect(clippy::disallowed_methods, reason = "where the machines are told the time")]
pub(crate) fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits until `at`; for ever if there is none.
pub(crate) async fn woken(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
