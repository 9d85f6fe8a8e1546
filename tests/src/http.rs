//! As much of HTTP as the servers here need.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Longest head of a request that is read, in bytes.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// The head of a request.
pub(crate) struct Head(String);

impl Head {
    /// Reads one, and nothing behind it.
    pub(crate) async fn read(client: &mut TcpStream) -> io::Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= HEAD_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            head.push(client.read_u8().await?);
        }
        String::from_utf8(head).map(Self).map_err(io::Error::other)
    }

    /// Its method, and what for.
    pub(crate) fn asks(&self) -> (&str, &str) {
        let mut words = self.0.split_whitespace();
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    /// Whether a field of that name has this value.
    pub(crate) fn says(&self, name: &str, value: &str) -> bool {
        let mut fields = self.0.lines().filter_map(|line| line.split_once(": "));
        fields.any(|(field, said)| field.eq_ignore_ascii_case(name) && said == value)
    }
}
