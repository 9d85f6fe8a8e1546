//! The program under test, as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    tidegate::cli::main()
}
