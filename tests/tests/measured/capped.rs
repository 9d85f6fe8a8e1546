//! A broker of MQTT 5 that sends fewer publishes unacknowledged than its client would take, and does
//! not say so, as EMQX by default. Mosquitto does as its client says; so that is changed on the way.

use std::io;
use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The property Receive Maximum, with what the gateway says unless told otherwise: 1000.
const SAID: [u8; 3] = [0x21, 0x03, 0xE8];

/// A door to a broker. Dropping it closes it.
pub(super) struct Capped {
    port: u16,
    _open: JoinSet<()>,
}

impl Capped {
    /// Lets everybody in to the broker at `broker_port`, which then sends no more than `window`
    /// publishes unacknowledged.
    pub(super) async fn open(broker_port: u16, window: u8) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let mut open = JoinSet::new();
        open.spawn(async move {
            let mut visits = JoinSet::new();
            while let Ok((visitor, _)) = listener.accept().await {
                visits.spawn(pass(visitor, broker_port, window));
            }
        });
        Self { port, _open: open }
    }

    pub(super) fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}

/// One visitor's way; an error is only the end of it.
async fn pass(mut visitor: TcpStream, broker_port: u16, window: u8) -> io::Result<()> {
    let mut broker = TcpStream::connect((Ipv4Addr::LOCALHOST, broker_port)).await?;
    for stream in [&visitor, &broker] {
        stream.set_nodelay(true)?;
    }
    let mut connect = Vec::new();
    let at = loop {
        if visitor.read_buf(&mut connect).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = connect.windows(SAID.len()).position(|bytes| bytes == SAID) {
            break at;
        }
    };
    let [property, ..] = SAID;
    connect.splice(at..at + SAID.len(), [property, 0, window]);
    broker.write_all(&connect).await?;
    copy_bidirectional(&mut visitor, &mut broker).await.map(|_| ())
}
