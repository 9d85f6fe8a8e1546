//! What is not shown by the program against the local stream.

use std::time::Duration;

use super::*;
use crate::config::Config;
use crate::credentials::{Key, KeyId};
use crate::deliver::kinesis::Kms;

fn stream_of(more: &str) -> config::Stream {
    let text = format!(
        "[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'c'\ntopics = ['a']\n\
         [stream]\nname = 'pumps'\nregion = 'eu-central-1'\n{more}"
    );
    Config::parse(&text).unwrap().streams.first().clone()
}

fn refused(cause: Cause, said: &str) -> Refusal {
    Refusal { cause, said: said.to_owned() }
}

fn summary() -> Summary {
    Summary {
        arn: "arn:aws:kinesis:eu-central-1:123456789012:stream/pumps".to_owned(),
        status: "ACTIVE".to_owned(),
        is_on_demand: false,
        open_shards: 2,
        kms_key: None,
        record_kib_max: None,
        places_records: false,
    }
}

fn identity(arn: &str) -> Identity {
    Identity { arn: arn.to_owned(), account: "123456789012".to_owned() }
}

/// Everything is in order.
fn heard(stream: &config::Stream) -> Heard<'_> {
    Heard {
        stream,
        probe: Probe::DryRun,
        identity: Some(Ok(identity("arn:aws:iam::123456789012:user/u"))),
        put: Ok(Outcome::Possible),
        summary: Ok(summary()),
        letters: None,
        canary: None,
    }
}

fn found(exposed: Option<u32>) -> Found {
    let id = KeyId::new("AKIAIOSFODNN7EXAMPLE");
    Found { key: Key { id, secret: "s".into(), token: None, good_for: None }, exposed }
}

#[test]
fn key_of_the_root_user_or_in_an_open_file_is_a_warning() {
    let stream = stream_of("");
    let root = identity("arn:aws:iam::123456789012:root");
    let finding =
        credentials("x.csv", &found(None), &Heard { identity: Some(Ok(root)), ..heard(&stream) });
    assert_eq!(finding.state, State::Warning);
    let finding = credentials("x.csv", &found(Some(0o644)), &heard(&stream));
    assert_eq!(finding.state, State::Warning);
    assert!(finding.said.contains("(mode 644)"), "{finding:?}");
    assert_eq!(credentials("x.csv", &found(None), &heard(&stream)).state, State::Ok);
}

#[test]
fn token_service_that_is_out_of_reach_says_nothing_against_the_key() {
    let stream = stream_of("");
    let unheard = Refusal::unheard(Duration::from_secs(8));
    let heard = Heard { identity: Some(Err(unheard)), ..heard(&stream) };
    let finding = credentials("x.csv", &found(None), &heard);
    assert_eq!(finding.state, State::Ok);
    assert!(finding.said.ends_with("not told: no answer within 8 s"), "{finding:?}");
}

#[test]
fn key_that_only_the_token_service_knows_is_refused_with_whose_it_is() {
    let stream = stream_of("");
    let put = Err(refused(Cause::UnknownKey, "UnrecognizedClientException"));
    let finding = credentials("x.csv", &found(None), &Heard { put, ..heard(&stream) });
    assert_eq!(finding.state, State::Failed(Class::Credentials));
    assert!(finding.said.contains("user/u: Unrecognized"), "{finding:?}");
    assert!(finding.fix.unwrap().contains("opt into"));
}

#[test]
fn statement_names_the_account_of_the_key_and_any_where_that_is_not_known() {
    let stream = stream_of("");
    let put = Err(refused(Cause::NotPermitted, "AccessDeniedException"));
    let known = Heard { put, ..heard(&stream) };
    let fix = super::stream(&known).fix.unwrap();
    assert!(fix.contains("\"arn:aws:kinesis:eu-central-1:123456789012:stream/pumps\""), "{fix}");
    let fix = super::stream(&Heard { identity: None, ..known }).fix.unwrap();
    assert!(fix.contains("\"arn:aws:kinesis:eu-central-1:*:stream/pumps\""), "{fix}");
}

#[test]
fn statement_is_advised_where_one_is_missing_and_not_where_another_policy_denies() {
    let stream = stream_of("");
    let of = |why: &str| {
        let said = format!("User: u is not authorized to perform: kinesis:PutRecords {why}");
        let put = Err(refused(Cause::NotPermitted, &said));
        super::stream(&Heard { put, ..heard(&stream) }).fix.unwrap()
    };
    assert!(of("because no identity-based policy allows it").contains("add this statement"));
    for why in [
        "with an explicit deny in a service control policy",
        "because no permissions boundary allows the kinesis:PutRecords action",
    ] {
        assert!(of(why).starts_with("have that policy changed"), "{why}");
    }
}

#[test]
fn encryption_is_known_by_what_is_described_or_by_a_record_that_was_stored() {
    let stream = stream_of("");
    let key = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let encrypted = |key: &str| Ok(Summary { kms_key: Some(key.to_owned()), ..summary() });
    let with = |summary| Heard { summary, ..heard(&stream) };
    assert_eq!(kms(&with(Ok(summary()))).state, State::Ok);
    assert_eq!(kms(&with(encrypted("alias/aws/kinesis"))).state, State::Ok);
    assert_eq!(kms(&with(encrypted(key))).state, State::Skipped);
    let place = Place { shard: "shardId-000000000000".to_owned(), sequence_number: "1".to_owned() };
    let canary = Some(Ok(Canary { place, read: Ok(Some(true)) }));
    assert_eq!(kms(&Heard { canary, ..with(encrypted(key)) }).state, State::Ok);
    // Where a dry run does not show it, the first record does.
    let denied = refused(Cause::Kms(Kms::NotPermitted), "KMSAccessDeniedException");
    let finding = kms(&Heard { canary: Some(Err(denied)), ..with(encrypted(key)) });
    assert_eq!(finding.state, State::Failed(Class::Stream));
    assert!(finding.fix.unwrap().contains(key));
}

#[test]
fn endpoint_that_refuses_what_cannot_be_stored_is_believed_unless_the_stream_is_missing() {
    let stream = stream_of("");
    let vain = Heard { probe: Probe::Impossible, ..heard(&stream) };
    assert_eq!(super::stream(&vain).state, State::Ok);
    let summary = Err(refused(Cause::NoStream, "ResourceNotFoundException"));
    let finding = super::stream(&Heard { summary, ..vain });
    assert_eq!(finding.state, State::Failed(Class::Stream));
}

#[test]
fn canary_that_did_not_come_back_as_it_went_is_a_warning() {
    let stream = stream_of("");
    let place = Place { shard: "shardId-000000000000".to_owned(), sequence_number: "1".to_owned() };
    let of = |read| {
        let canary = Some(Ok(Canary { place: place.clone(), read }));
        super::canary(&Heard { canary, ..heard(&stream) }, true).state
    };
    assert_eq!(of(Ok(Some(true))), State::Ok);
    assert_eq!(of(Ok(Some(false))), State::Warning);
    assert_eq!(of(Ok(None)), State::Warning);
    assert_eq!(of(Err(refused(Cause::NotPermitted, "AccessDeniedException"))), State::Ok);
    assert_eq!(super::canary(&heard(&stream), true).state, State::Skipped);
}

#[test]
fn canary_that_comes_too_fast_is_a_warning_like_the_dry_run_that_does() {
    let stream = stream_of("");
    let busy = || refused(Cause::Throttled, "ProvisionedThroughputExceededException");
    let flown = Heard { canary: Some(Err(busy())), ..heard(&stream) };
    let dry = Heard { put: Err(busy()), ..heard(&stream) };
    for finding in [super::canary(&flown, true), super::stream(&dry)] {
        assert_eq!(finding.state, State::Warning, "{finding:?}");
        assert!(finding.fix.unwrap().contains("who else writes"));
    }
}

#[test]
fn shards_of_a_stream_on_demand_may_differ_from_what_was_configured() {
    let stream = stream_of("shards = 4\n");
    assert_eq!(description(&heard(&stream)).state, State::Warning);
    let summary = Ok(Summary { is_on_demand: true, ..summary() });
    assert_eq!(description(&Heard { summary, ..heard(&stream) }).state, State::Ok);
}
