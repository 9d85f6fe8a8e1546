//! Whether a request is signed. So far the signature must be there and, where that is asked for, be
//! of the right time; it is not computed.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::faults::Clock;
use super::refusal::Refusal;
use super::store::Moment;

/// How far a signature's time may be from the service's.
const SKEW_MAX: SignedDuration = SignedDuration::from_mins(5);

/// How signatures write times.
const AMZ_DATE: &str = "%Y%m%dT%H%M%SZ";

/// Passes a signed request.
///
/// # Errors
///
/// The refusal that the service would answer with.
pub(super) fn check(headers: &HeaderMap, clock: Clock, now: Moment) -> Result<(), Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let signed = text(AUTHORIZATION.as_str()).is_some_and(|it| it.starts_with("AWS4-HMAC-SHA256"));
    if !signed {
        let kind = "MissingAuthenticationTokenException";
        return Err(Refusal::new(kind, "Missing Authentication Token"));
    }
    let Clock::Checked(ahead) = clock else { return Ok(()) };
    let date = text("x-amz-date").unwrap_or_default();
    let signed_at = DateTime::strptime(AMZ_DATE, date)
        .and_then(|date| date.to_zoned(TimeZone::UTC))
        .map_err(|_unreadable| {
            let text = "Date must be in ISO-8601 'basic format'. Got '".to_owned() + date + "'.";
            Refusal::new("IncompleteSignatureException", text)
        })?;
    in_time(signed_at.timestamp(), local_time(now, ahead))
}

/// What a clock that is `ahead` of the machine's shows.
#[must_use]
pub(super) fn local_time(now: Moment, ahead: SignedDuration) -> Timestamp {
    let machine = Timestamp::from_millisecond(now.epoch_ms).unwrap_or_default();
    machine.saturating_add(ahead).unwrap_or(machine)
}

fn in_time(signed_at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    let skew = signed_at.duration_since(now);
    if skew.abs() <= SKEW_MAX {
        return Ok(());
    }
    let (verdict, relation, bound, sign) = if skew.is_negative() {
        ("expired", "now earlier", now.saturating_sub(SKEW_MAX), '-')
    } else {
        ("not yet current", "still later", now.saturating_add(SKEW_MAX), '+')
    };
    let (signed_at, bound, now) = (
        signed_at.strftime(AMZ_DATE),
        bound.unwrap_or(now).strftime(AMZ_DATE),
        now.strftime(AMZ_DATE),
    );
    let text = format!(
        "Signature {verdict}: {signed_at} is {relation} than {bound} ({now} {sign} 5 min.)"
    );
    Err(Refusal::new("InvalidSignatureException", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(signed_at: &str, now: &str) -> Result<(), String> {
        let read = |text: &str| text.parse().expect("a time");
        in_time(read(signed_at), read(now)).map_err(|refusal| refusal.message)
    }

    #[test]
    fn a_signature_within_five_minutes_passes() {
        assert_eq!(verdict("2018-09-20T17:45:04Z", "2018-09-20T17:50:04Z"), Ok(()));
        assert_eq!(verdict("2018-09-20T17:55:04Z", "2018-09-20T17:50:04Z"), Ok(()));
    }

    #[test]
    fn an_old_signature_is_refused_in_the_words_of_the_service() {
        let text = "Signature expired: 20180920T174101Z is now earlier than 20180920T174504Z \
                    (20180920T175004Z - 5 min.)";
        let verdict = verdict("2018-09-20T17:41:01Z", "2018-09-20T17:50:04Z");
        assert_eq!(verdict, Err(text.to_owned()));
    }

    #[test]
    fn a_signature_from_the_future_is_refused_in_the_words_of_the_service() {
        let text = "Signature not yet current: 20181017T093750Z is still later than \
                    20181017T093639Z (20181017T093139Z + 5 min.)";
        let verdict = verdict("2018-10-17T09:37:50Z", "2018-10-17T09:31:39Z");
        assert_eq!(verdict, Err(text.to_owned()));
    }
}
