//! URLs, as far as brokers and endpoints need them.

use std::net::Ipv6Addr;

use crate::config::file::Checked;

/// `scheme://host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Url<'t> {
    pub(super) scheme: &'t str,
    /// Name or address; an IPv6 address without its brackets, as certificates name it.
    pub(super) host: &'t str,
    pub(super) port: Option<u16>,
    /// With its leading slash and its query; empty when there is none.
    pub(super) path: &'t str,
    /// Whether it holds `user:password@`.
    pub(super) has_login: bool,
}

impl<'t> Url<'t> {
    /// Takes `text` apart.
    pub(super) fn parse(text: &'t str) -> Checked<Self> {
        let no_url = || "must be a URL such as scheme://host:port".to_owned();
        let (scheme, rest) = text.split_once("://").ok_or_else(no_url)?;
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '#') {
            return Err("must be a URL without spaces and without '#'".to_owned());
        }
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        let (login, server) = authority
            .rsplit_once('@')
            .map_or((None, authority), |(login, server)| (Some(login), server));
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(parse_port(port)?)),
            _ => (server, None),
        };
        Ok(Self { scheme, host: parse_host(host)?, port, path, has_login: login.is_some() })
    }
}

fn parse_port(text: &str) -> Checked<u16> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| "must have a port of 1 to 65535".to_owned())
}

fn parse_host(text: &str) -> Checked<&str> {
    let address = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let named = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    match address {
        Some(address) if address.parse::<Ipv6Addr>().is_ok() => Ok(address),
        None if !text.is_empty() && text.chars().all(named) => Ok(text),
        _ => {
            Err("must have a host name, an IPv4 address, or an IPv6 address in [brackets]"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (text, scheme, host, port, path, has_login) in [
            ("mqtt://127.0.0.1:1883", "mqtt", "127.0.0.1", Some(1883), "", false),
            ("mqtts://broker.example", "mqtts", "broker.example", None, "", false),
            ("ws://broker_1:80/mqtt", "ws", "broker_1", Some(80), "/mqtt", false),
            ("wss://b?token=a:b@c", "wss", "b", None, "?token=a:b@c", false),
            ("mqtt://[::1]:1884", "mqtt", "::1", Some(1884), "", false),
            ("mqtt://[fe80::1]", "mqtt", "fe80::1", None, "", false),
            ("mqtt://user:p@ss:1@b:1", "mqtt", "b", Some(1), "", true),
            ("http://localhost:4567/", "http", "localhost", Some(4567), "/", false),
        ] {
            assert_eq!(Url::parse(text), Ok(Url { scheme, host, port, path, has_login }), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "broker",
            "mqtt:broker",
            "mqtt://",
            "mqtt://:1883",
            "mqtt://b:0",
            "mqtt://b:65536",
            "mqtt://b:",
            "mqtt://b:x",
            "mqtt://b c",
            "mqtt://[::1",
            "mqtt://::1",
            "mqtt://[b]",
            "mqtt://b#f",
            "ws://b/p#f",
            "mqtt://b%20",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
    }
}
