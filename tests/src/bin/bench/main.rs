//! The whole path, measured: mosquitto, the gateway and the local stream, with the gateway beside
//! the least that could do its work, the [`bare`] loop, in the same run.
//!
//! Mosquitto and what is measured are processes of their own; the stream and the load live here.
//! `--help` says what can be chosen.

mod bare;
mod broker;
mod load;
mod planning;
mod reading;
mod runs;
mod spool;
mod subject;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};

use runs::Plan;
use table::Table;

/// Measures the gateway from MQTT broker to stream, with a bare loop beside it.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    role: Option<Role>,
    /// How often each measurement is made; medians are printed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Readings in the broker's backlog.
    #[arg(long, default_value_t = 300_000)]
    backlog: u64,
    /// How long the paced load lasts.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// One measurement instead of all.
    #[arg(long)]
    only: Option<Part>,
}

/// What this program is started again as, to be measured.
#[derive(Debug, Subcommand)]
enum Role {
    /// The gateway, whole.
    Gateway { config: PathBuf },
    /// The least that could do its work.
    Bare { broker_port: u16, endpoint: String },
    /// `tidegate plan`.
    Plan {
        #[command(flatten)]
        question: Box<shard_estimator::cli::Arguments>,
    },
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Readings that waited at the broker, as fast as they go.
    Backlog,
    /// A thousand readings a second.
    Paced,
    /// Connected, with nothing to do.
    Idle,
    /// A thousand a second, of which the stream refuses a fifth at random.
    Refusals,
    /// The modes of the spool in the healthy state, at 2,000 and 20 a second.
    Modes,
    /// An outage of the stream, and the drain of the spool after it.
    Outage,
    /// A spool of 2 GiB: start and memory.
    Large,
    /// Instructions a record, counted by valgrind, with and without the spool.
    Instructions,
    /// Plans for 100,000 devices that are known.
    Plan,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(Role::Gateway { config }) = &arguments.role {
        tidegate::telemetry::init(tidegate::telemetry::LogFormat::Text);
        return tidegate::commands::run::run(config);
    }
    if let Some(Role::Plan { question }) = &arguments.role {
        return planning::answer(question);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match &arguments.role {
        Some(Role::Bare { broker_port, endpoint }) => {
            runtime.block_on(bare::run(*broker_port, endpoint))?;
        }
        _ => runtime.block_on(measure(&arguments))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let mut tables = Tables {
        kinds: Table::new(&["gateway", "bare loop"]),
        modes: Table::new(&spool::MODES),
        plans: Table::new(&[planning::COLUMN]),
    };
    let measured = all_runs(arguments, &mut tables).await;
    // What was measured before something failed took as long.
    let Tables { kinds, modes, plans } = &tables;
    let printed = [kinds, modes, plans].into_iter().try_for_each(Table::print);
    measured.and(printed)
}

/// What was measured.
struct Tables {
    /// The gateway beside the bare loop.
    kinds: Table,
    /// The modes of the spool beside each other.
    modes: Table,
    /// Plans.
    plans: Table,
}

async fn all_runs(arguments: &Arguments, tables: &mut Tables) -> Result<()> {
    let cores = std::thread::available_parallelism().context("cannot count the cores")?;
    let plan = Plan { backlog: arguments.backlog, seconds: arguments.seconds };
    let parts = match arguments.only {
        Some(part) => vec![part],
        None => Part::value_variants().to_vec(),
    };
    for run in 1..=arguments.runs.max(1) {
        tables.kinds.say(&format!("run {run} of {}, on {cores} cores", arguments.runs.max(1)))?;
        for part in &parts {
            part.measure(&plan, tables).await.with_context(|| format!("{part:?}, run {run}"))?;
        }
    }
    Ok(())
}

impl Part {
    async fn measure(self, plan: &Plan, Tables { kinds, modes, plans }: &mut Tables) -> Result<()> {
        match self {
            Self::Backlog => runs::backlog(plan, kinds).await,
            Self::Idle => runs::idle(kinds).await,
            Self::Paced => runs::paced(plan, kinds).await,
            Self::Refusals => runs::refusals(plan, kinds).await,
            Self::Modes => spool::modes(plan, modes).await,
            Self::Outage => spool::outage(plan, modes).await,
            Self::Large => spool::large(modes).await,
            Self::Instructions => spool::instructions(modes).await,
            Self::Plan => planning::plans(plans),
        }
    }
}
