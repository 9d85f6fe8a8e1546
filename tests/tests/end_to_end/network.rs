//! The way to the AWS side: authorities, proxies, endpoints.

use std::fs;
use std::path::PathBuf;

use tests::certificates::Certificates;
use tests::fleet::Load;
use tests::installation::Ended;
use tests::proxy::{Manner, Proxy};
use tests::reading::Comparison;
use tests::tls::Door;

use super::world::World;

/// A user name and a password with what URLs use for themselves.
const LOGIN: &str = "us\\tide@gate:ein Schlüssel: 100 %/@#?";

/// A world whose stream is behind TLS, at an address that a private authority vouches for.
struct Guarded {
    world: World,
    door: Door,
    certificates: Certificates,
}

impl Guarded {
    async fn new() -> Self {
        let certificates = Certificates::new();
        let world = World::new().await;
        let port = world.stream.address().port();
        let door = Door::open(&certificates, "broker", port).await;
        let endpoint = format!("\"https://127.0.0.1:{}\"", door.port);
        let world = world.set("stream.endpoint", &endpoint).set("stream.backoff_ms_max", "500");
        Self { world, door, certificates }
    }

    /// The gateway trusts the authority.
    fn trusting(mut self) -> Self {
        let ca_file = self.certificates.certificate("ca");
        self.world.gateway = self.world.gateway.set_path("stream.ca_file", &ca_file);
        self
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.world = self.world.set(key, value);
        self
    }

    fn set_variable(mut self, name: &str, value: &str) -> Self {
        self.world.gateway = self.world.gateway.set_variable(name, value);
        self
    }

    /// The gateway is told of `proxy`.
    fn behind(self, proxy: &Proxy) -> Self {
        self.set("stream.proxy.url", &format!("{:?}", proxy.url()))
    }

    /// A file of the gateway's.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.world.gateway.dir().join(name);
        fs::write(&path, text).expect("a writable directory");
        path
    }

    /// Readings pass, each once and in order.
    async fn is_open(&self) {
        let run = self.world.gateway.start().await;
        let published = Load::new(200, 1_000).publish(self.world.broker.port).await;
        assert_eq!(self.world.all_arrive(&published).await, Comparison::default());
        run.stop().await.books();
    }

    /// Readings are kept while the way is closed, which the log explains with `text`, and arrive when
    /// `mend` has opened it.
    async fn is_closed(&self, text: &str, mend: impl AsyncFnOnce()) {
        let run = self.world.gateway.start().await;
        let published = Load::new(200, 1_000).publish(self.world.broker.port).await;
        run.says(text).await;
        assert_eq!(self.world.stream.counts().records, 0);
        mend().await;
        assert_eq!(self.world.all_arrive(&published).await, Comparison::default());
        run.stop().await.books();
    }

    /// Readings are kept, and the log explains why with `text`, until the gateway is stopped.
    async fn stays_closed(&self, text: &str) {
        let run = self.world.gateway.start().await;
        Load::new(20, 1_000).publish(self.world.broker.port).await;
        run.says(text).await;
        run.kill().await;
        assert_eq!(self.world.stream.counts().requests, 0);
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named_and_only_then() {
    Guarded::new().await.stays_closed("UnknownIssuer").await;
    Guarded::new().await.trusting().is_open().await;
}

#[tokio::test]
async fn the_authorities_of_other_aws_tools_are_trusted_unless_the_configuration_names_some() {
    let ours = Guarded::new().await;
    let ca_file = ours.certificates.certificate("ca").display().to_string();
    ours.set_variable("AWS_CA_BUNDLE", &ca_file).is_open().await;

    let other = Certificates::new().certificate("ca").display().to_string();
    let guarded = Guarded::new().await.set_variable("AWS_CA_BUNDLE", &other);
    // The file of the other authority is gone: it is not even read.
    guarded.trusting().is_open().await;
}

#[tokio::test]
async fn a_file_that_holds_no_authority_is_an_error_that_names_it() {
    let guarded = Guarded::new().await;
    let certificate =
        |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let mut gateway = guarded.world.gateway;
    for (text, fault) in [
        (String::new(), "no certificate in"),
        ("not PEM".to_owned(), "no certificate in"),
        (certificate("????"), "is no PEM file"),
        (certificate("bm8gY2VydGlmaWNhdGU="), "no usable authority in"),
    ] {
        let path = gateway.dir().join("ca.pem");
        fs::write(&path, text).expect("a writable directory");
        gateway = gateway.set_path("stream.ca_file", &path);
        is_refused(&gateway.launch().end().await, &["stream.ca_file: ", fault, "ca.pem"]);
    }
    let path = gateway.dir().join("ca.pem").display().to_string();
    let gateway = gateway.unset("stream.ca_file").set_variable("AWS_CA_BUNDLE", &path);
    is_refused(&gateway.launch().end().await, &["AWS_CA_BUNDLE: ", "ca.pem"]);
}

fn is_refused(ended: &Ended, texts: &[&str]) {
    let said = ended.log.join("\n");
    assert_eq!(ended.code, Some(1), "{said}");
    assert!(texts.iter().all(|text| said.contains(text)), "{texts:?} are not in:\n{said}");
}

#[tokio::test]
async fn the_stream_is_reached_through_the_proxy_of_the_configuration() {
    let proxy = Proxy::start(Manner::Guarded(LOGIN)).await;
    let guarded = Guarded::new().await.trusting();
    let password = guarded.write("password", "ein Schlüssel: 100 %/@#?\n");
    let guarded = guarded
        .behind(&proxy)
        .set("stream.proxy.username", "\"us\\\\tide@gate\"")
        .set("stream.proxy.password_file", &format!("{:?}", password.display().to_string()));
    guarded.is_open().await;
    assert!(proxy.tunnels() > 0);
    assert_eq!(guarded.door.visits(), proxy.tunnels(), "nothing passes it");
}

#[tokio::test]
async fn the_stream_is_reached_through_the_proxy_of_the_environment() {
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let proxy = Proxy::start(Manner::Obliging).await;
        let guarded = Guarded::new().await.trusting().set_variable(variable, &proxy.url());
        guarded.is_open().await;
        assert!(proxy.tunnels() > 0, "{variable}");
        assert_eq!(guarded.door.visits(), proxy.tunnels(), "{variable}");
    }
}

#[tokio::test]
async fn a_proxy_of_the_environment_that_cannot_be_read_is_an_error_and_not_gone_without() {
    let guarded = Guarded::new().await.trusting();
    let mut gateway = guarded.world.gateway;
    for (variable, url) in [
        ("ALL_PROXY", "socks5://joe:sesame@127.0.0.1:1"),
        ("HTTPS_PROXY", "ftp://joe:sesame@127.0.0.1:1"),
        ("HTTPS_PROXY", "http://joe:open sesame@127.0.0.1:1"),
    ] {
        gateway = gateway.set_variable(variable, url);
        let ended = gateway.launch().end().await;
        is_refused(&ended, &[&format!("{variable} is no ")]);
        assert!(!ended.log.join("\n").contains("sesame"));
    }
}

#[tokio::test]
async fn who_is_excepted_is_reached_without_the_proxy() {
    let proxy = Proxy::start(Manner::Obliging).await;
    let guarded = async || Guarded::new().await.trusting();
    for guarded in [
        guarded()
            .await
            .set_variable("HTTPS_PROXY", &proxy.url())
            .set_variable("NO_PROXY", "internal.example,127.0.0.0/8"),
        guarded()
            .await
            .set_variable("HTTPS_PROXY", &proxy.url())
            .set("stream.proxy.url", "\"off\""),
        guarded()
            .await
            .behind(&proxy)
            .set("stream.proxy.except", "[\"internal.example\", \"127.0.0.1\"]"),
    ] {
        guarded.is_open().await;
        assert!(guarded.door.visits() > 0);
    }
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_and_readings_are_kept_until_it_obliges() {
    for (manner, text) in [
        (Manner::Guarded(LOGIN), "proxy authorization required"),
        (Manner::Refusing(403), "tunnel error: unsuccessful"),
    ] {
        let proxy = Proxy::start(manner).await;
        let guarded = Guarded::new().await.trusting().behind(&proxy);
        guarded.is_closed(text, async || proxy.behave(Manner::Obliging)).await;
        assert_eq!(guarded.door.visits(), proxy.tunnels());
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_is_given_up_and_readings_are_kept_until_it_obliges() {
    let proxy = Proxy::start(Manner::Silent).await;
    let guarded =
        Guarded::new().await.trusting().behind(&proxy).set("stream.request_timeout_s", "2");
    let mend = async || {
        proxy.is_asked(2).await;
        proxy.behave(Manner::Obliging);
    };
    guarded.is_closed("timed out", mend).await;
}

#[tokio::test]
async fn the_endpoint_follows_from_region_partition_arn_and_what_is_asked_of_it() {
    let proxy = Proxy::start(Manner::Refusing(403)).await;
    let mut world = World::new().await.set("stream.proxy.url", &format!("{:?}", proxy.url()));
    world.gateway = world.gateway.unset("stream.endpoint");
    let arn = "\"arn:aws:kinesis:eu-west-1:123456789012:stream/telemetry\"";
    for (settings, host) in [
        (&[("stream.region", "\"us-east-1\"")][..], "kinesis.us-east-1.amazonaws.com"),
        (&[("stream.fips", "true")], "kinesis-fips.us-east-1.amazonaws.com"),
        (&[("stream.dual_stack", "true")], "kinesis-fips.us-east-1.api.aws"),
        (&[("stream.fips", "false")], "kinesis.us-east-1.api.aws"),
        (
            &[("stream.dual_stack", "false"), ("stream.region", "\"cn-north-1\"")],
            "kinesis.cn-north-1.amazonaws.com.cn",
        ),
        (&[("stream.region", "\"us-gov-west-1\"")], "kinesis.us-gov-west-1.amazonaws.com"),
        (&[("stream.region", "\"eu-west-1\"")], "kinesis.eu-west-1.amazonaws.com"),
        // The account of the ARN has a host of its own.
        (&[("stream.arn", arn)], "123456789012.data-kinesis.eu-west-1.amazonaws.com"),
    ] {
        for (key, value) in settings {
            world = world.set(key, value);
            if *key == "stream.arn" {
                world.gateway = world.gateway.unset("stream.name");
            }
        }
        let asked = proxy.asked().len();
        let run = world.gateway.start().await;
        Load::new(1, 1_000).publish(world.broker.port).await;
        proxy.is_asked(asked + 1).await;
        run.kill().await;
        assert_eq!(proxy.asked()[asked], format!("{host}:443"));
    }
}
