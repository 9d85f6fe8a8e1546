//! User name and password, wherever a table has them.

use super::path;
use super::syntax::plain;
use crate::config::file::{Checked, Table};
use crate::config::{Login, Password};
use crate::limits;

pub(super) fn read(table: &Table<'_>) -> Option<Login> {
    table.forbid("password", "a secret has no place here: use password_file or password_env");
    let check = |text: &str| plain(text, limits::MQTT_STRING_BYTES_MAX).map(str::to_owned);
    let username = table.text("username", check);
    let file = path(table, "password_file").map(Password::File);
    let env = table.text("password_env", variable).map(Password::Env);
    if file.is_some() && env.is_some() {
        table.fault("password_env", "cannot be together with password_file: there is one password");
    }
    for key in ["password_file", "password_env"] {
        if table.states(key) && table.item("username").is_none() {
            table.fault(key, "needs username beside it");
        }
    }
    username.map(|username| Login { username, password: file.or(env) })
}

/// The name of an environment variable.
fn variable(text: &str) -> Checked<String> {
    if text.contains('=') {
        return Err("must be the name of an environment variable".to_owned());
    }
    plain(text, limits::NAME_BYTES_MAX).map(str::to_owned)
}
