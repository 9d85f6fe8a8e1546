//! Publishes on their way to the next stage.

use tokio::sync::mpsc;

use super::{Intake, Publish};

/// Holds publishes until the next stage has room: the connection never waits for it.
///
/// Bounded by the memory budget, which the ledger of receipts keeps.
#[derive(Debug)]
pub(super) struct Outbox {
    /// `None` once nothing more is handed on.
    intake: Option<mpsc::Sender<Intake>>,
    publishes: Vec<Publish>,
    window_exhausted: bool,
    open: bool,
}

impl Outbox {
    pub(super) fn new(intake: mpsc::Sender<Intake>) -> Self {
        Self { intake: Some(intake), publishes: Vec::new(), window_exhausted: false, open: true }
    }

    /// Whether publishes are still taken in.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn push(&mut self, publish: Publish, window_exhausted: bool) {
        self.publishes.push(publish);
        self.window_exhausted |= window_exhausted;
    }

    /// Hands on what waits once there is room. Never ready while nothing waits; may be dropped
    /// unfinished.
    pub(super) async fn hand_on(&mut self) {
        let Some(intake) = self.intake.as_ref().filter(|_| !self.publishes.is_empty()) else {
            return std::future::pending().await;
        };
        match intake.reserve().await {
            Ok(permit) => permit.send(Intake {
                publishes: std::mem::take(&mut self.publishes),
                window_exhausted: std::mem::take(&mut self.window_exhausted),
            }),
            // The next stage is gone: what waits is not acknowledged, the broker keeps it.
            Err(_closed) => self.publishes.clear(),
        }
        if !self.open {
            self.intake = None;
        }
    }

    /// Takes in nothing more; what waits is still handed on.
    pub(super) fn close(&mut self) {
        self.open = false;
        if self.publishes.is_empty() {
            self.intake = None;
        }
    }
}
