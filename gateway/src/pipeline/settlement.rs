//! Settlements on their way back to the connections, in batches.

use std::collections::HashMap;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::ack::Receipt;

/// Counts down the records of each publish and tells its connection when all are safe.
#[derive(Debug)]
pub(super) struct Settlement {
    lanes: Vec<Outgoing>,
    /// Records not settled of publishes that became several.
    fan_out: HashMap<Receipt, usize>,
}

#[derive(Debug)]
struct Outgoing {
    sender: mpsc::Sender<Vec<Receipt>>,
    waiting: Vec<Receipt>,
}

impl Settlement {
    pub(super) fn new(lanes: Vec<mpsc::Sender<Vec<Receipt>>>) -> Self {
        let outgoing = |sender| Outgoing { sender, waiting: Vec::new() };
        Self { lanes: lanes.into_iter().map(outgoing).collect(), fan_out: HashMap::new() }
    }

    /// Notes that `receipt` became `records` records: it is settled after as many settlements.
    pub(super) fn expect(&mut self, receipt: Receipt, records: usize) {
        if records > 1 {
            self.fan_out.insert(receipt, records);
        }
    }

    /// Notes that one record of `receipt` is safe.
    pub(super) fn settle(&mut self, receipt: Receipt) {
        if !self.fan_out.is_empty()
            && let Some(left) = self.fan_out.get_mut(&receipt)
        {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.fan_out.remove(&receipt);
        }
        if let Some(lane) = self.lanes.get_mut(usize::from(receipt.lane)) {
            lane.waiting.push(receipt);
        }
    }

    /// Hands on what the connections have room for.
    pub(super) fn hand_on(&mut self) {
        for lane in self.lanes.iter_mut().filter(|lane| !lane.waiting.is_empty()) {
            match lane.sender.try_reserve() {
                Ok(permit) => permit.send(std::mem::take(&mut lane.waiting)),
                // A connection that is gone has nothing left to acknowledge.
                Err(TrySendError::Closed(())) => lane.waiting.clear(),
                Err(TrySendError::Full(())) => {}
            }
        }
    }

    /// Waits until a connection that was full has room; for ever if none was.
    pub(super) async fn room(&self) {
        let full = self.lanes.iter().find(|lane| !lane.waiting.is_empty());
        match full {
            Some(lane) => drop(lane.sender.reserve().await),
            None => std::future::pending().await,
        }
    }

    /// Hands on everything; dropping the senders then tells the connections that nothing follows.
    pub(super) async fn finish(mut self) {
        for lane in &mut self.lanes {
            let waiting = std::mem::take(&mut lane.waiting);
            if !waiting.is_empty() && lane.sender.send(waiting).await.is_err() {
                tracing::debug!("a connection ended before its last settlements");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn publish_of_several_records_is_settled_with_its_last() {
        let (sender, mut receiver) = mpsc::channel(1);
        let mut settlement = Settlement::new(vec![sender]);
        let [one, three] = [1, 2].map(|number| Receipt { lane: 0, number });
        settlement.expect(one, 1);
        settlement.expect(three, 3);
        settlement.settle(three);
        settlement.settle(one);
        settlement.settle(three);
        settlement.hand_on();
        assert_eq!(receiver.try_recv().unwrap(), [one]);
        settlement.settle(three);
        settlement.finish().await;
        assert_eq!(receiver.recv().await, Some(vec![three]));
        assert_eq!(receiver.recv().await, None);
    }
}
