//! The README's page on handing over a key, done step by step as it says.

use std::fs;
use std::path::Path;

use tests::aws::{self, KEY_ID, SECRET};
use tests::mosquitto::{self, Mosquitto};
use tests::{process, root};
use tidegate::rehearsal::stream::{Action, Key, LocalStream, Permissions, Settings};

/// The account that the page speaks of, and that of the local stream.
const ACCOUNTS: (&str, &str) = ("123456789012", "000000000000");

/// Its blocks in one language, in order, with a directory and an account of ours in the place of its
/// own.
fn blocks(language: &str, etc: &Path) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("the project has a README");
    let page = readme.split("\n## ").find(|section| section.starts_with("Hand over a key"));
    let page = page.expect("a page on handing over a key");
    let begins = format!("```{language}\n");
    let texts =
        page.split(&begins).skip(1).map(|block| block.split("```").next().unwrap_or_default());
    let etc = etc.display().to_string();
    let ours = |text: &str| text.replace("/etc/tidegate", &etc).replace(ACCOUNTS.0, ACCOUNTS.1);
    texts.map(ours).collect()
}

/// Runs a block in `dir`, with the program and a stand-in for the AWS CLI in the path.
async fn run(dir: &Path, block: &str) -> String {
    let mut shell = process::command("sh");
    shell
        .args(["-euc", block])
        .current_dir(dir)
        .env("PATH", format!("{}:/usr/sbin:/usr/bin:/bin", dir.display()))
        .env("ACCOUNT", ACCOUNTS.1);
    let output = tokio::task::spawn_blocking(move || shell.output());
    let output = output.await.expect("it does not panic").expect("every Unix has a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{block}:\n{said}{text}");
    text
}

#[tokio::test]
async fn key_that_is_handed_over_as_the_readme_says_is_one_that_works() {
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

    let [written] = &blocks("toml", dir)[..] else { panic!("one configuration") };
    let here = format!("[stream]\nendpoint = \"{}\"\n", stream.endpoint());
    let config = format!(
        "{}\n[spool]\nbytes_max = \"64 MiB\"\n[mqtt]\nurl = \"{}\"\nclient_id = \"edge-1\"\n\
         topics = [\"a/#\"]\n",
        written.replace("[stream]\n", &here),
        broker.url()
    );
    fs::write(dir.join("pumps.toml"), config).expect("a writable directory");
    let [ask, create, check, switch_off] = &blocks("sh", dir)[..] else { panic!("four steps") };

    run(dir, ask).await;
    run(dir, create).await;
    // What the script has done in the account.
    let permissions = Permissions::of(&[Action::PutRecords]);
    stream.account(|account| {
        account.enter(KEY_ID, Key { permissions, ..Key::new(SECRET) });
    });
    // The local stream is none of AWS's endpoints, so that it is vouched for.
    let report = run(dir, &check.replace("--config", "--trust-dry-run --config")).await;
    assert!(report.contains("connection available"), "{report}");
    assert_eq!(stream.counts().records, 0, "a check stores nothing");
    run(dir, switch_off).await;
    let called = fs::read_to_string(dir.join("called")).expect("it notes how it is called");
    assert!(called.contains("create-stream") && called.contains("Inactive"), "{called}");
}
