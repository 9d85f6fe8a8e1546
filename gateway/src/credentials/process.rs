//! A program that sources a key, as `credential_process` of AWS profiles is one.
//!
//! It is started without a shell, reads nothing, and what it writes to standard error is dropped: it
//! may be a secret. It is killed when it takes too long, and when the gateway ends by itself; so is what it
//! started. A gateway that is killed leaves both.

use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::disk::Disk;
use super::{Fault, Key, Why, answer};

/// Longest answer that is read. A session token has some thousands of bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// A program, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments. At least the program.
    pub command: Vec<String>,
    /// From its start to its end.
    pub timeout: Duration,
}

impl Program {
    /// Runs the program and takes the key that it answers with; `now` is what its expiration is held
    /// against. It is started where `disk` is waited for. Dropped, it kills the program.
    ///
    /// # Errors
    /// When it cannot be started, takes too long, does not succeed, or gives no key.
    pub(crate) async fn run(&self, disk: &Disk, now: Timestamp) -> Result<Key, Why> {
        let answered = timeout(self.timeout, self.answer(disk)).await.map_err(|_elapsed| {
            let limit = self.timeout.as_secs();
            Why::Program(format!("took longer than {limit} s and was stopped"))
        })?;
        Ok(answer::parse(&answered?, now)?)
    }

    /// All that the program writes, if it succeeds.
    async fn answer(&self, disk: &Disk) -> Result<Zeroizing<Vec<u8>>, Why> {
        let not_run = |error: io::Error| Why::Program(format!("cannot be run: {error}"));
        let command = self.command.clone();
        let started = disk.read(move || start(&command)).await.map_err(not_run)?;
        let Started { group, mut program, reader } = started;
        let (bytes, status) = tokio::join!(read(reader), program.wait());
        // What it leaves behind on purpose, as one that keeps keys for the next time does, may stay.
        group.spare();
        // An answer that is not read to its end makes the program fail, too.
        let bytes = bytes?;
        let status = status.map_err(not_run)?;
        if status.success() {
            return Ok(bytes);
        }
        let what = "what it wrote to standard error is not shown here, run it by hand to see";
        Err(Why::Program(format!("failed ({status}); {what}")))
    }
}

/// A program that runs. Dropped, it is killed.
struct Started {
    group: Group,
    program: Child,
    /// Where its answer comes out.
    reader: PipeReader,
}

/// Starts a program, and waits for the disk that it is on.
fn start(command: &[String]) -> io::Result<Started> {
    let (reader, writer) = io::pipe()?;
    let (name, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
    // The answer ends when nobody has the writer any more, and the command has it until it returns.
    let program = command.process_group(0).kill_on_drop(true).spawn()?;
    Ok(Started { group: Group::of(&program), program, reader })
}

/// A program with all that it started, as far as that stayed with it. Dropped, they are killed.
struct Group(Option<Pid>);

impl Group {
    /// Of a program that was started as the first of one.
    fn of(program: &Child) -> Self {
        let id = program.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    /// Lets them live.
    fn spare(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It fails when none of them lives any more.
            kill_process_group(group, Signal::KILL).unwrap_or_default();
        }
    }
}

/// Reads to the end, in memory that is wiped and never copied by growing.
async fn read(reader: PipeReader) -> Result<Zeroizing<Vec<u8>>, Why> {
    let not_read = |error: io::Error| Why::Program(format!("cannot be listened to: {error}"));
    let receiver = Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(not_read)?;
    // Room to see that there is more, and for the reader to see the end without growing.
    let room = usize::try_from(ANSWER_BYTES_MAX).unwrap_or_default() + 64;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    receiver.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes).await.map_err(not_read)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > ANSWER_BYTES_MAX) {
        return Err(Fault::whole("answered with more than 64 KiB: this is no key").into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::sync::mpsc;

    use tokio::time::sleep;

    use super::super::tests::{ID, SECRET};
    use super::*;

    fn shell(script: &str, limit: Duration) -> Program {
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        Program { command, timeout: limit }
    }

    async fn said(program: &Program) -> String {
        program.run(&Disk::default(), Timestamp::UNIX_EPOCH).await.unwrap_err().to_string()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_program_answers_with_a_key() {
        let script = format!(
            r#"echo '{{"Version":1,"AccessKeyId":"{ID}","SecretAccessKey":"{SECRET}"}}'; echo noise >&2"#
        );
        let key = shell(&script, LONG).run(&Disk::default(), Timestamp::UNIX_EPOCH).await.unwrap();
        assert_eq!(key.id.whole(), ID);
    }

    #[tokio::test]
    async fn what_a_program_says_is_shown_by_no_failure() {
        let loud = format!("echo {SECRET} >&2; echo {SECRET}");
        let failed = said(&shell(&format!("{loud}; exit 3"), LONG)).await;
        assert!(failed.starts_with("failed (exit status: 3); "), "{failed}");
        let wrong = said(&shell(&loud, LONG)).await;
        assert!(wrong.starts_with("did not answer with a key"), "{wrong}");
        assert!(!failed.contains(SECRET) && !wrong.contains(SECRET));
        let long = said(&shell("head -c 70000 /dev/zero", LONG)).await;
        assert!(long.starts_with("answered with more than 64 KiB"), "{long}");
        let missing = Program { command: vec!["/no/such/program".to_owned()], timeout: LONG };
        assert!(said(&missing).await.contains("cannot be run: No such file"));
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_not_waited_for() {
        let said = said(&shell("exec sleep 600", Duration::from_secs(1))).await;
        assert_eq!(said, "took longer than 1 s and was stopped");
    }

    #[tokio::test]
    async fn a_program_on_a_disk_that_hangs_holds_up_nobody() {
        let disk = Disk::waited_for(Duration::from_millis(50));
        let (answer, hangs) = mpsc::channel::<()>();
        let read = disk.read(move || hangs.recv().map_err(io::Error::other));
        assert!(read.await.is_err());
        let ended = shell("exit 0", LONG).run(&disk, Timestamp::UNIX_EPOCH).await;
        let said = ended.unwrap_err().to_string();
        assert!(said.contains("cannot be run: the disk did not answer"), "{said}");
        drop(answer);
    }

    /// What a program writes into `file`, a line: the number of a process.
    async fn pid_in(file: &Path) -> String {
        loop {
            match fs::read_to_string(file) {
                Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
                _ => sleep(Duration::from_millis(10)).await,
            }
        }
    }

    /// Waits until the process is no more, or a zombie until whoever has it comes round to it.
    async fn is_gone(pid: &str) {
        let gone = timeout(LONG, async {
            loop {
                let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                if state.is_empty() || state.contains(") Z ") {
                    break;
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        gone.await.expect("killed");
    }

    #[tokio::test]
    async fn a_program_that_nobody_waits_for_any_more_is_killed_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let [own, of_child] = ["own", "child"].map(|name| dir.path().join(name));
        let script = format!(
            "sleep 600 & echo $! > {}; echo $$ > {}; wait",
            of_child.display(),
            own.display()
        );
        let (program, disk) = (shell(&script, LONG), Disk::default());
        let pids = async { (pid_in(&own).await, pid_in(&of_child).await) };
        let (own, of_child) = tokio::select! {
            pids = pids => pids,
            ended = program.run(&disk, Timestamp::UNIX_EPOCH) => panic!("{ended:?}"),
        };
        is_gone(&own).await;
        is_gone(&of_child).await;
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("child");
        let script = format!("sleep 600 & echo $! > {}; exit 0", file.display());
        // It has ended; who listens to the answer does not know that, for the other one holds it open.
        let said = said(&shell(&script, Duration::from_secs(1))).await;
        assert_eq!(said, "took longer than 1 s and was stopped");
        is_gone(&pid_in(&file).await).await;
    }
}
