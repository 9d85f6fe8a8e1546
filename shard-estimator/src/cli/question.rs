use std::fs;
use std::num::NonZeroU32;
use std::path::Path;

use jiff::civil::Date;
use serde::Serialize;

use super::observed::{Known, Observed};
use super::running::{Hopeless, Running, Stream};
use super::sheet::Sheet;
use super::trace;
use super::written::{ClassKeys, GoalKeys};
use super::{Arguments, Faults};
use crate::{Class, Estimator, Fleet, Goals, Placement, Prices, Region, Warning};

/// What is asked, checked and with every default filled in.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) estimator: Estimator,
    pub(super) keys: GoalKeys,
    pub(super) region_name: String,
    pub(super) region: Region,
    pub(super) prices_date: Date,
    /// What a running gateway shows of its stream, if one was asked.
    pub(super) stream: Option<Stream>,
    /// More shards than this are not fine.
    pub(super) max_shards_ok: Option<NonZeroU32>,
    /// What is odd about the question itself.
    pub(super) warnings: Vec<Said>,
}

/// Who knows which devices there are when nobody describes them.
#[derive(Debug)]
pub enum Witness {
    /// What was seen at a broker.
    Observed(Observed),
    /// A gateway that runs.
    Running(Box<Running>),
}

impl From<Observed> for Witness {
    fn from(observed: Observed) -> Self {
        Self::Observed(observed)
    }
}

impl From<Running> for Witness {
    fn from(running: Running) -> Self {
        Self::Running(Box::new(running))
    }
}

impl Witness {
    fn known(self) -> Result<Known, String> {
        match self {
            Self::Observed(observed) => observed.known(),
            Self::Running(running) => running.known(),
        }
    }

    fn stream(&self) -> Option<Stream> {
        match self {
            Self::Observed(_) => None,
            Self::Running(running) => Some(running.stream),
        }
    }
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

/// Why there is nothing to plan with.
#[derive(Debug)]
pub(super) enum NoPlan {
    /// The question is at fault.
    Faults(Faults),
    /// A gateway that runs is, and that is the answer.
    Hopeless(Hopeless),
}

impl From<Faults> for NoPlan {
    fn from(faults: Faults) -> Self {
        Self::Faults(faults)
    }
}

impl From<NoPlan> for Faults {
    fn from(no_plan: NoPlan) -> Self {
        match no_plan {
            NoPlan::Faults(faults) => faults,
            NoPlan::Hopeless(hopeless) => Self::one(hopeless.says().trim_end()),
        }
    }
}

/// As compared with AWS's pages when the program was built.
const PRICES: &str = include_str!("../../../configs/prices.toml");
const REGION_DEFAULT: &str = "us-east-1";

/// What is asked of any devices.
struct Asked {
    classes: Vec<ClassKeys>,
    keys: GoalKeys,
    prices: Prices,
    region_name: String,
    region: Region,
}

impl Asked {
    fn read(arguments: &Arguments) -> Result<Self, Faults> {
        let sheet = match &arguments.plan {
            Some(file) => Sheet::read(&file.display().to_string(), &text(file)?)?.beside(file),
            None => Sheet::default(),
        };
        let keys = arguments.goals.clone().or(sheet.goals);
        let prices = prices(keys.prices.as_deref())?;
        let region_name = keys.region.clone().unwrap_or_else(|| REGION_DEFAULT.to_owned());
        let region = *prices.region(&region_name).map_err(Faults::one)?;
        Ok(Self { classes: sheet.classes, keys, prices, region_name, region })
    }
}

impl Question {
    /// Reads what the arguments name; the devices are those of a witness, if there is one. What
    /// a gateway was told of the plan counts unless the arguments say it anew.
    pub(super) fn of(
        arguments: &Arguments,
        witness: Option<Witness>,
        today: Date,
    ) -> Result<Self, NoPlan> {
        let Asked { classes, mut keys, prices, region_name, region } = Asked::read(arguments)?;
        let stream = witness.as_ref().and_then(Witness::stream);
        if let Some(stream) = &stream {
            keys.target_util = keys.target_util.or(stream.target);
            keys.limiter = keys.limiter.or(stream.fraction);
            keys.current_shards = keys.current_shards.or(stream.shards);
            keys.gateways = keys.gateways.or(stream.instances);
        }
        let devices = devices(arguments, witness, classes);
        let classes = devices.as_ref().map_or(0, |known| known.classes.len());
        let placement = stream.and_then(|stream| stream.placement);
        keys.placement = keys.placement.or(placement.map(|how| how.of_classes(classes)));
        let (devices, mut goals) = both(devices, keys.goals())?;
        let hashed_instead = hashed_instead(&mut goals, keys.gateways);
        kept_and_sent(&devices.classes, &goals)?;
        let fleet = Fleet::new(devices.classes).map_err(|faults| Faults::of(&faults))?;
        let estimator = Estimator::new(fleet, goals).map_err(|faults| {
            let hopeless = stream.as_ref().and_then(|stream| Hopeless::of(stream, &faults));
            hopeless.map_or_else(|| Faults::of(&faults).into(), NoPlan::Hopeless)
        })?;
        let mut warnings: Vec<_> = devices.doubts.iter().map(Said::of).collect();
        warnings.extend(hashed_instead.iter().map(Said::of));
        warnings.extend(Warning::of_prices(&prices, today).iter().map(Said::of));
        let peak = keys.on_demand_peak.map(f64::from);
        warnings.extend(
            peak.and_then(|peak| Warning::of_on_demand(&estimator, peak)).iter().map(Said::of),
        );
        let prices_date = prices.as_of;
        let max_shards_ok = arguments.max_shards_ok;
        Ok(Self {
            estimator,
            keys,
            region_name,
            region,
            prices_date,
            stream,
            max_shards_ok,
            warnings,
        })
    }

    /// How many gateways share the stream.
    pub(super) fn gateways(&self) -> NonZeroU32 {
        self.keys.gateways.unwrap_or(NonZeroU32::MIN)
    }

    /// The same plan with golden places, where a single gateway can offer them.
    pub(super) fn golden(&self) -> Option<Estimator> {
        (self.gateways() == NonZeroU32::MIN).then(|| self.estimator.golden())?
    }

    /// Finds what is wrong whatever will be observed.
    pub(super) fn check(arguments: &Arguments) -> Result<(), Faults> {
        let Asked { classes, keys, .. } = Asked::read(arguments)?;
        kept_and_sent(&[], &keys.goals()?)?;
        is_witness_alone(arguments, &classes)
    }
}

/// Golden places are even for each gateway by itself only: several are planned for as hashed, which is
/// said.
fn hashed_instead(goals: &mut Goals, gateways: Option<NonZeroU32>) -> Option<Warning> {
    let gateways = gateways.filter(|gateways| gateways.get() > 1)?;
    (goals.placement == Placement::Golden).then(|| {
        goals.placement = Placement::Md5;
        Warning::GoldenShared { gateways }
    })
}

/// Whether what devices keep is sent once, and what is sent once was kept: one without the other would
/// change nothing.
fn kept_and_sent(classes: &[Class], goals: &Goals) -> Result<(), Faults> {
    let are_kept = classes.iter().any(|class| class.buffered > 0);
    match (are_kept, goals.restore) {
        (true, None) => Err(Faults::one(
            "device_buffer is given, but no restore: say within how long all devices are back",
        )),
        (false, Some(_)) => Err(Faults::one(
            "restore is given, but no device_buffer: describe the devices with how many records \
             each keeps",
        )),
        (true, Some(_)) | (false, None) => Ok(()),
    }
}

/// Whether nothing else than the witness says which devices there are.
fn is_witness_alone(arguments: &Arguments, written: &[ClassKeys]) -> Result<(), Faults> {
    if arguments.trace.is_some() {
        return Err(Faults::one(
            "a broker or a gateway is watched and a trace is given: choose one",
        ));
    }
    if !written.is_empty() || !arguments.class.is_empty() {
        return Err(Faults::one(
            "a broker or a gateway is watched and devices are given: it shows which there are",
        ));
    }
    Ok(())
}

/// Those of the witness, or else those of the trace, or else those of flags and file.
fn devices(
    arguments: &Arguments,
    witness: Option<Witness>,
    written: Vec<ClassKeys>,
) -> Result<Known, Faults> {
    if let Some(witness) = witness {
        is_witness_alone(arguments, &written)?;
        return witness.known().map_err(Faults::one);
    }
    let Some(file) = &arguments.trace else {
        return of_classes(arguments.class.clone(), written);
    };
    if !written.is_empty() || !arguments.class.is_empty() {
        return Err(Faults::one(
            "trace and devices are both given: the trace says which there are",
        ));
    }
    let known = trace::read(file, arguments.bytes_are)?.known();
    known.map_err(|fault| Faults::one(format_args!("{}: {fault}", file.display())))
}

/// Each class as the file has it, or the one that flags and file describe together.
fn of_classes(flags: ClassKeys, written: Vec<ClassKeys>) -> Result<Known, Faults> {
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
    if faults.is_empty() { Ok(Known { classes, doubts: Vec::new() }) } else { Err(Faults(faults)) }
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
