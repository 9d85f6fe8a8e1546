use bytes::Bytes;

use super::*;

const WINDOW: u16 = 20;

/// A session that is told nothing of its window.
fn session() -> Session {
    let config = Config::parse(
        "[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'c'\ntopics = ['t']\n\
         [stream]\nname = 's'\nregion = 'us-east-1'\n",
    );
    let lane = Lane {
        index: 0,
        config: Arc::new(config.unwrap()),
        intake: mpsc::channel(1).0,
        settled: mpsc::channel(1).1,
        stop: watch::channel(false).1,
        away: Duration::ZERO,
        counters: Arc::default(),
    };
    Session::new(lane, Window::new(None), "c".to_owned(), None)
}

/// As it is with two streams: what is for one that is away waits for the disk, the rest does not.
#[test]
fn what_settles_behind_one_that_waits_does_not_hide_the_window() {
    let mut session = session();
    let learned: Vec<_> = (0..4_u64)
        .map(|round| {
            let first = round * u64::from(WINDOW);
            let receipts = || (first..).take(WINDOW.into());
            for (packet_id, number) in (1..).zip(receipts()) {
                let (topic, payload) = (Bytes::from_static(b"t"), Bytes::new());
                session.take_in(Delivery { topic, payload, packet_id, dup: false, retain: false });
                if number % 2 == 1 {
                    session.settle(&[Receipt { lane: 0, number }]);
                }
            }
            let late: Vec<_> =
                receipts().step_by(2).map(|number| Receipt { lane: 0, number }).collect();
            session.settle(&late);
            while session.ledger.next_due().is_some() {}
            session.window.is_exhausted(WINDOW.into())
        })
        .collect();
    assert_eq!(learned, [false, false, true, true]);
}
