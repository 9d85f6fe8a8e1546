//! What a configuration refers to outside of itself.

use std::fs::File;
use std::path::Path;

use crate::config::{Config, Fault, Faults, Login, Password, Proxy};

impl Config {
    /// Looks whether the files that this configuration, read from the file `name`, refers to can
    /// be read now, and whether the environment variables are set. Their contents are looked at
    /// when they are used.
    ///
    /// # Errors
    /// Every file that cannot be read, and every variable that is not set, in one go.
    pub fn check_files(&self, name: &str) -> Result<(), Faults> {
        let tls = self.mqtt.broker.tls.as_ref();
        let client = tls.and_then(|tls| tls.client.as_ref());
        let network = &self.stream.network;
        let proxy_login = match &network.proxy {
            Proxy::At(server) => server.login.as_ref(),
            Proxy::Environment | Proxy::Off => None,
        };
        let files = [
            ("mqtt.tls.ca_file", tls.and_then(|tls| tls.ca_file.as_ref())),
            ("mqtt.tls.cert_file", client.map(|(cert, _)| cert)),
            ("mqtt.tls.key_file", client.map(|(_, key)| key)),
            ("stream.ca_file", network.ca_file.as_ref()),
        ];
        let files =
            files.into_iter().filter_map(|(key, path)| path.and_then(|path| unreadable(key, path)));
        let logins = [("mqtt", self.mqtt.login.as_ref()), ("stream.proxy", proxy_login)];
        let logins = logins.into_iter().filter_map(|(table, login)| no_password(table, login?));
        let key_file = self.stream.credentials.source.file();
        let key_file =
            key_file.and_then(|(key, path)| unreadable(&format!("stream.credentials.{key}"), path));
        Faults::new(name, files.chain(logins).chain(key_file).collect()).or(())
    }
}

fn no_password(table: &str, login: &Login) -> Option<Fault> {
    match login.password.as_ref()? {
        Password::File(path) => unreadable(&format!("{table}.password_file"), path),
        Password::Env(variable) => unset(&format!("{table}.password_env"), variable),
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
