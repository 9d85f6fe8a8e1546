//! The HTTP client on the way to the AWS side: its authorities, its proxy, its idle connections.

use std::env;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use hyper::Uri;
use hyper::http::uri::Authority;

use crate::config::{Network, Proxy, ProxyServer};
use crate::{authorities, login};

/// Idle connections are dropped before the service resets them: aws-sdk-rust issue 1106.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// The variable by which other AWS tools are told whom to trust.
const CA_BUNDLE: &str = "AWS_CA_BUNDLE";

/// A client that keeps up to `idle_max` idle connections to a host.
///
/// # Errors
/// When the authorities to trust, or the proxy's password, cannot be read.
pub(super) fn client(network: &Network, idle_max: usize) -> Result<SharedHttpClient> {
    let tls = TlsContext::builder()
        .with_trust_store(trust_store(network.ca_file.as_deref())?)
        .build()
        .context("cannot set up TLS for the stream")?;
    let proxy = proxy(&network.proxy)?;
    Ok(Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls.clone())
            .proxy_config(proxy.clone())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_max_idle_per_host(idle_max);
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.build()
    }))
}

/// Whom to trust. The SDK takes what it is given for granted and ends the process over a bad file, so
/// it gets what was looked at.
fn trust_store(ca_file: Option<&Path>) -> Result<TrustStore> {
    let bundle = env::var_os(CA_BUNDLE).filter(|path| !path.is_empty());
    let (path, key) = match (ca_file, &bundle) {
        (Some(path), _) => (path, "stream.ca_file"),
        (None, Some(path)) => (Path::new(path), CA_BUNDLE),
        (None, None) => return Ok(TrustStore::default()),
    };
    Ok(TrustStore::empty().with_pem_certificate(authorities::read_trusted(path, key)?))
}

fn proxy(proxy: &Proxy) -> Result<ProxyConfig> {
    let ProxyServer { url, login, except } = match proxy {
        Proxy::Environment => return of_environment(),
        Proxy::Off => return Ok(ProxyConfig::disabled()),
        Proxy::At(server) => server,
    };
    let mut config = ProxyConfig::https(url)
        .map_err(|error| anyhow!("stream.proxy.url: {url} cannot be used: {error}"))?
        .no_proxy(except.join(","));
    if let Some(login) = login {
        let (username, password) = login::read(login, "stream.proxy")?;
        config = config.with_basic_auth(escaped(&username), escaped(&password));
    }
    Ok(config)
}

/// The proxies that the environment names, once whoever reads them can: what cannot be read is no
/// proxy to them, and they would ask without one.
fn of_environment() -> Result<ProxyConfig> {
    let https = named(["HTTPS_PROXY", "https_proxy"]).or_else(|| named(["ALL_PROXY", "all_proxy"]));
    for (name, url) in https.into_iter().chain(named(["HTTP_PROXY", "http_proxy"])) {
        // It may hold a password.
        if let Err(why) = understood(&url) {
            bail!("{name} {why}");
        }
    }
    Ok(ProxyConfig::from_env())
}

/// What the first of these variables says that is set, unless that is nothing.
fn named(variables: [&'static str; 2]) -> Option<(&'static str, String)> {
    let mut set = variables.into_iter().filter_map(|name| Some((name, env::var_os(name)?)));
    let (name, url) = set.next()?;
    Some((name, url.to_string_lossy().into_owned())).filter(|(_, url)| !url.is_empty())
}

/// Whether `url` is that of a proxy; why not, without a word of it.
fn understood(url: &str) -> Result<(), &'static str> {
    let no_url = "is no URL: in its user and password, write %40 for @ and the like";
    let uri = url.parse::<Uri>().map_err(|_unread| no_url)?;
    if !matches!(uri.scheme_str(), None | Some("http" | "https")) {
        return Err("is no HTTP proxy: its URL must begin with http:// or https://");
    }
    let authority = uri.authority().map_or("", Authority::as_str);
    let server = authority.rsplit('@').next().unwrap_or_default();
    let port = server.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
    if server.is_empty() || port.is_some_and(|(_, port)| port.parse::<u16>().is_err()) {
        return Err("must be a URL such as http://proxy.example:3128");
    }
    Ok(())
}

/// `text` for the user information of a URL, where the SDK puts it as it is.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        plain if plain.is_ascii_alphanumeric() => char::from(plain).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_the_client_would_go_without_is_none() {
        for proxy in [
            "http://proxy:3128",
            "https://joe:open%40sesame@proxy.example:3128/",
            "proxy.example:3128",
            "proxy",
            "http://[::1]:3128",
            "http://[::1]",
        ] {
            assert_eq!(understood(proxy), Ok(()), "{proxy}");
        }
        for (wrong, told) in [
            ("http://joe:open sesame@proxy:1", "is no URL"),
            ("ftp://joe:sesame@proxy:9", "is no HTTP proxy"),
            ("htps://proxy:3128", "is no HTTP proxy"),
            ("socks5://proxy:1080", "is no HTTP proxy"),
            ("https:proxy", "must be a URL such as"),
            ("/proxy", "must be a URL such as"),
        ] {
            let said = understood(wrong).unwrap_err();
            assert!(said.contains(told), "{said} for {wrong}");
        }
    }
}
