//! Into mosquitto through every door.

use std::fs;

use tempfile::TempDir;
use tests::certificates::Certificates;
use tests::fleet::Load;
use tests::installation::Run;
use tests::mosquitto::{Settings, password_file};
use tests::reading::Comparison;
use tests::websocket::Door;
use tidegate::rehearsal::stream;

use super::world::World;

/// 2,000 readings pass, each once and in order.
async fn readings_pass(world: World) {
    let run = world.gateway.start().await;
    readings_pass_through(&world, run).await;
}

async fn readings_pass_through(world: &World, run: Run) {
    let published = Load::new(2_000, 1_000).publish(world.broker.port).await;
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();
    assert_eq!(comparison, Comparison::default());
    assert_eq!((books.received, books.delivered), (2_000, 2_000));
    assert_eq!(world.stream.counts().records, 2_000);
}

#[tokio::test]
async fn readings_pass_a_mosquitto_with_its_defaults_over_mqtt_5() {
    readings_pass(World::with(Settings::default(), stream::Settings::default()).await).await;
}

#[tokio::test]
async fn readings_pass_a_mosquitto_with_its_defaults_over_mqtt_3() {
    let world = World::with(Settings::default(), stream::Settings::default()).await;
    readings_pass(world.set("mqtt.version", "3")).await;
}

async fn readings_pass_websocket(world: World) {
    let door = Door::open(world.broker.port).await;
    let url = format!("\"ws://127.0.0.1:{}/mqtt\"", door.port);
    readings_pass(world.set("mqtt.url", &url)).await;
}

#[tokio::test]
async fn readings_pass_websocket_over_mqtt_5() {
    readings_pass_websocket(World::new().await).await;
}

#[tokio::test]
async fn readings_pass_websocket_over_mqtt_3() {
    readings_pass_websocket(World::new().await.set("mqtt.version", "3")).await;
}

/// A world whose guarded door wants TLS with a certificate of the authority. `shown` is what the
/// broker shows.
async fn world_with_tls(certificates: &Certificates, shown: &str) -> World {
    let file = |key: &str, path: std::path::PathBuf| format!("{key} {}", path.display());
    let guarded = vec![
        "allow_anonymous true".to_owned(),
        "require_certificate true".to_owned(),
        file("cafile", certificates.certificate("ca")),
        file("certfile", certificates.certificate(shown)),
        file("keyfile", certificates.key(shown)),
    ];
    let broker = Settings { guarded, ..Settings::patient() };
    let mut world = World::with(broker, stream::Settings::default()).await;
    let url = format!("\"mqtts://127.0.0.1:{}\"", world.broker.guarded_port);
    world.gateway = world
        .gateway
        .set("mqtt.url", &url)
        .set("mqtt.reconnect_ms_max", "500")
        .set_path("mqtt.tls.ca_file", &certificates.certificate("ca"))
        .set_path("mqtt.tls.cert_file", &certificates.certificate("client"))
        .set_path("mqtt.tls.key_file", &certificates.key("client"));
    world
}

#[tokio::test]
async fn readings_pass_tls_with_a_client_certificate_over_mqtt_5() {
    let certificates = Certificates::new();
    readings_pass(world_with_tls(&certificates, "broker").await).await;
}

#[tokio::test]
async fn readings_pass_tls_with_a_client_certificate_over_mqtt_3() {
    let certificates = Certificates::new();
    let world = world_with_tls(&certificates, "broker").await;
    readings_pass(world.set("mqtt.version", "3")).await;
}

#[tokio::test]
async fn wrong_authority_is_named_and_readings_pass_once_it_is_replaced() {
    let certificates = Certificates::new();
    let mut world = world_with_tls(&certificates, "broker").await;
    let ca_file = world.gateway.dir().join("ca.pem");
    fs::copy(Certificates::new().certificate("ca"), &ca_file).expect("both are there");
    world.gateway = world.gateway.set_path("mqtt.tls.ca_file", &ca_file);
    let run = world.gateway.launch();
    run.says("UnknownIssuer").await;

    fs::copy(certificates.certificate("ca"), &ca_file).expect("both are there");
    run.says("\"message\":\"subscribed\"").await;
    readings_pass_through(&world, run).await;
}

#[tokio::test]
async fn certificate_of_another_host_is_named() {
    let certificates = Certificates::new();
    let world = world_with_tls(&certificates, "client").await;
    let run = world.gateway.launch();
    run.says("not valid for name").await;
    assert_eq!(run.times_said("broker connected"), 0);
    run.stop().await.books();
}

#[tokio::test]
async fn missing_client_certificate_is_named() {
    let certificates = Certificates::new();
    let mut world = world_with_tls(&certificates, "broker").await;
    world.gateway = world.gateway.unset("mqtt.tls.cert_file").unset("mqtt.tls.key_file");
    let run = world.gateway.launch();
    run.says("CertificateRequired").await;
    assert_eq!(run.times_said("broker connected"), 0);
    run.stop().await.books();
}

/// A world whose guarded door knows one user, `edge`, with this password. The gateway reads its own
/// from the file `password`.
async fn world_with_login(dir: &TempDir, password: &str) -> World {
    let passwords = password_file(dir, "edge", password);
    let guarded =
        vec!["allow_anonymous false".to_owned(), format!("password_file {}", passwords.display())];
    let broker = Settings { guarded, ..Settings::patient() };
    let mut world = World::with(broker, stream::Settings::default()).await;
    let url = format!("\"mqtt://127.0.0.1:{}\"", world.broker.guarded_port);
    let file = world.gateway.dir().join("password");
    world.gateway = world
        .gateway
        .set("mqtt.url", &url)
        .set("mqtt.username", "\"edge\"")
        .set_path("mqtt.password_file", &file);
    world
}

#[tokio::test]
async fn readings_pass_with_user_name_and_password() {
    let dir = TempDir::new().expect("a temporary directory");
    let world = world_with_login(&dir, "low tide").await;
    fs::write(world.gateway.dir().join("password"), "low tide\n").expect("writable");
    readings_pass(world).await;
}

async fn bad_password_is_named(world: World) {
    let world = world.set("mqtt.reconnect_ms_min", "10").set("mqtt.reconnect_ms_max", "2000");
    let file = world.gateway.dir().join("password");
    fs::write(&file, "high tide\n").expect("writable");
    let run = world.gateway.launch();
    let fault = run.field("broker not connected", "fault").await;
    let fault = fault.as_str().expect("a text");
    assert!(fault.contains("password") && !fault.contains("high tide"), "{fault}");
    let pause_ms = run.field("broker not connected", "pause_ms").await;
    let pause_ms = pause_ms.as_u64().expect("a number");
    assert!((1_000..=2_000).contains(&pause_ms), "retried after {pause_ms} ms");

    fs::write(&file, "low tide\n").expect("writable");
    run.says("\"message\":\"subscribed\"").await;
    readings_pass_through(&world, run).await;
}

#[tokio::test]
async fn bad_password_is_named_and_retried_slowly_over_mqtt_5() {
    let dir = TempDir::new().expect("a temporary directory");
    bad_password_is_named(world_with_login(&dir, "low tide").await).await;
}

#[tokio::test]
async fn bad_password_is_named_and_retried_slowly_over_mqtt_3() {
    let dir = TempDir::new().expect("a temporary directory");
    let world = world_with_login(&dir, "low tide").await;
    bad_password_is_named(world.set("mqtt.version", "3")).await;
}
