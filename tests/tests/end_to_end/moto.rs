//! Somebody else's token service, which computes every signature and looks into policies by itself.

use std::fs;
use std::path::PathBuf;

use tests::fleet::Load;
use tests::installation::Installation;
use tests::mosquitto::{Mosquitto, Settings};
use tests::moto::{Moto, User};
use tests::patience::in_time;
use tests::reading::{Comparison, Reading};

use super::world::PROGRAM;

/// A broker, moto, and a gateway between them whose user may assume a role.
struct Place {
    broker: Mosquitto,
    moto: Moto,
    gateway: Installation,
    user: User,
    csv: PathBuf,
}

impl Place {
    /// The gateway says `said` where the role demands the external id `agreed`.
    async fn new(said: &str) -> Self {
        let broker = Mosquitto::start(Settings::patient()).await;
        let moto = Moto::start(4).await;
        let user = moto.guard("agreed");
        let gateway = Installation::new(PROGRAM, &broker.url(), &moto.endpoint());
        let csv = gateway.dir().join("accessKeys.csv");
        let base = format!("{{ kind = \"csv\", file = {:?} }}", csv.display().to_string());
        let gateway = gateway
            .without_variables()
            .set("stream.credentials.kind", "\"assume_role\"")
            .set("stream.credentials.role_arn", &format!("{:?}", user.role_arn))
            .set("stream.credentials.external_id", &format!("{said:?}"))
            .set("stream.credentials.sts_endpoint", &format!("{:?}", moto.endpoint()))
            .set("stream.credentials.base", &base);
        let place = Self { broker, moto, gateway, user, csv };
        place.write_key(&place.user.secret);
        place
    }

    /// Puts the key of the user into the file, with this secret.
    fn write_key(&self, secret: &str) {
        let text = format!("Access key ID,Secret access key\r\n{},{secret}\r\n", self.user.id);
        fs::write(&self.csv, text).expect("a writable directory");
    }

    /// No key can be had; what is published waits.
    async fn refuses(&self) -> Vec<Reading> {
        let run = self.gateway.start().await;
        let published = Load::new(100, 1_000).publish(self.broker.port).await;
        let why = run.field("no key can be had", "why").await;
        let why = why.as_str().expect("a text");
        // It says why in a form of its own, which is not that of AWS.
        assert!(why.contains("STS: HTTP 403"), "{why}");
        run.kill().await;
        published
    }

    /// What waits is delivered.
    async fn delivers(&self, published: &[Reading]) {
        let mut delivered = 0;
        // A stop leaves with the broker what it had not sent yet.
        while delivered < published.len() as u64 {
            let run = self.gateway.start().await;
            run.says("calls are signed with this key").await;
            delivered += run.stop().await.books().delivered;
        }
        self.moto.unguard();
        let records = self.moto.records().await;
        let arrived: Vec<_> =
            records.iter().map(|data| Reading::of_record(data).expect("a reading")).collect();
        assert_eq!(Comparison::of(published, &arrived), Comparison::default());
    }
}

#[tokio::test]
async fn moto_refuses_a_wrong_secret() {
    let place = Place::new("agreed").await;
    let swapped: String = place.user.secret.chars().rev().collect();
    place.write_key(&swapped);
    let published = place.refuses().await;
    place.write_key(&place.user.secret);
    in_time("all is delivered", place.delivers(&published)).await;
}

#[tokio::test]
async fn moto_refuses_a_wrong_external_id() {
    let mut place = Place::new("mistaken").await;
    let published = place.refuses().await;
    place.gateway = place.gateway.set("stream.credentials.external_id", "\"agreed\"");
    in_time("all is delivered", place.delivers(&published)).await;
}
