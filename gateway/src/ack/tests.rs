use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

fn arrival(packet_id: u16, dup: bool, fingerprint: u64) -> Arrival {
    Arrival { packet_id: Some(packet_id), dup, fingerprint, bytes: 10 }
}

fn due(ledger: &mut Ledger) -> Vec<u16> {
    std::iter::from_fn(|| ledger.next_due()).collect()
}

/// What a connection does with an arrival: the receipt of a new publish, nothing for an adopted one.
fn arrive(ledger: &mut Ledger, arrival: &Arrival) -> Option<Receipt> {
    if ledger.adopt(arrival) { None } else { Some(ledger.receive(arrival)) }
}

fn new(ledger: &mut Ledger, packet_id: u16) -> Receipt {
    arrive(ledger, &arrival(packet_id, false, u64::from(packet_id))).expect("nothing to adopt")
}

fn redelivered(ledger: &mut Ledger, packet_id: u16, fingerprint: u64) -> Option<Receipt> {
    arrive(ledger, &arrival(packet_id, true, fingerprint))
}

#[test]
fn slow_record_holds_back_the_ones_behind_it() {
    let mut ledger = Ledger::new(0);
    let receipts: Vec<_> = (1..=3).map(|id| new(&mut ledger, id)).collect();
    ledger.settle(receipts[1]);
    ledger.settle(receipts[2]);
    assert_eq!(due(&mut ledger), [] as [u16; 0]);
    ledger.settle(receipts[0]);
    assert_eq!(due(&mut ledger), [1, 2, 3]);
    assert_eq!((ledger.held(), ledger.held_bytes(), ledger.unacknowledged()), (0, 0, 0));
}

#[test]
fn receipt_of_an_old_connection_is_never_acknowledged_on_a_new_one() {
    let mut ledger = Ledger::new(0);
    let old = new(&mut ledger, 1);
    ledger.disconnected();
    ledger.connected(true);
    ledger.settle(old);
    assert_eq!(ledger.next_due(), None);
    let fresh = new(&mut ledger, 1);
    assert_eq!(ledger.next_due(), None, "the new publish under identifier 1 is not safe");
    ledger.settle(fresh);
    assert_eq!(ledger.next_due(), Some(1));
}

#[test]
fn redelivery_adopts_what_is_on_its_way() {
    let mut ledger = Ledger::new(0);
    let receipt = new(&mut ledger, 7);
    ledger.disconnected();
    ledger.connected(true);
    assert_eq!(redelivered(&mut ledger, 7, 7), None);
    assert_eq!(ledger.next_due(), None);
    ledger.settle(receipt);
    assert_eq!(ledger.next_due(), Some(7));
}

#[test]
fn redelivery_adopts_what_was_safe_but_whose_acknowledgement_was_not_written() {
    let mut ledger = Ledger::new(0);
    let receipt = new(&mut ledger, 7);
    ledger.settle(receipt);
    assert_eq!(ledger.next_due(), Some(7));
    ledger.disconnected();
    ledger.connected(true);
    assert_eq!(redelivered(&mut ledger, 7, 7), None);
    assert_eq!(ledger.next_due(), Some(7));
}

#[test]
fn identifier_reused_after_a_written_acknowledgement_is_a_new_publish() {
    let mut ledger = Ledger::new(0);
    let receipt = new(&mut ledger, 7);
    ledger.settle(receipt);
    assert_eq!(ledger.next_due(), Some(7));
    ledger.written();
    ledger.disconnected();
    ledger.connected(true);
    // The same reading again, lost on its first way: two true readings must stay two.
    assert!(redelivered(&mut ledger, 7, 7).is_some());
}

#[test]
fn redelivery_with_another_content_is_a_new_publish() {
    let mut ledger = Ledger::new(0);
    new(&mut ledger, 7);
    ledger.disconnected();
    ledger.connected(true);
    assert!(redelivered(&mut ledger, 7, 8).is_some());
}

#[test]
fn lost_session_forgets_the_identifiers_and_keeps_the_records() {
    let mut ledger = Ledger::new(0);
    let old = new(&mut ledger, 7);
    ledger.disconnected();
    ledger.connected(false);
    assert_eq!(ledger.held(), 1);
    assert!(redelivered(&mut ledger, 7, 7).is_some());
    ledger.settle(old);
    assert_eq!(ledger.next_due(), None);
    assert_eq!(ledger.held(), 1);
}

#[test]
fn settling_one_of_two_publishes_under_one_identifier_does_not_settle_the_other() {
    let mut ledger = Ledger::new(0);
    let first = ledger.receive(&arrival(7, false, 1));
    let second = ledger.receive(&arrival(7, false, 2));
    ledger.disconnected();
    ledger.connected(true);
    ledger.settle(first);
    assert_eq!(redelivered(&mut ledger, 7, 2), None, "the second is on its way");
    assert_eq!(ledger.next_due(), None, "and not safe");
    ledger.settle(second);
    assert_eq!(ledger.next_due(), Some(7));
}

#[test]
fn at_qos_0_only_the_memory_is_accounted() {
    let mut ledger = Ledger::new(3);
    let arrival = Arrival { packet_id: None, dup: false, fingerprint: 1, bytes: 100 };
    let receipt = ledger.receive(&arrival);
    assert_eq!((ledger.held_bytes(), ledger.unacknowledged()), (100, 0));
    ledger.settle(receipt);
    assert_eq!((ledger.held_bytes(), ledger.next_due()), (0, None));
}

/// What a broker and a gateway may do to each other.
#[derive(Debug, Clone)]
enum Step {
    Publish,
    Settle(prop::sample::Index),
    Acknowledge,
    Reconnect { session_present: bool, heard: prop::sample::Index },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Publish),
        3 => any::<prop::sample::Index>().prop_map(Step::Settle),
        2 => Just(Step::Acknowledge),
        1 => (any::<bool>(), any::<prop::sample::Index>())
            .prop_map(|(session_present, heard)| Step::Reconnect { session_present, heard }),
    ];
    prop::collection::vec(step, 0..200)
}

/// A broker that keeps the rules: identifiers in flight are unique, redelivery is in order.
#[derive(Default)]
struct Broker {
    in_flight: VecDeque<(u16, u64)>,
    acks_on_the_wire: VecDeque<u16>,
    next_content: u64,
}

impl Broker {
    fn free_id(&self) -> u16 {
        let used: HashSet<u16> = self.in_flight.iter().map(|(id, _)| *id).collect();
        (1..).find(|id| !used.contains(id)).unwrap()
    }

    fn acknowledged(&mut self, packet_id: u16) {
        let front = self.in_flight.pop_front().unwrap();
        assert_eq!(front.0, packet_id, "acknowledgements come in the order of the publishes");
    }
}

proptest! {
    /// Whatever happens, acknowledgements come in order, only for settled publishes of the current
    /// connection; and when everything is settled, everything is acknowledged.
    #[test]
    fn any_order_of_settling_acknowledges_in_order(steps in steps()) {
        let (mut ledger, mut broker) = (Ledger::new(0), Broker::default());
        let mut open: Vec<(Receipt, u64)> = Vec::new();
        let mut settled: HashSet<u64> = HashSet::new();
        let received = |ledger: &mut Ledger, id, dup, content, open: &mut Vec<_>| {
            if let Some(receipt) = arrive(ledger, &arrival(id, dup, content)) {
                open.push((receipt, content));
            }
        };
        for step in steps {
            match step {
                Step::Publish => {
                    let (id, content) = (broker.free_id(), broker.next_content);
                    broker.next_content += 1;
                    broker.in_flight.push_back((id, content));
                    received(&mut ledger, id, false, content, &mut open);
                }
                Step::Settle(index) if !open.is_empty() => {
                    let (receipt, content) = open.swap_remove(index.index(open.len()));
                    settled.insert(content);
                    ledger.settle(receipt);
                }
                Step::Settle(_) => {}
                Step::Acknowledge => {
                    for id in due(&mut ledger) {
                        broker.acks_on_the_wire.push_back(id);
                    }
                    while let Some(id) = broker.acks_on_the_wire.pop_front() {
                        let content = broker.in_flight.front().unwrap().1;
                        prop_assert!(settled.contains(&content), "acknowledged before it was safe");
                        broker.acknowledged(id);
                        ledger.written();
                    }
                }
                Step::Reconnect { session_present, heard } => {
                    // The broker hears some acknowledgements, the rest die with the connection:
                    // the ledger cannot know which.
                    let ids = due(&mut ledger);
                    for id in ids.iter().take(heard.index(ids.len() + 1)) {
                        broker.acknowledged(*id);
                    }
                    ledger.disconnected();
                    ledger.connected(session_present);
                    if !session_present {
                        broker.in_flight.clear();
                    }
                    for (id, content) in broker.in_flight.clone() {
                        received(&mut ledger, id, true, content, &mut open);
                    }
                }
            }
            prop_assert_eq!(ledger.held(), open.len());
            prop_assert_eq!(ledger.unacknowledged(), broker.in_flight.len());
        }
        for (receipt, _) in open {
            ledger.settle(receipt);
        }
        for id in due(&mut ledger) {
            broker.acknowledged(id);
        }
        prop_assert!(broker.in_flight.is_empty(), "settled, so acknowledged");
        prop_assert_eq!(ledger.held_bytes(), 0);
    }
}
