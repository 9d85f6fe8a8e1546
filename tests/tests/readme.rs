//! What the README shows of `tidegate plan` is what it answers.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;
use tests::root;

/// Stands for lines that are not shown.
const ELIDED: &str = "…";

/// A command and the lines shown below it.
struct Shown<'a> {
    command: &'a str,
    lines: Vec<&'a str>,
}

/// Every command of the blocks that show a terminal.
fn shown(readme: &str) -> Vec<Shown<'_>> {
    let blocks = readme.split("```console\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines());
    let mut shown = Vec::<Shown<'_>>::new();
    for line in lines {
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (Some(command), _) => shown.push(Shown { command, lines: Vec::new() }),
            (None, Some(last)) => last.lines.push(line),
            (None, None) => unreachable!("a block begins with a command, not with {line:?}"),
        }
    }
    shown
}

/// A place with the configurations, and a shell that knows the program by its name.
fn answer(dir: &TempDir, command: &str) -> String {
    let output = Command::new("sh")
        .args(["-euc", command])
        .current_dir(dir.path())
        .env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()))
        .output()
        .expect("every Unix has a shell");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Whether `answered` is what is shown, with anything where lines are elided.
fn is_as_shown(shown: &[&str], answered: &[&str]) -> bool {
    match (shown, answered) {
        ([], answered) => answered.is_empty(),
        ([ELIDED, rest @ ..], answered) => {
            let skipped = answered.get(1..).is_some_and(|answered| is_as_shown(shown, answered));
            skipped || is_as_shown(rest, answered)
        }
        ([line, rest @ ..], [next, answered @ ..]) => line == next && is_as_shown(rest, answered),
        ([_, ..], []) => false,
    }
}

#[test]
fn commands_in_the_readme_answer_what_it_shows() {
    let readme = fs::read_to_string(root().join("README.md")).expect("the project has a README");
    let dir = tempfile::tempdir().expect("a temporary directory");
    symlink(env!("CARGO_BIN_EXE_gateway"), dir.path().join("tidegate")).expect("a new name");
    symlink(root().join("configs"), dir.path().join("configs")).expect("a new name");
    let shown = shown(&readme);
    assert!(shown.len() >= 5, "{} commands", shown.len());
    for Shown { command, lines } in shown {
        let answered = answer(&dir, command);
        let answered: Vec<_> = answered.lines().collect();
        assert!(
            is_as_shown(&lines, &answered),
            "{command} answers now:\n{}\nand not:\n{}",
            answered.join("\n"),
            lines.join("\n")
        );
    }
    let page = fs::read_to_string(dir.path().join("plan.html")).expect("the page was written");
    assert!(page.starts_with("<!DOCTYPE html>"));
}

#[test]
fn what_is_elided_may_be_anything_and_what_is_shown_may_not() {
    assert!(is_as_shown(&["a", ELIDED, "d"], &["a", "b", "c", "d"]));
    assert!(is_as_shown(&[ELIDED], &[]));
    assert!(!is_as_shown(&["a", ELIDED, "d"], &["a", "d", "e"]));
    assert!(!is_as_shown(&["a"], &["a", "b"]));
    assert!(!is_as_shown(&["a", "b"], &["a"]));
}
