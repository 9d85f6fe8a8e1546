//! A door for TLS: the local stream speaks plain HTTP.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::certificates::Certificates;

/// Deciphers what comes by TLS and hands it to a server; and back. Dropping it closes the door.
#[derive(Debug)]
pub struct Door {
    /// Where it is: loopback.
    pub port: u16,
    visits: Arc<AtomicUsize>,
    _open: JoinSet<()>,
}

impl Door {
    /// Opens a door to the server at `server_port`, on the caller's runtime. It shows the certificate
    /// `shown`.
    pub async fn open(certificates: &Certificates, shown: &str, server_port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let acceptor = acceptor(&certificates.certificate(shown), &certificates.key(shown));
        let visits = Arc::new(AtomicUsize::new(0));
        let mut open = JoinSet::new();
        let counted = Arc::clone(&visits);
        open.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((visitor, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                passing.spawn(pass(visitor, acceptor.clone(), server_port));
            }
        });
        Self { port, visits, _open: open }
    }

    /// How many connections it has seen.
    #[must_use]
    pub fn visits(&self) -> usize {
        self.visits.load(Ordering::Relaxed)
    }
}

fn acceptor(certificate: &Path, key: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(certificate).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(key).expect("its key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the versions of the provider")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they belong together");
    TlsAcceptor::from(Arc::new(config))
}

/// One visitor's way; an error is only the end of it.
async fn pass(visitor: TcpStream, acceptor: TlsAcceptor, server_port: u16) -> io::Result<()> {
    visitor.set_nodelay(true)?;
    let mut visitor = acceptor.accept(visitor).await?;
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, server_port)).await?;
    server.set_nodelay(true)?;
    copy_bidirectional(&mut visitor, &mut server).await.map(|_| ())
}
