//! What the broker is asked for, and what it was asked for before: the session of a gateway
//! outlives its configuration, and a filter that was removed must be unsubscribed.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;
use tracing::{info, warn};

use crate::config::{Mqtt, Qos, Subscription};
use crate::limits::{FILTERS_PER_SUBSCRIBE_MAX, LANES_MAX, RESUBSCRIBE_AFTER_MS};
use crate::state_dir;

use super::wire::Wire;
use super::{Dialect, Request};

/// The subscriptions of one connection.
#[derive(Debug)]
pub(super) struct Subscriptions {
    wanted: Vec<Subscription>,
    /// The file that remembers, between runs, what the broker was asked for; none for a session
    /// that ends with its connection.
    memory: Option<PathBuf>,
    /// What it says.
    remembered: BTreeSet<String>,
    /// How many filters were asked for and not answered, and how many unsubscribed likewise.
    unanswered: (usize, usize),
    /// When to ask again because the broker refused a filter, in milliseconds since 1970.
    again_ms: Option<i64>,
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
        let memory = (!mqtt.session_expiry.is_zero()).then(|| state_dir.join(file_name(client_id)));
        Self {
            wanted,
            remembered: memory.as_deref().map(recall).unwrap_or_default(),
            memory,
            unanswered: (0, 0),
            again_ms: None,
        }
    }

    /// Asks a broker that was just connected, whether it knows the session or not: the session may
    /// have been made by a run with other filters.
    pub(super) fn ask(&mut self, wire: &mut Wire<impl Dialect>) {
        let unwanted = self.unwanted();
        // Before asking: a crash between request and answer must not leave a filter unknown.
        self.remember(&unwanted);
        for filter in &unwanted {
            info!(filter, "unsubscribing: no longer configured");
            wire.say(|packet_id| Request::Unsubscribe { packet_id, filter });
        }
        for filters in self.wanted.chunks(FILTERS_PER_SUBSCRIBE_MAX) {
            wire.say(|packet_id| Request::Subscribe { packet_id, filters });
        }
        self.unanswered = (self.wanted.len(), unwanted.len());
        self.again_ms = None;
    }

    /// Ready when it is time to ask again; never while nothing was refused.
    pub(super) async fn due(&self, now_ms: i64) {
        match self.again_ms {
            Some(at) => sleep(Duration::from_millis(u64::try_from(at - now_ms).unwrap_or(0))).await,
            None => std::future::pending().await,
        }
    }

    /// Whether it is time to ask again.
    pub(super) fn are_due(&self, now_ms: i64) -> bool {
        self.again_ms.is_some_and(|at| at <= now_ms)
    }

    /// Takes the answers to one SUBSCRIBE; they come in the order of the requests, one a filter.
    /// True when the last filter is answered and none was refused. What was refused is asked for
    /// again, slowly: somebody may be mending the access list.
    pub(super) fn subscribed(&mut self, answers: &[Result<Qos, String>], now_ms: i64) -> bool {
        let first = self.wanted.len().saturating_sub(self.unanswered.0);
        for (Subscription { filter, qos }, answer) in self.wanted.iter().skip(first).zip(answers) {
            match answer {
                Ok(granted) if granted != qos => {
                    warn!(filter, ?granted, asked = ?qos, "subscribed at another QoS");
                }
                Ok(_) => info!(filter, "subscribed"),
                Err(reason) => warn!(
                    filter,
                    reason, "the broker refuses this subscription: check its access list"
                ),
            }
        }
        if answers.iter().any(Result::is_err) {
            self.again_ms = Some(now_ms + RESUBSCRIBE_AFTER_MS);
        }
        self.unanswered.0 = self.unanswered.0.saturating_sub(answers.len());
        self.answered();
        self.unanswered.0 == 0 && self.again_ms.is_none()
    }

    /// Takes the answer to one UNSUBSCRIBE.
    pub(super) fn unsubscribed(&mut self) {
        self.unanswered.1 = self.unanswered.1.saturating_sub(1);
        self.answered();
    }

    /// The filters that an earlier run asked for and this one does not want.
    fn unwanted(&self) -> Vec<String> {
        let wanted: BTreeSet<&str> = self.wanted.iter().map(|s| s.filter.as_str()).collect();
        let unwanted = self.remembered.iter().filter(|filter| !wanted.contains(filter.as_str()));
        unwanted.cloned().collect()
    }

    /// Forgets what was unsubscribed, once the broker has answered everything.
    fn answered(&mut self) {
        if self.unanswered == (0, 0) {
            self.remember(&[]);
        }
    }

    /// Writes down what the broker is asked for, and what may still be subscribed besides.
    fn remember(&mut self, besides: &[String]) {
        if let Err(error) = self.write(besides) {
            warn!(
                %error,
                "cannot remember the subscriptions: a filter removed later would stay subscribed"
            );
        }
    }

    /// Nothing is written of what is remembered already: a connection that is made again waits for
    /// no disk.
    fn write(&mut self, besides: &[String]) -> io::Result<()> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let wanted = self.wanted.iter().map(|subscription| &subscription.filter);
        let filters: BTreeSet<String> = wanted.chain(besides).cloned().collect();
        if filters != self.remembered {
            state_dir::replace(memory, &serde_json::to_vec(&filters)?)?;
            self.remembered = filters;
        }
        Ok(())
    }
}

/// What the file says; nothing if it is not there, or cannot be read.
fn recall(memory: &Path) -> BTreeSet<String> {
    let recalled = fs::read(memory).and_then(|text| Ok(serde_json::from_slice(&text)?));
    recalled.unwrap_or_else(|error| {
        if error.kind() != ErrorKind::NotFound {
            warn!(
                %error,
                file = %memory.display(),
                "cannot read the subscriptions of an earlier run: a filter removed since stays \
                 subscribed"
            );
        }
        BTreeSet::new()
    })
}

/// Says which sessions an earlier run had and this one has not: nobody takes what the broker keeps
/// for them.
pub(super) fn say_gone_lanes(mqtt: &Mqtt, state_dir: &Path) {
    for (client_id, memory) in gone_lanes(mqtt, state_dir) {
        warn!(
            client_id,
            file = %memory.display(),
            "an earlier run had more lanes, and the broker keeps this session until it expires: \
             configure the lane again, or end the session at the broker and remove the file"
        );
    }
}

/// Client ids of lanes that are no longer configured, and the files that remember them.
fn gone_lanes(mqtt: &Mqtt, state_dir: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    (mqtt.lanes.len()..LANES_MAX)
        .map(|index| mqtt.lane_client_id(index))
        .map(|client_id| (client_id.clone(), state_dir.join(file_name(&client_id))))
        .filter(|(_, memory)| memory.exists())
}

/// Client ids may hold what file names may not, and be longer: what is not plain becomes its code.
fn file_name(client_id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let name: String = client_id
        .chars()
        .map(|c| if plain(c) { c.to_string() } else { format!(".{:x}", u32::from(c)) })
        .collect();
    if name.len() <= 200 {
        return format!("subscriptions-{name}.json");
    }
    let hash = twox_hash::XxHash3_128::oneshot(client_id.as_bytes());
    format!("subscriptions-{hash:032x}.json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::Config;
    use crate::telemetry::tests::log_of;

    fn mqtt(topics: &str) -> Mqtt {
        let text = format!(
            "[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'c'\n{topics}\n\
             [stream]\nname = 's'\nregion = 'us-east-1'\n"
        );
        Config::parse(&text).unwrap().mqtt
    }

    #[test]
    fn lanes_that_are_gone_are_known_by_what_they_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let three = mqtt("lanes = [['a'], ['b'], ['c']]");
        for index in 0..3 {
            let client_id = three.lane_client_id(index);
            Subscriptions::new(&three, index, &client_id, dir.path()).remember(&[]);
        }
        let gone =
            |mqtt: &Mqtt| gone_lanes(mqtt, dir.path()).map(|gone| gone.0).collect::<Vec<_>>();
        assert_eq!(gone(&three), [""; 0]);
        assert_eq!(gone(&mqtt("topics = ['a']")), ["c-2", "c-3"]);
    }

    #[test]
    fn what_is_on_the_disk_already_is_neither_read_nor_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("subscriptions-c.json");
        fs::write(&memory, r#"["a","old"]"#).unwrap();
        let mqtt = mqtt("topics = ['a', 'b']");
        let mut subscriptions = Subscriptions::new(&mqtt, 0, "c", dir.path());
        let unwanted = subscriptions.unwanted();
        assert_eq!(unwanted, ["old"]);
        subscriptions.remember(&unwanted);
        assert_eq!(fs::read_to_string(&memory).unwrap(), r#"["a","b","old"]"#);
        // As seen by a connection that is made again.
        fs::remove_file(&memory).unwrap();
        assert_eq!(subscriptions.unwanted(), ["old"]);
        subscriptions.remember(&unwanted);
        assert!(!memory.exists());
        // And what is new is written.
        subscriptions.remember(&[]);
        assert_eq!(fs::read_to_string(&memory).unwrap(), r#"["a","b"]"#);
        assert_eq!(subscriptions.unwanted(), [""; 0]);
        assert_eq!(fs::metadata(&memory).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_could_not_be_written_is_written_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let in_the_way = dir.path().join("subscriptions-c.json.new");
        fs::create_dir(&in_the_way).unwrap();
        let mut subscriptions = Subscriptions::new(&mqtt("topics = ['a']"), 0, "c", dir.path());
        let log = log_of(|| subscriptions.remember(&[]));
        assert!(log.contains("cannot remember the subscriptions"), "{log}");
        fs::remove_dir(in_the_way).unwrap();
        subscriptions.remember(&[]);
        assert!(dir.path().join("subscriptions-c.json").exists());
    }

    #[test]
    fn memory_that_cannot_be_read_is_told_and_one_that_is_not_there_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let mqtt = mqtt("topics = ['a']");
        let start = || log_of(|| drop(Subscriptions::new(&mqtt, 0, "c", dir.path())));
        assert_eq!(start(), "");
        fs::write(dir.path().join("subscriptions-c.json"), r#"["a","ol"#).unwrap();
        let log = start();
        assert!(log.contains("subscriptions-c.json") && log.contains("WARN"), "{log}");
    }
}
