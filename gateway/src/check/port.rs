//! The port of the metrics: whether it is to be had.

use std::net::TcpListener;

use crate::books::LedgerFile;
use crate::config::Config;

use super::step::{Class, Finding};

/// What is wrong with it, if something is. A gateway that runs has it.
pub(super) fn look(config: &Config) -> Option<Finding> {
    let address = config.metrics.listen?;
    if LedgerFile::new(&config.state_dir).is_held() {
        return None;
    }
    let error = TcpListener::bind(address).err()?;
    let said = format!("metrics.listen: cannot listen on {address}: {error}");
    let fix = "say another address in metrics.listen, or end who listens there (ss -ltnp tells)";
    Some(Finding::failed(Class::Configuration, said, fix))
}
