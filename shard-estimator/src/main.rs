//! The `shard-estimator` program: `tidegate plan` without a gateway around it.

use std::process::ExitCode;

use clap::Parser;

/// How many shards a Kinesis stream needs, why, and what it costs.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Program {
    #[command(flatten)]
    arguments: shard_estimator::cli::Arguments,
}

fn main() -> ExitCode {
    shard_estimator::cli::run(&Program::parse().arguments)
}
