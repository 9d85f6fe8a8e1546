//! What goes wrong on demand, and what is left of it.

use std::pin::pin;

use super::*;

/// How long a client waits in vain before it gives up.
const GIVING_UP: Duration = Duration::from_millis(100);

/// Puts three records, waits until the stream has got as far as `goal`, and sees no answer come.
async fn left_waiting(
    stream: &LocalStream,
    client: &Client,
    goal: impl FnMut(&Counts) -> bool,
) -> Counts {
    let mut put = pin!(put_many(client, 3));
    let counts = tokio::select! {
        outcome = &mut put => panic!("answered: {outcome:?}"),
        counts = reached(stream, goal) => counts,
    };
    assert!(tokio::time::timeout(GIVING_UP, put).await.is_err(), "an answer came");
    counts
}

#[tokio::test]
async fn requests_meet_the_faults_queued_for_them_and_then_the_lasting_one() {
    let (stream, client) = started(Settings::default()).await;
    stream.faults(|faults| {
        faults.next.extend([
            RequestFault::Refuse(Refusal::internal_failure()),
            RequestFault::Refuse(Refusal::service_unavailable()),
        ]);
        faults.all = Some(RequestFault::Refuse(Refusal::new("KMSThrottlingException", "Slow.")));
    });
    let mut codes = Vec::new();
    for _ in 0..4 {
        let outcome = put_many(&client, 1).await;
        let status = outcome.as_ref().err().and_then(SdkError::raw_response);
        codes.push((status.map(|raw| raw.status().as_u16()), refusal(outcome).0));
    }
    let code = |status, text: &str| (Some(status), text.to_owned());
    let lasting = code(400, "KMSThrottlingException");
    let first = [code(500, "InternalFailure"), code(503, "ServiceUnavailable")];
    assert_eq!(codes, [&first[..], &[lasting.clone(), lasting]].concat());
    assert_eq!((stream.counts().records, stream.counts().requests_refused), (0, 4));
    stream.faults(|faults| faults.all = None);
    put_many(&client, 1).await.expect("all is well again");
}

#[tokio::test]
async fn a_request_that_hangs_stores_nothing_unless_it_is_told_to() {
    let (stream, client) = started(Settings::default()).await;
    stream.faults(|faults| faults.next.push_back(RequestFault::Hang));
    let counts = left_waiting(&stream, &client, |counts| counts.requests == 1).await;
    assert_eq!((counts.records, counts.requests_unanswered), (0, 0));
    stream.faults(|faults| faults.next.push_back(RequestFault::StoreThenHang));
    let counts = left_waiting(&stream, &client, |counts| counts.records == 3).await;
    assert_eq!((counts.requests_unanswered, counts.records_unanswered), (1, 3));
}

#[tokio::test]
async fn an_answer_held_back_too_long_is_stored_and_never_heard() {
    let (stream, client) = started(Settings::default()).await;
    stream.faults(|faults| faults.latency = Duration::from_secs(3600));
    let counts = left_waiting(&stream, &client, |counts| counts.records == 3).await;
    assert_eq!((counts.requests_unanswered, counts.records_unanswered), (1, 3));
}

#[tokio::test]
async fn a_connection_reset_after_storing_leaves_records_that_nobody_was_told_of() {
    let (stream, client) = started(Settings::default()).await;
    stream.faults(|faults| faults.next.push_back(RequestFault::StoreThenReset));
    let outcome = put_many(&client, 3).await;
    assert!(matches!(outcome, Err(SdkError::DispatchFailure(_))), "{outcome:?}");
    let text = format!("{:?}", outcome.err());
    assert!(text.contains("ConnectionReset"), "{text}");
    put_many(&client, 2).await.expect("on a new connection");
    let counts = reached(&stream, |counts| counts.requests_unanswered == 1).await;
    assert_eq!((stream.records().len(), counts.records_unanswered), (5, 3));
}

#[tokio::test]
async fn an_outage_cuts_connections_and_ends() {
    let (stream, client) = started(Settings::default()).await;
    put_many(&client, 1).await.expect("before the outage");
    for link in [Link::Closing, Link::Refusing] {
        stream.faults(|faults| faults.link = link);
        // The change travels to the listening task; from then on nothing gets through.
        let cut = async { while put_many(&client, 1).await.is_ok() {} };
        tokio::time::timeout(PATIENCE, cut).await.expect("an outage");
        assert!(put_many(&client, 1).await.is_err(), "{link:?}");
        stream.faults(|faults| faults.link = Link::Up);
        let back = async { while put_many(&client, 1).await.is_err() {} };
        tokio::time::timeout(PATIENCE, back).await.expect("the end of the outage");
    }
}

#[tokio::test]
async fn records_refused_by_chance_are_the_share_asked_for_and_the_same_each_time() {
    let share = RecordFault { share: 0.2, error: RecordError::InternalFailure };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (stream, client) =
            started(Settings { limits: Limits::Off, seed: 7, ..Settings::default() }).await;
        stream.faults(|faults| faults.records = Some(share));
        let mut refused = Vec::new();
        for _ in 0..10 {
            let answer = put_many(&client, 500).await.expect("a success as a whole");
            let codes = answer.records.into_iter().map(|verdict| verdict.error_code);
            refused.extend(codes.map(|code| code.as_deref() == Some("InternalFailure")));
        }
        let count = refused.iter().filter(|refused| **refused).count();
        assert!((900..1100).contains(&count), "{count} of 5,000");
        assert_eq!(stream.records().len(), 5000 - count);
        runs.push(refused);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn a_wrong_clock_is_refused_and_the_sdk_learns_the_right_one() {
    let (stream, client) = started(Settings::default()).await;
    let day = SignedDuration::from_hours(24);
    stream.faults(|faults| faults.clock = Clock::Checked(day));
    let (code, text) = refusal(put_many(&client, 1).await);
    assert_eq!(code, "InvalidSignatureException");
    assert!(text.starts_with("Signature expired: "), "{text}");
    let patient = self::client(&stream, 2);
    put_many(&patient, 1).await.expect("signed by the clock of the header Date");
    stream.faults(|faults| faults.clock = Clock::Checked(-day));
    assert!(refusal(put_many(&client, 1).await).1.starts_with("Signature not yet current: "));
}
