//! The disk.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};

use tests::fleet::Load;
use tests::patience::until;
use tests::small_disk::SmallDisk;
use tidegate::rehearsal::stream::{Link, Settings};

use super::world::World;

#[tokio::test]
async fn directory_that_cannot_be_made_is_a_failure_of_the_disk_alone() {
    let mut world = World::new().await;
    let in_the_way = world.write("file", "");
    world = world.set_path("state_dir", &in_the_way.join("state"));
    world.check().await.fails(13, &["disk"]).says("disk", "failed", &["is no directory"]);
}

#[tokio::test]
async fn spool_that_may_outgrow_the_disk_is_a_warning() {
    let disk = SmallDisk::mount(4);
    let mut world = World::new().await;
    world = world.set_path("spool.dir", &disk.path().join("spool"));
    let told = world.check().await;
    told.is_available().says(
        "disk",
        "warning",
        &["4 MiB free", "may take 64 MiB more", "lower spool.bytes_max"],
    );
    disk.make_read_only();
    let told = world.check().await;
    told.fails(13, &["disk"]).says("disk", "failed", &["Read-only file system", "chown"]);
}

#[tokio::test]
async fn directory_of_one_of_several_streams_is_looked_at_like_the_others() {
    let world = World::new().await;
    let valves = Settings { name: "valves".to_owned(), ..Settings::default() };
    let _beside = world.stream.beside(valves);
    let mut world = world.with_streams(&["telemetry", "valves"]);
    let spools = world.gateway.spool_dir().join("streams");
    fs::create_dir_all(&spools).expect("a writable directory");
    let valves = spools.join("valves");
    fs::write(&valves, "").expect("a writable directory");
    world.check().await.fails(13, &["disk"]).says("disk", "failed", &["valves is no directory"]);
    fs::remove_file(&valves).expect("ours");
    fs::create_dir(&valves).expect("a writable directory");
    let nobody = Some(65_534);
    chown(&valves, nobody, nobody).expect("the tests run as root");
    world.gateway = world.gateway.without_privileges();
    let told = world.check().await;
    told.fails(13, &["disk"]).says("disk", "failed", &["valves cannot be written", "chown"]);
}

#[tokio::test]
async fn check_by_another_user_than_the_gateway_s_says_so_once_and_blames_nobody() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let mut world = World::new().await.set("metrics.listen", &format!("\"{address}\""));
    let state = world.gateway.dir().join("tidegate-state");
    fs::create_dir(&state).expect("a writable directory");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("our own");
    chown(&state, Some(65_534), Some(65_534)).expect("the tests run as root");
    // Root sees what there is, and says whose it is once.
    let told = world.check().await;
    told.says("disk", "warning", &["belongs to user 65534", "as the user of the gateway", "free"]);
    world.gateway = world.gateway.without_privileges();
    let told = world.check().await;
    told.fails(13, &["disk"])
        .says("disk", "failed", &["belongs to user 65534", "as the user of the gateway", "chown"])
        .says("configuration", "warning", &["whether that is the gateway cannot be seen"]);
}

#[tokio::test]
async fn file_that_another_user_left_is_named() {
    let mut world = World::new().await;
    world.gateway.start().await.stop().await.books();
    world.check().await.is_available().says("disk", "ok", &["in ", "tidegate-state"]);
    let lock = world.gateway.spool_dir().join("lock");
    chown(&lock, Some(65_534), Some(65_534)).expect("the tests run as root");
    world.gateway = world.gateway.without_privileges();
    let told = world.check().await;
    told.fails(13, &["disk"]).says("disk", "failed", &["spool/lock cannot be written"]);
}

#[tokio::test]
async fn register_that_is_damaged_fails_the_check_as_it_fails_a_start() {
    let world = World::new().await.set("stream.partitioning", "\"golden\"");
    world.check().await.is_available();
    let state = world.gateway.dir().join("tidegate-state");
    fs::create_dir(&state).expect("a writable directory");
    fs::write(state.join("golden.register"), [7; 100]).expect("a writable directory");
    let told = world.check().await;
    told.fails(13, &["disk"]).says("disk", "failed", &["golden.register", "damaged from byte 0"]);
}

#[tokio::test]
async fn port_of_the_metrics_that_is_taken_is_told_unless_the_gateway_has_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let world = World::new().await.set("metrics.listen", &format!("\"{address}\""));
    world.check().await.fails(64, &["configuration"]).says(
        "configuration",
        "failed",
        &["metrics.listen", "Address already in use"],
    );
    drop(taken);
    world.check().await.is_available();
    let run = world.gateway.start().await;
    world.check().await.is_available();
    run.stop().await.books();
}

/// A check and a start refuse what lies there, with the same words.
async fn refuses(world: &World, texts: &[&str]) {
    world.check().await.fails(13, &["disk"]).says("disk", "failed", texts);
    let started = world.gateway.ask(&["run"]).await;
    assert!(started.code == Some(1), "{started:?}");
    for text in texts {
        assert!(started.log.contains(text), "{started:?}");
    }
}

#[tokio::test]
async fn records_that_wait_for_another_stream_fail_the_check_as_they_fail_a_start() {
    let world = World::new().await;
    let _beside =
        world.stream.beside(Settings { name: "valves".to_owned(), ..Settings::default() });
    let run = world.gateway.start().await;
    world.stream.faults(|faults| faults.link = Link::Refusing);
    Load::new(3, 100).publish(world.broker.port).await;
    until("all wait", || run.times_said("the stream does not keep up") > 0).await;
    assert_eq!(run.stop().await.books().spooled, 3);
    world.stream.faults(|faults| faults.link = Link::Up);
    let world = world.set("stream.name", "\"valves\"");
    refuses(&world, &["3 records wait in", "for the stream telemetry us-east-1"]).await;
    world.set("stream.name", "\"telemetry\"").check().await.is_available();
}

#[tokio::test]
async fn numbers_of_devices_that_no_stream_looks_for_fail_the_check_as_they_fail_a_start() {
    let mut world = World::new().await.set("stream.partitioning", "\"golden\"");
    world.gateway.start().await.stop().await.books();
    world = world.with_streams(&["telemetry"]);
    world.check().await.is_available();
    let more = "partitioning = 'golden'\n";
    world = world.with_streams_of(&["telemetry"], more);
    refuses(&world, &["golden.register, which no stream uses", "mkdir -p"]).await;
}
