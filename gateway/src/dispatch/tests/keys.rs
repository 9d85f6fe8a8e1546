use super::*;

#[test]
fn new_key_is_tried_at_once_and_every_second_until_it_is_known_however_long_the_old_one_was_refused()
 {
    let mut now = start();
    let mut dispatcher = dispatcher(&config(|_| {}), now);
    push(&mut dispatcher, "a", 1, 100, now);
    let mut refuse = |dispatcher: &mut Dispatcher| {
        let mut next = dispatcher.next(now);
        while let Next::WaitUntil(at) = next {
            now = at;
            next = dispatcher.next(now);
        }
        dispatcher.answered(failed(sent(next), TroubleKind::NotAllowed), now, 1.0);
        now
    };
    let times: Vec<_> = (0..12).map(|_| refuse(&mut dispatcher)).collect();
    assert_eq!(times[11] - times[10], NOT_ALLOWED_PAUSE_MAX);
    let changed = times[11] + MS;
    dispatcher.key_changed(changed);
    let first = refuse(&mut dispatcher);
    assert!(
        matches!(dispatcher.next(first), Next::WaitUntil(at) if at - first <= NEW_KEY_PAUSE_MAX)
    );
}
