//! Debian's mosquitto.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Process, Signal};

const INSTALL: &str = "apt-get install mosquitto";

/// Ports may be taken between choosing and listening: so often others are chosen.
const ATTEMPTS: usize = 5;

/// A broker with an open door, and perhaps a guarded one.
#[derive(Debug)]
pub struct Mosquitto {
    /// Where everybody may come in: loopback, plain TCP.
    pub port: u16,
    /// Where the gateway must show something, if so configured.
    pub guarded_port: u16,
    dir: TempDir,
    process: Process,
}

/// What is said beyond the defaults.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Lines for the broker as a whole.
    pub general: Vec<String>,
    /// Lines of the guarded door. It exists if there are any.
    pub guarded: Vec<String>,
    /// Whether sessions and messages outlive the process.
    pub persistent: bool,
}

impl Settings {
    /// A broker that queues whatever a gateway leaves waiting, instead of the default thousand
    /// messages: what it drops by itself is not the gateway's to lose.
    #[must_use]
    pub fn patient() -> Self {
        Self { general: vec!["max_queued_messages 0".to_owned()], ..Self::default() }
    }

    /// A [patient](Self::patient) broker that logs every packet.
    #[must_use]
    pub fn talkative() -> Self {
        let mut settings = Self::patient();
        settings.general.push("log_type all".to_owned());
        settings
    }
}

impl Mosquitto {
    /// Starts a broker and waits until it listens.
    pub async fn start(settings: Settings) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        for _ in 0..ATTEMPTS {
            let ports @ [port, guarded_port] = [free_port(), free_port()];
            write_config(&dir, ports, &settings);
            let mut process = launch(&dir);
            if listens(&mut process).await {
                return Self { port, guarded_port, dir, process };
            }
        }
        unreachable!("{ATTEMPTS} times in a row a free port was taken, or mosquitto does not start")
    }

    /// The open door.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Kills it: what is not on its disk is gone.
    pub async fn kill(&mut self) {
        self.process.signal(Signal::Kill);
        self.process.ended().await;
    }

    /// How many acknowledgements of `client` have come in, since the last start. Known to a
    /// [talkative](Settings::talkative) broker.
    #[must_use]
    pub fn acknowledged_by(&self, client: &str) -> usize {
        self.process.times_said(&format!("Received PUBACK from {client} "))
    }

    /// How many publishes were sent to `client` again, since the last start. Known to a
    /// [talkative](Settings::talkative) broker.
    #[must_use]
    pub fn repeated_to(&self, client: &str) -> usize {
        self.process.times_said(&format!("Sending PUBLISH to {client} (d1"))
    }

    /// Waits until a client whose name begins like this has subscribed, since the last start. Known
    /// to a [talkative](Settings::talkative) broker.
    pub async fn is_asked_by(&self, client: &str) {
        self.process.says(&format!("Received SUBSCRIBE from {client}")).await;
    }

    /// Whether the last session of MQTT 3 of a client with such a name is one that ends with its
    /// connection; there was one at least.
    #[must_use]
    pub fn forgets(&self, client: &str) -> bool {
        let said = self.process.said();
        let mut connects = said.iter().filter(|line| line.contains(&format!(" as {client}")));
        connects.next_back().is_some_and(|line| line.contains(", c1,"))
    }

    /// Stops in order, so that what is persistent is written.
    pub async fn stop(&mut self) {
        self.process.signal(Signal::Terminate);
        self.process.ended().await;
    }

    /// Starts again, on the same ports.
    pub async fn start_again(&mut self) {
        self.process = launch(&self.dir);
        self.process.says(" running").await;
    }
}

/// Writes a password file that knows one user.
#[must_use]
pub fn password_file(dir: &TempDir, user: &str, password: &str) -> PathBuf {
    let path = dir.path().join("passwords");
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(&path)
        .args([user, password])
        .status();
    assert!(
        made.is_ok_and(|status| status.success()),
        "this test needs mosquitto_passwd: {INSTALL}"
    );
    path
}

fn write_config(dir: &TempDir, [port, guarded_port]: [u16; 2], settings: &Settings) {
    let mut lines = vec!["user root".to_owned(), "per_listener_settings true".to_owned()];
    lines.extend_from_slice(&settings.general);
    if settings.persistent {
        lines.push("persistence true".to_owned());
        lines.push(format!("persistence_location {}/", dir.path().display()));
    }
    lines.push(format!("listener {port} 127.0.0.1"));
    lines.push("allow_anonymous true".to_owned());
    if !settings.guarded.is_empty() {
        lines.push(format!("listener {guarded_port} 127.0.0.1"));
    }
    lines.extend_from_slice(&settings.guarded);
    fs::write(dir.path().join("mosquitto.conf"), lines.join("\n")).expect("a writable directory");
}

fn launch(dir: &TempDir) -> Process {
    let mut command = Command::new("mosquitto");
    // Debian's daemons are not on everybody's path.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
    command.arg("-c").arg(dir.path().join("mosquitto.conf"));
    Process::start("mosquitto", &mut command, INSTALL)
}

/// Whether it listens; not if a port was taken.
async fn listens(process: &mut Process) -> bool {
    crate::patience::until("mosquitto listens", || {
        process.times_said(" running") > 0 || !process.is_running()
    })
    .await;
    process.is_running()
}

/// A port of loopback that nobody listens on now.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    listener.local_addr().expect("bound").port()
}
