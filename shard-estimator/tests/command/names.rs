//! Names of files and of devices, wherever they are from.

use std::fs;

use crate::{answered, file, json_of, refused};

#[test]
fn a_file_names_others_that_lie_beside_it() {
    let (folder, plan) = file(
        "[plan]\nprices = 'dear.toml'\n[[class]]\nids = 'ids.txt'\nperiod = '1s'\nsizes = '9:1'\n",
    );
    refused(&format!("--plan {plan}"), &["cannot read", &folder.path().display().to_string()]);
    let prices = include_str!("../../../configs/prices.toml");
    fs::write(folder.path().join("dear.toml"), prices).unwrap();
    fs::write(folder.path().join("ids.txt"), "a\nb\nc\n").unwrap();
    let plan = json_of(&format!("--plan {plan}"));
    assert_eq!(plan["inputs"]["classes"][0]["devices"]["known"][2], "c");
}

#[test]
fn a_name_does_not_control_the_terminal() {
    let (_folder, plan) = file(
        "[[class]]\nname = \"a\\u001b[2Jb\\nTHE PLAN HOLDS\"\ndevices = 1\nperiod = '1s'\nsizes = '9:1'\n",
    );
    let table = answered(&format!("--plan {plan} --explain"));
    assert!(table.contains("1 a\\u{1b}[2Jb\\nTHE PLAN HOLDS, each"), "{table}");
    assert!(!table.contains(|c: char| c.is_control() && c != '\n'), "{table:?}");
    assert_eq!(
        json_of(&format!("--plan {plan}"))["inputs"]["classes"][0]["name"].as_str(),
        Some("a\u{1b}[2Jb\nTHE PLAN HOLDS")
    );
}
