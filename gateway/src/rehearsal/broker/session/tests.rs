use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What may happen to a session.
#[derive(Debug, Clone)]
enum Step {
    Enqueue,
    /// The connection asks for up to so many.
    Send(usize),
    /// The client acknowledges the oldest it has.
    AckOldest,
    /// The client acknowledges another one it has.
    AckAny(prop::sample::Index),
    /// The client acknowledges what it does not have.
    AckUnknown(u16),
    /// The client acknowledges what it got on an earlier connection only.
    AckStale,
    /// The connection is lost and comes back with this window.
    Reconnect(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Enqueue),
        6 => (1..8_usize).prop_map(Step::Send),
        6 => Just(Step::AckOldest),
        2 => any::<prop::sample::Index>().prop_map(Step::AckAny),
        1 => any::<u16>().prop_map(Step::AckUnknown),
        1 => Just(Step::AckStale),
        1 => (1..6_u16).prop_map(Step::Reconnect),
    ];
    prop::collection::vec(step, 0..400)
}

/// A client that knows what it should get, and fails when it gets anything else.
struct Model {
    session: Session,
    window: u16,
    enqueued: u32,
    /// Of the publishes never sent before, the next.
    next_new: u32,
    /// Un-acknowledged, in the order first sent: number and packet identifier.
    unacked: BTreeMap<u32, u16>,
    /// The numbers of those sent on this connection and un-acknowledged.
    holds: Vec<u32>,
    acked: Vec<u32>,
}

impl Model {
    fn new(window: u16, first_id: u16) -> Self {
        let mut session = Session::new(terms(window));
        session.first_id = first_id;
        Self {
            session,
            window,
            enqueued: 0,
            next_new: 0,
            unacked: BTreeMap::new(),
            holds: Vec::new(),
            acked: Vec::new(),
        }
    }

    fn enqueue(&mut self) {
        let publish = Publish::new("t", self.enqueued.to_be_bytes().to_vec());
        self.session.enqueue(&Arc::new(publish), Qos::AtLeastOnce, false);
        self.enqueued += 1;
    }

    /// Takes one publish, if the session has one to send.
    fn take(&mut self) -> bool {
        let Some(outgoing) = self.session.next(0) else { return false };
        let number = number(&outgoing);
        let redelivered = self.unacked.keys().find(|it| !self.holds.contains(it)).copied();
        match redelivered {
            Some(expected) => {
                assert_eq!(number, expected, "un-acknowledged ones come first, in their order");
                assert!(outgoing.dup);
                assert_eq!(outgoing.packet_id, self.unacked[&number], "under the old identifier");
            }
            None => {
                assert_eq!(number, self.next_new, "new ones come in their order");
                assert!(!outgoing.dup);
                assert!(outgoing.packet_id > 0);
                let in_use = self.unacked.values().any(|id| *id == outgoing.packet_id);
                assert!(!in_use, "an identifier in flight is not given again");
                self.unacked.insert(number, outgoing.packet_id);
                self.next_new += 1;
            }
        }
        assert!(!self.acked.contains(&number), "nothing acknowledged comes again");
        self.holds.push(number);
        assert!(self.holds.len() <= usize::from(self.window), "the window holds");
        assert_eq!(self.session.unacked(), self.holds.len());
        true
    }

    fn acknowledge(&mut self, index: usize) {
        if index >= self.holds.len() {
            return;
        }
        let oldest = self.holds.iter().min() == Some(&self.holds[index]);
        let number = self.holds.remove(index);
        let id = self.unacked.remove(&number).unwrap();
        let expected = if oldest { Puback::InOrder } else { Puback::OutOfOrder };
        assert_eq!(self.session.acknowledge(id), expected);
        self.acked.push(number);
    }

    fn acknowledge_unknown(&mut self, id: u16) {
        let held = self.holds.iter().any(|number| self.unacked[number] == id);
        if !held {
            assert_eq!(self.session.acknowledge(id), Puback::NotInFlight);
        }
    }

    fn acknowledge_stale(&mut self) {
        let stale = self.unacked.iter().find(|(number, _)| !self.holds.contains(number));
        if let Some((_, id)) = stale {
            assert_eq!(self.session.acknowledge(*id), Puback::NotInFlight);
        }
    }

    fn reconnect(&mut self, window: u16) {
        self.session.resume(terms(window));
        self.window = window;
        self.holds.clear();
    }
}

fn terms(window: u16) -> Terms {
    Terms { window, packet_bytes_max: None }
}

fn number(outgoing: &Outgoing) -> u32 {
    u32::from_be_bytes(outgoing.publish.payload.as_ref().try_into().unwrap())
}

proptest! {
    #[test]
    fn nothing_is_lost_repeated_reordered_or_sent_beyond_the_window(
        steps in steps(),
        window in 1..6_u16,
        first_id in prop_oneof![Just(1), 65_500..=65_535_u16],
    ) {
        let mut model = Model::new(window, first_id);
        for step in steps {
            match step {
                Step::Enqueue => model.enqueue(),
                Step::Send(count) => for _ in 0..count { model.take(); },
                Step::AckOldest => model.acknowledge(0),
                Step::AckAny(index) => {
                    if !model.holds.is_empty() {
                        model.acknowledge(index.index(model.holds.len()));
                    }
                }
                Step::AckUnknown(id) => model.acknowledge_unknown(id),
                Step::AckStale => model.acknowledge_stale(),
                Step::Reconnect(window) => model.reconnect(window),
            }
        }
        // Liveness: with acknowledgements in order, everything arrives.
        while model.take() || !model.holds.is_empty() {
            model.acknowledge(0);
        }
        prop_assert_eq!(model.acked.len(), usize::try_from(model.enqueued).unwrap());
        prop_assert_eq!(model.session.queued(), 0);
    }
}

#[test]
fn overrun_stretches_the_window_only_once_acks_flow() {
    let mut model = Model::new(2, 1);
    for _ in 0..10 {
        model.enqueue();
    }
    let session = &mut model.session;
    let burst = |session: &mut Session| std::iter::from_fn(|| session.next(3)).count();
    assert_eq!(burst(session), 2);
    assert_eq!(session.acknowledge(1), Puback::InOrder);
    assert_eq!((burst(session), session.unacked()), (4, 5));
}

#[test]
fn redelivery_on_the_same_connection_forgives_each_second_ack_once() {
    let mut model = Model::new(3, 1);
    for _ in 0..3 {
        model.enqueue();
        model.take();
    }
    let session = &mut model.session;
    session.redeliver();
    let again: Vec<_> = std::iter::from_fn(|| session.next(0)).collect();
    assert!(again.iter().all(|it| it.dup));
    assert_eq!(again.iter().map(|it| it.packet_id).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(session.acknowledge(1), Puback::InOrder);
    assert_eq!(session.acknowledge(1), Puback::Doubled);
    assert_eq!(session.acknowledge(1), Puback::NotInFlight);
}

#[test]
fn what_is_too_large_for_the_client_is_left_out_and_the_rest_arrives() {
    let mut session = Session::new(Terms { window: 1, packet_bytes_max: Some(20) });
    for payload in [vec![0; 100], vec![1; 12]] {
        session.enqueue(&Arc::new(Publish::new("t", payload)), Qos::AtLeastOnce, false);
    }
    let sent = session.next(0).unwrap();
    assert_eq!((sent.packet_id, sent.publish.payload[0], session.oversized()), (1, 1, 1));
    assert_eq!(sent.to_v5().size(), 20, "the limit itself is allowed");
}

#[test]
fn all_packet_identifiers_in_flight_is_the_end_of_any_window() {
    let mut session = Session::new(terms(u16::MAX));
    let publish = Arc::new(Publish::new("t", "x"));
    for _ in 0..70_000 {
        session.enqueue(&publish, Qos::AtLeastOnce, false);
    }
    let ids: Vec<u16> =
        std::iter::from_fn(|| session.next(u16::MAX)).map(|it| it.packet_id).collect();
    assert_eq!(ids.len(), PACKET_IDS);
    assert_eq!((ids[0], ids[65_534]), (1, 65_535));
    assert_eq!(session.acknowledge(2), Puback::OutOfOrder);
    assert!(session.next(u16::MAX).is_none(), "the next identifier is the one still in flight");
    assert_eq!(session.acknowledge(1), Puback::InOrder);
    assert_eq!(session.next(u16::MAX).unwrap().packet_id, 1);
}
