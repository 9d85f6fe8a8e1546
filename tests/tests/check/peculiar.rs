//! Brokers that are peculiar: each a few lines of MQTT 5, as their makers have it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::world::{Told, World};

/// What is peculiar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// It does not answer who asks for `$SYS`.
    SilentAboutItself,
    /// It admits the gateway's client id and no other.
    AdmitsByName,
    /// It grants QoS 0, whatever is asked for.
    LowersQos,
    /// It has a session of everybody.
    KnowsEverybody,
    /// It closes the connection of who does not please it.
    Taciturn,
    /// It takes one connection a second.
    Deliberate,
}

const CONNECT: u8 = 1;
const SUBSCRIBE: u8 = 8;
const DISCONNECT: u8 = 14;

/// What the check says that goes to such a broker, with more flags.
async fn told(manner: Manner, flags: &[&str]) -> Told {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("\"mqtt://{}\"", listener.local_addr().expect("bound"));
    let world = World::new().await.set("mqtt.url", &url);
    let flags = [&["--trust-dry-run"], flags].concat();
    // One client after the other.
    let serve = async {
        let mut rested = sleep(Duration::ZERO).deadline();
        loop {
            let (client, _) = listener.accept().await.expect("a client");
            // It ends as the client does.
            drop(converse(client, manner, &mut rested).await);
        }
    };
    tokio::select! {
        told = world.check_with(&flags) => told,
        () = serve => unreachable!("it never ends"),
    }
}

/// Until the client leaves. When a deliberate broker takes the next one is `rested`.
async fn converse(
    mut client: TcpStream,
    manner: Manner,
    rested: &mut tokio::time::Instant,
) -> io::Result<()> {
    loop {
        let (kind, body) = packet(&mut client).await?;
        let says = |text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
        match kind {
            CONNECT if manner == Manner::AdmitsByName && !says("\u{6}edge-1") => {
                // The client identifier is not valid.
                return client.write_all(&[0x20, 3, 0, 0x85, 0]).await;
            }
            CONNECT if manner == Manner::Taciturn => return Ok(()),
            CONNECT => {
                let now = sleep(Duration::ZERO).deadline();
                if manner == Manner::Deliberate && now < *rested {
                    return Ok(());
                }
                *rested = now + Duration::from_secs(1);
                let is_known = u8::from(manner == Manner::KnowsEverybody);
                client.write_all(&[0x20, 3, is_known, 0, 0]).await?;
            }
            SUBSCRIBE if manner == Manner::SilentAboutItself && says("$SYS") => {}
            SUBSCRIBE => {
                let granted = u8::from(manner != Manner::LowersQos);
                client.write_all(&[0x90, 4]).await?;
                client.write_all(body.get(..2).unwrap_or_default()).await?;
                client.write_all(&[0, granted]).await?;
            }
            DISCONNECT => return Ok(()),
            _ => {}
        }
    }
}

/// The kind of a packet, and what follows its length, of which one or two bytes are understood.
async fn packet(client: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let kind = client.read_u8().await? >> 4;
    let mut length = usize::from(client.read_u8().await?);
    if length >= 128 {
        length = length - 128 + 128 * usize::from(client.read_u8().await?);
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).await?;
    Ok((kind, body))
}

#[tokio::test]
async fn broker_that_says_nothing_of_itself_is_available() {
    let told = told(Manner::SilentAboutItself, &[]).await;
    told.is_available().says("broker", "ok", &[]).says("queue", "skipped", &[]);
}

#[tokio::test]
async fn broker_that_admits_by_client_id_is_visited_by_the_one_that_is_said() {
    told(Manner::AdmitsByName, &[]).await.fails(10, &["broker"]).says(
        "broker",
        "failed",
        &["ClientIdentifierNotValid", "that begin with edge-1-check-", "--client-id"],
    );
    let told = told(Manner::AdmitsByName, &["--client-id", "edge-1"]).await;
    told.is_available().says("broker", "ok", &["subscribed as edge-1;"]);
}

#[tokio::test]
async fn filter_that_is_granted_at_qos_0_is_a_warning() {
    let told = told(Manner::LowersQos, &[]).await;
    let filter = tests::installation::FILTER;
    told.is_available().says("broker", "warning", &["no more than QoS 0 for", filter]);
}

#[tokio::test]
async fn name_that_was_said_and_is_somebody_s_is_not_called_a_renaming() {
    let told = told(Manner::KnowsEverybody, &["--client-id", "edge-1"]).await;
    let words = ["it has a session of edge-1: somebody bears that name", "say another name"];
    told.fails(10, &["broker"]).says("broker", "failed", &words);
}

#[tokio::test]
async fn broker_that_closes_the_connection_may_admit_by_client_id() {
    let told = told(Manner::Taciturn, &[]).await;
    let words = ["speaks MQTT without TLS", "that begin with edge-1-check-", "--client-id"];
    told.fails(10, &["broker"]).says("broker", "failed", &words);
}

#[tokio::test]
async fn broker_that_takes_one_connection_a_second_is_available() {
    told(Manner::Deliberate, &[]).await.is_available().says("broker", "ok", &[]);
}
