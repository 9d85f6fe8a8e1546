//! Who lends the role of an instance or a container: EC2's instance metadata (version 2), and the
//! endpoint that ECS and EKS show to a container.

use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::http::Head;

/// What a client must show once it has asked for a token.
const TOKEN: &str = "token-of-instance-metadata";

/// Where a role's keys are, below which is its name.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Where a container is told to ask.
const OF_CONTAINER: &str = "/role-of-the-container";

/// Clients that may wait to be accepted.
const BACKLOG: u32 = 64;

/// Metadata on loopback. Dropping it ends it.
#[derive(Debug)]
pub struct Metadata {
    address: SocketAddr,
    /// Keeps the port while nobody listens there.
    closed: Option<TcpSocket>,
    books: Arc<Mutex<Books>>,
    open: JoinSet<()>,
}

/// How it treats who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It lends the key.
    Obliging,
    /// It takes connections and says nothing.
    Silent,
    /// It answers 500.
    Failing,
    /// It knows no version 2: it has no tokens.
    WithoutTokens,
    /// The instance has no role.
    WithoutRole,
}

/// The key of a session that it lends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent {
    /// Its id.
    pub id: String,
    /// What signs.
    pub secret: String,
    /// What goes with each request.
    pub token: String,
    /// How long it says that the key is good for.
    pub lasts: SignedDuration,
}

#[derive(Debug)]
struct Books {
    manner: Manner,
    lent: Lent,
}

impl Metadata {
    /// None is there: connections to its port are refused, until it is opened.
    #[must_use]
    pub fn absent(lent: Lent) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
        let address = socket.local_addr().expect("bound above");
        let books = Arc::new(Mutex::new(Books { manner: Manner::Obliging, lent }));
        Self { address, closed: Some(socket), books, open: JoinSet::new() }
    }

    /// It is there, on the caller's runtime.
    #[must_use]
    pub fn start(lent: Lent, manner: Manner) -> Self {
        let mut metadata = Self::absent(lent);
        metadata.behave(manner);
        metadata.open();
        metadata
    }

    /// It is there from now on.
    pub fn open(&mut self) {
        let socket = self.closed.take().expect("it is opened once");
        let listener = socket.listen(BACKLOG).expect("bound already");
        let books = Arc::clone(&self.books);
        self.open.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve(client, Arc::clone(&books)));
            }
        });
    }

    /// Where an instance finds it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where a container is told to ask.
    #[must_use]
    pub fn container_uri(&self) -> String {
        format!("{}{OF_CONTAINER}", self.endpoint())
    }

    /// Changes how it treats who asks from now on.
    pub fn behave(&self, manner: Manner) {
        self.with(|books| books.manner = manner);
    }

    /// Lends another key from now on.
    pub fn lend(&self, lent: Lent) {
        self.with(|books| books.lent = lent);
    }

    fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One request; an error is only the end of it.
async fn serve(mut client: TcpStream, books: Arc<Mutex<Books>>) -> io::Result<()> {
    let head = Head::read(&mut client).await?;
    let answer = {
        let books = books.lock().unwrap_or_else(PoisonError::into_inner);
        books.answer(&head)
    };
    let Some((status, body)) = answer else { return pending().await };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} From metadata\r\nContent-Length: {length}\r\nConnection: close\r\n\
         X-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n{body}"
    );
    client.write_all(answer.as_bytes()).await
}

impl Books {
    /// The answer to a request; `None` if it gets none.
    fn answer(&self, head: &Head) -> Option<(u16, String)> {
        let (method, path) = head.asks();
        let has_token = || head.says("X-aws-ec2-metadata-token", TOKEN);
        let answer = match (self.manner, method, path.strip_prefix(ROLES).ok_or(path)) {
            (Manner::Silent, ..) => return None,
            (Manner::Failing, ..) => (500, String::new()),
            (Manner::WithoutTokens, "PUT", Err(_)) => (403, String::new()),
            (_, "PUT", Err("/latest/api/token")) => (200, TOKEN.to_owned()),
            (_, "GET", Ok(_)) if !has_token() => (401, String::new()),
            (Manner::WithoutRole, "GET", Ok(_)) => (404, String::new()),
            (_, "GET", Ok("")) => (200, "gateway".to_owned()),
            (_, "GET", Ok("gateway") | Err(OF_CONTAINER)) => self.lends(),
            _ => (404, String::new()),
        };
        Some(answer)
    }

    fn lends(&self) -> (u16, String) {
        let Lent { id, secret, token, lasts } = &self.lent;
        let end = (Timestamp::now() + *lasts).strftime("%Y-%m-%dT%H:%M:%SZ");
        let body = format!(
            r#"{{"Code":"Success","LastUpdated":"2026-01-01T00:00:00Z","Type":"AWS-HMAC",
            "AccessKeyId":"{id}","SecretAccessKey":"{secret}","Token":"{token}",
            "Expiration":"{end}"}}"#
        );
        (200, body)
    }
}
