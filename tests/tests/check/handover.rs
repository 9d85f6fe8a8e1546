//! The README's page on handing over a key, done step by step as it says.

use std::fs;
use std::path::Path;

use tests::aws::{self, KEY_ID, SECRET};
use tests::mosquitto::{self, Mosquitto};
use tests::{process, root};
use tidegate::rehearsal::stream::{Action, Key, LocalStream, Permissions, Settings};

/// What of the page is elsewhere here: its account, its directory and its broker.
struct Ours<'p> {
    place: &'p Path,
    broker: String,
}

impl Ours<'_> {
    /// The page's blocks in one language, in order.
    fn blocks(&self, language: &str) -> Vec<String> {
        let readme =
            fs::read_to_string(root().join("README.md")).expect("the project has a README");
        let page = readme.split("\n## ").find(|section| section.starts_with("Hand over a key"));
        let page = page.expect("a page on handing over a key");
        let begins = format!("```{language}\n");
        let texts = page.split(&begins).skip(1);
        texts.map(|block| self.elsewhere(block.split("```").next().unwrap_or_default())).collect()
    }

    fn elsewhere(&self, text: &str) -> String {
        text.replace("123456789012", ACCOUNT)
            .replace("/etc/", &format!("{}/etc/", self.place.display()))
            .replace("mqtt://127.0.0.1:1883", &self.broker)
    }

    /// Runs a block, with the program and a stand-in for the AWS CLI in the path.
    async fn run(&self, block: &str) -> String {
        let mut shell = process::command("sh");
        shell
            .args(["-euc", block])
            .current_dir(self.place)
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", self.place.display()))
            .env("ACCOUNT", ACCOUNT);
        let output = tokio::task::spawn_blocking(move || shell.output());
        let output = output.await.expect("it does not panic").expect("every Unix has a shell");
        let said = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{block}:\n{said}{text}");
        text
    }
}

/// The account of the local stream.
const ACCOUNT: &str = "000000000000";

/// The nth key that the stand-in makes.
fn key_id(nth: usize) -> String {
    KEY_ID.replace('7', &(6 + nth).to_string())
}

#[tokio::test]
async fn key_that_is_handed_over_and_replaced_as_the_readme_says_is_one_that_works() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let dir = place.path();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_gateway"), dir.join("tidegate")).expect("new");
    std::os::unix::fs::symlink(root().join("configs"), dir.join("configs")).expect("new");
    aws::install(dir);
    let broker = Mosquitto::start(mosquitto::Settings::patient()).await;
    let named = Settings {
        name: "pumps".to_owned(),
        region: "eu-central-1".to_owned(),
        ..Settings::default()
    };
    let stream = LocalStream::start(named).await.expect("a free port");
    let ours = Ours { place: dir, broker: broker.url() };

    let [written] = &ours.blocks("toml")[..] else { panic!("one configuration") };
    let here = format!("[stream]\nendpoint = \"{}\"\n", stream.endpoint());
    fs::write(dir.join("pumps.toml"), written.replace("[stream]\n", &here)).expect("writable");
    let [ask, create, check, renew, retire] = &ours.blocks("sh")[..] else { panic!("five steps") };
    // The local stream is none of AWS's endpoints, so that it is vouched for.
    let check = check.replace("--config", "--trust-dry-run --config");

    ours.run(ask).await;
    ours.run(create).await;
    // Replaced twice, because a user has two keys at most: one that is not deleted is in the way.
    for nth in 1..=3 {
        // What was done in the account.
        let permissions = Permissions::of(&[Action::PutRecords]);
        let key = Key { permissions, ..Key::new(SECRET) };
        stream.account(|account| account.enter(key_id(nth), key));
        let report = ours.run(&check).await;
        assert!(report.contains("connection available"), "{report}");
        let uses = stream.account(|account| account.key(&key_id(nth)).map(|key| key.uses));
        assert!(uses > Some(0), "it is signed with the key that was put in place last");
        if nth > 1 {
            ours.run(&retire.replace(KEY_ID, &key_id(nth - 1))).await;
        }
        ours.run(renew).await;
    }
    assert_eq!(stream.counts().records, 0, "a check stores nothing");
}
