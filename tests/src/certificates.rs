//! A small authority for TLS.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// An authority, a certificate of `localhost` and 127.0.0.1 for the broker, and one for a client.
#[derive(Debug)]
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    /// Makes all of them.
    #[must_use]
    pub fn new() -> Self {
        let certificates = Self { dir: TempDir::new().expect("a temporary directory") };
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, format!("authority {:016x}", fastrand::u64(..)));
        let key = key_pair();
        let authority = params.self_signed(&key).expect("a key that signs");
        certificates.write("ca", &authority, &key);
        let issuer = Issuer::new(params, key);
        for (name, subjects) in
            [("broker", ["localhost", "127.0.0.1"]), ("client", ["edge-1", "edge-1"])]
        {
            let mut params = CertificateParams::new(subjects.map(str::to_owned)).expect("names");
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            let key = key_pair();
            let certificate = params.signed_by(&key, &issuer).expect("a key that signs");
            certificates.write(name, &certificate, &key);
        }
        certificates
    }

    /// The certificate of `ca`, `broker` or `client`, as a PEM file.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.pem"))
    }

    /// The key of `ca`, `broker` or `client`, as a PEM file.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.key"))
    }

    fn write(&self, name: &str, certificate: &Certificate, key: &KeyPair) {
        fs::write(self.certificate(name), certificate.pem()).expect("a writable directory");
        fs::write(self.key(name), key.serialize_pem()).expect("a writable directory");
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

fn key_pair() -> KeyPair {
    KeyPair::generate().expect("randomness")
}
