//! The way to the AWS side: part of the `[stream]` table, and `[stream.proxy]`.

use std::net::IpAddr;

use super::syntax::plain;
use super::url::Url;
use super::{login, path};
use crate::config::file::{Checked, Table};
use crate::config::{Network, Proxy, ProxyServer};

/// Longest name in the domain name system, in bytes (RFC 1035, section 2.3.4, without its root).
const HOST_BYTES_MAX: usize = 253;

pub(super) fn read(table: &Table<'_>) -> Network {
    let network = Network {
        endpoint: table.text("endpoint", endpoint),
        ca_file: path(table, "ca_file"),
        fips: table.flag("fips", false),
        dual_stack: table.flag("dual_stack", false),
        proxy: proxy(&table.table("proxy")),
    };
    for (key, is_set) in [("fips", network.fips), ("dual_stack", network.dual_stack)] {
        if is_set && network.endpoint.is_some() {
            table.fault(key, "chooses the endpoint of the region: leave it or endpoint out");
        }
    }
    network
}

fn proxy(table: &Table<'_>) -> Proxy {
    let server =
        table.text("url", |text| if text == "off" { Ok(None) } else { url(text).map(Some) });
    let login = login::read(table);
    let except = table.item("except").map_or(vec![], |item| item.list("texts"));
    let except: Vec<_> = except.iter().filter_map(|item| item.text(host)).collect();
    if !matches!(server, Some(Some(_))) {
        for key in ["username", "except"] {
            if table.states(key) && table.item("url").is_none_or(|_| table.states("url")) {
                table.fault(key, "needs the url of a proxy beside it");
            }
        }
    }
    match server {
        None => Proxy::Environment,
        Some(None) => Proxy::Off,
        Some(Some(url)) => Proxy::At(ProxyServer { url, login, except }),
    }
}

pub(super) fn endpoint(text: &str) -> Checked<String> {
    let url = Url::parse(text)?;
    if url.has_login || !matches!(url.scheme, "http" | "https") || url.path.contains('?') {
        return Err("must be a URL such as \"https://kinesis.example:4567\"".to_owned());
    }
    Ok(text.to_owned())
}

fn url(text: &str) -> Checked<String> {
    let url = Url::parse(text)?;
    if url.has_login {
        let instead = "use username, and password_file or password_env";
        return Err(format!("must be without user:password@: {instead}"));
    }
    if !matches!(url.scheme, "http" | "https") || !matches!(url.path, "" | "/") {
        return Err("must be a URL such as \"http://proxy.example:3128\", or \"off\"".to_owned());
    }
    Ok(text.to_owned())
}

/// A host, a domain, an address, or a network; the HTTP client knows neither ports nor patterns here.
fn host(text: &str) -> Checked<String> {
    let must = "must be a host or domain such as \"example.com\", an address, or a network such as \
                \"10.0.0.0/8\"";
    let is_network = text.split_once('/').is_some_and(|(address, bits)| {
        let bits_max = address.parse().map(|ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 });
        bits_max.is_ok_and(|max| bits.parse::<u8>().is_ok_and(|bits| bits <= max))
    });
    let named = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
    let is_host = text.parse::<IpAddr>().is_ok() || text.chars().all(named);
    if !is_network && !is_host {
        return Err(must.to_owned());
    }
    plain(text, HOST_BYTES_MAX).map(str::to_owned)
}
