//! What to do when TLS does not trust the other side.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

/// What to do about the certificate that `error` is about, if it is about one. `setting` is the key
/// of the configuration that names the authorities to trust.
#[must_use]
pub fn advice(error: &(dyn Error + 'static), setting: &str) -> Option<String> {
    let Some(rustls::Error::InvalidCertificate(why)) = of_tls(error) else { return None };
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is about who signed it, and how")]
    Some(match why {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => {
            "have the certificate renewed, or set the clock of this machine".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "use a name that the certificate is for, or have it made for this one".to_owned()
        }
        _ => format!(
            "name the PEM file of the authority that signed it, or of the certificate if it signed \
             itself, in {setting}; if you know of none, somebody in between opens the connection, \
             such as a proxy that inspects TLS"
        ),
    })
}

/// Whether the other side said in `error` that it does not trust us: it wants a certificate, or another
/// one.
#[must_use]
pub fn is_mutual(error: &(dyn Error + 'static)) -> bool {
    let Some(rustls::Error::AlertReceived(alert)) = of_tls(error) else { return false };
    matches!(
        alert,
        AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::AccessDenied
    )
}

/// The error of TLS among the causes.
fn of_tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What an I/O error holds is not its source: that would be the source of what it holds.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = held.map_or_else(|| error.source(), |held| Some(held));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advised(why: CertificateError) -> Option<String> {
        let error = io::Error::other(io::Error::other(rustls::Error::InvalidCertificate(why)));
        advice(&error, "stream.ca_file")
    }

    #[test]
    fn a_certificate_of_another_time_may_be_the_fault_of_the_clock() {
        for why in [CertificateError::Expired, CertificateError::NotValidYet] {
            assert!(advised(why).unwrap().contains("the clock of this machine"));
        }
    }

    #[test]
    fn an_authority_that_is_not_known_is_to_be_named_where_the_setting_says() {
        let fix = advised(CertificateError::UnknownIssuer).unwrap();
        assert!(fix.contains("in stream.ca_file;"), "{fix}");
    }

    #[test]
    fn what_is_not_about_a_certificate_is_for_others_to_explain() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(advice(&refused, "mqtt.tls.ca_file"), None);
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::BadCertificate);
        assert_eq!(advice(&io::Error::other(alert), "mqtt.tls.ca_file"), None);
    }

    #[test]
    fn who_wants_a_certificate_of_ours_says_so_by_an_alert() {
        let said = |alert| is_mutual(&io::Error::other(rustls::Error::AlertReceived(alert)));
        assert!(said(AlertDescription::CertificateRequired) && said(AlertDescription::UnknownCA));
        assert!(!said(AlertDescription::ProtocolVersion));
    }
}
