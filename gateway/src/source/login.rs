//! User name and password, read before every connect so that they can change.

use std::fs;

use anyhow::{Context, Result};

use crate::config::{Login, Password};

/// The user name and the password, empty where none is configured.
///
/// # Errors
/// When the password's file or variable cannot be read.
pub(super) fn read(login: &Login) -> Result<(String, String)> {
    let password = match &login.password {
        None => String::new(),
        Some(Password::File(path)) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("mqtt.password_file: cannot read {}", path.display()))?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        Some(Password::Env(name)) => std::env::var(name)
            .with_context(|| format!("mqtt.password_env: the variable {name} is not set"))?,
    };
    Ok((login.username.clone(), password))
}
