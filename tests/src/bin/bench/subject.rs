//! What is measured: a process of its own, and what the kernel says about it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The client id of the bare loop.
pub(crate) const BARE_CLIENT_ID: &str = "bench-bare";
/// The client id of the gateway.
pub(crate) const GATEWAY_CLIENT_ID: &str = "bench-gateway";
/// What either logs once the broker has accepted it.
pub(crate) const CONNECTED: &str = "broker connected";

/// `USER_HZ`: the kernel counts CPU time for `/proc` in hundredths of a second, everywhere.
const TICKS_PER_S: f64 = 100.0;
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gateway,
    Bare,
}

impl Kind {
    /// What it is called in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Bare => "bare loop",
        }
    }
}

/// Where a process is started, and against what.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) broker_port: u16,
    pub(crate) endpoint: String,
    /// Further lines of the gateway's configuration: the rest of `[stream]`, and other tables.
    pub(crate) settings: &'a str,
}

/// A process that is measured. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Subject {
    child: Child,
    log: PathBuf,
}

impl Subject {
    /// Starts the gateway or the bare loop.
    pub(crate) fn start(kind: Kind, site: &Site<'_>) -> Result<Self> {
        Self::start_under(&[], kind, site)
    }

    /// Starts the gateway or the bare loop as an argument of `tool`, a program and its arguments.
    pub(crate) fn start_under(tool: &[&str], kind: Kind, site: &Site<'_>) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = match tool {
            [] => Command::new(program),
            [tool, arguments @ ..] => {
                let mut command = Command::new(tool);
                command.args(arguments).arg(program);
                command
            }
        };
        match kind {
            Kind::Gateway => command.arg("gateway").arg(configuration(site)?),
            Kind::Bare => command.arg("bare").arg(site.broker_port.to_string()).arg(&site.endpoint),
        };
        let log = site.directory.join("log");
        let child = command
            .env("AWS_ACCESS_KEY_ID", "bench")
            .env("AWS_SECRET_ACCESS_KEY", "bench")
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| match tool {
                [] => "cannot start what is measured".to_owned(),
                [tool, ..] => format!("cannot start {tool}: apt-get install {tool}"),
            })?;
        Ok(Self { child, log })
    }

    /// How often its log holds `words`.
    pub(crate) fn times_said(&self, words: &str) -> Result<usize> {
        Ok(std::fs::read_to_string(&self.log)?.matches(words).count())
    }

    /// Waits until the broker has accepted it.
    pub(crate) async fn connected(&self) -> Result<()> {
        for _ in 0..CONNECTS_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
            if self.times_said(CONNECTED)? > 0 {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("not connected; the log:\n{}", std::fs::read_to_string(&self.log)?)
    }

    /// Stops it with SIGTERM, and gives its log.
    pub(crate) fn stop(mut self) -> Result<String> {
        let stopped = Command::new("kill").arg(self.child.id().to_string()).status()?.success();
        anyhow::ensure!(stopped, "cannot stop what is measured");
        self.child.wait()?;
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// Seconds of CPU used so far, by the program and by the kernel for it.
    pub(crate) fn cpu_s(&self) -> Result<f64> {
        let stat = self.proc("stat")?;
        // The second field is the name, in parentheses; of the rest 12 and 13 are user and system.
        let (_, rest) = stat.rsplit_once(')').context("unexpected /proc/<pid>/stat")?;
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_S)
    }

    /// Bytes that the process had the kernel write to a disk, so far.
    pub(crate) fn written_bytes(&self) -> Result<f64> {
        let io = self.proc("io")?;
        let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:"));
        Ok(line.context("unexpected /proc/<pid>/io")?.trim().parse()?)
    }

    /// Resident memory now, in MiB.
    pub(crate) fn rss_mib(&self) -> Result<f64> {
        status_mib(&self.proc("status")?, "VmRSS:")
    }

    /// The most resident memory ever, in MiB.
    pub(crate) fn rss_peak_mib(&self) -> Result<f64> {
        status_mib(&self.proc("status")?, PEAK_RSS)
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        std::fs::read_to_string(&path).with_context(|| {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            format!("what was measured is gone; its log:\n{log}")
        })
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}

/// The most resident memory that this process ever had, in MiB.
pub(crate) fn own_rss_peak_mib() -> Result<f64> {
    status_mib(&std::fs::read_to_string("/proc/self/status")?, PEAK_RSS)
}

const PEAK_RSS: &str = "VmHWM:";

fn status_mib(status: &str, name: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kib.context("unexpected /proc/<pid>/status")?.parse::<f64>()? / 1024.0)
}

fn configuration(site: &Site<'_>) -> Result<PathBuf> {
    let text = format!(
        "state_dir = '{}'\n\
         [mqtt]\nurl = 'mqtt://127.0.0.1:{}'\nclient_id = '{GATEWAY_CLIENT_ID}'\n\
         topics = ['{}']\n\
         [stream]\nname = 'telemetry'\nregion = 'us-east-1'\nendpoint = '{}'\n{}\n",
        site.directory.join("state").display(),
        site.broker_port,
        crate::reading::FILTER,
        site.endpoint,
        site.settings,
    );
    let path = site.directory.join("tidegate.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}
