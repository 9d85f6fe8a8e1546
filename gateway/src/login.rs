//! User name and password, read when they are used so that they can change.

use std::fs;

use anyhow::{Context, Result};

use crate::config::{Login, Password};

/// The user name and the password of the table `table`, empty where none is configured.
///
/// # Errors
/// When the password's file or variable cannot be read.
pub fn read(login: &Login, table: &str) -> Result<(String, String)> {
    let password = match &login.password {
        None => String::new(),
        Some(Password::File(path)) => {
            let text = fs::read_to_string(path).with_context(|| {
                format!("{table}.password_file: cannot read {}", path.display())
            })?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        Some(Password::Env(name)) => std::env::var(name)
            .with_context(|| format!("{table}.password_env: the variable {name} is not set"))?,
    };
    Ok((login.username.clone(), password))
}
