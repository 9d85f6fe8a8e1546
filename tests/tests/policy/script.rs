//! The commands, read by shells, run with a stand-in for the AWS CLI, and played to moto.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{aws, root};

use super::{BY_NAME, KEY, PATH, asked, policies, python, written};

const ACCOUNT: [&str; 2] = ["--account", "123456789012"];

/// A place where a script is run.
struct Place {
    dir: TempDir,
    script: String,
}

impl Place {
    fn new(config: &str, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        aws::install(dir.path());
        let script = written(config, &[flags, &["--format", "cli"]].concat());
        Self { dir, script }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Runs it in `shell`, as somebody of `account`, where the command `fails` does.
    fn run(&self, shell: &str, account: &str, fails: &str) -> Output {
        let path = std::env::var("PATH").expect("a path");
        Command::new(shell)
            .args(["-c", &self.script])
            .current_dir(self.path())
            .env("PATH", format!("{}:{path}", self.path().display()))
            .env("ACCOUNT", account)
            .env("FAILS", fails)
            .output()
            .expect("a shell")
    }

    /// How the CLI was called, a list of arguments a line.
    fn called(&self) -> String {
        fs::read_to_string(self.path().join("called")).unwrap_or_default()
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.path().join("tidegate-pumps_accessKeys.csv")
    }
}

/// What is in each account when moto has done what these scripts called.
fn played(called: &[String]) -> Vec<Value> {
    let there = python("replay.py", &called.join("\n"));
    there.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Which commands were called, without their options.
fn commands(called: &str) -> Vec<String> {
    let words = |line: &str| -> Vec<String> { serde_json::from_str(line).expect("a list") };
    called.lines().map(|line| words(line)[..2].join(" ")).collect()
}

#[test]
fn every_script_runs_in_every_shell_and_calls_the_same() {
    for (config, flags) in asked() {
        let place = Place::new(&config, &flags);
        let checked =
            Command::new("bash").args(["-n", "-c", &place.script]).output().expect("bash");
        assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");
        let called = ["sh", "bash"].map(|shell| {
            let place = Place::new(&config, &flags);
            let ran = place.run(shell, "123456789012", "");
            let said = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success() && said.is_empty(), "{shell}: {said}\n{}", place.script);
            place.called()
        });
        assert_eq!(called[0], called[1]);
    }
}

#[test]
fn what_moto_holds_after_the_script_is_what_the_json_says() {
    // moto's account is in the partition aws.
    let asked = asked().into_iter().filter(|(config, _)| config.contains("eu-central-1"));
    let asked: Vec<_> = asked.collect();
    let called = asked.iter().map(|(config, flags)| {
        let place = Place::new(config, flags);
        assert!(place.run("sh", "123456789012", "").status.success());
        place.called()
    });
    let played = played(&called.collect::<Vec<_>>());
    assert_eq!(played.len(), asked.len());
    for ((config, flags), there) in asked.iter().zip(played) {
        let (permissions, trust) = policies(config, flags);
        let one = |kind: &str| -> Vec<Value> {
            there[kind].as_object().expect("by name").values().cloned().collect()
        };
        let held = [one("users"), one("roles"), one("policies")].concat();
        let expected = match trust {
            Some(trust) => {
                let path = if config.contains(PATH) { PATH } else { "/" };
                json!({ "policy": permissions, "trust": trust, "path": path })
            }
            None if flags.contains(&"consumer") => permissions,
            None => json!({ "policy": permissions, "keys": 1 }),
        };
        assert_eq!(held, [expected]);
        let profiles = usize::from(flags.contains(&"ec2.amazonaws.com"));
        assert_eq!((one("profiles").len(), one("streams").len()), (profiles, 0), "{there:#}");
    }
}

#[test]
fn streams_are_created_with_the_planned_shards_and_encrypted() {
    let plan = root().join("configs/plan-fleet.toml").display().to_string();
    let place = Place::new(BY_NAME, &[&ACCOUNT[..], &["--kms", KEY, "--plan", &plan]].concat());
    assert!(place.run("sh", "123456789012", "").status.success());
    let expected = json!({ "pumps": [34, "PROVISIONED", KEY], "letters": [1, "PROVISIONED", KEY] });
    assert_eq!(played(&[place.called()])[0]["streams"], expected);
}

#[test]
fn the_key_is_kept_as_the_console_writes_it_for_its_owner_alone() {
    let place = Place::new(BY_NAME, &ACCOUNT);
    let ran = place.run("sh", "123456789012", "");
    assert!(ran.status.success());
    let kept = fs::read_to_string(place.key_file()).expect("written");
    assert_eq!(
        kept,
        "Access key ID,Secret access key\n\
         AKIAIOSFODNN7EXAMPLE,wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n"
    );
    assert_eq!(place.key_file().metadata().expect("there").mode() & 0o777, 0o600);
    assert!(ran.stdout.is_empty(), "the secret belongs into the file alone");
}

#[test]
fn a_script_for_another_account_changes_nothing() {
    let place = Place::new(BY_NAME, &ACCOUNT);
    let ran = place.run("sh", "999999999999", "");
    assert!(!ran.status.success());
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(said, "this is for account 123456789012, not 999999999999\n");
    assert_eq!(commands(&place.called()), ["sts get-caller-identity"]);
}

#[test]
fn a_script_ends_where_a_command_fails() {
    let place = Place::new(BY_NAME, &ACCOUNT);
    assert!(!place.run("sh", "123456789012", "create-user").status.success());
    assert_eq!(commands(&place.called()), ["sts get-caller-identity", "iam create-user"]);
    assert!(!place.run("sh", "123456789012", "create-access-key").status.success());
    assert!(!place.key_file().exists(), "no key, no file");
}

#[test]
fn a_key_file_that_is_there_already_is_kept_and_no_other_key_is_made() {
    let place = Place::new(BY_NAME, &ACCOUNT);
    fs::write(place.key_file(), "the only copy").expect("a writable directory");
    assert!(!place.run("sh", "123456789012", "").status.success());
    assert!(!place.called().contains("create-access-key"));
    assert_eq!(fs::read_to_string(place.key_file()).expect("kept"), "the only copy");
}
