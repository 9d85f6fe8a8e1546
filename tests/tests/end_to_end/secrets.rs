//! The secret is where it must be and nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

use tests::fleet::Load;
use tests::metrics::get;
use tidegate::rehearsal::stream::Key;

use super::world::World;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLE/TOKEN//////////+of/a/session=";

const ROLE: &str = "arn:aws:iam::000000000000:role/writer";

/// Pieces of a secret that must not be found: any eight characters of it, as they are, in base64, in
/// a URL, and in quotes.
pub(super) fn pieces(secret: &str) -> Vec<String> {
    let letters: Vec<_> = secret.chars().collect();
    let plain = letters.windows(8).map(|piece| piece.iter().collect::<String>());
    let base64: String = data_encoding::BASE64.encode(secret.as_bytes()).chars().take(16).collect();
    let in_url: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    plain.chain([base64, in_url]).collect()
}

/// All files below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("a readable directory");
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn secret_and_token_of_a_key_are_nowhere_but_in_its_file() {
    let world = World::new().await.with_metrics();
    let file = world.gateway.dir().join("key");
    let settings = format!(
        "aws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n"
    );
    fs::write(&file, settings).expect("a writable directory");
    let key = Key { session_token: Some(TOKEN.to_owned()), ..Key::new(SECRET) };
    world.stream.account(|account| account.enter(ID, key));
    let mut world = world.set("stream.credentials.kind", "\"static_file\"");
    world.gateway = world
        .gateway
        .set_path("stream.credentials.file", &file)
        .set_variable("RUST_LOG", "trace")
        // What an operator might try, to see more.
        .set_variable("LOG_SENSITIVE_BODIES", "true");
    let run = world.gateway.start().await;
    let url = run.field("metrics are served", "url").await;
    let load = Load::new(200, 500);
    let published = load.publish(world.broker.port).await;
    world.all_arrive(&published).await;
    // Trouble says most.
    world.stream.account(|account| account.revoke(ID));
    let more = Load { first_seq: 200, ..load };
    more.publish(world.broker.port).await;
    run.says("no key is accepted").await;
    fs::write(&file, format!("aws_access_key_id = {ID}\naws_secret_access_key = {SECRET} {TOKEN}"))
        .expect("a writable directory");
    run.says("no key can be had").await;
    let page = get(url.as_str().expect("a URL")).await;
    let ended = run.stop().await;

    let mut texts =
        vec![("the log".to_owned(), ended.log.join("\n")), ("the page".to_owned(), page)];
    for path in files(world.gateway.dir()).into_iter().filter(|path| *path != file) {
        let bytes = fs::read(&path).expect("readable");
        texts.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    assert!(texts.iter().any(|(name, _)| name.ends_with(".log") || name.contains("spool")));
    assert!(texts[0].1.contains("TRACE"), "it is as loud as it can be");
    for (name, text) in &texts {
        assert!(!text.contains(ID), "{name} holds all of the id");
        for piece in [SECRET, TOKEN].into_iter().flat_map(pieces) {
            assert!(!text.contains(&piece), "{name} holds {piece:?} of a secret");
        }
    }
}

/// Ways to a key, each by a session whose secret is wrong: of a stream that refuses it, and of a token
/// service that does, asked by us and by the SDK.
#[derive(Debug, Clone, Copy)]
enum Way {
    Itself,
    Role,
    RoleOfAProfile,
}

/// What says it, of the files `key` and `profiles` in `dir`.
fn settings(way: Way, dir: &Path, sts: &str) -> Vec<(&'static str, String)> {
    let quoted = |text: &str| format!("{text:?}");
    let path = |name: &str| format!("{:?}", dir.join(name));
    match way {
        Way::Itself => vec![("kind", quoted("static_file")), ("file", path("key"))],
        Way::Role => vec![
            ("kind", quoted("assume_role")),
            ("role_arn", quoted(ROLE)),
            ("base", format!("{{ kind = \"static_file\", file = {} }}", path("key"))),
            ("sts_endpoint", quoted(sts)),
        ],
        Way::RoleOfAProfile => vec![
            ("kind", quoted("file")),
            ("path", path("profiles")),
            ("profile", quoted("writer")),
        ],
    }
}

#[tokio::test]
async fn what_a_service_repeats_of_a_session_is_not_repeated_by_us() {
    for way in [Way::Itself, Way::Role, Way::RoleOfAProfile] {
        let mut world = World::new().await;
        let key = Key { session_token: Some(TOKEN.to_owned()), ..Key::new(SECRET) };
        world.stream.account(|account| account.enter(ID, key));
        let (dir, sts) = (world.gateway.dir().to_owned(), world.stream.endpoint());
        let wrong = SECRET.replace('w', "v");
        let key = format!(
            "aws_access_key_id = {ID}\naws_secret_access_key = {wrong}\naws_session_token = {TOKEN}\n"
        );
        let writer = format!("[writer]\nrole_arn = {ROLE}\nsource_profile = base\n");
        fs::write(dir.join("profiles"), format!("[base]\n{key}{writer}")).expect("writable");
        fs::write(dir.join("key"), key).expect("writable");
        for (name, value) in settings(way, &dir, &sts) {
            world = world.set(&format!("stream.credentials.{name}"), &value);
        }
        let gateway = world.gateway.set_variable("RUST_LOG", "trace");
        let gateway = gateway.set_variable("AWS_ENDPOINT_URL_STS", &sts);
        let run = gateway.start().await;
        Load::new(10, 500).publish(world.broker.port).await;
        run.says("does not match the signature you provided").await;
        let log = run.stop().await.log.join("\n");
        let checked = gateway.ask(&["check"]).await;
        assert!(checked.text.contains("does not match the signature"), "{checked:?}");
        for (name, text) in [("the log", log), ("check", checked.text + &checked.log)] {
            for piece in pieces(TOKEN) {
                assert!(!text.contains(&piece), "{way:?}: {name} holds {piece:?} of the token");
            }
        }
    }
}
