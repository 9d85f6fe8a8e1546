//! Where keys come from.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_kinesis::config::Region;

use crate::config::{self, KeySource};
use crate::credentials::file::{Format, KeyFile};
use crate::credentials::{Found, Key, KeyId, NoKey, Source, Why};

/// The source that a configuration names.
#[derive(Debug)]
pub struct KeySources {
    source: KeySource,
    strict: bool,
    region: String,
}

/// Longest wait for the whole chain: environment, files, container, instance.
const CHAIN_MAX: Duration = Duration::from_secs(20);

impl KeySources {
    /// What `config` says.
    #[must_use]
    pub fn new(config: &config::Stream) -> Self {
        let config::Credentials { source, strict_permissions } = config.credentials.clone();
        Self { source, strict: strict_permissions, region: config.region.clone() }
    }

    async fn found(&self) -> Result<Found, NoKey> {
        match &self.source {
            KeySource::Csv { file, user } => {
                self.file(file.clone(), Format::Csv { user: user.clone() }).read()
            }
            KeySource::StaticFile { file } => self.file(file.clone(), Format::Pair).read(),
            KeySource::Systemd { id } => {
                KeyFile::of_service(env::var_os("CREDENTIALS_DIRECTORY").as_deref(), id)?.read()
            }
            KeySource::Default
            | KeySource::Profile { .. }
            | KeySource::Environment
            | KeySource::Role(_)
            | KeySource::Instance
            | KeySource::Process { .. }
            | KeySource::WebIdentity { .. } => {
                self.chain().await.map(|key| Found { key, exposed: None })
            }
        }
    }

    fn file(&self, path: PathBuf, format: Format) -> KeyFile {
        KeyFile { path, format, strict: self.strict }
    }

    /// Where the SDK looks. A new chain each time: it reads profile files once for ever.
    async fn chain(&self) -> Result<Key, NoKey> {
        let no_key = |what: String| NoKey { source_name: self.name(), why: Why::Program(what) };
        let region = Region::new(self.region.clone());
        let chain = DefaultCredentialsChain::builder().region(region).build().await;
        let asked = tokio::time::timeout(CHAIN_MAX, chain.provide_credentials()).await;
        let found = asked.map_err(|_elapsed| no_key("took too long".to_owned()))?;
        let found = found.map_err(|error| no_key(crate::telemetry::causes(&error)))?;
        Ok(Key {
            id: KeyId::new(found.access_key_id()),
            secret: found.secret_access_key().into(),
            token: found.session_token().map(Into::into),
            good_for: None,
        })
    }
}

impl Source for KeySources {
    fn name(&self) -> String {
        format!("{:?}", self.source)
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.source.file().map(|(_, path)| path.to_owned()).into_iter().collect()
    }

    async fn load(&self) -> Result<Found, NoKey> {
        self.found().await
    }
}
