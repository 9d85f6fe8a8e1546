//! What a configuration refers to outside of itself.

use std::fs::{self, File};
use std::path::Path;

use crate::config::{Config, Fault, Faults, Login, Password, Proxy, Stream};

impl Config {
    /// Looks whether the files that this configuration, read from the file `name`, refers to can
    /// be read now, and whether the environment variables are set. Their contents are looked at
    /// when they are used. Not those of keys: they come and go while the gateway runs, and one
    /// customer's may hold up nobody else.
    ///
    /// # Errors
    /// Every file that cannot be read, and every variable that is not set, in one go.
    pub fn check_files(&self, name: &str) -> Result<(), Faults> {
        let tls = self.mqtt.broker.tls.as_ref();
        let client = tls.and_then(|tls| tls.client.as_ref());
        let files = [
            ("mqtt.tls.ca_file", tls.and_then(|tls| tls.ca_file.as_ref())),
            ("mqtt.tls.cert_file", client.map(|(cert, _)| cert)),
            ("mqtt.tls.key_file", client.map(|(_, key)| key)),
        ];
        let files =
            files.into_iter().filter_map(|(key, path)| path.and_then(|path| unreadable(key, path)));
        let login = self.mqtt.login.as_ref().and_then(|login| no_password("mqtt", login));
        let of_streams = self.streams.iter().flat_map(of_stream);
        Faults::new(name, files.chain(login).chain(of_streams).collect()).or(())
    }
}

fn of_stream(stream: &Stream) -> impl Iterator<Item = Fault> {
    let table = stream.called();
    let login = match &stream.network.proxy {
        Proxy::At(server) => server.login.as_ref(),
        Proxy::Environment | Proxy::Off => None,
    };
    let ca_file = stream.network.ca_file.as_ref();
    let faults = [
        ca_file.and_then(|path| unreadable(&format!("{table}.ca_file"), path)),
        login.and_then(|login| no_password(&format!("{table}.proxy"), login)),
    ];
    faults.into_iter().flatten()
}

fn no_password(table: &str, login: &Login) -> Option<Fault> {
    match login.password.as_ref()? {
        Password::File(path) => unreadable(&format!("{table}.password_file"), path),
        Password::Env(variable) => unset(&format!("{table}.password_env"), variable),
    }
}

fn unreadable(key: &str, path: &Path) -> Option<Fault> {
    // What is no file, such as a pipe, may wait for ever to be opened.
    let opened = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => File::open(path).map(drop),
        Ok(_) => return Some(fault(key, &path.display().to_string(), "is no file".to_owned())),
        Err(error) => Err(error),
    };
    let error = opened.err()?;
    let written = path.display().to_string();
    let why = match std::env::current_dir() {
        _ if written.starts_with(['~', '$']) => {
            "is not there: ~ and $ stand for themselves, so write the path out".to_owned()
        }
        Ok(here) if path.is_relative() => {
            format!("cannot be read in {}: {error}", here.display())
        }
        _ => format!("cannot be read: {error}"),
    };
    Some(fault(key, &written, why))
}

fn unset(key: &str, variable: &str) -> Option<Fault> {
    std::env::var_os(variable)
        .is_none()
        .then(|| fault(key, variable, "is not set in the environment".to_owned()))
}

fn fault(key: &str, value: &str, allowed: String) -> Fault {
    Fault { line: None, key: key.to_owned(), value: Some(format!("{value:?}")), allowed }
}
