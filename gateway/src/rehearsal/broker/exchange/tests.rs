use super::*;
use crate::rehearsal::broker::faults::PUBACKS_REMEMBERED;
use crate::rehearsal::broker::publish::Qos;
use crate::rehearsal::broker::vocabulary::FOR_EVER;

const START: Duration = Duration::ZERO;

fn exchange() -> Exchange {
    Exchange::new(Limits { queue_max: 1000, window: 20 })
}

fn hello(client_id: &str, expiry: Duration) -> Hello {
    Hello {
        client_id: client_id.to_owned(),
        clean_start: false,
        expiry,
        receive_maximum: None,
        packet_bytes_max: None,
        will: None,
    }
}

fn asked(filter: &str) -> Asked {
    Asked {
        filter: filter.to_owned(),
        qos: Qos::AtLeastOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::EverySubscribe,
    }
}

impl Exchange {
    fn join(&mut self, client_id: &str) -> Link {
        self.connect(hello(client_id, FOR_EVER), START).link
    }

    fn say(&mut self, topic: &'static str, payload: &'static str) {
        self.publish(None, &Arc::new(Publish::new(topic, payload)));
    }

    /// Payload and retain flag of all that may be sent now.
    fn sends(&mut self, link: Link) -> Vec<(String, bool)> {
        let mut out = Vec::new();
        self.deliver(link, usize::MAX, &mut out);
        let text = |it: &Outgoing| String::from_utf8(it.publish.payload.to_vec()).unwrap();
        out.iter().map(|it| (text(it), it.retain)).collect()
    }
}

#[test]
fn session_lives_for_its_expiry_and_no_longer() {
    let second = Duration::from_secs(1);
    for (expiry, back_after, present) in [
        (Duration::ZERO, START, false),
        (10 * second, 9 * second, true),
        (10 * second, 10 * second, false),
        (FOR_EVER, 1_000_000 * second, true),
    ] {
        let mut exchange = exchange();
        let link = exchange.connect(hello("c", expiry), second).link;
        exchange.subscribe(link, &[asked("t")]);
        exchange.disconnect(link, Farewell::Lost, second);
        exchange.say("t", "waits");
        let welcome = exchange.connect(hello("c", expiry), second + back_after);
        assert_eq!(welcome.session_present, present, "{expiry:?} {back_after:?}");
        assert_eq!(exchange.sends(welcome.link).len(), usize::from(present));
        exchange.expire(100 * back_after);
        let onward = exchange.deliver(welcome.link, usize::MAX, &mut Vec::new());
        assert_eq!(onward, Onward::Stay, "while it is connected, nothing expires");
    }
}

#[test]
fn disconnect_may_change_the_expiry() {
    let mut exchange = exchange();
    let link = exchange.join("c");
    exchange.disconnect(link, Farewell::Said { expiry: Some(Duration::ZERO) }, START);
    assert!(!exchange.connect(hello("c", FOR_EVER), START).session_present);
}

#[test]
fn link_of_an_older_connection_is_worthless() {
    let mut exchange = exchange();
    let old = exchange.join("c");
    exchange.subscribe(old, &[asked("t")]);
    let welcome = exchange.connect(hello("c", FOR_EVER), START);
    assert_eq!((welcome.displaced, welcome.session_present), (Some(old), true));
    exchange.say("t", "x");
    assert_eq!(exchange.deliver(old, usize::MAX, &mut Vec::new()), Onward::Close);
    exchange.disconnect(old, Farewell::Lost, START);
    assert_eq!(exchange.sends(welcome.link).len(), 1);
    exchange.acknowledge(old, 1);
    assert_eq!(exchange.seen("c").unwrap().unacked, 1);
    exchange.acknowledge(welcome.link, 1);
    assert_eq!(exchange.seen("c").unwrap().unacked, 0);
}

#[test]
fn nameless_clients_get_names_of_their_own() {
    let mut exchange = exchange();
    let [one, two] = [(); 2].map(|()| exchange.connect(hello("", START), START));
    assert!(!one.client_id.is_empty());
    assert_ne!(one.client_id, two.client_id);
    assert_eq!(two.displaced, None);
}

#[test]
fn each_client_gets_a_publish_once_at_the_best_qos_of_its_subscriptions() {
    let mut exchange = exchange();
    let link = exchange.join("c");
    let weak = Asked { qos: Qos::AtMostOnce, ..asked("a/#") };
    exchange.subscribe(link, &[weak, asked("a/+")]);
    exchange.say("a/b", "x");
    let mut out = Vec::new();
    exchange.deliver(link, usize::MAX, &mut out);
    assert_eq!(out.iter().map(|it| it.packet_id).collect::<Vec<_>>(), [1]);
}

#[test]
fn qos_0_waits_for_nobody_and_needs_no_window() {
    let mut exchange = exchange();
    let link = exchange.join("c");
    exchange.subscribe(link, &[Asked { qos: Qos::AtMostOnce, ..asked("t") }]);
    for _ in 0..50 {
        exchange.say("t", "x");
    }
    assert_eq!(exchange.sends(link).len(), 50);
    exchange.disconnect(link, Farewell::Lost, START);
    exchange.say("t", "x");
    let link = exchange.join("c");
    assert_eq!(exchange.sends(link).len(), 0);
}

#[test]
fn retain_handling_decides_who_is_greeted() {
    for (handling, greeted) in [
        (RetainHandling::EverySubscribe, [true, true]),
        (RetainHandling::NewSubscribe, [true, false]),
        (RetainHandling::Never, [false, false]),
    ] {
        let mut exchange = exchange();
        exchange.publish(None, &Arc::new(Publish::new("t", "kept").retained()));
        let link = exchange.join("c");
        for greeted in greeted {
            exchange.subscribe(link, &[Asked { retain_handling: handling, ..asked("+") }]);
            let expected = greeted.then(|| ("kept".to_owned(), true));
            assert_eq!(exchange.sends(link), Vec::from_iter(expected), "{handling:?}");
        }
    }
}

#[test]
fn options_of_mqtt_5_are_heeded() {
    let mut exchange = exchange();
    let (own, other) = (exchange.join("own"), exchange.join("other"));
    exchange.subscribe(own, &[Asked { no_local: true, ..asked("t") }]);
    exchange.subscribe(other, &[Asked { retain_as_published: true, ..asked("t") }]);
    exchange.publish(Some(own), &Arc::new(Publish::new("t", "x").retained()));
    assert_eq!(exchange.sends(own), []);
    assert_eq!(exchange.sends(other), [("x".to_owned(), true)]);
}

#[test]
fn shared_publishes_wait_for_a_member_when_none_is_connected() {
    let mut exchange = exchange();
    let links = ["a", "b"].map(|id| exchange.join(id));
    for link in links {
        exchange.subscribe(link, &[asked("$share/g/t")]);
        exchange.disconnect(link, Farewell::Lost, START);
    }
    for _ in 0..6 {
        exchange.say("t", "x");
    }
    let links = ["a", "b"].map(|id| exchange.join(id));
    assert_eq!(links.map(|link| exchange.sends(link).len()), [3, 3]);
    exchange.unsubscribe(links[0], vec!["$share/g/t".to_owned()]);
    exchange.say("t", "x");
    assert_eq!(links.map(|link| exchange.sends(link).len()), [0, 1]);
}

#[test]
fn connection_is_woken_once_for_what_it_has_not_seen() {
    let mut exchange = exchange();
    let link = exchange.join("c");
    exchange.subscribe(link, &[asked("t")]);
    assert_eq!(exchange.sends(link), []);
    exchange.say("t", "x");
    exchange.say("t", "x");
    assert_eq!(exchange.woken(), [link]);
    assert_eq!(exchange.sends(link).len(), 2);
    exchange.say("t", "x");
    assert_eq!(exchange.woken(), [link]);
}

#[test]
fn only_the_latest_pubacks_are_remembered() {
    let mut exchange = exchange();
    let link = exchange.join("c");
    for _ in 0..PUBACKS_REMEMBERED + 10 {
        exchange.acknowledge(link, 7);
    }
    let seen = exchange.seen("c").unwrap();
    assert_eq!(seen.pubacks.len(), PUBACKS_REMEMBERED);
    assert_eq!(seen.pubacks_total, seen.pubacks_not_in_flight);
}
