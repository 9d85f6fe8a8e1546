use std::sync::Mutex;
use std::time::Instant;

use bytes::Bytes;

use crate::config::Order;
use crate::queue::tests::Open;
use crate::queue::{Incoming, Queues, Room};
use crate::record::{PartitionKey, RecordSlot};

use super::*;

/// Refuses a call with a record over its limit, as Kinesis does, and keeps what it accepts.
#[derive(Default)]
struct SmallStream {
    accepted: Mutex<Vec<usize>>,
    calls_until_outage: Option<Mutex<u32>>,
}

impl Stream for SmallStream {
    async fn put(&self, records: &[Taken]) -> Result<Vec<Verdict>, Trouble> {
        if let Some(left) = &self.calls_until_outage {
            let mut left = left.lock().unwrap();
            if *left == 0 {
                let detail = "down".to_owned();
                return Err(Trouble { kind: TroubleKind::Unavailable, detail });
            }
            *left -= 1;
        }
        if records.iter().any(|taken| taken.record.data.len() > 100) {
            let detail = "record too large".to_owned();
            return Err(Trouble { kind: TroubleKind::Invalid, detail });
        }
        let mut accepted = self.accepted.lock().unwrap();
        accepted.extend(records.iter().map(|taken| taken.record.data.len()));
        Ok(vec![Verdict::Accepted(None); records.len()])
    }
}

/// A batch of records of these sizes, all of one key.
#[expect(clippy::disallowed_methods, reason = "the queue wants some instant")]
fn batch(sizes: impl IntoIterator<Item = usize>) -> Vec<Taken> {
    let (mut queues, now) = (Queues::new(Order::Device), Instant::now());
    for (number, size) in sizes.into_iter().enumerate() {
        let slot = RecordSlot(number);
        let (key, data) = (PartitionKey::new("k"), Bytes::from(vec![b'x'; size]));
        queues.push(Incoming { slot, key, data, rx_ts_ms: 0, since: now });
    }
    queues.take(Room { records: 500, bytes: 1 << 20 }, &mut Open, now)
}

#[tokio::test]
async fn oversized_record_among_499_good_ones_costs_only_itself() {
    let stream = SmallStream::default();
    let sizes: Vec<_> = (0..500).map(|n| if n == 321 { 101 } else { n % 100 }).collect();
    let answer = deliver(&stream, batch(sizes.clone())).await;
    for (n, (taken, verdict)) in answer.records.iter().enumerate() {
        assert_eq!(taken.record.slot, RecordSlot(n));
        let refused = Verdict::Refused("record too large".to_owned());
        assert_eq!(*verdict, if n == 321 { refused } else { Verdict::Accepted(None) });
    }
    let good: Vec<_> = sizes.into_iter().filter(|size| *size <= 100).collect();
    assert_eq!(*stream.accepted.lock().unwrap(), good, "each once, in order");
    assert!(answer.calls <= 2 * 10, "halving took {} calls", answer.calls);
    assert_eq!(answer.trouble, None);
}

#[tokio::test]
async fn outage_while_halving_leaves_the_rest_to_be_sent_again() {
    let stream = SmallStream { calls_until_outage: Some(Mutex::new(3)), ..Default::default() };
    let answer = deliver(&stream, batch([1, 2, 3, 101])).await;
    let verdicts: Vec<_> = answer.records.iter().map(|(_, verdict)| verdict.clone()).collect();
    let [accepted, unavailable] = [Verdict::Accepted(None), Verdict::Unavailable];
    assert_eq!(verdicts, [accepted.clone(), accepted, unavailable.clone(), unavailable]);
    assert_eq!(answer.trouble.unwrap().kind, TroubleKind::Unavailable);
}

#[tokio::test]
async fn stream_that_refuses_everything_makes_no_dead_letters() {
    let stream = SmallStream::default();
    let answer = deliver(&stream, batch(vec![101; 300])).await;
    assert!(answer.records.iter().all(|(_, verdict)| *verdict == Verdict::Unavailable));
    assert_eq!(answer.trouble.unwrap().kind, TroubleKind::NotAllowed);
    assert!(answer.calls < 40, "{} calls to find out", answer.calls);
    let answer = deliver(&stream, batch(vec![101; 3])).await;
    assert!(answer.records.iter().all(|(_, verdict)| matches!(verdict, Verdict::Refused(_))));
}
