//! Publishes on their way to the next stage.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Intake, Publish};

/// Holds publishes until the next stage has room: the connection never waits for it.
///
/// Bounded by what the connection may hold, which the ledger of receipts knows.
#[derive(Debug)]
pub(super) struct Outbox {
    /// `None` once nothing more is handed on.
    intake: Option<mpsc::Sender<Intake>>,
    publishes: Vec<Publish>,
    /// Whether the next stage has yet to hear that nothing more comes.
    window_exhausted: bool,
    /// What the next stage has yet to hear of the time in which nothing could come.
    away: Duration,
    open: bool,
}

impl Outbox {
    pub(super) fn new(intake: mpsc::Sender<Intake>) -> Self {
        let (publishes, away) = (Vec::new(), Duration::ZERO);
        Self { intake: Some(intake), publishes, window_exhausted: false, away, open: true }
    }

    /// Whether publishes are still taken in.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn push(&mut self, publish: Publish) {
        self.publishes.push(publish);
    }

    /// Has the next stage hear, with or after all that was pushed, that nothing more comes until
    /// something is settled.
    pub(super) fn tell_exhausted(&mut self) {
        self.window_exhausted = true;
    }

    /// Has the next stage hear that nothing could come for so long. At once: what other connections
    /// missed at the same time is the same time.
    pub(super) fn tell_away(&mut self, away: Duration) {
        self.away += away;
    }

    /// Hands on what waits once there is room. Never ready while nothing waits; may be dropped
    /// unfinished.
    pub(super) async fn hand_on(&mut self) {
        let Some(intake) = self.intake.as_ref().filter(|_| self.is_waiting()) else {
            return std::future::pending().await;
        };
        match intake.reserve().await {
            Ok(permit) => permit.send(Intake {
                publishes: std::mem::take(&mut self.publishes),
                window_exhausted: std::mem::take(&mut self.window_exhausted),
                away: std::mem::take(&mut self.away),
            }),
            // The next stage is gone: what waits is not acknowledged, the broker keeps it.
            Err(_closed) => {
                (self.publishes, self.window_exhausted) = (Vec::new(), false);
                self.away = Duration::ZERO;
            }
        }
        if !self.open {
            self.intake = None;
        }
    }

    /// Takes in nothing more; what waits is still handed on.
    pub(super) fn close(&mut self) {
        self.open = false;
        if !self.is_waiting() {
            self.intake = None;
        }
    }

    fn is_waiting(&self) -> bool {
        !self.publishes.is_empty() || self.window_exhausted || !self.away.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;
    use tokio::time::timeout;

    use super::*;
    use crate::ack::Receipt;

    #[tokio::test]
    async fn time_away_is_told_at_once_and_to_nobody_else() {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut outbox = Outbox::new(sender);
        let hour = Duration::from_secs(3_600);
        outbox.tell_away(hour);
        outbox.hand_on().now_or_never().expect("there is room");
        assert_eq!(receiver.recv().await.expect("told").away, hour);
        outbox.tell_away(hour);
        drop(receiver);
        outbox.hand_on().now_or_never().expect("nobody to wait for");
        assert!(outbox.hand_on().now_or_never().is_none(), "there is nobody to tell");
    }

    /// More connections than the channel has room for: none may wake another for ever.
    #[tokio::test]
    async fn eight_connections_share_a_channel_of_four() {
        let (sender, mut receiver) = mpsc::channel(4);
        let outboxes = (0..8).map(|lane| {
            let mut outbox = Outbox::new(sender.clone());
            async move {
                for number in 0..100 {
                    let receipt = Receipt { lane, number };
                    let (topic, payload) = (Bytes::new(), Bytes::new());
                    outbox.push(Publish { topic, payload, rx_ts_ms: 0, receipt });
                    outbox.hand_on().await;
                }
            }
        });
        let all = async {
            let mut received = 0;
            while received < 800 {
                received += receiver.recv().await.expect("senders live").publishes.len();
            }
        };
        let both = async { tokio::join!(join_all(outboxes), all) };
        assert!(timeout(Duration::from_secs(10), both).await.is_ok(), "stuck");
    }
}
