//! A broker, two streams of two owners, each with its key, and a gateway between them.

use tests::fleet::Load;
use tests::installation::Installation;
use tests::mosquitto::{Mosquitto, Settings};
use tests::patience::PATIENCE;
use tests::reading::{Comparison, Reading};
use tidegate::rehearsal::stream::{self, Action, Key, LocalStream, Permissions, StoredRecord};
use tokio::time::timeout;

use crate::world::PROGRAM;

/// Which of the streams: the first for one site, the second for the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    North,
    South,
}

/// A broker, two streams and a gateway between them.
pub(super) struct Streams {
    pub(super) broker: Mosquitto,
    pub(super) north: LocalStream,
    pub(super) south: LocalStream,
    pub(super) gateway: Installation,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::North => "north",
            Self::South => "south",
        }
    }

    fn site(self) -> u8 {
        match self {
            Self::North => 1,
            Self::South => 2,
        }
    }

    async fn stream(self) -> LocalStream {
        let name = self.name().to_owned();
        let settings = stream::Settings { name, ..stream::Settings::default() };
        LocalStream::start(settings).await.expect("a free port")
    }

    /// Gives the gateway a key that may only put to this stream.
    fn hand_over_key(self, stream: &LocalStream, gateway: &Installation) {
        let (id, secret) =
            (format!("AKIAIOSFODNN7SITE00{}", self.site()), format!("{:a>40}", self.name()));
        // As the console offers it.
        let csv = format!("Access key ID,Secret access key\r\n{id},{secret}\r\n");
        std::fs::write(gateway.dir().join(self.key_file()), csv).expect("writable");
        let permissions = Permissions::of(&[Action::PutRecords]);
        let key = Key { permissions, ..Key::new(&secret) };
        stream.account(|account| account.enter(&id, key));
    }

    fn key_file(self) -> String {
        format!("{}.csv", self.name())
    }
}

impl Streams {
    pub(super) async fn new() -> Self {
        let broker = Mosquitto::start(Settings::patient()).await;
        let (north, south) = (Side::North.stream().await, Side::South.stream().await);
        let gateway = Installation::new(PROGRAM, &broker.url(), "").without_variables();
        Side::North.hand_over_key(&north, &gateway);
        Side::South.hand_over_key(&south, &gateway);
        let streams = Self { broker, north, south, gateway };
        let tables = streams.tables();
        Self { gateway: streams.gateway.with_streams(&tables), ..streams }
    }

    /// The table of each stream, which takes what comes from its site.
    pub(super) fn tables(&self) -> [String; 2] {
        [Side::North, Side::South]
            .map(|side| self.table(side, &format!("route.topics = ['sites/{}/#']", side.site())))
    }

    /// The table of a stream, with its key, and `lines`.
    pub(super) fn table(&self, side: Side, lines: &str) -> String {
        let stream = match side {
            Side::North => &self.north,
            Side::South => &self.south,
        };
        let (name, endpoint, file) = (side.name(), stream.endpoint(), side.key_file());
        format!(
            "name = '{name}'\nregion = 'us-east-1'\nendpoint = '{endpoint}'\nshards = 4\n\
             credentials = {{ kind = 'csv', file = '{file}' }}\n{lines}"
        )
    }

    /// Configures the gateway.
    pub(super) fn set(mut self, key: &str, value: &str) -> Self {
        self.gateway = self.gateway.set(key, value);
        self
    }

    /// Publishes a load, and gives what of it is for each stream.
    pub(super) async fn publish(&self, load: &Load) -> [Vec<Reading>; 2] {
        let (north, south) =
            load.publish(self.broker.port).await.into_iter().partition(|one| one.device % 2 == 0);
        [north, south]
    }

    /// Waits until all of `published` is in its stream, and compares.
    pub(super) async fn all_arrive(&self, published: &[Vec<Reading>; 2]) -> [Comparison; 2] {
        let [north, south] = published;
        [arrives(&self.north, north).await, arrives(&self.south, south).await]
    }
}

/// Waits until all of `published` is in `stream`, and compares.
pub(super) async fn arrives(stream: &LocalStream, published: &[Reading]) -> Comparison {
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

pub(super) fn readings(records: &[StoredRecord]) -> Vec<Reading> {
    let reading = |data: &[u8]| Reading::of_record(data).expect("a record of a reading");
    records.iter().map(|record| reading(&record.data)).collect()
}
