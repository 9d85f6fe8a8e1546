//! Names of hosts.

use tokio::net::lookup_host;

use super::deadline::{Deadline, NAME_MAX};
use super::step::{Class, Finding};

/// Resolves a name, or else says why not. An address is its own name.
///
/// A name server that does not answer keeps a thread of the runtime, which nobody can stop: end the
/// runtime without waiting for it.
///
/// # Errors
/// The finding on a name without an address; `fix` is what to do besides asking the name server.
pub(super) async fn resolve(
    (host, port): (&str, u16),
    deadline: Deadline,
    class: Class,
    fix: &str,
) -> Result<Finding, Finding> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let why_not = match deadline.within(NAME_MAX, lookup_host((host, port))).await {
        Some(Ok(addresses)) => {
            let addresses: Vec<_> = addresses.map(|address| address.ip().to_string()).collect();
            match addresses.split_first() {
                Some((one, _)) if one == host => {
                    return Ok(Finding::ok(format!("{host} is an address")));
                }
                Some((one, [])) => return Ok(Finding::ok(format!("{host} is {one}"))),
                Some((one, more)) => {
                    let said = format!("{host} is {one} and {} more", more.len());
                    return Ok(Finding::ok(said));
                }
                None => "it has no address".to_owned(),
            }
        }
        Some(Err(error)) => error.to_string(),
        None => "the name server does not answer".to_owned(),
    };
    let said = format!("{host} is not found: {why_not}");
    let fix = format!("{fix}; check the name servers of this machine (/etc/resolv.conf)");
    Err(Finding::failed(class, said, fix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now;

    #[tokio::test]
    async fn a_name_that_cannot_be_is_not_found_and_says_what_to_check() {
        let host = ("no such name.invalid", 1883);
        let finding = resolve(host, Deadline::from(now()), Class::Broker, "check mqtt.url").await;
        let finding = finding.unwrap_err();
        assert_eq!(finding.state.class(), Some(Class::Broker));
        assert!(finding.fix.unwrap().starts_with("check mqtt.url; check the name servers"));
    }

    #[tokio::test]
    async fn an_address_is_found_without_anybody_being_asked() {
        for host in ["127.0.0.1", "[::1]"] {
            let deadline = Deadline::from(now());
            resolve((host, 1), deadline, Class::Stream, "").await.unwrap();
        }
    }
}
