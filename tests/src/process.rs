//! A process that is watched.

use std::io::{BufRead, BufReader, ErrorKind};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::patience::until;

/// So many of a process's last lines are shown when a test fails.
const LAST_WORDS: usize = 60;

/// A command that knows nothing of who runs the tests: neither their proxies nor their account.
#[must_use]
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let of_developer = name.to_str().is_some_and(|name| {
            name.starts_with("AWS_") || name.to_ascii_lowercase().ends_with("_proxy")
        });
        if of_developer {
            command.env_remove(name);
        }
    }
    command
}

/// A running process. Dropping it kills it; if the test is failing, its last words are shown.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

/// Signals that ask a process to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: in order.
    Terminate,
    /// SIGKILL: at once.
    Kill,
}

impl Process {
    /// Starts `command` and listens to its standard error. If there is no such program, the test
    /// fails with `install`, which says how to get it.
    #[must_use]
    pub fn start(name: &'static str, command: &mut Command, install: &str) -> Self {
        let started =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let missing = started.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound);
        assert!(!missing, "this test needs {name}: {install}");
        let mut child = started.expect("a program that is there can be started");
        let stderr = child.stderr.take().expect("piped above");
        let said = Arc::new(Mutex::new(Vec::new()));
        let listened = Arc::clone(&said);
        // Ends with the process, which closes the pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                listened.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Self { name, child, said }
    }

    /// Everything it said so far, line by line.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// In how many lines it said `text` so far.
    #[must_use]
    pub fn times_said(&self, text: &str) -> usize {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().filter(|line| line.contains(text)).count()
    }

    /// Waits until it has said `text` in so many lines.
    pub async fn says_times(&self, text: &str, times: usize) {
        let what = format!("{} says {text:?}, {times} times", self.name);
        until(&what, || self.times_said(text) >= times || self.is_silent()).await;
        assert!(self.times_said(text) >= times, "{} ended before: {what}", self.name);
    }

    /// Whether it can say nothing more: the listener lets go of the lines when the pipe is closed.
    fn is_silent(&self) -> bool {
        Arc::strong_count(&self.said) == 1
    }

    /// Waits until it has said `text`.
    pub async fn says(&self, text: &str) {
        self.says_times(text, 1).await;
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Kill => self.child.kill().expect("a child that was not waited for"),
            Signal::Terminate => {
                let kill = format!("kill -TERM {}", self.child.id());
                let sent = Command::new("sh").args(["-c", &kill]).status();
                assert!(sent.is_ok_and(|status| status.success()), "{kill}");
            }
        }
    }

    /// The most resident memory that it ever had, in bytes.
    #[must_use]
    pub fn rss_peak_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it is running");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("a process has it");
        kib.parse::<u64>().expect("a number") * 1024
    }

    /// Whether it is still there.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }

    /// Waits until it has ended and everything it said is heard.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until(&format!("{} ends", self.name), || {
            status = self.child.try_wait().expect("our own child");
            status.is_some() && self.is_silent()
        })
        .await;
        status.expect("that was waited for")
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the last words belong to the test's failure")]
    fn drop(&mut self) {
        // An error says that it has ended already.
        drop(self.child.kill().and_then(|()| self.child.wait()));
        if std::thread::panicking() {
            let said = self.said();
            let skipped = said.len().saturating_sub(LAST_WORDS);
            eprintln!("--- {} said {skipped} lines, then:", self.name);
            said.iter().skip(skipped).for_each(|line| eprintln!("{line}"));
        }
    }
}
