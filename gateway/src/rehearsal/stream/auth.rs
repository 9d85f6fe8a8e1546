//! Who sent a request: its key, its signature and its time.

use hyper::header::AUTHORIZATION;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::action::Api;
use super::faults::Clock;
use super::keys::{Account, Caller, KeyStatus};
use super::refusal::Refusal;
use super::signature::{ALGORITHM, Claim, Message};
use super::store::Moment;

/// How signatures write times.
const AMZ_DATE: &str = "%Y%m%dT%H%M%SZ";

/// What is said of a signature that another secret or another request would make.
const MISMATCH: &str = "The request signature we calculated does not match the signature you \
                        provided. Check your AWS Secret Access Key and signing method. Consult the \
                        service documentation for details.";

/// Tells who sent a request. Where any key is accepted it must only be signed and, where that is
/// asked for, be signed at the right time.
///
/// # Errors
///
/// The refusal that the service would answer with.
pub(super) fn caller(
    request: &Message<'_>,
    api: Api,
    account: &mut Account,
    clock: Clock,
    now: Moment,
) -> Result<Caller, Refusal> {
    prove(request, api, account, clock, now).map_err(|unproven| unproven.refusal(api))
}

/// The service's time.
#[must_use]
pub(super) fn local_time(clock: Clock, now: Moment) -> Timestamp {
    let machine = Timestamp::from_millisecond(now.epoch_ms).unwrap_or_default();
    let Clock::Checked(ahead) = clock else { return machine };
    machine.saturating_add(ahead).unwrap_or(machine)
}

/// Why a request is not known to come from whom it says.
#[derive(Debug)]
enum Unproven {
    Unsigned,
    Incomplete(String),
    UnknownKey,
    Expired,
    Mismatch(String),
}

impl Unproven {
    fn refusal(self, api: Api) -> Refusal {
        let (of_kinesis, of_sts, text) = match self {
            Self::Unsigned => (
                "MissingAuthenticationTokenException",
                "MissingAuthenticationToken",
                "Missing Authentication Token".to_owned(),
            ),
            Self::Incomplete(text) => ("IncompleteSignatureException", "IncompleteSignature", text),
            Self::UnknownKey => (
                "UnrecognizedClientException",
                "InvalidClientTokenId",
                "The security token included in the request is invalid.".to_owned(),
            ),
            Self::Expired => (
                "ExpiredTokenException",
                "ExpiredToken",
                "The security token included in the request is expired".to_owned(),
            ),
            Self::Mismatch(text) => ("InvalidSignatureException", "SignatureDoesNotMatch", text),
        };
        match api {
            Api::Kinesis => Refusal::new(of_kinesis, text),
            Api::Sts => Refusal { status: 403, ..Refusal::new(of_sts, text) },
        }
    }
}

fn prove(
    request: &Message<'_>,
    api: Api,
    account: &mut Account,
    clock: Clock,
    now: Moment,
) -> Result<Caller, Unproven> {
    let authorization = request
        .header(AUTHORIZATION.as_str())
        .filter(|text| text.starts_with(ALGORITHM))
        .ok_or(Unproven::Unsigned)?;
    let claim = Claim::read(authorization);
    let date = request.header("x-amz-date").unwrap_or_default();
    let time = local_time(clock, now);
    let Some(keys) = &mut account.keys else {
        if let Clock::Checked(_) = clock {
            in_time(read_date(date)?, time, api)?;
        }
        return Ok(Caller::anyone(claim.map_or("", |claim| claim.key_id)));
    };
    let claim = claim.ok_or_else(|| {
        let text = "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'.";
        Unproven::Incomplete(text.to_owned())
    })?;
    let token = request.header("x-amz-security-token");
    let key = keys
        .get_mut(claim.key_id)
        .filter(|key| key.status == KeyStatus::Active && key.session_token.as_deref() == token)
        .ok_or(Unproven::UnknownKey)?;
    if key.expires.is_some_and(|end| end <= time) {
        return Err(Unproven::Expired);
    }
    in_time(read_date(date)?, time, api)?;
    in_scope(claim, date, api)?;
    if !claim.holds(request, &key.secret, date) {
        let expected = claim.expected(request, date);
        return Err(Unproven::Mismatch(format!("{MISMATCH}\n\n{expected}")));
    }
    key.uses += 1;
    Ok(Caller::holder(claim.key_id, key, claim.region))
}

fn in_scope(claim: Claim<'_>, date: &str, api: Api) -> Result<(), Unproven> {
    let service = api.scope();
    if claim.service != service {
        let text = format!("Credential should be scoped to correct service: '{service}'.");
        return Err(Unproven::Mismatch(text));
    }
    if !date.starts_with(claim.date) || claim.date.len() != "20150830".len() {
        let text = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                    from HTTP.";
        return Err(Unproven::Mismatch(text.to_owned()));
    }
    Ok(())
}

fn read_date(date: &str) -> Result<Timestamp, Unproven> {
    let signed_at =
        DateTime::strptime(AMZ_DATE, date).and_then(|date| date.to_zoned(TimeZone::UTC));
    signed_at.map(|date| date.timestamp()).map_err(|_unreadable| {
        let text = "Date must be in ISO-8601 'basic format'. Got '".to_owned() + date + "'.";
        Unproven::Incomplete(text)
    })
}

fn in_time(signed_at: Timestamp, now: Timestamp, api: Api) -> Result<(), Unproven> {
    let minutes = api.skew_minutes_max();
    let skew_max = SignedDuration::from_mins(minutes);
    let skew = signed_at.duration_since(now);
    if skew.abs() <= skew_max {
        return Ok(());
    }
    let (verdict, relation, bound, sign) = if skew.is_negative() {
        ("expired", "now earlier", now.saturating_sub(skew_max), '-')
    } else {
        ("not yet current", "still later", now.saturating_add(skew_max), '+')
    };
    let (signed_at, bound, now) = (
        signed_at.strftime(AMZ_DATE),
        bound.unwrap_or(now).strftime(AMZ_DATE),
        now.strftime(AMZ_DATE),
    );
    Err(Unproven::Mismatch(format!(
        "Signature {verdict}: {signed_at} is {relation} than {bound} ({now} {sign} {minutes} min.)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(signed_at: &str, now: &str, api: Api) -> Result<(), String> {
        let read = |text: &str| text.parse().expect("a time");
        in_time(read(signed_at), read(now), api).map_err(|unproven| unproven.refusal(api).message)
    }

    #[test]
    fn a_signature_within_five_minutes_passes() {
        for signed_at in ["2018-09-20T17:45:04Z", "2018-09-20T17:55:04Z"] {
            assert_eq!(verdict(signed_at, "2018-09-20T17:50:04Z", Api::Kinesis), Ok(()));
        }
    }

    #[test]
    fn an_old_signature_is_refused_in_the_words_of_the_service() {
        let text = "Signature expired: 20180920T174101Z is now earlier than 20180920T174504Z \
                    (20180920T175004Z - 5 min.)";
        let verdict = verdict("2018-09-20T17:41:01Z", "2018-09-20T17:50:04Z", Api::Kinesis);
        assert_eq!(verdict, Err(text.to_owned()));
    }

    #[test]
    fn a_signature_from_the_future_is_refused_in_the_words_of_the_service() {
        let text = "Signature not yet current: 20181017T093750Z is still later than \
                    20181017T093639Z (20181017T093139Z + 5 min.)";
        let verdict = verdict("2018-10-17T09:37:50Z", "2018-10-17T09:31:39Z", Api::Kinesis);
        assert_eq!(verdict, Err(text.to_owned()));
    }

    #[test]
    fn a_signature_is_good_for_its_service_and_its_day_only() {
        let scope = "AWS4-HMAC-SHA256 Credential=k/20180920/us-east-1/kinesis/aws4_request,\
                     SignedHeaders=host,Signature=00";
        let claim = Claim::read(scope).expect("complete");
        assert!(in_scope(claim, "20180920T174504Z", Api::Kinesis).is_ok());
        for (date, api) in [("20180920T174504Z", Api::Sts), ("20180921T000000Z", Api::Kinesis)] {
            assert!(matches!(in_scope(claim, date, api), Err(Unproven::Mismatch(_))), "{date}");
        }
    }

    #[test]
    fn the_token_service_bears_a_quarter_of_an_hour() {
        let text = "Signature expired: 20160609T184512Z is now earlier than 20160610T013008Z \
                    (20160610T014508Z - 15 min.)";
        let late = verdict("2016-06-09T18:45:12Z", "2016-06-10T01:45:08Z", Api::Sts);
        assert_eq!(late, Err(text.to_owned()));
        assert_eq!(verdict("2016-06-10T01:30:08Z", "2016-06-10T01:45:08Z", Api::Sts), Ok(()));
    }
}
