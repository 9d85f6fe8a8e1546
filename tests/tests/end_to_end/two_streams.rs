//! Two streams of two owners, each with its key: what troubles one holds back nothing of the other.

use std::path::PathBuf;

use tests::fleet::Load;
use tests::installation::Installation;
use tests::mosquitto::{Mosquitto, Settings};
use tests::patience::{PATIENCE, in_time};
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{self, Action, Key, LocalStream, Permissions, StoredRecord};
use tokio::time::timeout;

use super::world::PROGRAM;

mod trouble;

/// The streams, each for one site.
const NAMES: [&str; 2] = ["north", "south"];

/// A broker, two streams and a gateway between them.
struct Streams {
    broker: Mosquitto,
    north: LocalStream,
    south: LocalStream,
    gateway: Installation,
}

impl Streams {
    async fn new() -> Self {
        Self::with(Settings::patient(), "").await
    }

    /// `lines` are said of both streams.
    async fn with(broker: Settings, lines: &str) -> Self {
        let broker = Mosquitto::start(broker).await;
        let start = async |name: &str| {
            let settings =
                stream::Settings { name: name.to_owned(), ..stream::Settings::default() };
            LocalStream::start(settings).await.expect("a free port")
        };
        let (north, south) = (start("north").await, start("south").await);
        let gateway = Installation::new(PROGRAM, &broker.url(), "").without_variables();
        let streams = Self { broker, north, south, gateway };
        let site = |index: usize| format!("route.topics = ['sites/{}/#']\n{lines}", index + 1);
        let tables = [0, 1].map(|index| streams.table(index, &site(index)));
        for (index, stream) in [&streams.north, &streams.south].into_iter().enumerate() {
            let (id, secret) = key(index);
            std::fs::write(key_file(&streams.gateway, index), csv(&id, &secret)).expect("writable");
            let permissions = Permissions::of(&[Action::PutRecords]);
            let key = Key { permissions, ..Key::new(&secret) };
            stream.account(|account| account.enter(&id, key));
        }
        Self { gateway: streams.gateway.with_streams(&tables), ..streams }
    }

    /// The table of a stream, with its key, and `lines`.
    fn table(&self, index: usize, lines: &str) -> String {
        let endpoint = [&self.north, &self.south][index].endpoint();
        format!(
            "name = '{}'\nregion = 'us-east-1'\nendpoint = '{endpoint}'\nshards = 4\n\
             credentials = {{ kind = 'csv', file = 'key-{index}.csv' }}\n{lines}",
            NAMES[index]
        )
    }

    /// Configures the gateway.
    fn set(mut self, key: &str, value: &str) -> Self {
        self.gateway = self.gateway.set(key, value);
        self
    }

    /// Publishes a load, and gives what of it is for each stream.
    async fn publish(&self, load: &Load) -> [Vec<Reading>; 2] {
        let (north, south) =
            load.publish(self.broker.port).await.into_iter().partition(|one| one.device % 2 == 0);
        [north, south]
    }

    /// Waits until all of `published` is in its stream, and compares.
    async fn all_arrive(&self, published: &[Vec<Reading>; 2]) -> [Comparison; 2] {
        let [north, south] = published;
        [arrives(&self.north, north).await, arrives(&self.south, south).await]
    }
}

/// Waits until all of `published` is in `stream`, and compares.
async fn arrives(stream: &LocalStream, published: &[Reading]) -> Comparison {
    let compared = || Comparison::of(published, &readings(&stream.records()));
    let mut counted = 0;
    let all = async {
        while !compared().lost.is_empty() {
            counted = stream.reached(|counts| counts.records > counted).await.records;
        }
    };
    let in_time = timeout(PATIENCE, all).await;
    let compared = compared();
    assert!(in_time.is_ok(), "{} of {} lost", compared.lost.len(), published.len());
    compared
}

fn readings(records: &[StoredRecord]) -> Vec<Reading> {
    let reading = |data: &[u8]| Reading::of_record(data).expect("a record of a reading");
    records.iter().map(|record| reading(&record.data)).collect()
}

/// Waits until `stream` has stored so many records since its start.
async fn stored(stream: &LocalStream, records: u64) {
    let enough = |counts: &stream::Counts| counts.records >= records;
    in_time(&format!("{records} records are stored"), stream.reached(enough)).await;
}

/// Id and secret of the key of a stream.
fn key(index: usize) -> (String, String) {
    (format!("AKIAIOSFODNN7STREAM{index}"), format!("{index:s>40}"))
}

fn key_file(gateway: &Installation, index: usize) -> PathBuf {
    gateway.dir().join(format!("key-{index}.csv"))
}

/// The file that the console offers.
fn csv(id: &str, secret: &str) -> String {
    format!("Access key ID,Secret access key\r\n{id},{secret}\r\n")
}
