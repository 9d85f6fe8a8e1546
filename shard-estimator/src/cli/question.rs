use std::fs;
use std::path::Path;

use jiff::civil::Date;
use serde::Serialize;

use super::sheet::Sheet;
use super::trace::{self, Trace};
use super::written::{ClassKeys, GoalKeys};
use super::{Arguments, Faults};
use crate::{Class, Estimator, Fleet, Prices, Region, Warning};

/// What is asked, checked and with every default filled in.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) estimator: Estimator,
    pub(super) keys: GoalKeys,
    pub(super) region_name: String,
    pub(super) region: Region,
    pub(super) prices_date: Date,
    /// What is odd about the question itself.
    pub(super) warnings: Vec<Said>,
}

/// A warning, for machines and for people.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Said {
    /// Which it is, with its numbers.
    #[serde(flatten)]
    fields: serde_json::Value,
    /// The same in words, with advice.
    pub(super) says: String,
}

impl Said {
    pub(super) fn of(warning: &(impl Serialize + ToString)) -> Self {
        let fields = serde_json::to_value(warning).unwrap_or_default();
        Self { fields, says: warning.to_string() }
    }
}

/// As compared with AWS's pages when the program was built.
const PRICES: &str = include_str!("../../../configs/prices.toml");
const REGION_DEFAULT: &str = "us-east-1";

impl Question {
    /// Reads what the arguments name.
    pub(super) fn of(arguments: &Arguments, today: Date) -> Result<Self, Faults> {
        let sheet = match &arguments.plan {
            Some(file) => Sheet::read(&file.display().to_string(), &text(file)?)?,
            None => Sheet::default(),
        };
        let keys = arguments.goals.clone().or(sheet.goals);
        let devices = devices(arguments, sheet.classes);
        let (devices, goals) = both(devices, keys.goals())?;
        let fleet = Fleet::new(devices.classes).map_err(|faults| Faults::of(&faults))?;
        let estimator = Estimator::new(fleet, goals).map_err(|faults| Faults::of(&faults))?;
        let prices = prices(keys.prices.as_deref())?;
        let region_name = keys.region.clone().unwrap_or_else(|| REGION_DEFAULT.to_owned());
        let region = *prices.region(&region_name).map_err(Faults::one)?;
        let mut warnings: Vec<_> = devices.warnings.iter().map(Said::of).collect();
        warnings.extend(Warning::of_prices(&prices, today).iter().map(Said::of));
        let peak = keys.on_demand_peak.map(f64::from);
        warnings.extend(
            peak.and_then(|peak| Warning::of_on_demand(&estimator, peak)).iter().map(Said::of),
        );
        Ok(Self { estimator, keys, region_name, region, prices_date: prices.as_of, warnings })
    }
}

/// From the trace, or else from flags and file.
fn devices(arguments: &Arguments, written: Vec<ClassKeys>) -> Result<Trace, Faults> {
    let flags = arguments.class.clone();
    if let Some(file) = &arguments.trace {
        return if written.is_empty() && flags.is_empty() {
            trace::read(file, arguments.bytes_are)
        } else {
            Err(Faults::one("trace and devices are both given: the trace says which there are"))
        };
    }
    let classes = match written.len() {
        0 => vec![flags],
        1 => written.into_iter().map(|class| flags.clone().or(class)).collect(),
        _ if flags.is_empty() => written,
        many => {
            return Err(Faults(vec![format!(
                "the file has {many} classes, and flags say something of one: change it in the file"
            )]));
        }
    };
    let mut faults = Vec::new();
    let classes = classes
        .into_iter()
        .filter_map(|class| class.class().map_err(|Faults(more)| faults.extend(more)).ok());
    let classes: Vec<Class> = classes.collect();
    if faults.is_empty() {
        Ok(Trace { classes, warnings: Vec::new() })
    } else {
        Err(Faults(faults))
    }
}

/// Both, or the faults of both.
fn both<A, B>(one: Result<A, Faults>, other: Result<B, Faults>) -> Result<(A, B), Faults> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(Faults(mut one)), Err(Faults(other))) => {
            one.extend(other);
            Err(Faults(one))
        }
        (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
    }
}

fn prices(file: Option<&Path>) -> Result<Prices, Faults> {
    let Some(file) = file else { return toml::from_str(PRICES).map_err(Faults::one) };
    toml::from_str(&text(file)?)
        .map_err(|error| Faults::one(format_args!("{}: {error}", file.display())))
}

fn text(file: &Path) -> Result<String, Faults> {
    fs::read_to_string(file)
        .map_err(|error| Faults::one(format_args!("cannot read {}: {error}", file.display())))
}
