//! The TLS configuration of a connection, read before every connect so that certificates can be
//! replaced.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

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
            let chain = certificates(cert_file, "mqtt.tls.cert_file")?;
            let key = PrivateKeyDer::from_pem_slice(&read(key_file, "mqtt.tls.key_file")?)
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
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            for certificate in certificates(path, "mqtt.tls.ca_file")? {
                roots.add(certificate).with_context(|| {
                    format!("mqtt.tls.ca_file: no usable authority in {}", path.display())
                })?;
            }
        }
        None => {
            let native = rustls_native_certs::load_native_certs();
            let (added, _) = roots.add_parsable_certificates(native.certs);
            if added == 0 {
                bail!("no certificate authority on this machine: set mqtt.tls.ca_file");
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path, key)?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("{key}: {} is no PEM file", path.display()))?;
    if certificates.is_empty() {
        bail!("{key}: no certificate in {}", path.display());
    }
    Ok(certificates)
}

fn read(path: &Path, key: &str) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{key}: cannot read {}", path.display()))
}
