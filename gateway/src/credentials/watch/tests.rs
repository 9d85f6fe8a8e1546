use std::fs;
use std::future::poll_fn;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::telemetry::tests::Log;

use super::*;

/// Far longer than a change takes to be noticed, far shorter than the poll.
const SOON: Duration = Duration::from_secs(10);

fn directory() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    fs::write(&file, "one").unwrap();
    (dir, file)
}

/// Laid, and never polls within a test.
async fn watch(path: &Path) -> Watch {
    let mut watch = Watch::with(vec![path.to_owned()], lay, Duration::from_secs(3_600));
    notices(&mut watch, "that nobody looked before").await;
    watch
}

async fn notices(watch: &mut Watch, what: &str) {
    timeout(SOON, watch.changed()).await.unwrap_or_else(|_| panic!("not noticed: {what}"));
}

async fn notices_nothing(watch: &mut Watch, what: &str) {
    let noticed = timeout(3 * SETTLE, watch.changed()).await;
    assert!(noticed.is_err(), "noticed: {what}");
}

#[tokio::test]
async fn whatever_replaces_a_file_is_noticed() {
    let (dir, file) = directory();
    let mut watch = watch(&file).await;
    notices_nothing(&mut watch, "that it is there").await;
    for round in 0..2 {
        fs::write(&file, "written in place").unwrap();
        notices(&mut watch, "written in place").await;
        fs::write(dir.path().join("new"), "renamed over it").unwrap();
        fs::rename(dir.path().join("new"), &file).unwrap();
        notices(&mut watch, "renamed over it").await;
        fs::remove_file(&file).unwrap();
        notices(&mut watch, "removed").await;
        notices_nothing(&mut watch, "that it is gone").await;
        fs::write(&file, "back").unwrap();
        notices(&mut watch, &format!("back, {round}")).await;
        fs::rename(&file, dir.path().join("away")).unwrap();
        notices(&mut watch, "moved away").await;
        fs::rename(dir.path().join("away"), &file).unwrap();
        notices(&mut watch, "moved back").await;
    }
}

#[tokio::test]
async fn a_change_of_permissions_is_noticed() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, file) = directory();
    let mut watch = watch(&file).await;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    notices(&mut watch, "permissions").await;
}

/// As the kubelet updates a mounted secret.
#[tokio::test]
async fn a_link_that_is_swapped_on_the_way_is_noticed_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let version = |number: u32| {
        let name = format!("..v{number}");
        fs::create_dir(at(&name)).unwrap();
        fs::write(at(&name).join("key"), name.as_bytes()).unwrap();
        symlink(&name, at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
    };
    version(0);
    symlink("..data/key", at("key")).unwrap();
    let mut watch = watch(&at("key")).await;
    for number in 1..4 {
        version(number);
        notices(&mut watch, "the link to the version").await;
        fs::remove_dir_all(at(&format!("..v{}", number - 1))).unwrap();
        notices_nothing(&mut watch, "that the old version is gone").await;
        // And in the version that is linked now.
        fs::write(at(&format!("..v{number}")).join("key"), "mended").unwrap();
        notices(&mut watch, "written behind the links").await;
    }
}

#[tokio::test]
async fn a_directory_that_comes_goes_and_comes_back_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("a/b");
    let mut watch = watch(&dir.join("key")).await;
    for _ in 0..2 {
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("key"), "").unwrap();
        notices(&mut watch, "created").await;
        fs::write(dir.join("key"), "more").unwrap();
        notices(&mut watch, "written").await;
        fs::remove_dir_all(root.path().join("a")).unwrap();
        notices(&mut watch, "removed").await;
    }
}

#[tokio::test]
async fn a_change_between_two_calls_or_in_one_that_is_dropped_is_not_missed() {
    let (_dir, file) = directory();
    let mut watch = watch(&file).await;
    fs::write(&file, "two").unwrap();
    {
        let mut changed = pin!(watch.changed());
        let mut poll =
            async || poll_fn(|context| Poll::Ready(changed.as_mut().poll(context))).await;
        assert!(poll().await.is_pending(), "nothing heard yet");
        sleep(SETTLE / 4).await;
        assert!(poll().await.is_pending(), "waits for the change to settle");
    }
    notices(&mut watch, "before the call was dropped").await;
    fs::write(&file, "three").unwrap();
    notices(&mut watch, "between the calls").await;
}

#[tokio::test]
async fn neighbours_of_a_file_wake_nobody_and_many_changes_are_one() {
    let (dir, file) = directory();
    let mut watch = watch(&file).await;
    for number in 0..100 {
        fs::write(dir.path().join(format!("{number}")), "").unwrap();
    }
    notices_nothing(&mut watch, "neighbours").await;
    for _ in 0..50 {
        fs::write(&file, "again").unwrap();
    }
    notices(&mut watch, "many changes").await;
    notices_nothing(&mut watch, "the same again").await;
}

#[tokio::test]
async fn a_file_that_is_written_all_the_time_is_looked_at_all_the_same() {
    let (_dir, file) = directory();
    let mut watch = watch(&file).await;
    let writing = async {
        loop {
            fs::write(&file, "again").unwrap();
            sleep(SETTLE / 4).await;
        }
    };
    tokio::select! {
        () = writing => {}
        () = notices(&mut watch, "all the time") => {}
    }
}

#[tokio::test]
async fn without_a_watch_it_is_said_once_and_looked_every_so_often() {
    let log = Log::begin();
    let none_left = |_: &[PathBuf]| Err(none_left(&Errno::NOSPC.into()));
    let every = Duration::from_millis(10);
    let mut watch = Watch::with(vec!["key".into()], none_left, every);
    for _ in 0..3 {
        notices(&mut watch, "the poll").await;
    }
    assert_eq!(log.text().matches("no inotify watch left").count(), 1);
}

#[tokio::test]
async fn a_disk_that_hangs_keeps_the_watch_from_being_laid_and_holds_up_nobody() {
    static DISK: Mutex<()> = Mutex::const_new(());
    let log = Log::begin();
    let (_dir, file) = directory();
    let hangs = DISK.lock().await;
    let after_disk = |paths: &[PathBuf]| {
        drop(DISK.blocking_lock());
        lay(paths)
    };
    let mut watch = Watch::with(vec![file.clone()], after_disk, Duration::from_millis(10));
    watch.disk = Disk::waited_for(Duration::from_millis(50));
    for _ in 0..3 {
        notices(&mut watch, "the poll").await;
        assert!(watch.armed.is_none());
    }
    assert_eq!(log.text().matches("the disk did not answer").count(), 1);
    drop(hangs);
    while watch.armed.is_none() {
        notices(&mut watch, "the poll").await;
    }
}

#[tokio::test]
async fn what_changes_before_the_watch_is_laid_is_noticed() {
    let (_dir, file) = directory();
    let mut watch = Watch::with(vec![file.clone()], lay, Duration::from_secs(3_600));
    fs::write(&file, "two").unwrap();
    notices(&mut watch, "before").await;
}

#[tokio::test(start_paused = true)]
async fn it_is_looked_twice_a_minute_though_nothing_is_told() {
    let (_dir, file) = directory();
    let mut watch = Watch::new(vec![file]);
    notices(&mut watch, "that nobody looked before").await;
    for _ in 0..2 {
        assert!(timeout(POLL_EVERY - SETTLE, watch.changed()).await.is_err(), "too soon");
        notices(&mut watch, "the poll").await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_files_there_is_nothing_to_look_at() {
    let never = timeout(10 * POLL_EVERY, async { Watch::new(vec![]).changed().await }).await;
    assert!(never.is_err());
}
