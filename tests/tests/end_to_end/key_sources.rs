//! Every kind of `[stream.credentials]`, through the program: what it gives, what it says when it
//! gives nothing, and that readings wait for it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tests::fleet::Load;
use tests::installation::{Installation, Run};
use tests::reading::Comparison;
use tidegate::rehearsal::stream::Key;
use tokio::time::timeout;

use super::secrets::pieces;
use super::world::World;

mod instances;
mod roles;

const ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const ROLE: &str = "arn:aws:iam::000000000000:role/writer";

/// Instance metadata is given up after six seconds and the token service after eight; this machine may
/// be busy.
const TOLD_WITHIN: Duration = Duration::from_secs(12);

/// A gateway in whose environment is nothing, and an account with one key.
struct Account {
    world: World,
}

impl Account {
    async fn new() -> Self {
        let mut world = World::new().await.set("stream.backoff_ms_max", "500");
        world.stream.account(|account| account.enter(ID, Key::new(SECRET)));
        world.gateway = world
            .gateway
            .without_variables()
            // Nothing of the developer's, and no metadata of a machine in a cloud.
            .set_variable("HOME", "/nonexistent")
            .set_variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9");
        Self { world }
    }

    fn with(mut self, configure: impl FnOnce(Installation) -> Installation) -> Self {
        self.world.gateway = configure(self.world.gateway);
        self
    }

    /// Says a key of `[stream.credentials]`.
    fn set(self, key: &str, value: &str) -> Self {
        let value =
            if value.starts_with(['{', '[', '"']) { value.to_owned() } else { quoted(value) };
        self.with(|gateway| gateway.set(&format!("stream.credentials.{key}"), &value))
    }

    fn set_variable(self, name: &str, value: &str) -> Self {
        self.with(|gateway| gateway.set_variable(name, value))
    }

    /// A file of the gateway's, for nobody else.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.world.gateway.dir().join(name);
        fs::write(&path, text).expect("a writable directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own");
        path
    }

    /// The usual file of settings is on a disk that hangs: a pipe into which nobody writes.
    fn without_settings(self) -> Self {
        let pipe = self.world.gateway.dir().join("config").display().to_string();
        mkfifo(&pipe);
        self.set_variable("AWS_CONFIG_FILE", &pipe)
    }

    /// Readings pass, and calls are signed with a key whose id begins so.
    async fn signs_with(&self, id: &str) {
        let run = self.world.gateway.start().await;
        self.passes(run, id).await;
    }

    async fn passes(&self, run: Run, id: &str) {
        let published = Load::new(100, 1_000).publish(self.world.broker.port).await;
        assert_eq!(self.world.all_arrive(&published).await, Comparison::default());
        assert!(self.uses(id) > 0, "{id} signed nothing");
        run.stop().await.books();
    }

    /// There is no key, for a reason that the log tells by all of `texts`, in time; readings wait, and
    /// pass when `mend` has seen to a key whose id begins so.
    async fn waits_until(&self, texts: &[&str], id: &str, mend: impl AsyncFnOnce()) {
        let run = self.world.gateway.start().await;
        let told = timeout(TOLD_WITHIN, run.says("no key can be had")).await;
        assert!(told.is_ok(), "nothing is told within {TOLD_WITHIN:?}");
        let why = run.field("no key can be had", "why").await;
        let why = why.as_str().expect("a text");
        assert!(texts.iter().all(|text| why.contains(text)), "{texts:?} are not in: {why}");
        assert!(!why.contains(SECRET), "{why}");
        let published = Load::new(100, 1_000).publish(self.world.broker.port).await;
        assert_eq!(self.world.stream.counts().records, 0);
        mend().await;
        assert_eq!(self.world.all_arrive(&published).await, Comparison::default());
        assert!(self.uses(id) > 0, "{id} signed nothing");
        run.stop().await.books();
    }

    /// How many calls were signed with keys whose id begins so.
    fn uses(&self, id: &str) -> u64 {
        self.world.stream.account(|account| {
            let keys = account.keys.iter().flatten();
            keys.filter(|(name, _)| name.starts_with(id)).map(|(_, key)| key.uses).sum()
        })
    }
}

fn mkfifo(path: &str) {
    assert!(Command::new("mkfifo").arg(path).status().expect("every Unix has it").success());
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn csv() -> String {
    format!("\u{feff}Access key ID,Secret access key\r\n{ID},{SECRET}\r\n")
}

fn settings() -> String {
    format!("aws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n")
}

#[tokio::test]
async fn files_of_every_kind_give_the_key() {
    for (kind, key, text) in [
        ("csv", "file", csv()),
        ("static_file", "file", settings()),
        ("file", "path", format!("[default]\n{}", settings())),
    ] {
        let account = Account::new().await.set("kind", kind);
        let path = account.write("key", &text).display().to_string();
        account.set(key, &path).signs_with(ID).await;
    }
    for text in [csv(), settings()] {
        let account = Account::new().await.set("kind", "systemd").set("id", "aws-key");
        let file = account.write("aws-key", &text);
        let directory = file.parent().expect("in a directory").display().to_string();
        account.set_variable("CREDENTIALS_DIRECTORY", &directory).signs_with(ID).await;
    }
}

#[tokio::test]
async fn settings_of_profiles_are_not_read_by_who_has_a_key_from_elsewhere() {
    let account = Account::new().await.set("kind", "csv").without_settings();
    let path = account.write("key", &csv()).display().to_string();
    account.set("file", &path).signs_with(ID).await;
}

#[tokio::test]
async fn environment_gives_the_key_and_says_what_is_missing() {
    let account = Account::new().await.set("kind", "env");
    let account = account.set_variable("AWS_ACCESS_KEY_ID", ID);
    let run = account.world.gateway.start().await;
    run.says("environment: has no key: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY").await;
    run.kill().await;
    account.set_variable("AWS_SECRET_ACCESS_KEY", SECRET).signs_with(ID).await;
}

#[tokio::test]
async fn profile_is_read_by_its_name_from_settings_and_keys_alike_and_again_when_it_changes() {
    for section in ["[profile telemetry]", "[telemetry]"] {
        let account = Account::new().await.set("kind", "file").set("profile", "telemetry");
        let path = account.write("profiles", "[default]\nregion = x\n").display().to_string();
        let account = account.set("path", &path);
        let there_is_none = ["profile telemetry in ", "there is no profile telemetry with a key"];
        let mend = async || {
            account.write("profiles", &format!("[default]\nregion = x\n{section}\n{}", settings()));
        };
        account.waits_until(&there_is_none, ID, mend).await;
    }
}

#[tokio::test]
async fn profile_that_needs_a_person_or_a_program_says_so() {
    for (profile, text) in [
        (
            "sso_start_url = https://x\nsso_region = us-east-1\nsso_account_id = 1\nsso_role_name = x",
            "SSO",
        ),
        ("credential_process = /bin/true", "kind = \"process\""),
    ] {
        let account = Account::new().await.set("kind", "file");
        let path = account.write("profiles", &format!("[profile default]\n{profile}\n"));
        let account = account.set("path", &path.display().to_string());
        let mend = async || {
            account.write("profiles", &format!("[default]\n{}", settings()));
        };
        account.waits_until(&[text], ID, mend).await;
    }
}

#[tokio::test]
async fn program_gives_the_key_and_its_failure_is_told_without_a_word_of_it() {
    let account = Account::new().await;
    let answer = format!(r#"{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}"}}"#);
    let program = account.write("program", &format!("echo {SECRET} >&2; exit 3"));
    let command = format!("[\"sh\", {}]", quoted(&program.display().to_string()));
    let account = account.set("kind", "process").set("command", &command);
    let mend = async || {
        account.write("program", &format!("echo {SECRET} >&2; echo '{answer}'"));
    };
    account.waits_until(&["sh: failed (exit status: 3)"], ID, mend).await;
}

#[tokio::test]
async fn key_with_which_no_call_can_be_signed_is_told_and_the_program_asked_again() {
    let account = Account::new().await.set("kind", "process");
    let answer = |token: &str| {
        format!(
            "cat <<'END'\n{{\"Version\":1,\"AccessKeyId\":\"{ID}\",\"SecretAccessKey\":\"{SECRET}\"{token}}}\nEND\n"
        )
    };
    let program = account.write("program", &answer(r#","SessionToken":"two\nlines""#));
    let command = format!("[\"sh\", {}]", quoted(&program.display().to_string()));
    let account = account.set("command", &command);
    let mend = async || {
        account.write("program", &answer(""));
    };
    account.waits_until(&["Session token: must be printable ASCII"], ID, mend).await;
}

#[tokio::test]
async fn session_that_ends_is_replaced_before_it_does() {
    let account = Account::new().await;
    let session = |number: usize| format!("ASIASESSION{number}");
    for number in 0..20 {
        let key = Key { session_token: Some("token".to_owned()), ..Key::new(SECRET) };
        account.world.stream.account(|account| account.enter(session(number), key));
    }
    // Each answer is of another session, of four seconds: it is asked for the next one after two.
    let script = format!(
        r#"n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) > n
        echo "{{\"Version\":1,\"AccessKeyId\":\"ASIASESSION$n\",\"SecretAccessKey\":\"{SECRET}\",
        \"SessionToken\":\"token\",\"Expiration\":\"$(date -u -d '+4 sec' +%FT%TZ)\"}}""#
    );
    let program = account.write("program", &script).display().to_string();
    let command = format!("[\"sh\", {}]", quoted(&program));
    let account = account.set("kind", "process").set("command", &command);
    let run = account.world.gateway.start().await;
    let ends = async {
        for number in 0..4 {
            run.says_times("calls are signed with this key", number + 1).await;
            account.world.stream.account(|account| {
                let key = account.key(&session(number)).expect("entered");
                key.expires = Some(Timestamp::now() + SignedDuration::from_secs(4));
            });
        }
    };
    let load = Load::new(1_000, 100);
    let (published, ()) = tokio::join!(load.publish(account.world.broker.port), ends);
    assert_eq!(account.world.all_arrive(&published).await, Comparison::default());
    assert_eq!(account.world.stream.counts().requests_refused, 0);
    assert!((0..4).all(|number| account.uses(&session(number)) > 0));
    run.stop().await.books();
}

#[tokio::test]
async fn profile_keeps_its_secrets() {
    let account = Account::new().await.set("kind", "file");
    let path = account.write("profiles", &format!("[default]\n{}", settings()));
    keeps_its_secrets(account.set("path", &path.display().to_string())).await;
}

/// However loud the log is, it holds no piece of a secret, and of no id all.
async fn keeps_its_secrets(account: Account) {
    let account = account
        .set_variable("RUST_LOG", "trace")
        // What an operator might try, to see more.
        .set_variable("LOG_SENSITIVE_BODIES", "true");
    let run = account.world.gateway.start().await;
    let published = Load::new(100, 1_000).publish(account.world.broker.port).await;
    account.world.all_arrive(&published).await;
    let log = run.stop().await.log.join("\n");
    assert!(log.contains("TRACE"), "it is as loud as it can be");
    let (ids, secrets): (Vec<_>, Vec<_>) = account.world.stream.account(|account| {
        let keys = account.keys.iter().flatten();
        keys.map(|(id, key)| (id.clone(), [Some(key.secret.clone()), key.session_token.clone()]))
            .unzip()
    });
    for id in ids {
        assert!(!log.contains(&id), "the log holds all of the id {id}");
    }
    let secrets: Vec<String> = secrets.into_iter().flatten().flatten().collect();
    for piece in secrets.iter().flat_map(|secret| pieces(secret)) {
        assert!(!log.contains(&piece), "the log holds {piece:?} of a secret");
    }
}
