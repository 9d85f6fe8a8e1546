//! Pages of metrics, fetched and read.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::patience::in_time;

/// What a page says: each series by its name with its labels, without what all names begin with.
#[derive(Debug)]
pub struct Page(BTreeMap<String, f64>);

impl Page {
    /// Reads a page, or an answer that ends with one.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let series = |line: &str| {
            let (name, value) = line.strip_prefix("tidegate_")?.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Self(text.lines().filter_map(series).collect())
    }

    /// The value of a series.
    #[must_use]
    pub fn value(&self, name: &str) -> f64 {
        let value = self.0.get(name).copied();
        assert!(value.is_some(), "no {name} on the page: {self:?}");
        value.unwrap_or_default()
    }
}

/// What is answered at a URL, its head included.
pub async fn get(url: &str) -> String {
    let rest = url.strip_prefix("http://").expect("a URL");
    let (address, path) = rest.split_once('/').expect("with a path");
    let asking = async {
        let mut socket = TcpStream::connect(address).await?;
        let request =
            format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    in_time(&format!("{url} answers"), asking).await.expect("it is served")
}
