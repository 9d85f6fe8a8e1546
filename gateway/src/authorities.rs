//! Certificate authorities in PEM files, read before a library sees them: what is wrong with a file
//! is told with its name.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

pub mod distrust;

/// The contents of the file `path` that the setting `key` names.
///
/// # Errors
/// Names both when it cannot be read.
pub fn read(path: &Path, key: &str) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{key}: cannot read {}", path.display()))
}

/// The contents of the PEM file `path` that the setting `key` names, once every certificate in it is
/// known to be an authority that may be trusted: for a library that takes that for granted.
///
/// # Errors
/// As [`trusted`].
pub fn read_trusted(path: &Path, key: &str) -> Result<Vec<u8>> {
    let pem = read(path, key)?;
    roots(&pem, path, key)?;
    Ok(pem)
}

/// The certificates in the PEM file `path` that the setting `key` names: one at least.
///
/// # Errors
/// Names both when there are none, or when one cannot be read.
pub fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    parse(&read(path, key)?, path, key)
}

/// The certificates in such a file as authorities that may be trusted.
///
/// # Errors
/// As [`certificates`], and when one of them can be no authority.
pub fn trusted(path: &Path, key: &str) -> Result<RootCertStore> {
    roots(&read(path, key)?, path, key)
}

fn parse(pem: &[u8], path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("{key}: {} is no PEM file", path.display()))?;
    if certificates.is_empty() {
        bail!("{key}: no certificate in {}", path.display());
    }
    Ok(certificates)
}

fn roots(pem: &[u8], path: &Path, key: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in parse(pem, path, key)? {
        roots
            .add(certificate)
            .with_context(|| format!("{key}: no usable authority in {}", path.display()))?;
    }
    Ok(roots)
}
