//! What a check looks at, and what it says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::installation::Installation;
use tests::mosquitto::{self, Mosquitto};
use tidegate::rehearsal::stream::{self, Key, LocalStream, Permissions};

/// The user's key.
pub(super) const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The console's file of it.
const CSV: &str = "accessKeys.csv";

/// A broker, a stream with an account and one key, and a gateway that has the console's file of it.
pub(super) struct World {
    pub(super) broker: Mosquitto,
    pub(super) stream: LocalStream,
    pub(super) gateway: Installation,
}

impl World {
    pub(super) async fn new() -> Self {
        let broker = Mosquitto::start(mosquitto::Settings::patient()).await;
        let stream = LocalStream::start(stream::Settings::default()).await.expect("a free port");
        let gateway =
            Installation::new(env!("CARGO_BIN_EXE_gateway"), &broker.url(), &stream.endpoint());
        stream.account(|account| account.enter(ID, Key::new(SECRET)));
        let world = Self { broker, stream, gateway };
        let endpoint = world.stream.endpoint();
        world
            .with_csv(&format!("Access key ID,Secret access key\n{ID},{SECRET}\n"))
            .set("spool.bytes_max", "\"64 MiB\"")
            .set_variable("AWS_ENDPOINT_URL_STS", &endpoint)
    }

    /// The gateway has this file of the console.
    pub(super) fn with_csv(self, text: &str) -> Self {
        self.write(CSV, text);
        let path = self.csv_path();
        self.with_source("csv").set_path("stream.credentials.file", &path)
    }

    /// Where that is.
    pub(super) fn csv_path(&self) -> PathBuf {
        self.gateway.dir().join(CSV)
    }

    /// The gateway's key comes from a source of this kind, of which nothing more is said.
    pub(super) fn with_source(mut self, kind: &str) -> Self {
        self.gateway = self.gateway.unset("stream.credentials.file");
        self.set("stream.credentials.kind", &format!("{kind:?}"))
    }

    pub(super) fn set(mut self, key: &str, value: &str) -> Self {
        self.gateway = self.gateway.set(key, value);
        self
    }

    pub(super) fn set_path(mut self, key: &str, path: &Path) -> Self {
        self.gateway = self.gateway.set_path(key, path);
        self
    }

    pub(super) fn set_variable(mut self, name: &str, value: &str) -> Self {
        self.gateway = self.gateway.set_variable(name, value);
        self
    }

    /// Records go to streams of these names, by their site, with the same key.
    pub(super) fn with_streams(self, names: &[&str]) -> Self {
        self.with_streams_of(names, "")
    }

    /// The same, where more is said of each.
    pub(super) fn with_streams_of(mut self, names: &[&str], more: &str) -> Self {
        let (endpoint, csv) = (self.stream.endpoint(), self.csv_path());
        let table = |name: &&str| {
            format!(
                "name = '{name}'\nregion = 'us-east-1'\nendpoint = '{endpoint}'\nshards = 4\n\
                 route.topics = ['sites/{name}/#']\n\
                 credentials = {{ kind = 'csv', file = '{}' }}\n{more}",
                csv.display()
            )
        };
        let tables: Vec<_> = names.iter().map(table).collect();
        self.gateway = self.gateway.with_streams(&tables);
        self
    }

    /// The key may do this and no more.
    pub(super) fn permitting(self, permissions: Permissions) -> Self {
        self.stream.account(|account| {
            account.key(ID).expect("entered").permissions = permissions;
        });
        self
    }

    /// A file of the gateway's, for its eyes alone.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.gateway.dir().join(name);
        fs::write(&path, text).expect("a writable directory");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
        path
    }

    /// What the check says. The local stream knows dry runs.
    pub(super) async fn check(&self) -> Told {
        self.check_with(&["--trust-dry-run"]).await
    }

    pub(super) async fn check_with(&self, flags: &[&str]) -> Told {
        let told = told(&self.gateway, flags).await;
        // Whatever goes wrong, it is not told to the world.
        assert!(!told.text.contains(SECRET) && !told.log.contains(SECRET), "{told:?}");
        assert!(!told.text.contains(ID) && !told.log.contains(ID), "{told:?}");
        told
    }
}

/// What a check says.
pub(super) async fn told(gateway: &Installation, flags: &[&str]) -> Told {
    let answered = gateway.ask(&[&["check", "--json"], flags].concat()).await;
    let json: Value = serde_json::from_str(&answered.text).expect("one JSON document");
    assert_eq!(json.get("exit_code").and_then(Value::as_i64), answered.code.map(i64::from));
    let told = Told { code: answered.code, json, text: answered.text, log: answered.log };
    told.is_complete();
    told
}

/// A report.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) code: Option<i32>,
    json: Value,
    text: String,
    log: String,
}

impl Told {
    fn steps(&self) -> &Vec<Value> {
        self.json.get("steps").and_then(Value::as_array).expect("steps")
    }

    /// Every step is there, and says what to do if it should.
    fn is_complete(&self) {
        let mut names: Vec<_> = self.steps().iter().map(|step| text(step, "name")).collect();
        // Of several streams, each has its own.
        names.dedup();
        let expected = [
            "configuration",
            "clock",
            "ca_bundle",
            "dns",
            "broker",
            "queue",
            "credentials",
            "stream",
            "description",
            "kms",
            "dead_letter_stream",
            "canary",
            "disk",
        ];
        assert_eq!(names, expected);
        for step in self.steps() {
            let wants_fix = ["warning", "failed"].contains(&text(step, "state"));
            assert_eq!(!text(step, "fix").is_empty(), wants_fix, "{step}");
        }
        let fails = self.steps().iter().any(|step| text(step, "state") == "failed");
        assert_eq!(self.code == Some(0), !fails);
        assert_eq!(self.json.get("available"), Some(&Value::Bool(!fails)));
    }

    /// `name` is in this state, and says all of `texts`, in what it says and in its fix.
    #[track_caller]
    pub(super) fn says(&self, name: &str, state: &str, texts: &[&str]) -> &Self {
        let step = self.steps().iter().find(|step| title(step) == name).expect("a step");
        assert_eq!(text(step, "state"), state, "{}", self.text);
        let words = format!("{}\n{}", text(step, "said"), text(step, "fix"));
        for text in texts {
            assert!(words.contains(text), "{name} does not say {text:?}:\n{words}");
        }
        self
    }

    /// Whether `name` is a warning that says `words`.
    pub(super) fn warns(&self, name: &str, words: &str) -> bool {
        let mut steps = self.steps().iter().filter(|step| text(step, "name") == name);
        steps.any(|step| text(step, "state") == "warning" && text(step, "said").contains(words))
    }

    /// The connection is available.
    #[track_caller]
    pub(super) fn is_available(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.text);
        self
    }

    /// It ends so, and what is named is all that fails.
    #[track_caller]
    pub(super) fn fails(&self, code: i32, names: &[&str]) -> &Self {
        let failed = self.steps().iter().filter(|step| text(step, "state") == "failed");
        let failed: Vec<_> = failed.map(title).collect();
        assert_eq!(failed, names, "{}", self.text);
        assert_eq!(self.code, Some(code), "{}", self.text);
        self
    }
}

/// Its name, with the label of its stream where there are several.
fn title(step: &Value) -> String {
    let (name, stream) = (text(step, "name"), text(step, "stream"));
    if stream.is_empty() { name.to_owned() } else { format!("{name}[{stream}]") }
}

fn text<'s>(step: &'s Value, field: &str) -> &'s str {
    step.get(field).and_then(Value::as_str).unwrap_or_default()
}
