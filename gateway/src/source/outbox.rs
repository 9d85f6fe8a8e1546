//! Publishes on their way to the next stage.

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::{Intake, Publish};

/// Holds publishes until the next stage has room: the connection never waits for it.
///
/// Bounded by the memory budget, which the ledger of receipts keeps.
#[derive(Debug)]
pub(super) struct Outbox {
    /// `None` once nothing more is taken in.
    intake: Option<mpsc::Sender<Intake>>,
    publishes: Vec<Publish>,
    window_exhausted: bool,
}

impl Outbox {
    pub(super) fn new(intake: mpsc::Sender<Intake>) -> Self {
        Self { intake: Some(intake), publishes: Vec::new(), window_exhausted: false }
    }

    /// Whether publishes are still taken in.
    pub(super) fn is_open(&self) -> bool {
        self.intake.is_some()
    }

    pub(super) fn push(&mut self, publish: Publish, window_exhausted: bool) {
        self.publishes.push(publish);
        self.window_exhausted |= window_exhausted;
    }

    /// Ready when the next stage has room for what waits, or is gone. Never while nothing waits.
    pub(super) async fn room(&self) {
        match &self.intake {
            Some(intake) if !self.publishes.is_empty() => drop(intake.reserve().await),
            _ => std::future::pending().await,
        }
    }

    /// Hands on what waits, if there is room at once.
    pub(super) fn hand_on(&mut self) {
        let Some(intake) = self.intake.as_ref().filter(|_| !self.publishes.is_empty()) else {
            return;
        };
        let gone = match intake.try_reserve() {
            Ok(permit) => {
                permit.send(Intake {
                    publishes: std::mem::take(&mut self.publishes),
                    window_exhausted: std::mem::take(&mut self.window_exhausted),
                });
                false
            }
            Err(full_or_closed) => full_or_closed == TrySendError::Closed(()),
        };
        if gone {
            self.close();
        }
    }

    /// Takes in nothing more. What waits is forgotten: it is not acknowledged, the broker keeps it.
    pub(super) fn close(&mut self) {
        self.intake = None;
        self.publishes.clear();
    }
}
