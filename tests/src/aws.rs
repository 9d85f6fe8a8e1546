//! A stand-in for the AWS CLI.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The access key that it creates first; those after it count on from the 7.
pub const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";

/// The secret of each.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Notes how it is called, and answers like an account with the number `$ACCOUNT` whose user has two
/// keys at most. Fails on `$FAILS`.
const PROGRAM: &str = r#"#!/usr/bin/env python3
import json, os, sys
with open("called", "a") as called:
    print(json.dumps(sys.argv[1:]), file=called)
if sys.argv[2] == os.environ.get("FAILS"):
    sys.exit("An error occurred (EntityAlreadyExists)")
if sys.argv[2] == "get-caller-identity":
    print(os.environ["ACCOUNT"])
if sys.argv[2] == "create-access-key":
    called = [json.loads(line)[1] for line in open("called")]
    made, gone = (called.count(verb + "-access-key") for verb in ("create", "delete"))
    if made - gone > 2:
        sys.exit("An error occurred (LimitExceeded)")
    print(f"AKIAIOSFODNN{6 + made}EXAMPLE\twJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
"#;

/// Puts it into `dir`, as `aws`.
pub fn install(dir: &Path) {
    let path = dir.join("aws");
    fs::write(&path, PROGRAM).expect("a writable directory");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
}
