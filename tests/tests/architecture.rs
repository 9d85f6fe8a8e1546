//! The rules of the layout, held against the text of the sources. A fault names its place and says
//! what to do. An exception that nobody needs any more is a fault too.

use std::fs;
use std::path::PathBuf;

use tests::root;

/// In the order in which a record meets them.
const STAGES: [&str; 6] = ["source", "normalise", "route", "queue", "dispatch", "deliver"];

/// What all stages may use. It stays below them.
const GROUND: [&str; 14] = [
    "ack",
    "authorities",
    "backoff",
    "config",
    "dead_letter",
    "filter",
    "limits",
    "login",
    "metrics",
    "record",
    "register",
    "spool",
    "telemetry",
    "topic",
];

/// What an earlier stage may name of a later one.
const BACKWARDS: [(&str, &str); 4] = [
    // Verdicts flow backwards, by name: they say how to go on.
    ("dispatch", "deliver::Answer"),
    ("dispatch", "deliver::Trouble"),
    ("dispatch", "deliver::TroubleKind"),
    ("dispatch", "deliver::Verdict"),
];

const CLOCKS: [&str; 4] = ["Instant::now", "SystemTime::now", "Timestamp::now", ".elapsed()"];

/// The command on top of the estimator, which reads files and the clock.
const SHELLS: [&str; 2] = ["shard-estimator/src/cli", "shard-estimator/src/main"];

const LINES_MAX: usize = 399;

/// One file below the root of the repository.
struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// The lines that are compiled into the product, numbered from 1: no comments and no inline
    /// test module, which is the last item of its file.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..)
            .zip(self.text.lines())
            .take_while(|(_, line)| *line != "mod tests {")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Whether it is the module `module` (a path without `.rs`) or a part of it.
    fn is_within(&self, module: &str) -> bool {
        self.path.strip_prefix(module).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// Where the code, without its string literals, holds one of `words`.
    fn finds(&self, words: &[&str]) -> Vec<String> {
        let holds = |line: &str| {
            line.split('"').step_by(2).any(|code| words.iter().any(|word| code.contains(word)))
        };
        let found = self.code().filter(|(_, line)| holds(line));
        found.map(|(number, line)| format!("{}:{number}: {}", self.path, line.trim())).collect()
    }

    /// Every path that the code names below its crate: `crate::deliver::{Answer, Verdict}` is
    /// `deliver::Answer` and `deliver::Verdict`.
    fn crate_paths(&self) -> Vec<String> {
        let code: Vec<_> = self.code().map(|(_, line)| line).collect();
        let of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let mut paths = Vec::new();
        for rest in code.join(" ").split("crate::").skip(1) {
            let end = rest.find(|c| !of_path(c)).unwrap_or(rest.len());
            let (path, rest) = rest.split_at(end);
            match rest.strip_prefix('{').and_then(|list| list.split('}').next()) {
                Some(list) => paths.extend(
                    list.split(',')
                        .map(str::trim)
                        .filter(|name| !name.is_empty())
                        .map(|name| format!("{path}{name}")),
                ),
                None => paths.push(path.to_owned()),
            }
        }
        paths
    }
}

/// All Rust files of the workspace.
fn workspace() -> Vec<Source> {
    let root = root();
    let mut folders: Vec<PathBuf> =
        ["gateway", "shard-estimator", "tests"].iter().map(|member| root.join(member)).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                let path = path.strip_prefix(root).expect("found below it").display().to_string();
                sources.push(Source { path, text });
            }
        }
    }
    sources
}

/// What is compiled into the gateway and the estimator.
fn product() -> Vec<Source> {
    let is_product = |source: &Source| {
        let path = &source.path;
        let of_product =
            ["gateway/src/", "shard-estimator/src/"].iter().any(|at| path.starts_with(at));
        of_product && !path.contains("/tests/") && !path.ends_with("/tests.rs")
    };
    workspace().into_iter().filter(is_product).collect()
}

/// Checks that `words` are in every one of the modules `homes`, and nowhere else in the product.
fn only_in(homes: &[&str], words: &[&str], advice: &str) {
    let (at_home, abroad): (Vec<_>, Vec<_>) =
        product().into_iter().partition(|source| homes.iter().any(|home| source.is_within(home)));
    let found: Vec<_> = abroad.iter().flat_map(|source| source.finds(words)).collect();
    assert!(found.is_empty(), "{advice}:\n{}", found.join("\n"));
    for home in homes {
        let used = at_home.iter().any(|at| at.is_within(home) && !at.finds(words).is_empty());
        assert!(used, "{home} has no {words:?} any more: take it off the list in this test");
    }
}

/// Checks that `words` are in none of `modules`, which exist; shells around them do not count.
fn nowhere_in(modules: &[&str], words: &[&str], advice: &str) {
    let (shells, product): (Vec<_>, Vec<_>) =
        product().into_iter().partition(|source| SHELLS.iter().any(|at| source.is_within(at)));
    for shell in SHELLS {
        let exists = shells.iter().any(|source| source.is_within(shell));
        assert!(exists, "{shell} is gone: take it off the list in this test");
    }
    for module in modules {
        let parts: Vec<_> = product.iter().filter(|source| source.is_within(module)).collect();
        assert!(!parts.is_empty(), "{module} is gone: take it off the list in this test");
        let found: Vec<_> = parts.iter().flat_map(|source| source.finds(words)).collect();
        assert!(found.is_empty(), "{advice}:\n{}", found.join("\n"));
    }
}

/// Each crate path named in the gateway's module `module`, with the file that names it.
fn named_in(module: &str) -> Vec<(String, String)> {
    let module = format!("gateway/src/{module}");
    let parts = product().into_iter().filter(|source| source.is_within(&module));
    let named = |source: Source| {
        source.crate_paths().into_iter().map(move |path| (source.path.clone(), path))
    };
    parts.flat_map(named).collect()
}

fn first_module(path: &str) -> &str {
    path.split("::").next().unwrap_or(path)
}

#[test]
fn no_stage_imports_a_later_one() {
    let mut exceptions = BACKWARDS.to_vec();
    for (index, stage) in STAGES.iter().enumerate() {
        for (file, path) in named_in(stage) {
            let is_later = STAGES.iter().skip(index + 1).any(|later| first_module(&path) == *later);
            let exception = BACKWARDS.iter().find(|(by, of)| by == stage && path == *of);
            exceptions.retain(|unused| Some(unused) != exception);
            assert!(
                !is_later || exception.is_some(),
                "{file} names crate::{path}: a stage knows only what comes before it; \
                 let the pipeline hand the answer back",
            );
        }
    }
    assert!(exceptions.is_empty(), "not needed any more in this test: {exceptions:?}");
}

#[test]
fn what_all_stages_use_knows_no_stage() {
    for module in GROUND {
        for (file, path) in named_in(module) {
            assert!(
                !STAGES.contains(&first_module(&path)),
                "{file} names crate::{path}: what all stages use must stay below them",
            );
        }
    }
}

#[test]
fn rumqttc_is_known_to_the_source_and_to_the_rehearsal_only() {
    let homes =
        ["gateway/src/source", "gateway/src/rehearsal/broker", "gateway/src/rehearsal/fleet"];
    only_in(&homes, &["rumqttc"], "speak MQTT in the source, by its own types");
}

#[test]
fn the_aws_sdk_is_known_to_one_file_only() {
    let words = [
        "aws_config",
        "aws_credential_types",
        "aws_runtime",
        "aws_sdk_",
        "aws_smithy_",
        "aws_types",
    ];
    only_in(&["gateway/src/deliver/kinesis"], &words, "call the service through `deliver::Stream`");
}

#[test]
fn governor_is_known_to_the_pace_only() {
    only_in(&["gateway/src/dispatch/pace"], &["governor"], "ask the pace for admission");
}

#[test]
fn tasks_are_spawned_where_the_shutdown_awaits_them() {
    let homes = [
        "gateway/src/pipeline",
        "gateway/src/commands/rehearse",
        // A program, which is killed when nobody waits for it.
        "gateway/src/credentials/process",
        // A disk that hangs is waited for by nobody, not even at the end.
        "gateway/src/check/apart",
        "gateway/src/credentials/disk",
        "gateway/src/rehearsal/broker",
        "gateway/src/rehearsal/stream",
    ];
    let words = ["spawn(", "spawn_local(", "spawn_blocking("];
    only_in(&homes, &words, "return a future and let the pipeline spawn and await it");
}

#[test]
fn what_decides_does_not_ask_the_time() {
    let modules = [
        "gateway/src/ack",
        "gateway/src/custody",
        "gateway/src/dispatch",
        "gateway/src/normalise",
        "gateway/src/queue",
        "gateway/src/route",
        "gateway/src/spool",
        "shard-estimator/src",
    ];
    nowhere_in(&modules, &CLOCKS, "take the time as an argument");
}

#[test]
fn the_estimator_is_pure() {
    let words = ["tokio", "std::fs", "std::net", "std::io", "std::thread", "std::env", "cli::"];
    nowhere_in(&["shard-estimator/src"], &words, "the estimator only calculates");
}

#[test]
fn no_file_is_too_long_to_read_at_once() {
    for Source { path, text } in workspace() {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{path} has {lines} lines: split it, at most {LINES_MAX}");
    }
}

#[test]
fn a_module_is_named_by_its_file() {
    for Source { path, .. } in workspace() {
        assert!(!path.ends_with("/mod.rs"), "{path}: call it by the name of its folder, beside it");
    }
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_for_later() {
    for Source { path, text } in workspace() {
        // In two halves, so that this file does not find itself.
        for (one, two) in [("#[ig", "nore"), ("TO", "DO"), ("FIX", "ME"), ("to", "do!(")] {
            let word = format!("{one}{two}");
            for (number, line) in (1..).zip(text.lines()) {
                assert!(
                    !line.contains(&word),
                    "{path}:{number}: {word}: do it now or take it away"
                );
            }
        }
    }
}

#[test]
fn the_map_names_every_module() {
    let library = product().into_iter().find(|source| source.path == "gateway/src/lib.rs");
    let text = library.expect("the library has a root").text;
    let map: String = text.lines().filter(|line| line.starts_with("//!")).collect();
    for line in text.lines() {
        let Some(module) = line.strip_prefix("pub mod ") else { continue };
        let module = module.trim_end_matches(';');
        assert!(map.contains(&format!("[`{module}`]")), "put [`{module}`] on the map in lib.rs");
    }
}

#[test]
fn what_the_readme_claims_is_shown_by_tests_that_exist() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the project has a README");
    let section = readme.split("\n## ").find(|section| section.starts_with("What survives what"));
    let rows = section
        .expect("a table of what survives what")
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| when"));
    let sources = workspace();
    for row in rows {
        let shown_by = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names: Vec<_> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "name the test that shows this: {row}");
        for name in names {
            let test = format!("fn {name}(");
            let exists = sources.iter().any(|source| source.text.contains(&test));
            assert!(exists, "README.md names a test that does not exist: {name}");
        }
    }
}
