//! The port of the metrics: whether it is to be had.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::books::LedgerFile;
use crate::config::Config;

use super::disk::AS_THE_GATEWAY;
use super::step::{Class, Finding};

/// What is wrong with it, if something is. A gateway that runs has it.
pub(super) fn look(config: &Config) -> Option<Finding> {
    let address = config.metrics.listen?;
    let held = LedgerFile::new(&config.state_dir).is_held();
    if held.as_ref().is_ok_and(|held| *held) {
        return None;
    }
    let error = TcpListener::bind(address).err()?;
    let said = format!("metrics.listen: cannot listen on {address}: {error}");
    if let (Err(unseen), ErrorKind::AddrInUse) = (held, error.kind()) {
        let said = format!("{said}; whether that is the gateway cannot be seen: {unseen}");
        return Some(Finding::warning(said, AS_THE_GATEWAY));
    }
    let fix = "say another address in metrics.listen, or end who listens there (ss -ltnp tells)";
    Some(Finding::failed(Class::Configuration, said, fix))
}
