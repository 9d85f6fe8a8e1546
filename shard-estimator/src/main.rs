//! The `shard-estimator` program: `tidegate plan` without a gateway around it, which therefore cannot
//! watch a broker.

use std::process::ExitCode;

use clap::Parser;

/// How many shards a Kinesis stream needs, why, and what it costs.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    after_help = "To plan by watching a broker, ask the gateway: tidegate plan --config FILE --for 10m"
)]
struct Program {
    #[command(flatten)]
    arguments: shard_estimator::cli::Arguments,
}

fn main() -> ExitCode {
    shard_estimator::cli::run(&Program::parse().arguments)
}
