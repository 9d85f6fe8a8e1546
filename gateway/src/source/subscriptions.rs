//! What the broker was asked for, remembered between runs: the session of a gateway outlives its
//! configuration, and a filter that was removed must be unsubscribed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::{Mqtt, Subscription};

/// The subscriptions of one connection.
#[derive(Debug)]
pub(super) struct Subscriptions {
    wanted: Vec<Subscription>,
    memory: PathBuf,
}

impl Subscriptions {
    /// The filters of lane `index`, as the broker is to see them; remembered in `state_dir` under
    /// the client id.
    pub(super) fn new(mqtt: &Mqtt, index: usize, client_id: &str, state_dir: &Path) -> Self {
        let lane = mqtt.lanes.get(index).map(Vec::as_slice).unwrap_or_default();
        let wanted = lane
            .iter()
            .map(|subscription| Subscription {
                filter: match &mqtt.share_group {
                    Some(group) => format!("$share/{group}/{}", subscription.filter),
                    None => subscription.filter.clone(),
                },
                qos: subscription.qos,
            })
            .collect();
        // Client ids may hold what file names may not.
        let name: String = client_id.bytes().map(|byte| format!("{byte:02x}")).collect();
        let name: String = name.chars().take(200).collect();
        Self { wanted, memory: state_dir.join(format!("subscriptions-{name}.json")) }
    }

    /// The filters to subscribe to.
    pub(super) fn wanted(&self) -> &[Subscription] {
        &self.wanted
    }

    /// The filters that an earlier run subscribed to and this one does not want.
    pub(super) fn unwanted(&self) -> Vec<String> {
        let remembered: BTreeSet<String> = fs::read(&self.memory)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        let wanted: BTreeSet<&str> = self.wanted.iter().map(|s| s.filter.as_str()).collect();
        remembered.into_iter().filter(|filter| !wanted.contains(filter.as_str())).collect()
    }

    /// Remembers what is wanted, and what is still to be unsubscribed with it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn remember(&self, unwanted: &[String]) -> io::Result<()> {
        let wanted = self.wanted.iter().map(|subscription| &subscription.filter);
        let filters: BTreeSet<&String> = wanted.chain(unwanted).collect();
        let text = serde_json::to_vec(&filters)?;
        if fs::read(&self.memory).is_ok_and(|old| old == text) {
            return Ok(());
        }
        let fresh = self.memory.with_extension("new");
        fs::write(&fresh, text)?;
        fs::rename(fresh, &self.memory)
    }
}
