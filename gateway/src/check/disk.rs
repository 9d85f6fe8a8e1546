//! The disk: whether our directories can be written, and have the room that they may take.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};
use rustix::io::Errno;

use crate::config::{Config, Partitioning, SpoolMode};
use crate::pipeline;
use crate::spool;
use crate::state_dir;

use super::apart::DIRECTORIES_MAX;
use super::step::{Class, Finding, State};

/// What to do where we are somebody else.
pub(super) const AS_THE_GATEWAY: &str =
    "run the check as the user of the gateway: only then it sees what the gateway sees";

/// A directory that grows.
struct Store<'c> {
    /// The key of its ceiling.
    key: &'static str,
    dir: &'c Path,
    bytes_max: u64,
}

/// What a file system is to hold besides what it holds.
#[derive(Default)]
struct Wanted {
    free: u64,
    more: u64,
    keys: Vec<&'static str>,
}

/// Looks, and writes nothing. Waits for the disk.
pub(super) fn look(config: &Config) -> Finding {
    let place = place(&config.state_dir);
    if place.state.class().is_some() {
        return place;
    }
    let is_ours = place.state == State::Ok;
    let unusable = directories(config).into_iter().filter_map(|dir| usable(&dir).err());
    // Whose it is, is said once.
    let unusable = unusable.filter(|finding| is_ours || finding.state != State::Warning);
    let found = unusable.chain(refusals(config)).fold(place, Finding::and);
    if found.state.class().is_some() {
        return found;
    }
    found.and(room(&stores(config)).unwrap_or_else(|error| {
        let fix = "see what file system this is: the spool needs a local one";
        let said = format!("how much room there is cannot be told: {error}");
        Finding::failed(Class::Disk, said, fix)
    }))
}

/// Whose the state is. That of somebody else can be judged by them alone, who may be the gateway.
fn place(state_dir: &Path) -> Finding {
    let refusal = match state_dir::check_owner(state_dir) {
        Err(refusal) if state_dir.is_dir() => refusal.to_string(),
        Ok(()) | Err(_) => return Finding::ok(format!("in {}", state_dir.display())),
    };
    match access(state_dir, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        Err(Errno::ACCESS) => Finding::failed(
            Class::Disk,
            refusal,
            format!("{AS_THE_GATEWAY}; if that is who runs this, give it to them (chown)"),
        ),
        Ok(()) | Err(_) => Finding::warning(refusal, AS_THE_GATEWAY),
    }
}

/// The finding on a disk that says nothing.
pub(super) fn silent(config: &Config) -> Finding {
    let said = format!(
        "{}, or another directory of the gateway, does not answer within {} s",
        config.state_dir.display(),
        DIRECTORIES_MAX.as_secs()
    );
    Finding::failed(Class::Disk, said, "see what file system this is: the spool needs a local one")
}

fn stores(config: &Config) -> Vec<Store<'_>> {
    let mut stores = vec![Store {
        key: "dead_letter.bytes_max",
        dir: &config.dead_letter.dir,
        bytes_max: config.dead_letter.bytes_max,
    }];
    if config.spool.mode != SpoolMode::Off {
        let (dir, bytes_max) = (&config.spool.dir, config.spool.bytes_max);
        stores.push(Store { key: "spool.bytes_max", dir, bytes_max });
    }
    stores
}

/// Every directory that a start makes, or finds.
fn directories(config: &Config) -> Vec<PathBuf> {
    let mut dirs = vec![config.state_dir.clone()];
    dirs.extend(stores(config).into_iter().map(|store| store.dir.to_owned()));
    dirs.extend(spools(config));
    dirs.extend(registers(config));
    dirs.sort_unstable();
    dirs.dedup();
    dirs
}

/// The spool of every stream, if there are any.
fn spools(config: &Config) -> impl Iterator<Item = PathBuf> {
    let streams = config.streams.iter().filter(|_| config.spool.mode != SpoolMode::Off);
    streams.map(|stream| config.spool_of(stream).dir)
}

/// Where the numbers of devices are, of every stream that has some.
fn registers(config: &Config) -> impl Iterator<Item = PathBuf> {
    let streams = config.streams.iter();
    let numbered = streams.filter(|stream| stream.partitioning == Partitioning::Golden);
    numbered.map(|stream| stream.within(&config.state_dir))
}

/// With what of what lies there a start would not go on. One that runs may have begun with another
/// configuration.
fn refusals(config: &Config) -> impl Iterator<Item = Finding> {
    pipeline::refusals(config).into_iter().map(|refusal| {
        let fix = "do as it says, or say another directory: a gateway does not start with this";
        Finding::failed(Class::Disk, format!("{refusal:#}"), fix)
    })
}

/// The nearest directory to `dir`, itself or above, that is there.
fn nearest(dir: &Path) -> &Path {
    let there = dir.ancestors().find(|dir| dir.exists());
    there.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether it is ours, with what is in it, or can be made.
fn usable(dir: &Path) -> Result<(), Finding> {
    let there = nearest(dir);
    if !there.is_dir() {
        let said = format!("{} is no directory", there.display());
        return Err(Finding::failed(
            Class::Disk,
            said,
            "remove the file, or say another directory",
        ));
    }
    let list = if there == dir { Access::READ_OK } else { Access::empty() };
    if let Err(error) = access(there, list | Access::WRITE_OK | Access::EXEC_OK) {
        return Err(closed(there, dir, &error.into()));
    }
    if there == dir
        && let Some((file, error)) = closed_file(dir)
    {
        return Err(closed(&file, dir, &error));
    }
    // Above it, what is there may be anybody's.
    if there == dir
        && let Err(refusal) = state_dir::check_owner(dir)
    {
        return Err(Finding::warning(refusal.to_string(), AS_THE_GATEWAY));
    }
    Ok(())
}

fn closed(path: &Path, dir: &Path, error: &io::Error) -> Finding {
    let said = format!("{} cannot be written: {error}", path.display());
    let fix = format!(
        "give it to the user of the gateway (chown), or say another state_dir, in which {} can be made",
        dir.display()
    );
    Finding::failed(Class::Disk, said, fix)
}

/// Whether a start opens such a file to write to it. Whatever else lies there may be anybody's.
fn is_written(path: &Path) -> bool {
    let is =
        |part: Option<&OsStr>, names: &[&str]| names.iter().any(|name| part == Some(name.as_ref()));
    is(path.file_name(), &["lock", "journal"]) || is(path.extension(), &["lock", "register"])
}

/// A file in `dir` that we may not use, if there is one: whoever ran the gateway as another user has
/// left some.
fn closed_file(dir: &Path) -> Option<(PathBuf, io::Error)> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => return Some((dir.to_owned(), error)),
    };
    let files = entries.flatten().map(|entry| entry.path()).filter(|path| is_written(path));
    let mut tried = files.map(|file| {
        let opened = access(&file, Access::READ_OK | Access::WRITE_OK);
        (file, opened)
    });
    tried.find_map(|(file, opened)| Some((file, opened.err()?.into())))
}

/// Whether every file system has room for what its stores may still take.
fn room(stores: &[Store<'_>]) -> io::Result<Finding> {
    let mut file_systems = BTreeMap::<u64, Wanted>::new();
    for Store { key, dir, bytes_max } in stores {
        let there = nearest(dir);
        let wanted = file_systems.entry(fs::metadata(there)?.dev()).or_default();
        let found = statvfs(there)?;
        wanted.free = found.f_bavail.saturating_mul(found.f_frsize);
        let held: u64 = spool::directories(dir)?.iter().map(|dir| held(dir)).sum();
        wanted.more += bytes_max.saturating_sub(held);
        wanted.keys.push(key);
    }
    let findings = file_systems.into_values().map(|Wanted { free, more, keys }| {
        let keys = keys.join(" and ");
        let said = format!("{} free, and {keys} may take {} more", size(free), size(more));
        if more <= free {
            return Finding::ok(said);
        }
        Finding::warning(
            said,
            format!("make room, or lower {keys}: a full disk makes the broker wait"),
        )
    });
    Ok(findings.reduce(Finding::and).unwrap_or_else(|| Finding::ok("nothing is kept")))
}

/// The bytes of the files in a directory; none if it is not there.
fn held(dir: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(dir) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).sum()
}

/// For people, rounded down.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, bits)| bytes >> bits > 0);
    unit.map_or_else(|| format!("{bytes} B"), |(name, bits)| format!("{} {name}", bytes >> bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(state_dir: &Path, more: &str) -> Config {
        let text = format!(
            "state_dir = {:?}\n[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'c'\ntopics = ['a']\n\
             [stream]\nname = 's'\nregion = 'us-east-1'\n{more}",
            state_dir.display().to_string()
        );
        Config::parse(&text).unwrap()
    }

    const SMALL: &str = "[spool]\nbytes_max = '64 MiB'\n[dead_letter]\nbytes_max = '1 MiB'\n";

    #[test]
    fn a_directory_that_is_not_there_yet_is_looked_for_above_and_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let finding = look(&config(&dir.path().join("a/b"), SMALL));
        assert_eq!(finding.state, State::Ok, "{finding:?}");
        assert!(finding.said.contains("may take 65 MiB more"), "{finding:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_spool_of_a_newer_version_is_a_failure_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let spool = dir.path().join("spool");
        fs::create_dir(&spool).unwrap();
        let mut cursor = b"TGCURSOR\x02\0\0\0what comes then".to_vec();
        cursor.extend(crc32c::crc32c(&cursor).to_le_bytes());
        fs::write(spool.join("cursor"), cursor).unwrap();
        let finding = look(&config(dir.path(), SMALL));
        assert_eq!(finding.state, State::Failed(Class::Disk), "{finding:?}");
        assert!(finding.said.contains("has format version 2"), "{finding:?}");
    }

    #[test]
    fn a_ceiling_above_what_the_disk_has_is_a_warning_with_both_sizes() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store { key: "spool.bytes_max", dir: dir.path(), bytes_max: u64::MAX };
        let finding = room(&[store]).unwrap();
        assert_eq!(finding.state, State::Warning);
        assert!(finding.fix.unwrap().contains("lower spool.bytes_max"));
    }

    #[test]
    fn what_a_store_holds_already_needs_no_more_room() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("segment"), [0; 3_000]).unwrap();
        let store = Store { key: "spool.bytes_max", dir: dir.path(), bytes_max: 4_000 };
        let finding = room(&[store]).unwrap();
        assert!(finding.said.ends_with("may take 1000 B more"), "{finding:?}");
    }

    #[test]
    fn a_file_in_the_way_or_a_directory_of_somebody_else_is_told_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let in_the_way = dir.path().join("file");
        fs::write(&in_the_way, "").unwrap();
        let finding = look(&config(&in_the_way, SMALL));
        assert_eq!(finding.state, State::Failed(Class::Disk), "{finding:?}");
        let theirs = state_dir::tests::of_somebody_else(dir.path());
        let finding = look(&config(&theirs, SMALL));
        assert!(finding.state >= State::Warning, "{finding:?}");
    }
}
