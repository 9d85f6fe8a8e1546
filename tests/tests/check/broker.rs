//! The broker, and that the visit leaves no trace.

use tempfile::TempDir;
use tests::certificates::Certificates;
use tests::fleet::Load;
use tests::mosquitto::{self, Mosquitto, Settings, free_port, password_file};
use tests::reading::Comparison;
use tidegate::rehearsal::broker::{self, Broker};

use super::world::{World, told};

#[tokio::test]
async fn broker_is_told_with_what_it_grants() {
    let learned = ["is learned"];
    let told = ["may send 1000 unacknowledged publishes", "itself takes 20 of a client"];
    for (version, window) in [("3", &learned[..]), ("5", &told)] {
        let world = World::new().await.set("mqtt.version", version);
        let words = [&["1 filter subscribed as edge-1-check-"], window].concat();
        world.check().await.is_available().says("broker", "ok", &words);
    }
}

#[tokio::test]
async fn gateway_beside_it_is_not_disturbed_and_gets_every_publish() {
    let mut world = World::new().await;
    world.broker = Mosquitto::start(Settings::talkative()).await;
    let url = format!("{:?}", world.broker.url());
    let world = world.set("mqtt.url", &url).set("mqtt.share_group", "\"group\"");
    let run = world.gateway.start().await;
    let load = Load::new(400, 200);
    let checks = async {
        for _ in 0..3 {
            let told = world.check().await;
            told.is_available().says("broker", "ok", &["outside of the group"]);
        }
    };
    let (published, ()) = tokio::join!(load.publish(world.broker.port), checks);
    let enough = |counts: &tidegate::rehearsal::stream::Counts| counts.records >= 400;
    tests::patience::in_time("all are stored", world.stream.reached(enough)).await;
    let arrived: Vec<_> = world.stream.records();
    let arrived: Vec<_> = arrived
        .iter()
        .map(|record| tests::reading::Reading::of_record(&record.data).expect("a reading"))
        .collect();
    assert_eq!(Comparison::of(&published, &arrived), Comparison::default());
    // Once connected, never thrown out.
    assert_eq!(run.times_said("broker connected"), 1);
    run.stop().await.books();
}

#[tokio::test]
async fn nobody_who_listens_is_a_failure_of_the_broker_alone() {
    let url = format!("\"mqtt://127.0.0.1:{}\"", free_port());
    let told = World::new().await.set("mqtt.url", &url).check().await;
    told.fails(10, &["broker"])
        .says("broker", "failed", &["nobody listens at 127.0.0.1", "see that the broker runs"])
        .says("queue", "skipped", &["needs the broker"])
        .says("stream", "ok", &[]);
}

#[tokio::test]
async fn wrong_password_is_told_with_the_keys_to_look_at() {
    let dir = TempDir::new().expect("a temporary directory");
    let passwords = password_file(&dir, "gateway", "right");
    let guarded =
        vec!["allow_anonymous false".to_owned(), format!("password_file {}", passwords.display())];
    let mut world = World::new().await;
    world.broker = Mosquitto::start(mosquitto::Settings { guarded, ..Settings::patient() }).await;
    let password = world.write("password", "wrong\n");
    let url = format!("\"mqtt://127.0.0.1:{}\"", world.broker.guarded_port);
    world = world.set_path("mqtt.password_file", &password);
    let world = world.set("mqtt.url", &url).set("mqtt.username", "\"gateway\"");
    world.check().await.fails(10, &["broker"]).says("broker", "failed", &["check mqtt.username"]);
    world.write("password", "right\n");
    world.check().await.is_available();
}

#[tokio::test]
async fn authority_of_the_broker_that_is_not_known_is_to_be_named() {
    let certificates = Certificates::new();
    let file = |key: &str, path: std::path::PathBuf| format!("{key} {}", path.display());
    let guarded = vec![
        "allow_anonymous true".to_owned(),
        file("certfile", certificates.certificate("broker")),
        file("keyfile", certificates.key("broker")),
    ];
    let mut world = World::new().await;
    world.broker = Mosquitto::start(Settings { guarded, ..Settings::patient() }).await;
    let url = format!("\"mqtts://127.0.0.1:{}\"", world.broker.guarded_port);
    let mut world = world.set("mqtt.url", &url);
    world.check().await.fails(10, &["broker"]).says(
        "broker",
        "failed",
        &["UnknownIssuer", "in mqtt.tls.ca_file"],
    );
    world = world.set_path("mqtt.tls.ca_file", &certificates.certificate("ca"));
    world.check().await.is_available().says("ca_bundle", "ok", &["ca.pem"]);
}

#[tokio::test]
async fn broker_that_wants_a_certificate_is_told_from_one_that_does_not_speak_tls() {
    let certificates = Certificates::new();
    let file = |key: &str, path: std::path::PathBuf| format!("{key} {}", path.display());
    let guarded = vec![
        "allow_anonymous true".to_owned(),
        "require_certificate true".to_owned(),
        file("cafile", certificates.certificate("ca")),
        file("certfile", certificates.certificate("broker")),
        file("keyfile", certificates.key("broker")),
    ];
    let mut world = World::new().await;
    world.broker = Mosquitto::start(Settings { guarded, ..Settings::patient() }).await;
    let url = format!("\"mqtts://127.0.0.1:{}\"", world.broker.guarded_port);
    let world = world.set("mqtt.url", &url);
    let world = world.set_path("mqtt.tls.ca_file", &certificates.certificate("ca"));
    let told = world.check().await;
    told.fails(10, &["broker"]).says("broker", "failed", &["mqtt.tls.cert_file"]);
}

#[tokio::test]
async fn filter_that_is_refused_is_named() {
    let broker = Broker::start(broker::Settings::default()).await.expect("a free port");
    let filter = tests::installation::FILTER;
    broker.misbehave(|faults| {
        faults.refuse_filters.insert(filter.to_owned());
    });
    let world = World::new().await.set("mqtt.url", &format!("{:?}", broker.url()));
    world.check().await.fails(10, &["broker"]).says("broker", "failed", &[filter, "access list"]);
}

#[tokio::test]
async fn broker_that_dropped_publishes_is_warned_of() {
    let broker = Settings {
        general: vec!["max_queued_messages 1".to_owned(), "sys_interval 1".to_owned()],
        ..Settings::default()
    };
    let mut world = World::new().await;
    world.broker = Mosquitto::start(broker).await;
    let url = format!("{:?}", world.broker.url());
    let world = world.set("mqtt.url", &url);
    world.gateway.start().await.stop().await.books();
    // The session has room for one.
    Load::new(50, 1_000).publish(world.broker.port).await;
    // It counts on while it says so, and says so every other second.
    let said = async {
        loop {
            let told = told(&world.gateway, &["--trust-dry-run"]).await;
            told.is_available();
            if told.warns("queue", "dropped 49 publishes") {
                return told;
            }
        }
    };
    let told = tests::patience::in_time("the broker says what it dropped", said).await;
    told.says("queue", "warning", &["max_queued_messages"]);
}
