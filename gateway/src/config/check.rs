//! Makes a [`Config`] of what is written, or a list of everything that is wrong with it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{Checked, File, Table};
use super::{Batch, Config, Fault, Faults, Metrics, Order, Pace, PaceMode, Plan};
use crate::limits::{self, Setting};
use streams::Tables;

mod credentials;
mod files;
mod fit;
mod login;
mod mqtt;
mod network;
mod records;
mod route;
mod storage;
mod stream;
mod streams;
mod subscriptions;
mod syntax;
#[cfg(test)]
mod tests;
mod url;

/// What faults call a configuration that came from no file.
const NAMELESS: &str = "tidegate.toml";

/// Where state lives when the gateway is not run as a service.
const STATE_DIR: &str = "./tidegate-state";

/// Longest path that Linux takes, in bytes.
const PATH_BYTES_MAX: usize = 4_095;

/// A table of each kind, so that reading it asks for every key there is.
const EVERY_TABLE: &str = "
    mqtt = { topics = [{}], lanes = [[{}]] }
    records = { mapping = [{ field = [{}] }] }
";

impl Config {
    /// Reads a configuration, with state in `./tidegate-state` unless it says otherwise.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one go.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        Self::parse_file(text, NAMELESS, Path::new(STATE_DIR))
    }

    /// Reads the file `path`, with state in `$STATE_DIRECTORY` (set by systemd) unless it says
    /// otherwise.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one go; that it cannot be read, when it cannot.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let (line, key, value) = (None, String::new(), None);
            let allowed = format!("cannot be read: {error}");
            Faults::new(&name, vec![Fault { line, key, value, allowed }])
        })?;
        let of_service = std::env::var("STATE_DIRECTORY").unwrap_or_default();
        Self::parse_file(&text, &name, state_dir(&of_service))
    }

    /// Reads the `text` of the file `name`.
    ///
    /// # Errors
    /// Everything that is wrong with it, in one go.
    pub fn parse_file(text: &str, name: &str, state_dir: &Path) -> Result<Self, Faults> {
        let file = File::parse(text).map_err(|faults| Faults::new(name, faults))?;
        let config = config(&file.root(), state_dir);
        Faults::new(name, file.into_faults()).or(config)
    }

    /// Every key that a file may hold, with the tables around it.
    #[must_use]
    pub fn keys() -> BTreeSet<String> {
        File::parse(EVERY_TABLE).map_or_else(
            |_| BTreeSet::new(),
            |file| {
                config(&file.root(), Path::new(STATE_DIR));
                file.into_known()
            },
        )
    }
}

/// Where state lies by default. `of_service` is what systemd says: nothing, or the state
/// directories of the unit with colons between, of which the first is ours.
fn state_dir(of_service: &str) -> &Path {
    let first = of_service.split(':').next().filter(|dir| !dir.is_empty());
    Path::new(first.unwrap_or(STATE_DIR))
}

fn config(root: &Table<'_>, state_dir: &Path) -> Config {
    let state_dir = path(root, "state_dir").unwrap_or_else(|| state_dir.to_owned());
    let of_all = pace(&root.table("pace"), &PACE);
    let (tables, streams) = Tables::read(root, &of_all);
    let mut config = Config {
        memory_bytes_max: root.bytes("memory_bytes_max", limits::MEMORY_BYTES),
        order: root.choice("order", &ORDERS).unwrap_or(Order::Device),
        mqtt: mqtt::read(&root.table("mqtt")),
        records: records::read(&root.table("records")),
        batch: batch(&root.table("batch")),
        plan: plan(&root.table("plan")),
        metrics: metrics(&root.table("metrics")),
        spool: storage::spool(&root.table("spool"), &state_dir),
        dead_letter: storage::dead_letter(&root.table("dead_letter"), &state_dir, &streams),
        streams,
        drain_max: seconds(root, "drain_s_max", limits::DRAIN_S),
        state_dir,
    };
    fit::memory(root, &tables, &mut config);
    fit::uplink(&tables, &mut config);
    fit::partitioning(&tables, &config);
    fit::target(root, &mut config);
    streams::relate(root, &tables, &config);
    config
}

const ORDERS: [(&str, Order); 3] =
    [("device", Order::Device), ("strict", Order::Strict), ("none", Order::None)];

fn batch(table: &Table<'_>) -> Batch {
    Batch {
        linger: milliseconds(table, "linger_ms", limits::LINGER_MS),
        records_max: table.number("records_max", limits::BATCH_RECORDS),
        bytes_max: table.bytes("bytes_max", limits::BATCH_BYTES),
    }
}

/// The pace when nobody says.
const PACE: Pace = Pace { mode: PaceMode::Shards, instances: None, fraction: limits::FRACTION };

/// What is not said is as `otherwise`.
fn pace(table: &Table<'_>, otherwise: &Pace) -> Pace {
    let modes =
        [("shards", PaceMode::Shards), ("feedback", PaceMode::Feedback), ("off", PaceMode::Off)];
    Pace {
        mode: table.choice("mode", &modes).unwrap_or(otherwise.mode),
        instances: table
            .item("instances")
            .and_then(|item| item.number(limits::INSTANCES))
            .or(otherwise.instances),
        fraction: table
            .item("fraction")
            .and_then(|item| item.real(part))
            .unwrap_or(otherwise.fraction),
    }
}

fn plan(table: &Table<'_>) -> Plan {
    Plan {
        target: table.item("target").and_then(|item| item.real(part)).unwrap_or(limits::TARGET),
        warn_after: seconds(table, "warn_after_s", limits::WARN_AFTER_S),
    }
}

fn metrics(table: &Table<'_>) -> Metrics {
    let address = |text: &str| {
        let must = "must be an address and a port such as \"127.0.0.1:9464\"";
        text.parse::<SocketAddr>().map_err(|_not_one| must.to_owned())
    };
    Metrics {
        listen: table.text("listen", address),
        hottest_keys: table.number("hottest_keys", limits::HOTTEST_KEYS),
    }
}

/// A part of a whole.
fn part(number: f64) -> Checked<f64> {
    if number > 0.0 && number <= 1.0 {
        Ok(number)
    } else {
        Err("must be above 0 and at most 1".to_owned())
    }
}

fn path(table: &Table<'_>, key: &str) -> Option<PathBuf> {
    table.text(key, |text| syntax::plain(text, PATH_BYTES_MAX).map(PathBuf::from))
}

fn seconds(table: &Table<'_>, key: &str, setting: Setting) -> Duration {
    Duration::from_secs(table.number(key, setting))
}

fn milliseconds(table: &Table<'_>, key: &str, setting: Setting) -> Duration {
    Duration::from_millis(table.number(key, setting))
}

/// The first and the longest of growing pauses.
fn pauses(table: &Table<'_>, keys: [&str; 2], settings: [Setting; 2]) -> (Duration, Duration) {
    let [first_key, longest_key] = keys;
    let [first, longest] = settings;
    let first = milliseconds(table, first_key, first);
    let longest = milliseconds(table, longest_key, longest);
    match (table.states(first_key), table.states(longest_key)) {
        (true, true) if first > longest => {
            table.fault(first_key, format!("must be at most {longest_key}"));
            (first, first)
        }
        (true, _) => (first, longest.max(first)),
        (false, _) => (first.min(longest), longest),
    }
}
