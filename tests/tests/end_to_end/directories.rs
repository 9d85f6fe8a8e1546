//! Directories that cannot be used as a spool, or not for a while, or that somebody has damaged.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tests::fleet::Load;
use tests::installation::{Installation, Ledger};
use tests::mosquitto::Settings;
use tests::patience::until;
use tests::reading::{Comparison, Reading};
use tests::small_disk::SmallDisk;
use tidegate::rehearsal::stream::{self, Link};
use tokio::time::sleep;

use super::world::{PROGRAM, World};

/// What a segment of format 2 begins with: magic, version, spool, first entry, checksum.
const NEWER: &[u8; 32] = b"TGSPOOL\n\x02\0\0\0\x07\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\xb8\x1e\x5c\xcb";

/// Pads a reading to about a kilobyte.
const KILOBYTE: usize = 950;

/// A world whose spool is on a disk of 2 MiB, with a broker that says what is acknowledged.
async fn with_small_disk() -> (World, SmallDisk) {
    let disk = SmallDisk::mount(2);
    let mut world = World::with(Settings::talkative(), stream::Settings::default()).await;
    world.gateway = world
        .gateway
        .set_path("spool.dir", &disk.path().join("spool"))
        .set("stream.backoff_ms_max", "500")
        .set("mqtt.keep_alive_s", "5");
    (world, disk)
}

async fn acknowledged(world: &World, publishes: usize) {
    until(&format!("{publishes} are acknowledged"), || {
        world.broker.acknowledged_by("edge-1") >= publishes
    })
    .await;
}

#[tokio::test]
async fn full_disk_is_said_once_and_recovers_by_itself_when_there_is_room() {
    let (world, disk) = with_small_disk().await;
    let run = world.gateway.start().await;
    world.link(Link::Refusing);
    let load = Load { padding: KILOBYTE, ..Load::new(300, 500) };
    let mut published = load.publish(world.broker.port).await;
    acknowledged(&world, 300).await;
    disk.fill();
    let load = Load { first_seq: 15, readings: 600, ..load };
    published.extend(load.publish(world.broker.port).await);
    run.says("spool unavailable").await;
    // Longer than the broker keeps a client that does not ping.
    sleep(Duration::from_secs(9)).await;
    assert_eq!(world.broker.acknowledged_by("edge-1"), 300);

    disk.clear();
    acknowledged(&world, 900).await;
    let told = ["spool unavailable", "the spool is available again", "broker connected"]
        .map(|words| run.times_said(words));
    world.link(Link::Up);
    let comparison = world.all_arrive(&published).await;
    assert_eq!(run.stop().await.books().delivered, 900);
    assert_eq!((comparison, told), (Comparison::default(), [1, 1, 1]));
}

#[tokio::test]
async fn full_disk_does_not_keep_records_from_the_stream() {
    let (world, disk) = with_small_disk().await;
    disk.fill();
    let run = world.gateway.start().await;
    world.link(Link::Refusing);
    let load = Load { padding: KILOBYTE, ..Load::new(600, 500) };
    let published = load.publish(world.broker.port).await;
    run.says("spool unavailable").await;
    assert_eq!(world.broker.acknowledged_by("edge-1"), 0);

    world.link(Link::Up);
    let comparison = world.all_arrive(&published).await;
    let books = run.stop().await.books();
    assert_eq!((comparison, books.delivered), (Comparison::default(), 600));
}

/// The gateway refuses to start, and names the file or directory and what is wrong with it.
async fn refused(gateway: &Installation, path: &Path, advice: &str) {
    let name = name_of(path);
    let ended = gateway.launch().end().await;
    let log = ended.log.join("\n");
    assert_eq!(ended.code, Some(1), "{log}");
    let told = |line: &&String| line.contains(name) && line.contains(advice);
    assert!(ended.log.iter().any(|line| told(&line)), "{log}");
}

#[tokio::test]
async fn second_gateway_on_the_directory_is_refused_and_the_first_is_undisturbed() {
    let world = World::new().await;
    let run = world.gateway.start().await;
    let dir = world.gateway.spool_dir();
    let second = Installation::new(PROGRAM, &world.broker.url(), &world.stream.endpoint())
        .set("mqtt.client_id", "\"edge-2\"")
        .set_path("spool.dir", &dir);
    world.link(Link::Refusing);
    let published = Load::new(300, 500).publish(world.broker.port).await;
    refused(&second, &dir, "in use by another process (pid ").await;
    world.link(Link::Up);
    let comparison = world.all_arrive(&published).await;
    run.stop().await.books();
    assert_eq!(comparison, Comparison::default());
    second.start().await.stop().await.books();
}

#[tokio::test]
async fn file_in_the_place_of_the_directory_is_named() {
    let world = World::new().await;
    let place = world.gateway.dir().join("taken");
    fs::write(&place, "mine").expect("a writable directory");
    let gateway = world.gateway.set_path("spool.dir", &place);
    refused(&gateway, &place, "spool.dir must be a directory").await;
    assert_eq!(fs::read(&place).expect("it is there"), b"mine");
}

#[tokio::test]
async fn read_only_directory_is_named() {
    let (world, disk) = with_small_disk().await;
    disk.make_read_only();
    let dir = disk.path().join("spool");
    refused(&world.gateway, &dir, "mount it writable, or set another spool.dir").await;
}

#[tokio::test]
async fn directory_of_another_user_is_named() {
    let world = World::new().await;
    let theirs = world.gateway.dir().join("theirs");
    DirBuilder::new().mode(0o700).create(&theirs).expect("a writable directory");
    chown(&theirs, Some(12_345), Some(12_345)).expect("the tests run as root");
    let gateway = world.gateway.set_path("spool.dir", &theirs).without_privileges();
    refused(&gateway, &theirs, "give the directory to the user who runs the gateway").await;
}

#[tokio::test]
async fn segment_of_a_newer_version_is_named_and_left_alone() {
    let world = World::new().await;
    let dir = world.gateway.spool_dir();
    fs::create_dir_all(&dir).expect("a writable directory");
    let segment = dir.join(format!("segment-{:020}-0.tgs", 1));
    fs::write(&segment, NEWER).expect("a writable directory");
    refused(&world.gateway, &segment, "has format version 2").await;
    assert_eq!(fs::read(&segment).expect("it is there"), NEWER);
}

/// Its last part: the gateway speaks of paths as its configuration does.
fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a path of the suite")
}

/// A stopped gateway whose spool holds readings in several segments, the last of which ends as that
/// of a gateway that was killed.
async fn with_a_full_spool() -> (World, Vec<Reading>) {
    let world = World::with(Settings::talkative(), stream::Settings::default())
        .await
        .set("spool.bytes_max", "\"16 MiB\"");
    world.link(Link::Refusing);
    let run = world.gateway.start().await;
    let load = Load { padding: 10_000, ..Load::new(600, 500) };
    let published = load.publish(world.broker.port).await;
    acknowledged(&world, published.len()).await;
    run.kill().await;
    (world, published)
}

fn segments(world: &World) -> Vec<PathBuf> {
    let files = world.gateway.spool_files();
    let segments = files.keys().filter(|name| name.starts_with("segment-"));
    segments.map(|name| world.gateway.spool_dir().join(name)).collect()
}

/// What a damaged spool delivered.
struct Delivered {
    comparison: Comparison,
    books: Ledger,
    log: Vec<String>,
}

impl Delivered {
    fn warns_of(&self, path: &Path) -> bool {
        let name = name_of(path);
        self.log.iter().any(|line| line.contains("WARN") && line.contains(name))
    }
}

/// Runs the gateway until its spool is empty.
async fn delivered(world: &World, published: &[Reading]) -> Delivered {
    world.link(Link::Up);
    let run = world.gateway.start().await;
    run.says("the spool is empty").await;
    let ended = run.stop().await;
    let books = ended.books();
    Delivered { comparison: Comparison::of(published, &world.arrived()), books, log: ended.log }
}

fn quarantined(world: &World, segment: &Path) -> Vec<u8> {
    let quarantine = world.gateway.spool_dir().join("quarantine");
    fs::read(quarantine.join(name_of(segment))).expect("it was put aside")
}

#[tokio::test]
async fn foreign_files_are_named_and_left_alone() {
    let (world, published) = with_a_full_spool().await;
    let foreign = world.gateway.spool_dir().join("notes.txt");
    fs::write(&foreign, "mine").expect("a writable directory");
    let Delivered { comparison, log, .. } = delivered(&world, &published).await;
    assert_eq!(comparison, Comparison::default());
    assert!(log.iter().any(|line| line.contains("notes.txt") && line.contains("left alone")));
    assert_eq!(fs::read(&foreign).expect("it is there"), b"mine");
}

#[tokio::test]
async fn flipped_bit_costs_one_record_and_its_segment_is_put_aside() {
    let (world, published) = with_a_full_spool().await;
    let segment = segments(&world).swap_remove(1);
    let mut bytes = fs::read(&segment).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&segment, &bytes).expect("a writable directory");

    let delivered = delivered(&world, &published).await;
    assert!(delivered.warns_of(&segment), "{}", delivered.log.join("\n"));
    let Delivered { comparison, books, .. } = delivered;
    assert_eq!((books.corrupted, books.delivered, books.recovered), (1, 599, 600));
    let Comparison { lost, duplicated, overtook, unknown } = comparison;
    assert_eq!((lost.len(), duplicated, overtook, unknown), (1, 0, 0, vec![]));
    assert_eq!(quarantined(&world, &segment), bytes);
}

#[tokio::test]
async fn segment_cut_short_costs_what_is_gone_and_no_more() {
    let (world, published) = with_a_full_spool().await;
    let segment = segments(&world).swap_remove(1);
    let bytes = fs::read(&segment).expect("it is there");
    fs::write(&segment, &bytes[..bytes.len() / 2]).expect("a writable directory");

    let delivered = delivered(&world, &published).await;
    let missing = |line: &&String| line.contains("entries of the spool are missing");
    let told = delivered.log.iter().find(missing).expect("what is missing is told");
    assert!(told.contains(name_of(&segment)), "{told}");
    let Delivered { comparison, books, .. } = delivered;
    // Half of a segment of 2 MiB.
    assert!((50..=150).contains(&books.corrupted), "{books:?}");
    assert_eq!(u64::try_from(comparison.lost.len()), Ok(books.corrupted));
    assert_eq!((comparison.duplicated, comparison.overtook), (0, 0));
    assert_eq!(quarantined(&world, &segment), bytes[..bytes.len() / 2]);
}

#[tokio::test]
async fn last_segment_cut_short_costs_the_record_that_was_cut() {
    let (world, published) = with_a_full_spool().await;
    let segment = segments(&world).pop().expect("there are several");
    let bytes = fs::read(&segment).expect("it is there");
    fs::write(&segment, &bytes[..bytes.len() - 100]).expect("a writable directory");

    let Delivered { comparison, books, .. } = delivered(&world, &published).await;
    assert_eq!((comparison.lost, books.delivered), (published[599..].to_vec(), 599));
    assert_eq!((comparison.duplicated, comparison.overtook), (0, 0));
}

#[tokio::test]
async fn lost_spool_costs_what_was_in_it_and_no_more() {
    let (world, _) = with_a_full_spool().await;
    fs::remove_dir_all(world.gateway.spool_dir()).expect("a writable directory");
    world.link(Link::Up);
    let run = world.gateway.start().await;
    let load = Load { first_seq: 1_000, ..Load::new(300, 500) };
    let later = load.publish(world.broker.port).await;
    // The broker was told that all of the earlier ones were safe.
    assert_eq!(world.all_arrive(&later).await, Comparison::default());
    assert_eq!(run.stop().await.books().delivered, load.readings);
}
