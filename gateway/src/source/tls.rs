//! The TLS configuration of a connection, read before every connect so that certificates can be
//! replaced.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::authorities;
use crate::config::Tls;

/// Builds the configuration: our own authorities or the platform's, and our certificate if any.
/// The broker's name is always checked.
///
/// # Errors
/// Names the file that cannot be read or holds nothing usable.
pub(super) fn client_config(tls: &Tls) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no TLS version in common with ourselves")?
        .with_root_certificates(roots(tls.ca_file.as_deref())?);
    let config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some((cert_file, key_file)) => {
            let chain = authorities::certificates(cert_file, "mqtt.tls.cert_file")?;
            let key =
                PrivateKeyDer::from_pem_slice(&authorities::read(key_file, "mqtt.tls.key_file")?)
                    .with_context(|| {
                    format!("mqtt.tls.key_file: no private key in {}", key_file.display())
                })?;
            builder
                .with_client_auth_cert(chain, key)
                .context("mqtt.tls: certificate and key do not fit each other")?
        }
    };
    Ok(Arc::new(config))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore> {
    if let Some(path) = ca_file {
        return authorities::trusted(path, "mqtt.tls.ca_file");
    }
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(native.certs);
    if added == 0 {
        bail!("no certificate authority on this machine: set mqtt.tls.ca_file");
    }
    Ok(roots)
}
