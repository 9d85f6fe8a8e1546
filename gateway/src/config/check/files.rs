//! What a configuration refers to outside of itself.

use std::fs::File;
use std::path::Path;

use crate::config::{Config, Fault, Faults, Password};

impl Config {
    /// Looks whether the files that this configuration, read from the file `name`, refers to can
    /// be read now, and whether the environment variables are set. Their contents are looked at
    /// when they are used.
    ///
    /// # Errors
    /// Every file that cannot be read, and every variable that is not set, in one go.
    pub fn check_files(&self, name: &str) -> Result<(), Faults> {
        let mqtt = &self.mqtt;
        let tls = mqtt.broker.tls.as_ref();
        let client = tls.and_then(|tls| tls.client.as_ref());
        let password = mqtt.login.as_ref().and_then(|login| login.password.as_ref());
        let password_file = password.and_then(|password| match password {
            Password::File(path) => Some(path),
            Password::Env(_) => None,
        });
        let files = [
            ("mqtt.tls.ca_file", tls.and_then(|tls| tls.ca_file.as_ref())),
            ("mqtt.tls.cert_file", client.map(|(cert, _)| cert)),
            ("mqtt.tls.key_file", client.map(|(_, key)| key)),
            ("mqtt.password_file", password_file),
        ];
        let no_key = self.streams.iter().filter_map(|stream| {
            let (key, path) = stream.credentials.source.file()?;
            unreadable(&format!("{}.credentials.{key}", stream.called()), path)
        });
        let unreadable =
            files.into_iter().filter_map(|(key, path)| path.and_then(|path| unreadable(key, path)));
        let unset = match password {
            Some(Password::Env(variable)) => unset("mqtt.password_env", variable),
            Some(Password::File(_)) | None => None,
        };
        Faults::new(name, unreadable.chain(no_key).chain(unset).collect()).or(())
    }
}

fn unreadable(key: &str, path: &Path) -> Option<Fault> {
    let why = match File::open(path).and_then(|file| file.metadata()) {
        Ok(metadata) if metadata.is_file() => return None,
        Ok(_) => "is no file".to_owned(),
        Err(error) => format!("cannot be read: {error}"),
    };
    Some(fault(key, &path.display().to_string(), why))
}

fn unset(key: &str, variable: &str) -> Option<Fault> {
    std::env::var_os(variable)
        .is_none()
        .then(|| fault(key, variable, "is not set in the environment".to_owned()))
}

fn fault(key: &str, value: &str, allowed: String) -> Fault {
    Fault { line: None, key: key.to_owned(), value: Some(format!("{value:?}")), allowed }
}
