use std::time::Duration;

use futures_util::FutureExt;

use super::super::tests::{ID, SECRET, key};
use super::super::{Fault, Why};
use super::*;
use crate::telemetry::tests::log_of;

fn no_key() -> NoKey {
    NoKey { source_name: "/etc/key".to_owned(), why: Why::Fault(Fault::whole("is empty")) }
}

fn found(number: u64) -> Found {
    Found { key: key(number), exposed: None }
}

fn keys() -> Keys {
    Keys::from("a test".to_owned(), now())
}

#[track_caller]
fn uses(keys: &Keys, number: u64) -> Generation {
    let (in_use, generation) = keys.current().expect("a key");
    assert_eq!(in_use.id, key(number).id);
    generation
}

#[test]
fn who_signs_waits_for_the_first_answer_of_the_source_and_no_longer() {
    let keys = keys();
    assert!(keys.ready().now_or_never().is_none());
    keys.loaded(Err(no_key()), now());
    let why = keys.ready().now_or_never().expect("an answer").unwrap_err();
    assert_eq!(why, "/etc/key: is empty");
    keys.loaded(Ok(found(1)), now());
    let generation = keys.ready().now_or_never().expect("an answer").unwrap();
    assert_eq!(generation, uses(&keys, 1));
}

#[test]
fn a_fixed_key_is_there_at_once_and_nothing_is_due() {
    let keys = Keys::fixed(key(7));
    assert_eq!(keys.ready().now_or_never().unwrap(), Ok(uses(&keys, 7)));
    assert_eq!(keys.due(), None);
}

#[test]
fn another_key_wakes_who_waits_for_one_and_the_same_one_does_not() {
    let keys = keys();
    keys.loaded(Ok(found(1)), now());
    let mut changed = Box::pin(keys.changed());
    keys.loaded(Ok(found(1)), now());
    assert!(changed.as_mut().now_or_never().is_none());
    keys.loaded(Ok(found(2)), now());
    assert!(changed.as_mut().now_or_never().is_some());
}

#[test]
fn sessions_that_are_refused_one_after_the_other_wake_nobody_and_sign_all_the_same() {
    let said = log_of(|| {
        let keys = keys();
        let mut woken = vec![];
        for session in 1..6 {
            let mut changed = Box::pin(keys.changed());
            assert!(changed.as_mut().now_or_never().is_none());
            keys.loaded(Ok(found(session)), now());
            woken.push(changed.as_mut().now_or_never().is_some());
            keys.refused(uses(&keys, session), now());
        }
        assert_eq!(woken, [true, true, false, false, false]);
    });
    assert_eq!(said.matches("calls are signed with this key").count(), 2, "{said}");
}

#[test]
fn a_new_key_that_is_refused_gives_way_to_the_old_one_before_the_next_call() {
    let keys = keys();
    keys.loaded(Ok(found(1)), now());
    let old = uses(&keys, 1);
    keys.accepted(old, now());
    keys.loaded(Ok(found(2)), now());
    let new = uses(&keys, 2);
    assert!(keys.are_past(old) && !keys.are_past(new));
    keys.refused(new, now());
    assert!(keys.are_past(new), "the call is to be made again at once");
    uses(&keys, 1);
}

#[test]
fn a_refusal_of_an_earlier_key_says_nothing_of_the_one_in_use() {
    let keys = keys();
    keys.loaded(Ok(found(1)), now());
    let old = uses(&keys, 1);
    keys.loaded(Ok(found(2)), now());
    keys.refused(old, now());
    uses(&keys, 2);
}

#[test]
fn who_keeps_the_keys_is_woken_when_they_are_refused() {
    let keys = keys();
    keys.keeper().load_begins(now());
    keys.loaded(Ok(found(1)), now());
    assert!(keys.0.rescheduled.notified().now_or_never().is_none());
    assert_eq!(keys.due(), None);
    keys.refused(uses(&keys, 1), now());
    assert!(keys.0.rescheduled.notified().now_or_never().is_some());
    let (at, due) = keys.due().expect("the source is asked again");
    assert_eq!(due, Due::Load);
    assert!(at <= now() + Duration::from_secs(30));
}

#[test]
fn the_log_names_the_key_masked_and_warns_once_of_a_file_that_others_may_read() {
    let said = log_of(|| {
        let keys = keys();
        let mut found = Found { key: key(1), exposed: Some(0o644) };
        found.key.id = super::super::KeyId::new(ID);
        keys.loaded(Ok(found.clone()), now());
        keys.loaded(Ok(found), now());
    });
    assert!(said.contains("AKIA…MPLE") && said.contains("a test"), "{said}");
    assert_eq!(said.matches("chmod 600").count(), 1, "{said}");
    assert!(said.contains("644") && !said.contains(ID) && !said.contains(SECRET), "{said}");
}
