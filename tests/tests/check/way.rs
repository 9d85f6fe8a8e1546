//! The way to the stream: authorities, proxies, names.

use tests::certificates::Certificates;
use tests::proxy::{Manner, Proxy};
use tests::tls::Door;

use super::world::World;

/// A world whose stream is behind TLS, by the certificate `shown`.
async fn guarded(certificates: &Certificates, shown: &str) -> (World, Door) {
    let world = World::new().await;
    let port = world.stream.address().port();
    let door = Door::open(certificates, shown, port).await;
    let endpoint = format!("\"https://127.0.0.1:{}\"", door.port);
    (world.set("stream.endpoint", &endpoint), door)
}

#[tokio::test]
async fn authority_that_is_not_known_is_to_be_named_and_then_all_is_well() {
    let certificates = Certificates::new();
    let (mut world, _door) = guarded(&certificates, "broker").await;
    world.check().await.fails(12, &["stream"]).says(
        "stream",
        "failed",
        &["UnknownIssuer", "in stream.ca_file", "a proxy that inspects TLS"],
    );
    world = world.set_path("stream.ca_file", &certificates.certificate("ca"));
    world.check().await.is_available().says("ca_bundle", "ok", &["ca.pem"]);
}

#[tokio::test]
async fn endpoint_that_signed_its_certificate_itself_is_told_where_to_name_it() {
    let certificates = Certificates::new();
    let (world, _door) = guarded(&certificates, "ca").await;
    let told = world.check().await;
    told.fails(12, &["stream"]).says(
        "stream",
        "failed",
        &["if it signed itself, in stream.ca_file"],
    );
}

#[tokio::test]
async fn authorities_that_are_not_there_or_none_keep_the_stream_from_being_asked() {
    let mut world = World::new().await;
    let gone = world.gateway.dir().join("gone.pem");
    world = world.set_path("stream.ca_file", &gone);
    world.check().await.fails(64, &["configuration"]).says(
        "configuration",
        "failed",
        &["stream.ca_file", "gone.pem"],
    );
    world.write("gone.pem", "no certificate\n");
    world.check().await.fails(12, &["ca_bundle"]).says("stream", "skipped", &["needs ca_bundle"]);
}

#[tokio::test]
async fn proxy_that_refuses_is_told_as_one() {
    let certificates = Certificates::new();
    let (mut world, _door) = guarded(&certificates, "broker").await;
    world = world.set_path("stream.ca_file", &certificates.certificate("ca"));
    let proxy = Proxy::start(Manner::Refusing(403)).await;
    let world = world.set("stream.proxy.url", &format!("{:?}", proxy.url()));
    for manner in [Manner::Refusing(403), Manner::Guarded("user:password")] {
        proxy.behave(manner);
        let told = world.check().await;
        told.fails(12, &["stream"])
            .says("stream", "failed", &["tunnel", "what login it wants", "NO_PROXY"])
            .says("dns", "ok", &["left to the proxy"]);
    }
    proxy.behave(Manner::Obliging);
    world.check().await.is_available();
}

#[tokio::test]
async fn name_that_does_not_exist_is_told_before_anybody_is_called() {
    let world = World::new().await.set("stream.endpoint", "\"http://kinesis.invalid\"");
    world
        .check()
        .await
        .fails(12, &["dns"])
        .says("dns", "failed", &["kinesis.invalid is not found", "check stream.region"])
        .says("broker", "ok", &[])
        .says("stream", "skipped", &["needs dns"]);
}

#[tokio::test]
async fn nobody_at_the_endpoint_is_a_failure_of_the_stream() {
    let world = World::new().await;
    world.stream.faults(|faults| faults.link = tidegate::rehearsal::stream::Link::Refusing);
    let told = world.check().await;
    told.fails(12, &["stream"]).says("stream", "failed", &["refused", "the firewall"]);
}
