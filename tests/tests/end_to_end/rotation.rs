//! The key is replaced while the gateway runs.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use tests::fleet::{Load, Message, publish};
use tests::installation::Run;
use tests::reading::Reading;
use tidegate::rehearsal::stream::{Action, Key, Permissions, Settings};
use tokio::time::{sleep, timeout};

use super::world::World;

/// The promise: no rotation causes a longer pause.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// At 500 readings a second for eight seconds.
fn load() -> Load {
    Load::new(4_000, 500)
}

/// A key of a user who may only put, by its number.
struct UserKey {
    id: String,
    secret: String,
}

impl UserKey {
    fn new(number: u32) -> Self {
        Self { id: format!("AKIAIOSFODNN7{number:07}"), secret: format!("{number:a>40}") }
    }

    /// The file that the console offers.
    fn csv(&self) -> String {
        format!("\u{feff}Access key ID,Secret access key\r\n{},{}\r\n", self.id, self.secret)
    }
}

/// A gateway with a csv file, and an account.
struct Rotation {
    world: World,
    file: PathBuf,
}

impl Rotation {
    async fn new() -> Self {
        let world = World::new().await;
        let file = world.gateway.dir().join("accessKeys.csv");
        let path = format!("{:?}", file.display().to_string());
        let world =
            world.set("stream.credentials.kind", "\"csv\"").set("stream.credentials.file", &path);
        Self { world, file }
    }

    /// The account knows the key from now on.
    fn create(&self, key: &UserKey) {
        let permissions = Permissions::of(&[Action::PutRecords]);
        let entered = Key { permissions, ..Key::new(&key.secret) };
        self.world.stream.account(|account| account.enter(&key.id, entered));
    }

    fn revoke(&self, key: &UserKey) {
        self.world.stream.account(|account| account.revoke(&key.id));
    }

    /// How many calls it signed.
    fn uses(&self, key: &UserKey) -> u64 {
        self.world.stream.account(|account| account.key(&key.id).map_or(0, |key| key.uses))
    }

    /// Puts a file in the place of the other, as careful tools do.
    fn replace(&self, text: &str) {
        let new = self.file.with_extension("new");
        fs::write(&new, text).expect("a writable directory");
        fs::rename(&new, &self.file).expect("on the same file system");
    }

    /// The longest that nothing was stored, between the first record and the last; `--nocapture` shows
    /// it.
    #[expect(clippy::print_stderr, reason = "a figure for who asks for it")]
    fn longest_pause(&self) -> Duration {
        let records = self.world.stream.records();
        let pauses = records.windows(2).map(|two| match two {
            [one, other] => other.arrival.instant.saturating_duration_since(one.arrival.instant),
            _ => Duration::ZERO,
        });
        let longest = pauses.max().unwrap_or_default();
        eprintln!("the longest pause is {} ms", longest.as_millis());
        longest
    }

    /// One that runs with this key.
    async fn begun_with(key: &UserKey) -> (Self, Run) {
        let rotation = Self::new().await;
        rotation.create(key);
        rotation.replace(&key.csv());
        let run = rotation.world.gateway.start().await;
        (rotation, run)
    }

    /// Readings flow, `change` happens when a quarter of them is stored, and all arrive.
    async fn under_load(&self, change: impl Future<Output = ()>) {
        let load = load();
        let changed = async {
            self.world.stored(load.readings / 4).await;
            change.await;
        };
        let (published, ()) = tokio::join!(load.publish(self.world.broker.port), changed);
        self.is_whole(&published).await;
    }

    /// All of `published` is in the stream, once and in order.
    async fn is_whole(&self, published: &[Reading]) {
        let comparison = self.world.all_arrive(published).await;
        assert_eq!((comparison.duplicated, comparison.overtook), (0, 0));
    }
}

#[tokio::test]
async fn key_that_is_replaced_under_load_and_revoked_loses_nothing_and_pauses_nothing() {
    let [old, new] = [1, 2].map(UserKey::new);
    let (rotation, run) = Rotation::begun_with(&old).await;
    let change = async {
        rotation.create(&new);
        rotation.replace(&new.csv());
        run.says_times("calls are signed with this key", 2).await;
        rotation.revoke(&old);
    };
    rotation.under_load(change).await;
    let pause = rotation.longest_pause();
    assert!(pause < PAUSE_MAX, "nothing was stored for {pause:?}");
    assert!(rotation.uses(&old) > 0 && rotation.uses(&new) > 0);
    assert_eq!(run.times_said("refuses us"), 0);
    let books = run.stop().await.books();
    assert_eq!((books.delivered, books.retried), (4_000, 0));
}

#[tokio::test]
async fn old_key_that_is_revoked_before_the_new_one_is_there_keeps_everything_until_it_is() {
    let [old, new] = [1, 2].map(UserKey::new);
    let (rotation, run) = Rotation::begun_with(&old).await;
    let change = async {
        rotation.revoke(&old);
        run.says("no key is accepted").await;
        sleep(Duration::from_secs(3)).await;
        rotation.create(&new);
        let before = rotation.world.stream.counts().records;
        rotation.replace(&new.csv());
        let stored = timeout(PAUSE_MAX, rotation.world.stored(before + 1));
        stored.await.expect("the new key is used at once");
    };
    rotation.under_load(change).await;
    let books = run.stop().await.books();
    assert_eq!(books.delivered, 4_000);
}

#[tokio::test]
async fn new_key_that_the_service_does_not_know_yet_waits_behind_the_old_one() {
    let [old, new] = [1, 2].map(UserKey::new);
    let (rotation, run) = Rotation::begun_with(&old).await;
    let change = async {
        rotation.replace(&new.csv());
        run.says("the new key is refused").await;
        rotation.create(&new);
    };
    rotation.under_load(change).await;
    let pause = rotation.longest_pause();
    assert!(pause < PAUSE_MAX, "nothing was stored for {pause:?}");
    assert_eq!(run.times_said("refuses us"), 0);
    assert_eq!(run.stop().await.books().delivered, 4_000);
}

#[tokio::test]
async fn file_that_is_no_key_changes_nothing_and_is_said() {
    let old = UserKey::new(1);
    let (rotation, run) = Rotation::begun_with(&old).await;
    let change = async {
        rotation.replace("Access key ID,Secret access key\r\nAKIA");
        run.says("no key can be had").await;
        fs::remove_file(&rotation.file).expect("it is there");
        run.says_times("no key can be had", 2).await;
    };
    rotation.under_load(change).await;
    assert!(rotation.longest_pause() < PAUSE_MAX);
    let ended = run.stop().await;
    assert!(ended.log.iter().all(|line| !line.contains(&old.secret) && !line.contains(&old.id)));
    assert_eq!(ended.books().delivered, 4_000);
}

#[tokio::test]
async fn gateway_that_starts_without_a_key_keeps_everything_and_delivers_when_one_is_there() {
    for is_there in [true, false] {
        let key = UserKey::new(1);
        let rotation = Rotation::new().await;
        rotation.create(&key);
        if is_there {
            rotation.replace("\n");
        }
        let run = rotation.world.gateway.start().await;
        let given = async {
            run.says("no key can be had").await;
            sleep(Duration::from_secs(2)).await;
            rotation.replace(&key.csv());
        };
        let load = Load::new(1_000, 500);
        let (published, ()) = tokio::join!(load.publish(rotation.world.broker.port), given);
        rotation.is_whole(&published).await;
        assert_eq!(run.stop().await.books().delivered, 1_000);
    }
}

#[tokio::test]
async fn letters_stream_that_the_key_may_not_use_says_nothing_of_the_key() {
    let key = UserKey::new(1);
    let mut rotation = Rotation::new().await;
    rotation.world = rotation.world.set("dead_letter.stream", "\"letters\"");
    let settings = Settings { name: "letters".to_owned(), ..Settings::default() };
    let letters = rotation.world.stream.beside(settings);
    rotation.create(&key);
    let own = rotation.world.stream.arn();
    rotation.world.stream.account(|account| {
        account.key(&key.id).expect("created").permissions.streams = Some(vec![own]);
    });
    rotation.replace(&key.csv());
    let run = rotation.world.gateway.start().await;
    let bad = Message::new("sites/a/devices/1/telemetry", "not JSON");
    publish(rotation.world.broker.port, [bad]).await;
    run.says("refuses us").await;
    let published = Load::new(500, 500).publish(rotation.world.broker.port).await;
    rotation.is_whole(&published).await;
    assert_eq!(run.times_said("no key is accepted"), 0);
    assert_eq!(letters.counts().records, 0);
    let ended = run.stop().await;
    let ledger = ended.ledger.expect("a ledger is logged at every stop");
    assert_eq!((ledger.delivered, ledger.dead_lettered), (500, 1));
}
