//! Where keys come from: files, a program, the environment, and services of AWS that lend them.
//!
//! A source is asked anew every time, from the first step on, for the SDK reads files and the like
//! once for ever. Whatever it waits for is bounded.

use std::path::{Path, PathBuf};
use std::{env, fs};

use jiff::Timestamp;

use crate::clock;
use crate::config::{self, KeySource, Role};
use crate::credentials::file::{Format, KeyFile};
use crate::credentials::process::Program;
use crate::credentials::{Fault, Found, Key, NoKey, Source, Why};

pub use identity::{Identity, identity};

use chain::Chain;
use looked::Looked;
use sts::WebIdentity;
use way::Way;

mod chain;
mod environment;
mod identity;
mod instance;
mod lent;
mod looked;
mod profile;
mod region;
mod sts;
mod way;

/// The source that a configuration names.
#[derive(Debug)]
pub struct KeySources {
    source: KeySource,
    strict: bool,
    way: Way,
    looked: Looked,
    chain: Chain,
}

impl KeySources {
    /// What `config` says.
    #[must_use]
    pub fn new(config: &config::Stream) -> Self {
        let config::Credentials { source, strict_permissions } = config.credentials.clone();
        let way = Way::new(config);
        Self {
            source,
            strict: strict_permissions,
            way,
            looked: Looked::default(),
            chain: Chain::default(),
        }
    }

    /// Asks `source`, and takes only what a call can be signed with: a key that makes no header would
    /// never be refused, and so never replaced.
    async fn ask(&self, source: &KeySource) -> Result<Found, NoKey> {
        let no_key = |fault: Fault| NoKey { source_name: name(source), why: fault.into() };
        let found = self.find(source).await?;
        Ok(Found { key: found.key.fit_to_sign().map_err(no_key)?, ..found })
    }

    async fn find(&self, source: &KeySource) -> Result<Found, NoKey> {
        let no_key = |why| NoKey { source_name: name(source), why };
        match source {
            KeySource::Csv { file, user } => {
                let format = Format::Csv { user: user.clone() };
                self.read(self.key_file(file, format)).await.map_err(no_key)
            }
            KeySource::StaticFile { file } => {
                self.read(self.key_file(file, Format::Pair)).await.map_err(no_key)
            }
            KeySource::Systemd { id } => {
                let directory = env::var_os("CREDENTIALS_DIRECTORY");
                let file = KeyFile::of_service(directory.as_deref(), id)
                    .map_err(|fault| no_key(fault.into()))?;
                self.read(file).await.map_err(no_key)
            }
            KeySource::Process { command, timeout } => {
                let program = Program { command: command.clone(), timeout: *timeout };
                program.run(&self.way.disk, wall_clock()).await.map(found).map_err(no_key)
            }
            KeySource::Environment => environment::key().map(found).map_err(no_key),
            KeySource::Profile { path, profile } => {
                let files = profile::Files::of(path.as_deref());
                let profile = profile.as_deref();
                let asked = profile::find(&files, profile, self.strict, &self.way);
                asked.await.map_err(no_key)?.ok_or_else(|| no_key(files.without_key(profile)))
            }
            KeySource::Role(role) => self.assume(role, no_key).await,
            KeySource::WebIdentity { token_file, role_arn, session_name } => {
                let identity =
                    WebIdentity { token_file, role_arn, session_name: session_name.as_deref() };
                identity.assume(&self.way).await.map(found).map_err(no_key)
            }
            KeySource::Instance => instance::key(&self.way).await.map(found).map_err(no_key),
            KeySource::Default => self.chain.find(self.strict, &self.way).await.map_err(no_key),
        }
    }

    /// The key of a session, of `role`, for the key of its base as that is now.
    async fn assume(&self, role: &Role, no_key: impl Fn(Why) -> NoKey) -> Result<Found, NoKey> {
        let base = Box::pin(self.ask(&role.base)).await?;
        let key = sts::assume(role, &base.key, &self.way).await.map_err(no_key)?;
        Ok(Found { key, ..base })
    }

    fn key_file(&self, path: &Path, format: Format) -> KeyFile {
        KeyFile { path: path.to_owned(), format, strict: self.strict }
    }

    async fn read(&self, file: KeyFile) -> Result<Found, Why> {
        self.way.disk.read(move || file.read()).await
    }
}

impl Source for KeySources {
    fn name(&self) -> String {
        name(&self.source)
    }

    fn paths(&self) -> Vec<PathBuf> {
        paths(&self.source)
    }

    async fn has_changed(&self) -> bool {
        self.looked.anew(self.paths(), &self.way.disk).await
    }

    async fn load(&self) -> Result<Found, NoKey> {
        // Before they are read: what changes meanwhile is a change.
        self.looked.anew(self.paths(), &self.way.disk).await;
        // It is as large as all the calls that it may make.
        Box::pin(self.ask(&self.source)).await
    }
}

/// A key of which there is nothing to say.
fn found(key: Key) -> Found {
    Found { key, exposed: None }
}

/// What the log calls a source.
fn name(source: &KeySource) -> String {
    match source {
        KeySource::Default => "where AWS tools look".to_owned(),
        KeySource::Csv { file, .. } => format!("csv {}", file.display()),
        KeySource::Profile { path, profile } => {
            profile::Files::of(path.as_deref()).name(profile.as_deref())
        }
        KeySource::Environment => "environment".to_owned(),
        KeySource::StaticFile { file } => format!("static_file {}", file.display()),
        KeySource::Systemd { id } => format!("systemd credential {id}"),
        KeySource::Role(role) => format!("{} by {}", role.arn, name(&role.base)),
        KeySource::Instance => "instance".to_owned(),
        // The arguments may be secrets.
        KeySource::Process { command, .. } => {
            format!("process {}", command.first().map_or("", String::as_str))
        }
        KeySource::WebIdentity { role_arn, .. } => role_arn.clone(),
    }
}

/// The files of which a change may mean another key of `source`.
fn paths(source: &KeySource) -> Vec<PathBuf> {
    match source {
        KeySource::Csv { file, .. } | KeySource::StaticFile { file } => vec![file.clone()],
        KeySource::Profile { path, .. } => profile::Files::of(path.as_deref()).paths(),
        KeySource::Default => profile::Files::of(None).paths(),
        KeySource::Systemd { id } => {
            let directory = env::var_os("CREDENTIALS_DIRECTORY");
            let file = KeyFile::of_service(directory.as_deref(), id);
            file.map(|file| file.path).into_iter().collect()
        }
        KeySource::WebIdentity { token_file, .. } => vec![token_file.clone()],
        KeySource::Role(role) => paths(&role.base),
        KeySource::Environment | KeySource::Instance | KeySource::Process { .. } => vec![],
    }
}

/// What a session is called unless said otherwise: the account's logs show it, so it says which
/// machine this is.
fn session_name() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String =
        host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect();
    let mut name = format!("tidegate-{host}");
    // It is ASCII.
    name.truncate(SESSION_NAME_CHARS_MAX);
    name
}

/// STS API reference, `AssumeRole`: `RoleSessionName`.
const SESSION_NAME_CHARS_MAX: usize = 64;

/// The time as this machine knows it.
fn wall_clock() -> Timestamp {
    Timestamp::from_millisecond(clock::unix_ms()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_a_name_that_sts_takes() {
        let name = session_name();
        let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        assert!(name.starts_with("tidegate-") && name.chars().all(is_fit), "{name}");
        assert!(name.len() <= SESSION_NAME_CHARS_MAX);
    }

    #[test]
    fn a_source_is_named_without_the_arguments_of_its_program_and_watched_by_its_files() {
        let process = KeySource::Process {
            command: vec!["/bin/key".to_owned(), "secret".to_owned()],
            timeout: std::time::Duration::from_secs(1),
        };
        assert_eq!((name(&process), paths(&process)), ("process /bin/key".to_owned(), vec![]));
        let base = KeySource::StaticFile { file: "/k".into() };
        let role = KeySource::Role(Box::new(Role {
            arn: "arn".to_owned(),
            external_id: None,
            session_name: None,
            duration: std::time::Duration::from_secs(3_600),
            base,
            sts_endpoint: None,
        }));
        assert_eq!(
            (name(&role), paths(&role)),
            ("arn by static_file /k".to_owned(), vec![PathBuf::from("/k")])
        );
        let profile = KeySource::Profile { path: Some("/p".into()), profile: Some("x".into()) };
        assert_eq!(name(&profile), "profile x in /p");
    }
}
