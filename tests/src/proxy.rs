//! A proxy: asked for tunnels by CONNECT, it opens them, refuses them, or keeps its clients waiting.

use std::future::pending;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE64;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::http::Head;
use crate::patience::until;

/// A proxy on loopback. Dropping it closes its tunnels.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    books: Arc<Mutex<Books>>,
    _open: JoinSet<()>,
}

/// How it treats who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manner {
    /// Everybody gets a tunnel.
    Obliging,
    /// Who says this, `user:password`, gets a tunnel; others are refused with 407.
    Guarded(&'static str),
    /// Everybody is refused with this status.
    Refusing(u16),
    /// Nobody gets an answer.
    Silent,
}

/// What happened so far, and what happens next.
#[derive(Debug)]
struct Books {
    manner: Manner,
    asked: Vec<String>,
    tunnels: usize,
}

impl Proxy {
    /// Starts one on the caller's runtime.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let books = Arc::new(Mutex::new(Books { manner, asked: vec![], tunnels: 0 }));
        let mut open = JoinSet::new();
        let shared = Arc::clone(&books);
        open.spawn(async move {
            let mut clients = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                clients.spawn(serve(client, Arc::clone(&shared)));
            }
        });
        Self { port, books, _open: open }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes how it treats who asks from now on.
    pub fn behave(&self, manner: Manner) {
        self.with(|books| books.manner = manner);
    }

    /// Every `host:port` that it was asked for.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.with(|books| books.asked.clone())
    }

    /// Waits until it was asked so many times.
    pub async fn is_asked(&self, times: usize) {
        let what = format!("the proxy is asked {times} times");
        until(&what, || self.with(|books| books.asked.len()) >= times).await;
    }

    /// How many tunnels it has opened.
    #[must_use]
    pub fn tunnels(&self) -> usize {
        self.with(|books| books.tunnels)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Books) -> T) -> T {
        look(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One client's way; an error is only the end of it. Whatever host is asked for is this machine.
async fn serve(mut client: TcpStream, books: Arc<Mutex<Books>>) -> io::Result<()> {
    let head = Head::read(&mut client).await?;
    let ("CONNECT", target) = head.asks() else {
        return client.write_all(answer(405).as_bytes()).await;
    };
    let manner = {
        let mut books = books.lock().unwrap_or_else(PoisonError::into_inner);
        books.asked.push(target.to_owned());
        books.manner.clone()
    };
    let refusal = match manner {
        Manner::Obliging => None,
        Manner::Guarded(login) => (!proves(&head, login)).then_some(407),
        Manner::Refusing(status) => Some(status),
        Manner::Silent => pending().await,
    };
    if let Some(status) = refusal {
        return client.write_all(answer(status).as_bytes()).await;
    }
    let port = target.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(0);
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    books.lock().unwrap_or_else(PoisonError::into_inner).tunnels += 1;
    client.write_all(answer(200).as_bytes()).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

fn proves(head: &Head, login: &str) -> bool {
    head.says("Proxy-Authorization", &format!("Basic {}", BASE64.encode(login.as_bytes())))
}

fn answer(status: u16) -> String {
    let challenge = match status {
        407 => "Proxy-Authenticate: Basic realm=\"proxy\"\r\n",
        _ => "",
    };
    let length = if status == 200 { "" } else { "Content-Length: 0\r\n" };
    format!("HTTP/1.1 {status} From the proxy\r\n{challenge}{length}\r\n")
}
