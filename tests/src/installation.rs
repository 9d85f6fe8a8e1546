//! The gateway on its machine: a configuration, a state directory, and one run after the other.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;
use tempfile::TempDir;

use crate::patience::in_time;
use crate::process::{self, Process, Signal};

/// What its filter is unless said otherwise.
pub const FILTER: &str = "sites/+/devices/+/telemetry";

/// The gateway as installed. Its runs share the state directory.
#[derive(Debug)]
pub struct Installation {
    program: &'static str,
    dir: TempDir,
    /// Keys and values of each table, as TOML.
    tables: BTreeMap<String, BTreeMap<String, String>>,
    /// The tables of streams that are said in lines.
    streams: Vec<String>,
    environment: BTreeMap<String, String>,
    /// What runs the program, with its arguments, if not the kernel at once.
    runner: &'static [&'static str],
}

/// One run of the gateway.
#[derive(Debug)]
pub struct Run {
    process: Process,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answered {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub text: String,
    /// Its log.
    pub log: String,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// The last ledger that was logged.
    pub ledger: Option<Ledger>,
    /// Everything it wrote to standard error.
    pub log: Vec<String>,
}

/// The conservation ledger as logged, in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the gateway documents them")]
pub struct Ledger {
    pub received: u64,
    pub recovered: u64,
    pub delivered: u64,
    pub spooled: u64,
    pub in_flight: u64,
    pub dead_lettered: u64,
    pub dropped: u64,
    pub corrupted: u64,
    pub retried: u64,
    pub reordered: u64,
    pub unheard: u64,
}

impl Installation {
    /// The complete configuration of a beginner, for a stream of 4 shards at `endpoint`.
    #[must_use]
    pub fn new(program: &'static str, broker_url: &str, endpoint: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let credentials = [("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        let environment = credentials.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let installation = Self {
            program,
            dir,
            tables: BTreeMap::new(),
            streams: Vec::new(),
            environment: environment.into(),
            runner: &[],
        };
        installation
            .set("mqtt.url", &quoted(broker_url))
            .set("mqtt.client_id", "\"edge-1\"")
            .set("mqtt.topics", &format!("[{FILTER:?}]"))
            .set("stream.name", "\"telemetry\"")
            .set("stream.region", "\"us-east-1\"")
            .set("stream.endpoint", &quoted(endpoint))
            .set("stream.shards", "4")
    }

    /// Says a key, with its tables before it, and its value as TOML.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
        self.tables.entry(table.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        self
    }

    /// Says a key whose value is a path.
    #[must_use]
    pub fn set_path(self, key: &str, path: &Path) -> Self {
        self.set(key, &quoted(&path.display().to_string()))
    }

    /// Takes a key back.
    #[must_use]
    pub fn unset(mut self, key: &str) -> Self {
        let (table, key) = key.rsplit_once('.').unwrap_or(("", key));
        self.tables.entry(table.to_owned()).or_default().remove(key);
        self
    }

    /// Instead of the one stream there are several: the lines of each `[[stream]]`.
    #[must_use]
    pub fn with_streams(self, streams: &[String]) -> Self {
        self.with_tables(streams.iter().map(|lines| format!("[[stream]]\n{lines}")).collect())
    }

    /// Another `[stream]`, by its lines.
    #[must_use]
    pub fn with_stream(self, lines: &str) -> Self {
        self.with_tables(vec![format!("[stream]\n{lines}")])
    }

    fn with_tables(mut self, streams: Vec<String>) -> Self {
        self.tables.retain(|table, _| table != "stream" && !table.starts_with("stream."));
        self.streams = streams;
        self
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn set_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes back every variable of its environment that was set, its key with them.
    #[must_use]
    pub fn without_variables(mut self) -> Self {
        self.environment.clear();
        self
    }

    /// Without what makes root special: files of others are closed to it.
    #[must_use]
    pub fn without_privileges(mut self) -> Self {
        self.runner = &["setpriv", "--inh-caps=-all", "--bounding-set=-all"];
        self
    }

    /// Whatever it does gets a SIGINT after three seconds.
    #[must_use]
    pub fn interrupted_after_3_s(mut self) -> Self {
        self.runner = &["timeout", "--preserve-status", "--signal=INT", "3"];
        self
    }

    /// Starts the gateway and waits until all its filters are subscribed.
    pub async fn start(&self) -> Run {
        let run = self.launch();
        run.says_times("\"message\":\"subscribed\"", self.filters()).await;
        run
    }

    /// Starts the gateway and waits for nothing.
    #[must_use]
    pub fn launch(&self) -> Run {
        let mut command = self.command(&["run", "--log-format", "json"]);
        Run { process: Process::start("tidegate", &mut command, "it is built with this test") }
    }

    /// Gives a command that ends by itself, beside whatever runs, and waits for its answer.
    pub async fn ask(&self, arguments: &[&str]) -> Answered {
        answered(arguments, self.command(arguments)).await
    }

    /// The same of a command that needs no configuration.
    pub async fn ask_alone(&self, arguments: &[&str]) -> Answered {
        answered(arguments, self.program(arguments)).await
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let path = self.dir.path().join("tidegate.toml");
        fs::write(&path, self.text()).expect("a writable directory");
        let mut command = self.program(arguments);
        command.arg("--config").arg(path);
        command
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut words = self.runner.iter().chain([&self.program]);
        let mut command = process::command(words.next().expect("the program at least"));
        command
            .args(words)
            .args(arguments)
            .current_dir(self.dir.path())
            .env_remove("RUST_LOG")
            .envs(&self.environment);
        command
    }

    /// The dead letters of all runs so far, oldest first.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<Value> {
        let dir = self.dir.path().join("tidegate-state/dead-letters");
        let entries = fs::read_dir(dir).expect("made at the first start");
        let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        files.sort_unstable();
        let text: String =
            files.iter().map(|file| fs::read_to_string(file).expect("readable")).collect();
        text.lines().map(|line| serde_json::from_str(line).expect("one letter a line")).collect()
    }

    /// Where its files are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The files of the spool, with length and last change of each.
    #[must_use]
    pub fn spool_files(&self) -> BTreeMap<String, (u64, SystemTime)> {
        let entries = fs::read_dir(self.spool_dir()).expect("made at the first start");
        entries
            .map(|entry| {
                let entry = entry.expect("readable");
                let meta = entry.metadata().expect("readable");
                let changed = meta.modified().expect("known on this system");
                (entry.file_name().to_string_lossy().into_owned(), (meta.len(), changed))
            })
            .collect()
    }

    /// Where its spool is unless said otherwise.
    #[must_use]
    pub fn spool_dir(&self) -> PathBuf {
        self.dir.path().join("tidegate-state/spool")
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        for (table, keys) in &self.tables {
            // The keys outside all tables have the least name, so they come first.
            if !table.is_empty() {
                lines.push(format!("[{table}]"));
            }
            lines.extend(keys.iter().map(|(key, value)| format!("{key} = {value}")));
        }
        lines.extend(self.streams.iter().cloned());
        lines.join("\n")
    }

    fn filters(&self) -> usize {
        let mqtt = self.tables.get("mqtt");
        let value = |key| mqtt.and_then(|mqtt| mqtt.get(key));
        value("lanes").or(value("topics")).map_or(0, |text| text.matches('"').count() / 2)
    }
}

impl Run {
    /// Waits until the log says `text`.
    pub async fn says(&self, text: &str) {
        self.process.says(text).await;
    }

    /// Waits until so many lines of the log say `text`.
    pub async fn says_times(&self, text: &str, times: usize) {
        self.process.says_times(text, times).await;
    }

    /// How many lines of the log say `text`.
    #[must_use]
    pub fn times_said(&self, text: &str) -> usize {
        self.process.times_said(text)
    }

    /// The field `name` of the first line of the log that says `text`, once there is one.
    pub async fn field(&self, text: &str, name: &str) -> Value {
        self.says(text).await;
        let lines = self.process.said();
        let line = lines.iter().find(|line| line.contains(text)).expect("just said");
        let line: Value = serde_json::from_str(line).expect("logs are JSON");
        line.get(name).cloned().unwrap_or_default()
    }

    /// The most resident memory that it ever had, in bytes.
    #[must_use]
    pub fn rss_peak_bytes(&self) -> u64 {
        self.process.rss_peak_bytes()
    }

    /// Kills it.
    pub async fn kill(mut self) {
        self.process.signal(Signal::Kill);
        self.process.ended().await;
        self.is_sound();
    }

    /// Stops it with SIGTERM and waits until it is gone.
    pub async fn stop(mut self) -> Ended {
        self.process.signal(Signal::Terminate);
        self.end().await
    }

    /// Waits until it has ended by itself.
    pub async fn end(mut self) -> Ended {
        let status = self.process.ended().await;
        self.is_sound();
        let log = self.process.said();
        let ledger = log.iter().rev().find_map(|line| Ledger::of_line(line));
        Ended { code: status.code(), ledger, log }
    }

    /// Nothing may ever panic, and the ledger must balance.
    fn is_sound(&self) {
        for words in ["panicked at", "please report this"] {
            assert_eq!(self.times_said(words), 0, "the log says {words:?}");
        }
    }
}

impl Ended {
    /// The ledger of a run that must have ended well: nothing is left but what the spool holds, and
    /// it adds up.
    pub fn books(&self) -> Ledger {
        assert_eq!(self.code, Some(0), "the log:\n{}", self.log.join("\n"));
        let ledger = self.ledger.expect("a ledger is logged at every stop");
        assert_eq!(ledger.in_flight, 0);
        let ended = ledger.delivered + ledger.dead_lettered + ledger.dropped + ledger.corrupted;
        assert_eq!(ledger.received + ledger.recovered, ended + ledger.spooled, "{ledger:?}");
        ledger
    }
}

impl Ledger {
    fn of_line(line: &str) -> Option<Self> {
        let line: Value = serde_json::from_str(line).ok()?;
        if line.get("message")?.as_str()? != "ledger" {
            return None;
        }
        let count = |name: &str| line.get(name)?.as_u64();
        Some(Self {
            received: count("received")?,
            recovered: count("recovered")?,
            delivered: count("delivered")?,
            spooled: count("spooled")?,
            in_flight: count("in_flight")?,
            dead_lettered: count("dead_lettered")?,
            dropped: count("dropped")?,
            corrupted: count("corrupted")?,
            retried: count("retried")?,
            reordered: count("reordered")?,
            unheard: count("unheard")?,
        })
    }
}

async fn answered(arguments: &[&str], mut command: Command) -> Answered {
    let asked = tokio::task::spawn_blocking(move || command.output());
    let output = in_time(&format!("{arguments:?} ends"), asked).await;
    let output = output.expect("it does not panic").expect("it is built with this test");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes UTF-8");
    let (text, log) = (text(output.stdout), text(output.stderr));
    assert!(!log.contains("panicked at"), "{log}");
    Answered { code: output.status.code(), text, log }
}

/// A TOML string; those of the suites need no escapes beyond these.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
