//! The command on top of the arithmetic: `tidegate plan`, and the `shard-estimator` program.
//!
//! What is asked is [`Arguments`]: flags, a file of a plan, or a recorded trace; [`answer`] reads
//! those, plans, and writes a table, a page, JSON, or settings for the gateway. In the order in which
//! a question meets them: `quantity` and `written` (what flags and keys say), `sheet` (a file),
//! `trace` and `observed` (what devices were seen to do), `question` (all of it, checked), `report`
//! (the numbers), `figures` (in words), and `table`, `html` and `settings` (as texts).
//!
//! Who watches a broker fills an [`Observed`] and asks [`answer_observed`]; who asks a gateway that
//! runs makes a [`Running`] of its page of metrics, and does likewise.
//!
//! ```
//! use clap::Parser;
//! use shard_estimator::cli::{Arguments, answer};
//!
//! #[derive(Parser)]
//! struct Program {
//!     #[command(flatten)]
//!     arguments: Arguments,
//! }
//!
//! let flags = "plan --devices 20000 --period 1s --sizes 1KiB:1 --key-bytes 17 --format toml";
//! let program = Program::parse_from(flags.split(' '));
//! let answer = answer(&program.arguments, jiff::civil::date(2026, 6, 1))?;
//! assert!(answer.text.contains("shards = 29"));
//! # Ok::<(), shard_estimator::cli::Faults>(())
//! ```

use std::fmt;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use jiff::civil::Date;
use jiff::tz::TimeZone;

pub use self::observed::{Observed, Seen};
pub use self::quantity::time;
pub use self::question::Witness;
use self::question::{NoPlan, Question};
use self::report::{Planned, Reverse};
use self::running::Hopeless;
pub use self::running::Running;
use self::trace::BytesAre;
use self::words::printable;
use self::written::{ClassKeys, GoalKeys};
use crate::{Estimator, Placement};

mod figures;
mod html;
mod observed;
mod quantity;
mod question;
mod report;
mod running;
mod settings;
mod sheet;
mod table;
mod trace;
pub mod words;
mod written;

/// What is asked.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    class: ClassKeys,
    #[command(flatten)]
    goals: GoalKeys,
    /// A file with goals ([plan]) and device classes ([[class]]); its keys are called like the flags,
    /// with _ for -. Flags go before it.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Instead of devices: what they sent, one JSON object on a line, {"ts", "device", "bytes"}, in
    /// any order; device is the partition key. ts is RFC 3339 or milliseconds since 1970. Never held
    /// whole, and a pipe will do.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// What the trace's bytes are; a line {"bytes_are": "record"} in it says the same.
    #[arg(long, value_enum, requires = "trace")]
    bytes_are: Option<BytesAre>,
    /// Asks in reverse: what so many shards can carry.
    #[arg(long, value_name = "N", value_parser = quantity::shards)]
    shards: Option<NonZeroU32>,
    /// Ends with exit code 3 if more shards than this are needed.
    #[arg(long, value_name = "N", value_parser = quantity::shards, conflicts_with = "shards")]
    max_shards_ok: Option<NonZeroU32>,
    /// Shows each formula with its numbers.
    #[arg(long)]
    explain: bool,
    /// How the answer is written.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Table,
    /// Everything, for programs; `schema_version` changes when a field does.
    Json,
    /// What the gateway's configuration says of the stream and the pace.
    Toml,
    /// One page with charts, to read, print or hand on.
    Html,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// For standard output, with its last end of line.
    pub text: String,
    /// Whether the plan needs more shards than the question said are fine.
    pub is_above_max: bool,
    /// Whether a running gateway was asked, and the plan for its stream no longer holds.
    pub is_broken: bool,
}

/// Everything that is wrong with a question, one line each. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<String>);

impl Faults {
    fn one(fault: impl fmt::Display) -> Self {
        Self(vec![fault.to_string()])
    }

    fn of(faults: &[impl fmt::Display]) -> Self {
        Self(faults.iter().map(ToString::to_string).collect())
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A fault may have several lines, and in each of them a name that may hold anything.
        let lines: Vec<_> = self.0.iter().flat_map(|fault| fault.lines()).map(printable).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Faults {}

/// The question is at fault: `EX_USAGE` of sysexits.h.
const EXIT_FAULTS: u8 = 64;
/// More shards than the question said are fine, or than a running gateway has.
const EXIT_SHORT: u8 = 3;

/// Answers on standard output, or tells on standard error what is wrong with the question. The exit
/// code is 0, 64 for a question with faults, 3 for a plan above `--max-shards-ok` or one that no longer
/// holds, or 1 when the answer could not be written.
#[must_use]
pub fn run(arguments: &Arguments) -> ExitCode {
    tell(answer(arguments, today()))
}

/// The same about devices that were observed, and not described.
#[must_use]
pub fn run_observed(arguments: &Arguments, witness: impl Into<Witness>) -> ExitCode {
    tell(answer_observed(arguments, witness, today()))
}

/// Says on standard error what is wrong with a question; the exit code is 64.
#[must_use]
pub fn refuse(faults: Faults) -> ExitCode {
    tell(Err(faults))
}

fn today() -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::UTC).date()
}

fn tell(answer: Result<Answer, Faults>) -> ExitCode {
    let (written, code) = match answer {
        Ok(Answer { text, is_above_max: false, is_broken: false }) => {
            (print(&text), ExitCode::SUCCESS)
        }
        Ok(Answer { text, .. }) => (print(&text), EXIT_SHORT.into()),
        Err(faults) => (writeln!(io::stderr(), "{faults}"), EXIT_FAULTS.into()),
    };
    if written.is_ok() { code } else { ExitCode::FAILURE }
}

/// Who stopped reading has seen enough.
fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// Answers a question on the day `today`, which only the age of the prices asks for.
///
/// # Errors
/// Everything that is wrong with the question, as far as it can be seen in one run.
pub fn answer(arguments: &Arguments, today: Date) -> Result<Answer, Faults> {
    to(&Question::of(arguments, None, today)?, arguments)
}

/// The same about devices that were observed, and not described.
///
/// # Errors
/// As [`answer`]; and when what was observed says too little.
pub fn answer_observed(
    arguments: &Arguments,
    witness: impl Into<Witness>,
    today: Date,
) -> Result<Answer, Faults> {
    match Question::of(arguments, Some(witness.into()), today) {
        Ok(question) => to(&question, arguments),
        Err(NoPlan::Hopeless(hopeless)) => no_plan(hopeless, arguments.format),
        Err(NoPlan::Faults(faults)) => Err(faults),
    }
}

/// Where no number of shards would do, that is the answer: there are no settings for it, and nothing
/// to draw.
fn no_plan(hopeless: Hopeless, format: Format) -> Result<Answer, Faults> {
    let text = match format {
        Format::Table => hopeless.says(),
        Format::Json => json(&hopeless)?,
        Format::Toml | Format::Html => return Err(NoPlan::Hopeless(hopeless).into()),
    };
    Ok(Answer { text, is_above_max: false, is_broken: true })
}

/// Finds what can be found wrong with a question about devices that are yet to be observed.
///
/// # Errors
/// What is wrong with it.
pub fn check(arguments: &Arguments) -> Result<(), Faults> {
    Question::check(arguments)
}

fn to(question: &Question, arguments: &Arguments) -> Result<Answer, Faults> {
    if let Some(shards) = arguments.shards {
        let text = match arguments.format {
            Format::Table => {
                table::of_reverse(question, &Reverse::of(question, shards), arguments.explain)
            }
            Format::Json => json(&Reverse::of(question, shards))?,
            Format::Toml => settings::of(question, shards)?,
            Format::Html => html::of_reverse(question, &Reverse::of(question, shards))?,
        };
        return Ok(Answer { text, is_above_max: false, is_broken: false });
    }
    let planned = Planned::of(question)?;
    let shards = planned.plan.shards;
    let text = match arguments.format {
        Format::Table => table::of_plan(question, &planned, arguments.explain),
        Format::Json => json(&planned)?,
        Format::Toml => settings::of(question, shards)?,
        Format::Html => html::of_plan(question, &planned)?,
    };
    let is_above_max = question.max_shards_ok.is_some_and(|max| shards > max);
    let is_broken = planned.holding.is_some_and(|holding| holding.holds == Some(false));
    Ok(Answer { text, is_above_max, is_broken })
}

/// The shards that the plan in `file` asks for.
///
/// # Errors
/// Everything that is wrong with the file, or that no number of shards would do.
pub fn planned_shards(file: &Path) -> Result<NonZeroU32, Faults> {
    Ok(read(file)?.estimator.plan().map_err(Faults::one)?.shards)
}

/// A plan that can be rehearsed.
#[derive(Debug, Clone)]
pub struct Rehearsable {
    /// Its fleet and its goals.
    pub estimator: Estimator,
    /// How many gateways share its stream.
    pub gateways: NonZeroU32,
}

/// Reads a file of a plan that can be rehearsed.
///
/// # Errors
/// Everything that is wrong with the file, and what of it a gateway, or a rehearsal, does not do.
pub fn read_plan(file: &Path) -> Result<Rehearsable, Faults> {
    let question = read(file)?;
    let goals = question.estimator.goals();
    settings::check(goals)?;
    if goals.placement == Placement::Golden {
        return Err(Faults::one(
            "a rehearsal chooses keys by their hash, to load shards as planned: plan with placement \
             md5",
        ));
    }
    let gateways = question.gateways();
    Ok(Rehearsable { estimator: question.estimator, gateways })
}

/// What a file of a plan asks.
fn read(file: &Path) -> Result<Question, Faults> {
    let arguments = Arguments { plan: Some(file.to_owned()), ..Arguments::default() };
    // Nothing is asked about prices, and so nothing of the day.
    Ok(Question::of(&arguments, None, Date::default())?)
}

fn json(report: &impl serde::Serialize) -> Result<String, Faults> {
    let text = serde_json::to_string_pretty(report).map_err(Faults::one)?;
    Ok(text + "\n")
}
