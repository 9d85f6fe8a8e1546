//! The way to a stream: whom TLS trusts, and where the endpoint is.

use std::env;

use anyhow::Result;
use futures_util::future::OptionFuture;
use hyper::Uri;

use crate::check::Wishes;
use crate::check::deadline::{Deadline, timed};
use crate::check::names::resolve;
use crate::check::step::{Class, Finding, State, Step, Subject};
use crate::config::{self, Network, Proxy, StreamTarget};
use crate::credentials::keys::Keys;
use crate::credentials::{Key, KeyId};
use crate::deliver::kinesis::{Kinesis, Probe};

/// The domains of AWS's endpoints: those of regions, of VPC endpoints, and of other partitions.
const AWS_DOMAINS: [&str; 8] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".amazonaws.eu",
    ".ic.gov",
    ".sgov.gov",
    ".adc-e.uk",
];

/// What Kinesis is called in the names of its endpoints. Below the domains there are the machines and load
/// balancers of everybody, too.
const SERVICES: [&str; 4] = ["kinesis", "kinesis-fips", "data-kinesis", "data-kinesis-fips"];

/// The way to a stream.
pub(super) struct Way {
    /// What was found of it.
    pub(super) steps: Vec<Step>,
    /// What must be mended before anybody can go there.
    pub(super) needs: Option<&'static str>,
    /// Where it ends; empty if nobody knows.
    url: String,
}

impl Way {
    /// Looks for the way, and does not go there.
    pub(super) async fn to(stream: &config::Stream, deadline: Deadline) -> Self {
        let (address, loading) = timed(address(stream)).await;
        let authorities = authorities(stream, &address);
        let url = address.ok().flatten().unwrap_or_default();
        let is_known = authorities.state == State::Ok;
        let name = is_known.then(|| timed(name(stream, &url, deadline)));
        let name = OptionFuture::from(name).await;
        let (name, resolving) = name.unwrap_or_else(|| (Finding::skipped(CA_BUNDLE), loading));
        let needs = match (is_known, name.state) {
            (false, _) => Some(CA_BUNDLE),
            (true, State::Failed(_)) => Some("needs dns"),
            (true, State::Skipped | State::Ok | State::Warning) => None,
        };
        let steps = vec![
            Step::of(Subject::CaBundle, authorities, loading),
            Step::of(Subject::Dns, name, resolving),
        ];
        Self { steps, needs, url }
    }

    /// How to ask whether records are taken.
    pub(super) fn probe(&self, wishes: Wishes) -> Probe {
        probe_for(&self.url, wishes)
    }
}

/// What is missing where TLS cannot be spoken.
const CA_BUNDLE: &str = "needs ca_bundle";

/// Where calls would go; `None` if nobody can say.
async fn address(stream: &config::Stream) -> Result<Option<String>> {
    // Nothing is sent: any key will do.
    let nobody =
        Key { id: KeyId::new("nobody"), secret: "nobody".into(), token: None, good_for: None };
    Ok(Kinesis::connect(stream, Keys::fixed(nobody)).await?.address().await)
}

fn authorities(stream: &config::Stream, address: &Result<Option<String>>) -> Finding {
    match (address, &stream.network.ca_file) {
        (Err(error), _) => {
            let fix = "give the PEM file of the authority that the endpoint's certificate is from \
                       (stream.ca_file, or AWS_CA_BUNDLE), or leave it out for those of this machine; \
                       a proxy's password must be readable, too";
            Finding::failed(Class::Stream, format!("stream: {error:#}"), fix)
        }
        (Ok(None), _) => {
            let fix = "check stream.region, stream.endpoint, stream.arn, stream.fips and \
                       stream.dual_stack: they must go together";
            Finding::failed(Class::Stream, "stream: no address can be made", fix)
        }
        (Ok(Some(url)), _) if url.starts_with("http:") => Finding::ok("stream: without TLS"),
        (Ok(Some(_)), Some(file)) => Finding::ok(format!("stream: {}", file.display())),
        (Ok(Some(_)), None) => match env::var("AWS_CA_BUNDLE") {
            Ok(file) if !file.is_empty() => Finding::ok(format!("stream: {file} (AWS_CA_BUNDLE)")),
            _ => Finding::ok("stream: those of this machine"),
        },
    }
}

async fn name(stream: &config::Stream, url: &str, deadline: Deadline) -> Finding {
    let uri = url.parse::<Uri>().unwrap_or_default();
    let is_encrypted = uri.scheme_str() == Some("https");
    let Some(host) = uri.host() else { return Finding::skipped(CA_BUNDLE) };
    if is_encrypted && is_proxied(&stream.network) {
        return Finding::ok(format!("{host} is left to the proxy"));
    }
    let port = uri.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
    let mut fix = "check stream.region and stream.endpoint".to_owned();
    if matches!(stream.target, StreamTarget::Arn(_)) && stream.network.endpoint.is_none() {
        fix += "; with stream.name instead of stream.arn the host is that of the region alone, which \
                private name servers more often know";
    }
    if stream.network.fips {
        fix += "; stream.fips: only some regions have such endpoints";
    }
    let resolved = resolve((host, port), deadline, Class::Stream, &fix).await;
    resolved.unwrap_or_else(|failed| failed)
}

/// Whether a proxy may be asked to find the host: it knows other names than we do.
fn is_proxied(network: &Network) -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    match &network.proxy {
        Proxy::Off => false,
        Proxy::At(_) => true,
        Proxy::Environment => {
            ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().any(is_set)
        }
    }
}

/// How to ask whether records are taken, so that none is stored: whoever is not known to be Kinesis may
/// not know dry runs.
fn probe_for(url: &str, wishes: Wishes) -> Probe {
    let uri = url.parse::<Uri>().unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    let is_of_aws = AWS_DOMAINS.iter().any(|domain| host.ends_with(domain));
    let is_kinesis = is_of_aws && host.split('.').any(|label| SERVICES.contains(&label));
    if is_kinesis || wishes.trust_dry_run { Probe::DryRun } else { Probe::Impossible }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_is_asked_of_kinesis_alone_unless_somebody_vouches_for_the_endpoint() {
        let trusting = Wishes { trust_dry_run: true, ..Wishes::default() };
        for url in [
            "https://kinesis.eu-central-1.amazonaws.com/",
            "https://123456789012.data-kinesis.us-east-1.amazonaws.com/",
            "https://vpce-1-2.kinesis.us-east-1.vpce.amazonaws.com",
            "https://kinesis.cn-north-1.amazonaws.com.cn/",
            "https://kinesis.us-east-1.api.aws/",
            "https://kinesis-fips.us-gov-west-1.amazonaws.com/",
        ] {
            assert_eq!(probe_for(url, Wishes::default()), Probe::DryRun, "{url}");
        }
        for url in [
            "http://127.0.0.1:4567",
            "https://kinesis.amazonaws.com.example",
            "https://kinesis",
            "http://ec2-18-1-2-3.eu-central-1.compute.amazonaws.com:4566",
            "https://kinesis-1234567890.eu-central-1.elb.amazonaws.com",
            "",
        ] {
            assert_eq!(probe_for(url, Wishes::default()), Probe::Impossible, "{url}");
            assert_eq!(probe_for(url, trusting), Probe::DryRun, "{url}");
        }
    }
}
