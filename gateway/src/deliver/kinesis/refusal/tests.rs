use aws_sdk_kinesis::operation::put_records::PutRecordsError;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::*;

#[test]
fn both_services_names_for_a_refused_key_mean_the_same() {
    for (kinesis, sts, cause) in [
        ("UnrecognizedClientException", "InvalidClientTokenId", Cause::UnknownKey),
        ("InvalidSignatureException", "SignatureDoesNotMatch", Cause::WrongSecret),
        ("ExpiredTokenException", "ExpiredToken", Cause::Expired),
    ] {
        assert_eq!(of_service(kinesis, "", Some(400)), cause);
        assert_eq!(of_service(sts, "", Some(403)), cause);
        assert!(cause.is_the_key());
    }
    assert_eq!(of_service("AccessDenied", "", Some(403)), Cause::NotPermitted);
}

#[test]
fn a_signature_of_another_time_is_the_fault_of_the_clock_and_not_of_the_secret() {
    for text in ["Signature expired: 1 is now earlier than 2", "Signature not yet current: 1"] {
        let cause = of_service("InvalidSignatureException", text, Some(400));
        assert_eq!(cause, Cause::WrongTime);
        assert!(!cause.is_the_key());
    }
}

#[test]
fn a_call_that_cannot_be_signed_carried_nothing_and_another_key_may_help() {
    let error = ConnectorError::other("failed to parse header value".into(), None);
    let error: SdkError<PutRecordsError, _> = SdkError::dispatch_failure(error);
    let refusal = Refusal::of(&error);
    assert_eq!(refusal.cause, Cause::Unsigned);
    assert!(refusal.cause.is_the_key());
    assert_eq!(Trouble::from(refusal).kind, TroubleKind::NotAllowed);
}

#[test]
fn every_refusal_for_good_says_what_to_do() {
    for code in [
        "AccessDeniedException",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ExpiredTokenException",
        "RequestExpired",
        "KMSAccessDeniedException",
        "KMSDisabledException",
        "KMSNotFoundException",
        "KMSInvalidStateException",
        "KMSOptInRequired",
        "KMSSomethingNewException",
    ] {
        let cause = of_service(code, "", Some(400));
        assert_eq!(cause.kind(), TroubleKind::NotAllowed, "{code}");
        assert!(cause.advice().is_some(), "{code}");
    }
}

#[test]
fn a_code_that_nobody_knows_is_tried_again() {
    assert_eq!(of_service("NewException", "", Some(500)).kind(), TroubleKind::Unavailable);
    assert_eq!(of_service("NewException", "", Some(413)).kind(), TroubleKind::Invalid);
    assert_eq!(of_service("NewException", "", Some(403)).kind(), TroubleKind::NotAllowed);
}

#[test]
fn a_page_of_something_on_the_way_is_heard_unless_it_may_have_passed_the_call_on() {
    for (status, kind) in [
        (413, TroubleKind::Invalid),
        (403, TroubleKind::NotAllowed),
        (404, TroubleKind::NotAllowed),
        (429, TroubleKind::Unavailable),
        (502, TroubleKind::Unheard),
        (200, TroubleKind::Unheard),
    ] {
        let page = HttpResponse::new(status.try_into().unwrap(), "<html>".into());
        let error: SdkError<PutRecordsError, _> = SdkError::response_error("no JSON", page);
        assert_eq!(Trouble::from(Refusal::of(&error)).kind, kind, "{status}");
    }
}
