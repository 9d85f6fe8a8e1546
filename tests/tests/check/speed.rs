//! How long it takes.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tests::proxy::{Manner, Proxy};
use tidegate::rehearsal::stream::Link;
use tokio::net::TcpListener;

use super::world::World;

/// What a check takes. Nothing else is measured with this clock.
#[expect(clippy::disallowed_methods, reason = "a measurement")]
async fn took(world: &World, flags: &[&str]) -> (super::world::Told, Duration) {
    let begun = Instant::now();
    let told = world.check_with(flags).await;
    (told, begun.elapsed())
}

#[tokio::test]
async fn check_of_what_is_reachable_ends_within_10_s() {
    let world = World::new().await;
    let (told, took) = took(&world, &["--trust-dry-run", "--canary"]).await;
    told.is_available();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn check_of_what_accepts_and_says_nothing_ends_within_30_s() {
    let broker = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("\"mqtts://{}\"", broker.local_addr().expect("bound"));
    let world = World::new().await.set("mqtt.url", &url).set("mqtt.connect_timeout_s", "60");
    world.stream.faults(|faults| faults.link = Link::Silent);
    let (told, took) = took(&world, &["--canary"]).await;
    told.fails(10, &["broker", "stream"])
        .says("broker", "failed", &["no answer within 10 s", "speaks MQTT over TLS"])
        .says("stream", "failed", &["no answer within 8 s", "swallows"]);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn check_behind_a_proxy_that_hangs_ends_within_30_s() {
    let proxy = Proxy::start(Manner::Silent).await;
    let world = World::new().await;
    let world = world
        .set("stream.endpoint", "\"https://127.0.0.1:9\"")
        .set("stream.proxy.url", &format!("{:?}", proxy.url()));
    let (told, took) = took(&world, &[]).await;
    told.fails(12, &["stream"]).says("dns", "ok", &["left to the proxy"]).says(
        "stream",
        "failed",
        &["timed out"],
    );
    proxy.is_asked(1).await;
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// A file of the gateway's that nobody ever writes to: whoever opens it waits.
fn pipe(world: &World, name: &str) -> PathBuf {
    let path = world.gateway.dir().join(name);
    assert!(Command::new("mkfifo").arg(&path).status().expect("every Unix has it").success());
    path
}

#[tokio::test]
async fn file_that_hangs_in_the_midst_of_a_check_ends_it_within_30_s() {
    let world = World::new().await;
    let authorities = pipe(&world, "authorities").display().to_string();
    let world = world
        .set("stream.endpoint", "\"https://127.0.0.1:9\"")
        .set_variable("AWS_CA_BUNDLE", &authorities);
    let (told, took) = took(&world, &[]).await;
    told.fails(64, &["configuration"]).says("configuration", "failed", &["was not read within"]);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn lock_that_hangs_costs_the_finding_on_the_disk_alone() {
    let world = World::new().await.set("metrics.listen", "\"127.0.0.1:0\"");
    let state = world.gateway.dir().join("tidegate-state");
    std::fs::create_dir(&state).expect("a writable directory");
    pipe(&world, "tidegate-state/ledger.lock");
    let (told, took) = took(&world, &["--trust-dry-run"]).await;
    told.fails(13, &["disk"]).says("disk", "failed", &["does not answer within 10 s"]).says(
        "stream",
        "ok",
        &[],
    );
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn program_that_takes_longer_than_a_check_waits_is_told_from_one_that_fails() {
    let world = World::new().await.with_source("process");
    let world = world
        .set("stream.credentials.command", "[\"/bin/sleep\", \"50\"]")
        .set("stream.credentials.timeout_s", "60");
    let (told, took) = took(&world, &[]).await;
    let words = ["no key within 20 s", "the gateway waits as long as it is configured to"];
    told.fails(11, &["credentials"]).says("credentials", "failed", &words);
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn pipes_in_the_place_of_files_end_a_check_within_10_s() {
    let world = World::new().await;
    let (key, configuration) = (pipe(&world, "key"), pipe(&world, "configuration"));
    let name = configuration.to_str().expect("a plain name");
    let unread = world.gateway.ask_alone(&["check", "--config", name]).await;
    assert_eq!(unread.code, Some(64), "{unread:?}");
    assert!(unread.text.contains("was not read within 5 s"), "{unread:?}");
    let world = world.set_path("stream.credentials.file", &key);
    let (told, took) = took(&world, &[]).await;
    told.fails(11, &["credentials"]).says("credentials", "failed", &["is no file"]);
    assert!(took < Duration::from_secs(10), "{took:?}");
}
