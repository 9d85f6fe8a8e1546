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
