//! The side of the stream: authorities, name, key, whose it is, and what the streams say.

use std::env;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use futures_util::future::{OptionFuture, join, join4};
use hyper::Uri;
use serde_json::json;

use crate::clock::unix_ms;
use crate::config::{self, Config, Network, Proxy, StreamTarget};
use crate::credentials::keys::Keys;
use crate::credentials::{Key, KeyId, NoKey, Source};
use crate::deliver::kinesis::{
    Cause, KeySources, Kinesis, Outcome, Probe, Probed, Refusal, identity,
};

use super::Wishes;
use super::deadline::{CALL_MAX, CONNECT_MAX, Deadline, timed};
use super::judgement::{self, Canary, Heard};
use super::names::resolve;
use super::step::{Class, Finding, State, Step, Subject};

/// Longest wait for a key. A source bounds itself, below this.
const KEY_MAX: Duration = Duration::from_secs(20);

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

/// Looks at the account of a configuration.
pub(super) async fn look(config: &Config, wishes: Wishes, deadline: Deadline) -> Vec<Step> {
    let stream = &bounded(&config.stream);
    let (address, loading) = timed(address(stream)).await;
    let authorities = authorities(stream, &address);
    let url = address.ok().flatten().unwrap_or_default();
    let source = KeySources::new(stream);
    let ((name, resolving), (key, asking)) =
        join(timed(name(stream, &url, deadline)), timed(deadline.within(KEY_MAX, source.load())))
            .await;
    let needs = match (authorities.state, name.state) {
        (State::Failed(_), _) => Some("needs ca_bundle"),
        (_, State::Failed(_)) => Some("needs dns"),
        _ => None,
    };
    let mut steps = vec![
        Step::of(Subject::CaBundle, authorities, loading),
        Step::of(Subject::Dns, name, resolving),
    ];
    let found = match key.unwrap_or_else(|| Err(too_slow(&source))) {
        Ok(found) => found,
        Err(no_key) => {
            let NoKey { source_name, why } = no_key;
            let fix = "see that there is a key, as [stream.credentials] says; the commands of \
                       tidegate policy --format cli have one made";
            let said = format!("{source_name}: {why}");
            let failed = Finding::failed(Class::Credentials, said, fix);
            steps.push(Step::of(Subject::Credentials, failed, asking));
            steps.extend(skipped("needs credentials"));
            return steps;
        }
    };
    if let Some(needs) = needs {
        let key = format!("key {} from {}; {needs} to be tried", found.key.id, source.name());
        steps.push(Step::of(Subject::Credentials, Finding::skipped(key), asking));
        steps.extend(skipped(needs));
        return steps;
    }
    let asked = Asked { config, stream, key: &found.key, probe: probe_for(&url, wishes), deadline };
    let ((heard, behind_s), calling) = timed(Box::pin(asked.hear(wishes))).await;
    let of = |subject, finding| Step::of(subject, finding, calling);
    let credentials = judgement::credentials(&source.name(), &found, &heard);
    steps.extend([
        of(Subject::Clock, judgement::clock(behind_s)),
        Step::of(Subject::Credentials, credentials, asking),
        of(Subject::Stream, judgement::stream(&heard)),
        of(Subject::Description, judgement::description(&heard)),
        of(Subject::Kms, judgement::kms(&heard)),
        of(Subject::DeadLetterStream, judgement::letters(&heard)),
        of(Subject::Canary, judgement::canary(&heard, wishes.canary)),
    ]);
    steps
}

/// The same stream, for who does not wait for long. Calls are bounded one by one.
fn bounded(stream: &config::Stream) -> config::Stream {
    let connect_timeout = stream.connect_timeout.min(CONNECT_MAX);
    config::Stream { connect_timeout, ..stream.clone() }
}

/// Steps that cannot be taken.
fn skipped(why: &str) -> Vec<Step> {
    let subjects = [
        Subject::Clock,
        Subject::Stream,
        Subject::Description,
        Subject::Kms,
        Subject::DeadLetterStream,
        Subject::Canary,
    ];
    let step = |subject| Step::of(subject, Finding::skipped(why), Duration::ZERO);
    subjects.into_iter().map(step).collect()
}

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
    let Some(host) = uri.host() else { return Finding::skipped("needs ca_bundle") };
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

/// How to ask whether records are taken, so that none is stored: whoever is not known to be AWS may
/// not know dry runs.
fn probe_for(url: &str, wishes: Wishes) -> Probe {
    let uri = url.parse::<Uri>().unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    let is_of_aws = AWS_DOMAINS.iter().any(|domain| host.ends_with(domain));
    if is_of_aws || wishes.trust_dry_run { Probe::DryRun } else { Probe::Impossible }
}

fn too_slow(source: &impl Source) -> NoKey {
    let why = crate::credentials::Fault::whole("gives no key in time").into();
    NoKey { source_name: source.name(), why }
}

/// What the account is asked with.
struct Asked<'c> {
    config: &'c Config,
    stream: &'c config::Stream,
    key: &'c Key,
    probe: Probe,
    deadline: Deadline,
}

impl<'c> Asked<'c> {
    /// Everything that is heard, and by how many seconds this machine is behind, if that was told.
    async fn hear(&self, wishes: Wishes) -> (Heard<'c>, Option<i64>) {
        let Self { config, stream, deadline, .. } = *self;
        let keys = Keys::fixed(self.key.clone());
        let kinesis = match Kinesis::connect(stream, keys).await {
            Ok(kinesis) => kinesis,
            // It could a moment ago: a file has gone meanwhile.
            Err(error) => return (self.deaf(&error), None),
        };
        let data = marked(config);
        let letters = config.dead_letter.stream.as_ref();
        let beside = letters.map(|target| (target, kinesis.beside(target)));
        let (put, summary, letters, whose) = join4(
            self.put(&kinesis, &data),
            deadline.within(CALL_MAX, kinesis.summary()),
            OptionFuture::from(beside.as_ref().map(|(_, kinesis)| self.put(kinesis, &data))),
            deadline.within(CALL_MAX, Box::pin(identity(stream, self.key))),
        )
        .await;
        let summary = summary.unwrap_or_else(unheard);
        let behind_s = put.behind_s;
        let put = put.answer;
        let canary = match wishes.canary && put.is_ok() {
            true => Some(self.fly(&kinesis, &data).await),
            false => None,
        };
        let heard = Heard {
            stream: &config.stream,
            probe: self.probe,
            identity: match whose {
                Some(Ok(told)) => told.map(|told| told.answer),
                Some(Err(why)) => Some(Err(unasked(why.to_string()))),
                None => Some(Err(Refusal::unheard(CALL_MAX))),
            },
            put,
            summary: summary.answer,
            letters: config.dead_letter.stream.as_ref().zip(letters.map(|put| put.answer)),
            canary,
        };
        (heard, behind_s)
    }

    /// Asks whether a stream takes a record. A clock that is wrong is corrected by the first answer.
    async fn put(&self, kinesis: &Kinesis, data: &Bytes) -> Timed {
        let first = self.attempt(kinesis, data).await;
        match &first.answer {
            Err(refusal) if refusal.cause == Cause::WrongTime => {
                let second = self.attempt(kinesis, data).await;
                Timed { behind_s: first.behind_s, ..second }
            }
            Ok(_) | Err(_) => first,
        }
    }

    async fn attempt(&self, kinesis: &Kinesis, data: &Bytes) -> Timed {
        let asked = kinesis.probe(data.clone(), self.probe);
        let Probed { answer, date } =
            self.deadline.within(CALL_MAX, asked).await.unwrap_or_else(unheard);
        let behind_s = date.map(|date| date.as_second() - unix_ms().div_euclid(1_000));
        Timed { answer, behind_s }
    }

    /// Stores a record, and looks for it.
    async fn fly(&self, kinesis: &Kinesis, data: &Bytes) -> Result<Canary, Refusal> {
        let stored = kinesis.probe(data.clone(), Probe::Canary);
        let stored = self.deadline.within(CALL_MAX, stored).await.unwrap_or_else(unheard);
        let place = match stored.answer? {
            Outcome::Stored(place) => place,
            Outcome::Possible => return Err(Refusal::unheard(CALL_MAX)),
        };
        let read = self.deadline.within(CALL_MAX, kinesis.read_back(&place)).await;
        let read = read.unwrap_or(Ok(None)).map(|read| read.map(|read| read == *data));
        Ok(Canary { place, read })
    }

    /// What is heard where nothing can be asked.
    fn deaf(&self, error: &anyhow::Error) -> Heard<'c> {
        let refusal = unasked(format!("{error:#}"));
        let letters = self.config.dead_letter.stream.as_ref();
        Heard {
            stream: &self.config.stream,
            probe: self.probe,
            identity: None,
            put: Err(refusal.clone()),
            summary: Err(refusal.clone()),
            letters: letters.map(|target| (target, Err(refusal))),
            canary: None,
        }
    }
}

/// An answer to a put, and by how many seconds this machine was behind when it came.
struct Timed {
    answer: Result<Outcome, Refusal>,
    behind_s: Option<i64>,
}

fn unheard<T>() -> Probed<T> {
    Probed::refused(Refusal::unheard(CALL_MAX))
}

fn unasked(said: String) -> Refusal {
    Refusal { cause: Cause::NotAllowed, said }
}

/// A record that nobody takes for a reading.
fn marked(config: &Config) -> Bytes {
    let id = format!("{:016x}", fastrand::u64(..));
    let canary = json!({ "client_id": config.mqtt.client_id, "id": id, "ts_ms": unix_ms() });
    let newline = if config.records.newline { "\n" } else { "" };
    format!("{}{newline}", json!({ "tidegate_canary": canary })).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_is_asked_of_aws_alone_unless_somebody_vouches_for_the_endpoint() {
        let trusting = Wishes { trust_dry_run: true, ..Wishes::default() };
        for url in [
            "https://kinesis.eu-central-1.amazonaws.com/",
            "https://123456789012.data-kinesis.us-east-1.amazonaws.com/",
            "https://vpce-1-2.kinesis.us-east-1.vpce.amazonaws.com",
            "https://kinesis.cn-north-1.amazonaws.com.cn/",
            "https://kinesis.us-east-1.api.aws/",
        ] {
            assert_eq!(probe_for(url, Wishes::default()), Probe::DryRun, "{url}");
        }
        for url in ["http://127.0.0.1:4567", "https://amazonaws.com.example", "https://kinesis", ""]
        {
            assert_eq!(probe_for(url, Wishes::default()), Probe::Impossible, "{url}");
            assert_eq!(probe_for(url, trusting), Probe::DryRun, "{url}");
        }
    }
}
