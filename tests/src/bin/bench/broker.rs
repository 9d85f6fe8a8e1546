//! Mosquitto, as it comes, with a queue without bound.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long it may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A mosquitto of our own. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Broker {
    child: Child,
    pub(crate) port: u16,
}

impl Broker {
    /// Starts it on a free port, with its configuration in `directory`.
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let config = directory.join("mosquitto.conf");
        let text = format!(
            "listener {free} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n\
             persistence false\nlog_dest none\n"
        );
        std::fs::write(&config, text)?;
        let program = if Path::new("/usr/sbin/mosquitto").exists() {
            "/usr/sbin/mosquitto" // Not on everybody's PATH.
        } else {
            "mosquitto"
        };
        let child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start mosquitto: apt-get install mosquitto")?;
        let broker = Self { child, port: free };
        for _ in 0..STARTS_WITHIN.as_millis() / LOOK_EVERY.as_millis() {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, free)).is_ok() {
                return Ok(broker);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        bail!("mosquitto does not listen")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.child.kill().and_then(|()| self.child.wait()));
    }
}
