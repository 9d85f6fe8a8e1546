//! How long things may take.

use std::time::{Duration, Instant};

use tokio::time::{timeout, timeout_at};

use crate::clock::now;

/// Longest check: half a minute is promised, and ending takes a moment, too.
const CHECK_MAX: Duration = Duration::from_secs(25);

/// Longest wait for a name server: it asks a second one after a few seconds, if at all.
pub(super) const NAME_MAX: Duration = Duration::from_secs(3);

/// Longest wait for an answer of a service that is reached.
pub(super) const CALL_MAX: Duration = Duration::from_secs(8);

/// Longest visit to the broker: connection, TLS, login, subscriptions.
pub(super) const BROKER_MAX: Duration = Duration::from_secs(10);

/// Longest wait for a connection for which the gateway waits for as long as `configured`: the link may
/// be a slow one.
pub(super) fn connecting_max(configured: Duration) -> Duration {
    configured.min(CALL_MAX)
}

/// When everything must have ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// Of a check that begins now.
    pub(super) fn from(now: Instant) -> Self {
        Self(now + CHECK_MAX)
    }

    /// What `future` comes to, if it does within `budget`, and by the deadline.
    pub(super) async fn within<T>(
        self,
        budget: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        timeout_at(self.0.into(), timeout(budget, future)).await.ok()?.ok()
    }
}

/// What `future` comes to, and how long it took.
pub(super) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let begun = now();
    let value = future.await;
    (value, now() - begun)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    #[test]
    fn a_link_that_is_known_to_be_slow_gets_as_long_as_a_call_may_take() {
        let waits = [2, 6, 60].map(|configured| connecting_max(Duration::from_secs(configured)));
        assert_eq!(waits.map(|wait| wait.as_secs()), [2, 6, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_hangs_ends_with_its_budget_or_with_the_deadline_if_that_is_sooner() {
        // Its time stands still while nobody waits, unlike the clock's.
        let begun = sleep(Duration::ZERO).deadline();
        let deadline = Deadline(begun.into_std() + CHECK_MAX);
        let mut waits = Vec::new();
        for _ in 0..5 {
            assert_eq!(deadline.within(CALL_MAX, pending::<()>()).await, None);
            waits.push(begun.elapsed().as_secs());
        }
        assert_eq!(waits, [8, 16, 24, 25, 25]);
    }
}
