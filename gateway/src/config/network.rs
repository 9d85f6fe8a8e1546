//! The way to the AWS side: part of the `[stream]` table, and `[stream.proxy]`.

use std::path::PathBuf;

use super::Login;

/// The way to the AWS side.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Network {
    /// Another endpoint than the region's own.
    pub endpoint: Option<String>,
    /// The authorities to trust, in PEM, instead of the platform's.
    pub ca_file: Option<PathBuf>,
    /// The region's endpoint whose cryptography is validated by FIPS 140.
    pub fips: bool,
    /// The region's endpoint that has IPv6 addresses too.
    pub dual_stack: bool,
    /// Who stands between.
    pub proxy: Proxy,
}

/// Who stands between us and the AWS side.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Proxy {
    /// Whoever the environment names: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, but not for
    /// `NO_PROXY`.
    #[default]
    Environment,
    /// Nobody.
    Off,
    /// This proxy.
    At(ProxyServer),
}

/// A proxy, asked for a tunnel to every HTTPS endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyServer {
    /// `http://host:port` or `https://host:port`, without a login.
    pub url: String,
    /// Who we are to it.
    pub login: Option<Login>,
    /// Hosts, domains (with all below them), addresses and networks (CIDR) that are reached without
    /// it.
    pub except: Vec<String>,
}
